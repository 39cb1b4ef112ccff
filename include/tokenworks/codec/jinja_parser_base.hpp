// What every part of the parser of chat templates works on: the current token and the one after it, the tree so far,
// and how deep the functions have called each other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/jinja_ast.hpp>
#include <tokenworks/codec/jinja_lexer.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja {

class parser_base {
public:
    static constexpr std::size_t most_height = 200;  ///< nodes from the root of a tree to its leaves
    static constexpr std::size_t most_nesting = 600; ///< calls of the parser's functions; a parenthesis takes four

protected:
    using list = std::vector<std::uint32_t>;

    parser_base(std::string_view source, const std::string& name) : lexer_{source, name}, file_{name} {}

    // Tokens
    void advance();
    [[nodiscard]] bool skip_sign(std::string_view s);
    [[nodiscard]] bool skip_name(std::string_view s);
    void expect_sign(std::string_view s);
    void expect(token_kind kind, std::string_view described);
    std::string_view expect_name();
    [[noreturn]] void unexpected(std::string_view wanted) const;

    // Nodes
    std::uint32_t add(node n, const list& children = {});
    std::uint32_t add(op what, std::uint32_t line, std::uint32_t a = 0, std::uint32_t b = 0, std::uint32_t c = 0);
    std::uint32_t constant(value v, std::uint32_t line);
    std::uint32_t intern(std::string_view name);

    /// Counts how deep the functions above have called each other.
    class nesting {
    public:
        explicit nesting(parser_base& p) : parser_{p} {
            if(++parser_.depth_ > most_nesting) {
                parser_.too_deep();
            }
        }
        ~nesting() { --parser_.depth_; }
        nesting(const nesting&) = delete;
        nesting& operator=(const nesting&) = delete;

    private:
        parser_base& parser_;
    };
    [[noreturn]] void too_deep() const;

    lexer lexer_;
    std::string file_;
    token now_;
    token after_;
    program made_;

private:
    std::vector<std::uint32_t> name_order_; // names sorted by text
    std::size_t depth_ = 0;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION void parser_base::advance() {
    now_ = std::move(after_);
    after_ = lexer_.next();
}

TOKENWORKS_FUNCTION bool parser_base::skip_sign(std::string_view s) {
    const bool found = now_.is_sign(s);
    if(found) {
        advance();
    }
    return found;
}

TOKENWORKS_FUNCTION bool parser_base::skip_name(std::string_view s) {
    const bool found = now_.is_name(s);
    if(found) {
        advance();
    }
    return found;
}

TOKENWORKS_FUNCTION void parser_base::unexpected(std::string_view wanted) const {
    constexpr std::string_view kinds[] = {
        "the end of the template", "text", "{{", "}}", "{%", "%}", "", "a string", "", ""};
    const std::string_view described = now_.source.empty() ? kinds[static_cast<std::size_t>(now_.kind)] : now_.source;
    lexer_.fail(now_.line, {"expected ", wanted, ", not ", tokenworks::detail::escaped(described)});
}

TOKENWORKS_FUNCTION void parser_base::expect_sign(std::string_view s) {
    if(!skip_sign(s)) {
        unexpected(s);
    }
}

TOKENWORKS_FUNCTION void parser_base::expect(token_kind kind, std::string_view described) {
    if(now_.kind != kind) {
        unexpected(described);
    }
    advance();
}

TOKENWORKS_FUNCTION std::string_view parser_base::expect_name() {
    const std::string_view name = now_.source;
    expect(token_kind::name, "a name");
    return name;
}

TOKENWORKS_FUNCTION void parser_base::too_deep() const {
    tokenworks::detail::raise<limit_error>({file_, ": tokenizer.chat_template: line ", now_.line, ": nested too deep"});
}

TOKENWORKS_FUNCTION std::uint32_t parser_base::add(node n, const list& children) {
    std::size_t height = 0;
    const auto consider = [&](std::uint32_t child) {
        height = made_.nodes[child].height > height && child != 0 ? made_.nodes[child].height : height;
    };
    consider(n.a);
    consider(n.b);
    consider(n.c);
    n.first = static_cast<std::uint32_t>(made_.lists.size());
    n.count = static_cast<std::uint32_t>(children.size());
    for(const std::uint32_t child: children) {
        consider(child);
        made_.lists.push_back(child);
    }
    if(++height > most_height) {
        too_deep();
    }
    n.height = static_cast<std::uint16_t>(height);
    made_.nodes.push_back(std::move(n));
    return static_cast<std::uint32_t>(made_.nodes.size() - 1);
}

TOKENWORKS_FUNCTION std::uint32_t parser_base::add(op what, std::uint32_t line, std::uint32_t a, std::uint32_t b,
                                                   std::uint32_t c) {
    return add({.what = what, .line = line, .a = a, .b = b, .c = c});
}

TOKENWORKS_FUNCTION std::uint32_t parser_base::constant(value v, std::uint32_t line) {
    return add({.line = line, .constant = std::move(v)});
}

TOKENWORKS_FUNCTION std::uint32_t parser_base::intern(std::string_view name) {
    std::size_t low = 0;
    std::size_t high = name_order_.size();
    while(low < high) {
        const std::size_t middle = (low + high) / 2;
        if(made_.names[name_order_[middle]] < name) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if(low < name_order_.size() && made_.names[name_order_[low]] == name) {
        return name_order_[low];
    }
    made_.names.emplace_back(name);
    const auto id = static_cast<std::uint32_t>(made_.names.size() - 1);
    name_order_.insert(name_order_.begin() + static_cast<std::ptrdiff_t>(low), id);
    return id;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja
