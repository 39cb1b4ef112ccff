// The tokens of a chat template to a tree, by the grammar of Jinja 3.1 (jinja2/parser.py) with the tags that chat
// templates may use: the usual ones, break and continue, and generation. What reads other templates (include, import,
// extends, block) is refused. Here are the statements; codec/jinja_expressions.hpp has what they hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/jinja_ast.hpp>
#include <tokenworks/codec/jinja_expressions.hpp>
#include <tokenworks/codec/jinja_lexer.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja {

class parser: private expression_parser {
public:
    using expression_parser::most_height;
    using expression_parser::most_nesting;

    /// @param name  for messages: the file
    /// @throws format_error that names the line, limit_error, unsupported_error
    parser(std::string_view source, const std::string& name) : expression_parser{source, name} {}

    [[nodiscard]] program parse();

private:
    using words = std::initializer_list<std::string_view>;

    std::uint32_t body(words ends);
    std::uint32_t statements(words ends);
    std::uint32_t statement();
    std::uint32_t set(std::uint32_t line);
    std::uint32_t branch(std::uint32_t line);
    std::uint32_t loop(std::uint32_t line);
    std::uint32_t macro(std::uint32_t line);
    std::uint32_t call_block(std::uint32_t line);
    std::uint32_t macro_body(node n, const list& parameters, std::string_view end);
    std::uint32_t filter_block(std::uint32_t line);
    std::uint32_t with(std::uint32_t line);
    list signature();
    std::uint32_t target(bool with_members, std::string_view end);
    std::uint32_t target_item(bool with_members);

    std::size_t loops_ = 0; // around, in this macro
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION program parser::parse() {
    made_.nodes.emplace_back();
    made_.lists.push_back(0);
    advance();
    advance();
    made_.root = statements({});
    return std::move(made_);
}

// Text and tags up to the end of the template, or to a tag that begins with one of `ends`, which becomes the current
// one.
TOKENWORKS_FUNCTION std::uint32_t parser::statements(words ends) {
    const nesting level{*this};
    const std::uint32_t line = now_.line;
    list found;
    for(;;) {
        if(now_.kind == token_kind::data) {
            found.push_back(add({.what = op::data, .line = now_.line, .constant = value::trusted(now_.content)}));
            advance();
        } else if(now_.kind == token_kind::print_begin) {
            const std::uint32_t at = now_.line;
            advance();
            const std::uint32_t shown = tuple(true, false);
            expect(token_kind::print_end, "}}");
            found.push_back(add(op::print, at, shown));
        } else if(now_.kind == token_kind::block_begin) {
            advance();
            bool done = false;
            for(const std::string_view end: ends) {
                done = done || now_.is_name(end);
            }
            if(done) {
                break;
            }
            const std::uint32_t made = statement();
            expect(token_kind::block_end, "%}");
            if(made != 0) {
                found.push_back(made);
            }
        } else {
            if(ends.size() != 0) {
                unexpected(*(ends.end() - 1));
            }
            break;
        }
    }
    return add({.what = op::sequence, .line = line}, found);
}

// What a tag holds, from its end on.
TOKENWORKS_FUNCTION std::uint32_t parser::body(words ends) {
    (void)skip_sign(":");
    expect(token_kind::block_end, "%}");
    return statements(ends);
}

TOKENWORKS_FUNCTION std::uint32_t parser::statement() {
    const std::uint32_t line = now_.line;
    const std::string_view tag = expect_name();
    if(tag == "set") {
        return set(line);
    }
    if(tag == "if") {
        return branch(line);
    }
    if(tag == "for") {
        return loop(line);
    }
    if(tag == "macro") {
        return macro(line);
    }
    if(tag == "call") {
        return call_block(line);
    }
    if(tag == "filter") {
        return filter_block(line);
    }
    if(tag == "with") {
        return with(line);
    }
    if(tag == "generation") {
        const std::uint32_t held = body({"endgeneration"});
        advance();
        return add(op::scope, line, held);
    }
    if(tag == "break" || tag == "continue") {
        if(loops_ == 0) {
            lexer_.fail(line, {tag, " outside of a loop"});
        }
        return add(tag == "break" ? op::stop : op::next, line);
    }
    if(tag == "print") {
        list shown;
        while(now_.kind != token_kind::block_end) {
            if(!shown.empty()) {
                expect_sign(",");
            }
            shown.push_back(add(op::print, line, expression()));
        }
        return add({.what = op::sequence, .line = line}, shown);
    }
    for(const std::string_view known: {"include", "import", "from", "extends", "block", "autoescape"}) {
        if(tag == known) {
            tokenworks::detail::raise<unsupported_error>(
                {file_, ": tokenizer.chat_template: line ", line, ": the tag ", tag, " is not supported"});
        }
    }
    lexer_.fail(line, {"unknown tag \"", tokenworks::detail::escaped(tag), "\""});
}

TOKENWORKS_FUNCTION std::uint32_t parser::set(std::uint32_t line) {
    const std::uint32_t to = target(true, {});
    if(skip_sign("=")) {
        return add(op::assign, line, to, tuple(true, false));
    }
    const std::uint32_t through = filters(0);
    const std::uint32_t held = body({"endset"});
    advance();
    return add(op::assign_block, line, to, through, held);
}

TOKENWORKS_FUNCTION std::uint32_t parser::branch(std::uint32_t line) {
    list tests_and_bodies;
    std::uint32_t otherwise = 0;
    for(;;) {
        tests_and_bodies.push_back(tuple(false, false));
        tests_and_bodies.push_back(body({"elif", "else", "endif"}));
        if(skip_name("elif")) {
            continue;
        }
        if(skip_name("else")) {
            otherwise = body({"endif"});
        }
        advance();
        break;
    }
    return add({.what = op::branch, .line = line, .c = otherwise}, tests_and_bodies);
}

TOKENWORKS_FUNCTION std::uint32_t parser::loop(std::uint32_t line) {
    const std::uint32_t each = target(false, "in");
    if(!skip_name("in")) {
        unexpected("in");
    }
    const std::uint32_t over = tuple(false, false, "recursive");
    std::uint32_t only = 0;
    if(skip_name("if")) {
        only = expression();
    }
    if(now_.is_name("recursive")) {
        tokenworks::detail::raise<unsupported_error>(
            {file_, ": tokenizer.chat_template: line ", line, ": recursive loops are not supported"});
    }
    ++loops_;
    list bodies{body({"else", "endfor"})};
    --loops_;
    if(skip_name("else")) {
        bodies.push_back(body({"endfor"}));
    }
    advance();
    return add({.what = op::loop, .line = line, .a = each, .b = over, .c = only}, bodies);
}

TOKENWORKS_FUNCTION parser::list parser::signature() {
    list parameters;
    bool defaults = false;
    expect_sign("(");
    while(!now_.is_sign(")")) {
        if(!parameters.empty()) {
            expect_sign(",");
        }
        node n{.what = op::keyword, .line = now_.line, .name = intern(expect_name())};
        if(skip_sign("=")) {
            n.a = expression();
            defaults = true;
        } else if(defaults) {
            lexer_.fail(now_.line, {"a parameter without default follows one with a default"});
        }
        parameters.push_back(add(std::move(n)));
    }
    expect_sign(")");
    return parameters;
}

TOKENWORKS_FUNCTION std::uint32_t parser::macro(std::uint32_t line) {
    node n{.what = op::macro, .line = line, .name = intern(expect_name())};
    const list parameters = signature();
    return macro_body(std::move(n), parameters, "endmacro");
}

TOKENWORKS_FUNCTION std::uint32_t parser::call_block(std::uint32_t line) {
    node n{.what = op::call_block, .line = line};
    const list parameters = now_.is_sign("(") ? signature() : list{};
    n.b = expression();
    if(made_.nodes[n.b].what != op::call) {
        lexer_.fail(line, {"a call block needs a call"});
    }
    return macro_body(std::move(n), parameters, "endcall");
}

// What a macro or a call block holds: loops around it are none of its own.
TOKENWORKS_FUNCTION std::uint32_t parser::macro_body(node n, const list& parameters, std::string_view end) {
    macros_.push_back(0);
    const std::size_t loops = std::exchange(loops_, 0);
    n.a = body({end});
    loops_ = loops;
    advance();
    n.flags = macros_.back();
    macros_.pop_back();
    return add(std::move(n), parameters);
}

TOKENWORKS_FUNCTION std::uint32_t parser::filter_block(std::uint32_t line) {
    const std::uint32_t through = filters(0, true);
    const std::uint32_t held = body({"endfilter"});
    advance();
    return add(op::filter_block, line, held, through);
}

TOKENWORKS_FUNCTION std::uint32_t parser::with(std::uint32_t line) {
    list pairs;
    while(now_.kind != token_kind::block_end) {
        if(!pairs.empty()) {
            expect_sign(",");
        }
        pairs.push_back(target(false, {}));
        expect_sign("=");
        pairs.push_back(expression());
    }
    const std::uint32_t held = body({"endwith"});
    advance();
    return add({.what = op::with, .line = line, .a = held}, pairs);
}

// One name, or several in a tuple; namespaces' members where they may be assigned to.
TOKENWORKS_FUNCTION std::uint32_t parser::target(bool with_members, std::string_view end) {
    const nesting level{*this};
    const std::uint32_t line = now_.line;
    list items;
    bool is_tuple = false;
    for(;;) {
        if(!items.empty() && (now_.is_sign(")") || now_.is_sign("=") || now_.kind == token_kind::block_end ||
                              (!end.empty() && now_.is_name(end)))) {
            break;
        }
        items.push_back(target_item(with_members));
        if(!skip_sign(",")) {
            break;
        }
        is_tuple = true;
    }
    if(!is_tuple) {
        return items[0];
    }
    return add({.what = op::tuple, .line = line}, items);
}

TOKENWORKS_FUNCTION std::uint32_t parser::target_item(bool with_members) {
    const std::uint32_t line = now_.line;
    if(skip_sign("(")) {
        const std::uint32_t inner = target(with_members, {});
        expect_sign(")");
        return inner;
    }
    const std::string_view name = expect_name();
    for(const std::string_view fixed: {"true", "false", "none", "True", "False", "None"}) {
        if(name == fixed) {
            lexer_.fail(line, {"cannot assign to ", name});
        }
    }
    const std::uint32_t found = add({.what = op::name, .line = line, .name = intern(name)});
    if(with_members && skip_sign(".")) {
        return add({.what = op::member, .line = line, .name = intern(expect_name()), .a = found});
    }
    return found;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja
