// The tokens of a chat template to a tree, by the grammar of Jinja 3.1 (jinja2/parser.py) with the tags that chat
// templates may use: the usual ones, break and continue, and generation. What reads other templates (include, import,
// extends, block) is refused.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/jinja_ast.hpp>
#include <tokenworks/codec/jinja_lexer.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja {

class parser {
public:
    static constexpr std::size_t most_height = 200;  ///< nodes from the root of a tree to its leaves
    static constexpr std::size_t most_nesting = 600; ///< calls of the functions below; a parenthesis takes four

    /// @param name  for messages: the file
    /// @throws format_error that names the line, limit_error, unsupported_error
    parser(std::string_view source, const std::string& name) : lexer_{source, name}, file_{name} {}

    [[nodiscard]] program parse();

private:
    using list = std::vector<std::uint32_t>;
    using words = std::initializer_list<std::string_view>;

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
    void note_special(std::string_view name);

    // Statements
    std::uint32_t body(words ends);
    std::uint32_t statements(words ends);
    std::uint32_t statement();
    std::uint32_t set(std::uint32_t line);
    std::uint32_t branch(std::uint32_t line);
    std::uint32_t loop(std::uint32_t line);
    std::uint32_t macro(std::uint32_t line);
    std::uint32_t call_block(std::uint32_t line);
    std::uint32_t filter_block(std::uint32_t line);
    std::uint32_t with(std::uint32_t line);
    list signature();
    std::uint32_t target(bool with_members, std::string_view end);
    std::uint32_t target_item(bool with_members);

    // Expressions
    std::uint32_t tuple(bool with_choice, bool parentheses, std::string_view end = {});
    std::uint32_t expression(bool with_choice = true);
    std::uint32_t disjunction();
    std::uint32_t conjunction();
    std::uint32_t negation();
    std::uint32_t comparison();
    std::uint32_t sum();
    std::uint32_t concat();
    std::uint32_t product();
    std::uint32_t power();
    std::uint32_t unary(bool with_filter = true);
    std::uint32_t primary();
    std::uint32_t number();
    std::uint32_t list_literal();
    std::uint32_t dict_literal();
    std::uint32_t postfix(std::uint32_t of);
    std::uint32_t filters(std::uint32_t of, bool inline_first = false);
    std::uint32_t filters_and_tests(std::uint32_t of);
    std::uint32_t subscript(std::uint32_t of);
    std::uint32_t subscribed();
    std::uint32_t call(std::uint32_t callee);
    std::uint32_t test(std::uint32_t of);
    list call_arguments();

    /// Counts how deep the functions above have called each other.
    class nesting {
    public:
        explicit nesting(parser& p) : parser_{p} {
            if(++parser_.depth_ > most_nesting) {
                parser_.too_deep();
            }
        }
        ~nesting() { --parser_.depth_; }
        nesting(const nesting&) = delete;
        nesting& operator=(const nesting&) = delete;

    private:
        parser& parser_;
    };
    [[noreturn]] void too_deep() const;

    lexer lexer_;
    std::string file_;
    token now_;
    token after_;
    program made_;
    std::vector<std::uint32_t> name_order_; // names sorted by text
    std::vector<std::uint8_t> macros_;      // flags of the macros around
    std::size_t depth_ = 0;
    std::size_t loops_ = 0;
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

TOKENWORKS_FUNCTION void parser::advance() {
    now_ = std::move(after_);
    after_ = lexer_.next();
}

TOKENWORKS_FUNCTION bool parser::skip_sign(std::string_view s) {
    const bool found = now_.is_sign(s);
    if(found) {
        advance();
    }
    return found;
}

TOKENWORKS_FUNCTION bool parser::skip_name(std::string_view s) {
    const bool found = now_.is_name(s);
    if(found) {
        advance();
    }
    return found;
}

TOKENWORKS_FUNCTION void parser::unexpected(std::string_view wanted) const {
    constexpr std::string_view kinds[] = {
        "the end of the template", "text", "{{", "}}", "{%", "%}", "", "a string", "", ""};
    const std::string_view described = now_.source.empty() ? kinds[static_cast<std::size_t>(now_.kind)] : now_.source;
    lexer_.fail(now_.line, {"expected ", wanted, ", not ", tokenworks::detail::escaped(described)});
}

TOKENWORKS_FUNCTION void parser::expect_sign(std::string_view s) {
    if(!skip_sign(s)) {
        unexpected(s);
    }
}

TOKENWORKS_FUNCTION void parser::expect(token_kind kind, std::string_view described) {
    if(now_.kind != kind) {
        unexpected(described);
    }
    advance();
}

TOKENWORKS_FUNCTION std::string_view parser::expect_name() {
    const std::string_view name = now_.source;
    expect(token_kind::name, "a name");
    return name;
}

TOKENWORKS_FUNCTION void parser::too_deep() const {
    tokenworks::detail::raise<limit_error>({file_, ": tokenizer.chat_template: line ", now_.line, ": nested too deep"});
}

TOKENWORKS_FUNCTION std::uint32_t parser::add(node n, const list& children) {
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

TOKENWORKS_FUNCTION std::uint32_t parser::add(op what, std::uint32_t line, std::uint32_t a, std::uint32_t b,
                                              std::uint32_t c) {
    node n;
    n.what = what;
    n.line = line;
    n.a = a;
    n.b = b;
    n.c = c;
    return add(std::move(n));
}

TOKENWORKS_FUNCTION std::uint32_t parser::constant(value v, std::uint32_t line) {
    node n;
    n.line = line;
    n.constant = std::move(v);
    return add(std::move(n));
}

TOKENWORKS_FUNCTION std::uint32_t parser::intern(std::string_view name) {
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

// Text and tags up to the end of the template, or to a tag that begins with one of `ends`, which becomes the current
// one.
TOKENWORKS_FUNCTION std::uint32_t parser::statements(words ends) {
    const nesting level{*this};
    const std::uint32_t line = now_.line;
    list found;
    for(;;) {
        if(now_.kind == token_kind::data) {
            node n;
            n.what = op::data;
            n.line = now_.line;
            n.constant = value::trusted(now_.content);
            advance();
            found.push_back(add(std::move(n)));
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
    node n;
    n.what = op::sequence;
    n.line = line;
    return add(std::move(n), found);
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
        node n;
        n.what = op::sequence;
        n.line = line;
        return add(std::move(n), shown);
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
    node n;
    n.what = op::branch;
    n.line = line;
    n.c = otherwise;
    return add(std::move(n), tests_and_bodies);
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
    node n;
    n.what = op::loop;
    n.line = line;
    n.a = each;
    n.b = over;
    n.c = only;
    return add(std::move(n), bodies);
}

TOKENWORKS_FUNCTION parser::list parser::signature() {
    list parameters;
    bool defaults = false;
    expect_sign("(");
    while(!now_.is_sign(")")) {
        if(!parameters.empty()) {
            expect_sign(",");
        }
        node n;
        n.what = op::keyword;
        n.line = now_.line;
        n.name = intern(expect_name());
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
    node n;
    n.what = op::macro;
    n.line = line;
    n.name = intern(expect_name());
    const list parameters = signature();
    macros_.push_back(0);
    const std::size_t loops = std::exchange(loops_, 0);
    n.a = body({"endmacro"});
    loops_ = loops;
    advance();
    n.flags = macros_.back();
    macros_.pop_back();
    return add(std::move(n), parameters);
}

TOKENWORKS_FUNCTION std::uint32_t parser::call_block(std::uint32_t line) {
    node n;
    n.what = op::call_block;
    n.line = line;
    const list parameters = now_.is_sign("(") ? signature() : list{};
    n.b = expression();
    if(made_.nodes[n.b].what != op::call) {
        lexer_.fail(line, {"a call block needs a call"});
    }
    macros_.push_back(0);
    const std::size_t loops = std::exchange(loops_, 0);
    n.a = body({"endcall"});
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
    node n;
    n.what = op::with;
    n.line = line;
    n.a = body({"endwith"});
    advance();
    return add(std::move(n), pairs);
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
    node n;
    n.what = op::tuple;
    n.line = line;
    return add(std::move(n), items);
}

TOKENWORKS_FUNCTION std::uint32_t parser::target_item(bool with_members) {
    const std::uint32_t line = now_.line;
    if(skip_sign("(")) {
        const std::uint32_t inner = target(with_members, {});
        expect_sign(")");
        return inner;
    }
    node n;
    n.what = op::name;
    n.line = line;
    const std::string_view name = expect_name();
    for(const std::string_view fixed: {"true", "false", "none", "True", "False", "None"}) {
        if(name == fixed) {
            lexer_.fail(line, {"cannot assign to ", name});
        }
    }
    n.name = intern(name);
    if(with_members && skip_sign(".")) {
        const std::uint32_t owner = add(std::move(n));
        n = node{};
        n.what = op::member;
        n.line = line;
        n.a = owner;
        n.name = intern(expect_name());
    }
    return add(std::move(n));
}

TOKENWORKS_FUNCTION std::uint32_t parser::tuple(bool with_choice, bool parentheses, std::string_view end) {
    const nesting level{*this};
    const std::uint32_t line = now_.line;
    list items;
    bool is_tuple = false;
    for(;;) {
        if(now_.kind == token_kind::print_end || now_.kind == token_kind::block_end || now_.is_sign(")") ||
           (!end.empty() && now_.is_name(end))) {
            break;
        }
        items.push_back(expression(with_choice));
        if(!skip_sign(",")) {
            break;
        }
        is_tuple = true;
    }
    if(!is_tuple && !items.empty()) {
        return items[0];
    }
    if(!is_tuple && !parentheses) {
        unexpected("an expression");
    }
    node n;
    n.what = op::tuple;
    n.line = line;
    return add(std::move(n), items);
}

TOKENWORKS_FUNCTION std::uint32_t parser::expression(bool with_choice) {
    const nesting level{*this};
    const std::uint32_t line = now_.line;
    std::uint32_t found = disjunction();
    while(with_choice && skip_name("if")) {
        const std::uint32_t condition = disjunction();
        const std::uint32_t otherwise = skip_name("else") ? expression() : 0;
        found = add(op::choice, line, condition, found, otherwise);
    }
    return found;
}

TOKENWORKS_FUNCTION std::uint32_t parser::disjunction() {
    const std::uint32_t line = now_.line;
    std::uint32_t left = conjunction();
    while(skip_name("or")) {
        left = add(op::either, line, left, conjunction());
    }
    return left;
}

TOKENWORKS_FUNCTION std::uint32_t parser::conjunction() {
    const std::uint32_t line = now_.line;
    std::uint32_t left = negation();
    while(skip_name("and")) {
        left = add(op::both, line, left, negation());
    }
    return left;
}

TOKENWORKS_FUNCTION std::uint32_t parser::negation() {
    const nesting level{*this};
    const std::uint32_t line = now_.line;
    if(skip_name("not")) {
        return add(op::negation, line, negation());
    }
    return comparison();
}

TOKENWORKS_FUNCTION std::uint32_t parser::comparison() {
    constexpr std::pair<std::string_view, op> signs[] = {{"==", op::equal}, {"!=", op::unequal},
                                                         {"<", op::less},   {"<=", op::less_equal},
                                                         {">", op::more},   {">=", op::more_equal}};
    const std::uint32_t line = now_.line;
    const std::uint32_t first = sum();
    list operands;
    for(bool more = true; more;) {
        more = false;
        for(const auto& [sign, what]: signs) {
            if(!more && skip_sign(sign)) {
                operands.push_back(add(what, line, sum()));
                more = true;
            }
        }
        if(!more && skip_name("in")) {
            operands.push_back(add(op::in, line, sum()));
            more = true;
        } else if(!more && now_.is_name("not") && after_.is_name("in")) {
            advance();
            advance();
            operands.push_back(add(op::not_in, line, sum()));
            more = true;
        }
    }
    if(operands.empty()) {
        return first;
    }
    node n;
    n.what = op::compare;
    n.line = line;
    n.a = first;
    return add(std::move(n), operands);
}

TOKENWORKS_FUNCTION std::uint32_t parser::sum() {
    const std::uint32_t line = now_.line;
    std::uint32_t left = concat();
    for(;;) {
        if(skip_sign("+")) {
            left = add(op::add, line, left, concat());
        } else if(skip_sign("-")) {
            left = add(op::subtract, line, left, concat());
        } else {
            return left;
        }
    }
}

TOKENWORKS_FUNCTION std::uint32_t parser::concat() {
    const std::uint32_t line = now_.line;
    list parts{product()};
    while(skip_sign("~")) {
        parts.push_back(product());
    }
    if(parts.size() == 1) {
        return parts[0];
    }
    node n;
    n.what = op::concat;
    n.line = line;
    return add(std::move(n), parts);
}

TOKENWORKS_FUNCTION std::uint32_t parser::product() {
    constexpr std::pair<std::string_view, op> signs[] = {
        {"*", op::multiply}, {"/", op::divide}, {"//", op::floor}, {"%", op::modulo}};
    const std::uint32_t line = now_.line;
    std::uint32_t left = power();
    for(bool more = true; more;) {
        more = false;
        for(const auto& [sign, what]: signs) {
            if(!more && skip_sign(sign)) {
                left = add(what, line, left, power());
                more = true;
            }
        }
    }
    return left;
}

TOKENWORKS_FUNCTION std::uint32_t parser::power() {
    const std::uint32_t line = now_.line;
    std::uint32_t left = unary();
    while(skip_sign("**")) {
        left = add(op::power, line, left, unary());
    }
    return left;
}

TOKENWORKS_FUNCTION std::uint32_t parser::unary(bool with_filter) {
    const nesting level{*this};
    const std::uint32_t line = now_.line;
    std::uint32_t found = 0;
    if(skip_sign("-")) {
        found = add(op::negative, line, unary(false));
    } else if(skip_sign("+")) {
        found = add(op::positive, line, unary(false));
    } else {
        found = primary();
    }
    found = postfix(found);
    return with_filter ? filters_and_tests(found) : found;
}

// A macro learns which of its special variables its body speaks of; so do those around it.
TOKENWORKS_FUNCTION void parser::note_special(std::string_view name) {
    const int flag = name == "caller"    ? node::takes_caller
                     : name == "kwargs"  ? node::takes_kwargs
                     : name == "varargs" ? node::takes_varargs
                                         : 0;
    for(std::uint8_t& each: macros_) {
        each = static_cast<std::uint8_t>(each | flag);
    }
}

TOKENWORKS_FUNCTION std::uint32_t parser::primary() {
    const std::uint32_t line = now_.line;
    if(now_.kind == token_kind::name) {
        const std::string_view name = expect_name();
        if(name == "true" || name == "True" || name == "false" || name == "False") {
            return constant(value{name == "true" || name == "True"}.with_taint(false), line);
        }
        if(name == "none" || name == "None") {
            return constant(value{}, line);
        }
        note_special(name);
        node n;
        n.what = op::name;
        n.line = line;
        n.name = intern(name);
        return add(std::move(n));
    }
    if(now_.kind == token_kind::string) {
        std::string all = std::move(now_.content);
        for(advance(); now_.kind == token_kind::string; advance()) {
            all += now_.content;
        }
        return constant(value::trusted(all), line);
    }
    if(now_.kind == token_kind::number) {
        return number();
    }
    if(skip_sign("(")) {
        const std::uint32_t inner = tuple(true, true);
        expect_sign(")");
        return inner;
    }
    if(now_.is_sign("[")) {
        return list_literal();
    }
    if(now_.is_sign("{")) {
        return dict_literal();
    }
    unexpected("an expression");
}

TOKENWORKS_FUNCTION std::uint32_t parser::number() {
    const std::uint32_t line = now_.line;
    std::string digits;
    for(const char c: now_.source) {
        if(c != '_') {
            digits += c;
        }
    }
    const char kind = digits.size() > 1 && digits[0] == '0' ? static_cast<char>(digits[1] | 32) : ' ';
    const int base = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 10;
    const char* const end = digits.data() + digits.size();
    if(base == 10 && digits.find_first_of(".eE") != digits.npos) {
        double real = 0;
        if(std::from_chars(digits.data(), end, real).ec == std::errc::result_out_of_range) {
            real = std::strtod(digits.c_str(), nullptr); // infinite, or as good as zero
        }
        advance();
        return constant(value{real}.with_taint(false), line);
    }
    std::int64_t whole = 0;
    const auto [past, problem] = std::from_chars(digits.data() + (base == 10 ? 0 : 2), end, whole, base);
    const bool zeros_first = base == 10 && digits[0] == '0' && whole != 0;
    if(problem != std::errc{} || past != end || zeros_first) {
        lexer_.fail(line, {"the number ", now_.source, " cannot be represented"});
    }
    advance();
    return constant(value{whole}.with_taint(false), line);
}

TOKENWORKS_FUNCTION std::uint32_t parser::list_literal() {
    node n;
    n.what = op::list;
    n.line = now_.line;
    expect_sign("[");
    list items;
    while(!now_.is_sign("]")) {
        if(!items.empty()) {
            expect_sign(",");
            if(now_.is_sign("]")) {
                break;
            }
        }
        items.push_back(expression());
    }
    expect_sign("]");
    return add(std::move(n), items);
}

TOKENWORKS_FUNCTION std::uint32_t parser::dict_literal() {
    node n;
    n.what = op::dict;
    n.line = now_.line;
    expect_sign("{");
    list items;
    while(!now_.is_sign("}")) {
        if(!items.empty()) {
            expect_sign(",");
            if(now_.is_sign("}")) {
                break;
            }
        }
        items.push_back(expression());
        expect_sign(":");
        items.push_back(expression());
    }
    expect_sign("}");
    return add(std::move(n), items);
}

TOKENWORKS_FUNCTION std::uint32_t parser::postfix(std::uint32_t of) {
    for(;;) {
        if(now_.is_sign(".") || now_.is_sign("[")) {
            of = subscript(of);
        } else if(now_.is_sign("(")) {
            of = call(of);
        } else {
            return of;
        }
    }
}

TOKENWORKS_FUNCTION std::uint32_t parser::filters_and_tests(std::uint32_t of) {
    for(;;) {
        if(now_.is_sign("|")) {
            of = filters(of);
        } else if(now_.is_name("is")) {
            of = test(of);
        } else if(now_.is_sign("(")) {
            of = call(of);
        } else {
            return of;
        }
    }
}

TOKENWORKS_FUNCTION std::uint32_t parser::filters(std::uint32_t of, bool inline_first) {
    while(inline_first || skip_sign("|")) {
        inline_first = false;
        node n;
        n.what = op::filter;
        n.line = now_.line;
        n.a = of;
        std::string name{expect_name()};
        while(skip_sign(".")) {
            name += '.';
            name += expect_name();
        }
        n.name = intern(name);
        of = add(std::move(n), now_.is_sign("(") ? call_arguments() : list{});
    }
    return of;
}

TOKENWORKS_FUNCTION std::uint32_t parser::test(std::uint32_t of) {
    node n;
    n.what = op::test;
    n.line = now_.line;
    n.a = of;
    advance();
    const bool negated = skip_name("not");
    n.name = intern(expect_name());
    list arguments;
    const bool starts_value = now_.kind == token_kind::name || now_.kind == token_kind::string ||
                              now_.kind == token_kind::number || now_.is_sign("[") || now_.is_sign("{");
    if(now_.is_sign("(")) {
        arguments = call_arguments();
    } else if(starts_value && !now_.is_name("else") && !now_.is_name("or") && !now_.is_name("and")) {
        if(now_.is_name("is")) {
            lexer_.fail(now_.line, {"tests cannot be chained with is"});
        }
        arguments.push_back(postfix(primary()));
    }
    const std::uint32_t line = n.line;
    const std::uint32_t made = add(std::move(n), arguments);
    return negated ? add(op::negation, line, made) : made;
}

TOKENWORKS_FUNCTION std::uint32_t parser::subscript(std::uint32_t of) {
    node n;
    n.line = now_.line;
    n.a = of;
    if(skip_sign(".")) {
        if(now_.kind == token_kind::number) {
            n.what = op::item;
            n.b = number();
        } else {
            n.what = op::attribute;
            n.name = intern(expect_name());
        }
        return add(std::move(n));
    }
    expect_sign("[");
    n.what = op::item;
    list items;
    while(!now_.is_sign("]")) {
        if(!items.empty()) {
            expect_sign(",");
        }
        items.push_back(subscribed());
    }
    expect_sign("]");
    for(std::size_t i = 0; items.size() > 1 && i < items.size(); ++i) {
        if(made_.nodes[items[i]].what == op::slice) {
            lexer_.fail(n.line, {"a slice among other keys"});
        }
    }
    if(items.size() == 1) {
        n.b = items[0];
    } else {
        node several;
        several.what = op::tuple;
        several.line = n.line;
        n.b = add(std::move(several), items);
    }
    return add(std::move(n));
}

TOKENWORKS_FUNCTION std::uint32_t parser::subscribed() {
    const std::uint32_t line = now_.line;
    const auto ends = [&] { return now_.is_sign("]") || now_.is_sign(",") || now_.is_sign(":"); };
    const std::uint32_t first = ends() ? 0 : expression();
    if(!skip_sign(":")) {
        if(first == 0) {
            unexpected("an expression");
        }
        return first;
    }
    const std::uint32_t last = ends() ? 0 : expression();
    const std::uint32_t step = skip_sign(":") && !ends() ? expression() : 0;
    return add(op::slice, line, first, last, step);
}

TOKENWORKS_FUNCTION parser::list parser::call_arguments() {
    const nesting level{*this};
    list arguments;
    // Plain ones come first, then *x, then names and **x.
    bool named = false;
    bool starred = false;
    bool dict = false;
    expect_sign("(");
    while(!now_.is_sign(")")) {
        if(!arguments.empty()) {
            expect_sign(",");
            if(now_.is_sign(")")) {
                break;
            }
        }
        node n;
        n.line = now_.line;
        bool in_order = !dict;
        if(skip_sign("**")) {
            n.what = op::unpack_dict;
            n.a = expression();
            dict = true;
        } else if(skip_sign("*")) {
            in_order = in_order && !starred;
            n.what = op::unpack;
            n.a = expression();
            starred = true;
        } else if(now_.kind == token_kind::name && after_.is_sign("=")) {
            n.what = op::keyword;
            n.name = intern(expect_name());
            advance();
            n.a = expression();
            named = true;
        } else {
            in_order = in_order && !starred && !named;
            arguments.push_back(expression());
        }
        if(!in_order) {
            lexer_.fail(n.line, {"the arguments of a call are out of order"});
        }
        if(n.what != op::constant) {
            arguments.push_back(add(std::move(n)));
        }
    }
    expect_sign(")");
    return arguments;
}

TOKENWORKS_FUNCTION std::uint32_t parser::call(std::uint32_t callee) {
    node n;
    n.what = op::call;
    n.line = now_.line;
    n.a = callee;
    return add(std::move(n), call_arguments());
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja
