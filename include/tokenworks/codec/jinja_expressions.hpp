// The expressions of chat templates to a tree, by the grammar of Jinja 3.1 (jinja2/parser.py). Operators of a higher
// rank are read by the functions further down.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/jinja_ast.hpp>
#include <tokenworks/codec/jinja_lexer.hpp>
#include <tokenworks/codec/jinja_parser_base.hpp>
#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja {

class expression_parser: protected parser_base {
protected:
    using parser_base::parser_base;

    std::uint32_t tuple(bool with_choice, bool parentheses, std::string_view end = {});
    std::uint32_t expression(bool with_choice = true);
    std::uint32_t filters(std::uint32_t of, bool inline_first = false);

    std::vector<std::uint8_t> macros_; // flags of the macros around

private:
    using operand = std::uint32_t (expression_parser::*)();
    using operators = std::initializer_list<std::pair<std::string_view, op>>;

    std::uint32_t disjunction();
    std::uint32_t conjunction();
    std::uint32_t negation();
    std::uint32_t comparison();
    std::uint32_t sum();
    std::uint32_t concat();
    std::uint32_t product();
    std::uint32_t power();
    std::uint32_t power_operand() { return unary(); }
    std::uint32_t left_to_right(operators known, operand next);
    [[nodiscard]] std::optional<op> skip_operator(operators known);
    std::uint32_t unary(bool with_filter = true);
    std::uint32_t primary();
    std::uint32_t number();
    std::uint32_t list_literal();
    std::uint32_t dict_literal();
    std::uint32_t postfix(std::uint32_t of);
    std::uint32_t filters_and_tests(std::uint32_t of);
    std::uint32_t subscript(std::uint32_t of);
    std::uint32_t subscribed();
    std::uint32_t call(std::uint32_t callee);
    std::uint32_t test(std::uint32_t of);
    list call_arguments();
    void note_special(std::string_view name);
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION std::uint32_t expression_parser::tuple(bool with_choice, bool parentheses, std::string_view end) {
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
    return add({.what = op::tuple, .line = line}, items);
}

TOKENWORKS_FUNCTION std::uint32_t expression_parser::expression(bool with_choice) {
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

// The operator that is the current token, if it is one of these; goes on to the next token.
TOKENWORKS_FUNCTION std::optional<op> expression_parser::skip_operator(operators known) {
    for(const auto& [spelled, what]: known) {
        if(now_.is_sign(spelled) || now_.is_name(spelled)) {
            advance();
            return what;
        }
    }
    return {};
}

// Operators of one rank, of which the first is done first.
TOKENWORKS_FUNCTION std::uint32_t expression_parser::left_to_right(operators known, operand next) {
    const std::uint32_t line = now_.line;
    std::uint32_t left = (this->*next)();
    while(const std::optional<op> what = skip_operator(known)) {
        left = add(*what, line, left, (this->*next)());
    }
    return left;
}

TOKENWORKS_FUNCTION std::uint32_t expression_parser::disjunction() {
    return left_to_right({{"or", op::either}}, &expression_parser::conjunction);
}

TOKENWORKS_FUNCTION std::uint32_t expression_parser::conjunction() {
    return left_to_right({{"and", op::both}}, &expression_parser::negation);
}

TOKENWORKS_FUNCTION std::uint32_t expression_parser::negation() {
    const nesting level{*this};
    const std::uint32_t line = now_.line;
    if(skip_name("not")) {
        return add(op::negation, line, negation());
    }
    return comparison();
}

TOKENWORKS_FUNCTION std::uint32_t expression_parser::comparison() {
    const std::uint32_t line = now_.line;
    const std::uint32_t first = sum();
    list operands;
    for(;;) {
        if(now_.is_name("not") && after_.is_name("in")) {
            advance();
            advance();
            operands.push_back(add(op::not_in, line, sum()));
        } else if(const std::optional<op> what = skip_operator({{"==", op::equal},
                                                                {"!=", op::unequal},
                                                                {"<", op::less},
                                                                {"<=", op::less_equal},
                                                                {">", op::more},
                                                                {">=", op::more_equal},
                                                                {"in", op::in}})) {
            operands.push_back(add(*what, line, sum()));
        } else {
            break;
        }
    }
    return operands.empty() ? first : add({.what = op::compare, .line = line, .a = first}, operands);
}

TOKENWORKS_FUNCTION std::uint32_t expression_parser::sum() {
    return left_to_right({{"+", op::add}, {"-", op::subtract}}, &expression_parser::concat);
}

TOKENWORKS_FUNCTION std::uint32_t expression_parser::concat() {
    const std::uint32_t line = now_.line;
    list parts{product()};
    while(skip_sign("~")) {
        parts.push_back(product());
    }
    return parts.size() == 1 ? parts[0] : add({.what = op::concat, .line = line}, parts);
}

TOKENWORKS_FUNCTION std::uint32_t expression_parser::product() {
    return left_to_right({{"*", op::multiply}, {"/", op::divide}, {"//", op::floor}, {"%", op::modulo}},
                         &expression_parser::power);
}

TOKENWORKS_FUNCTION std::uint32_t expression_parser::power() {
    return left_to_right({{"**", op::power}}, &expression_parser::power_operand);
}

TOKENWORKS_FUNCTION std::uint32_t expression_parser::unary(bool with_filter) {
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
TOKENWORKS_FUNCTION void expression_parser::note_special(std::string_view name) {
    const int flag = name == "caller"    ? node::takes_caller
                     : name == "kwargs"  ? node::takes_kwargs
                     : name == "varargs" ? node::takes_varargs
                                         : 0;
    for(std::uint8_t& each: macros_) {
        each = static_cast<std::uint8_t>(each | flag);
    }
}

TOKENWORKS_FUNCTION std::uint32_t expression_parser::primary() {
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
        return add({.what = op::name, .line = line, .name = intern(name)});
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

TOKENWORKS_FUNCTION std::uint32_t expression_parser::number() {
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

TOKENWORKS_FUNCTION std::uint32_t expression_parser::list_literal() {
    const std::uint32_t line = now_.line;
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
    return add({.what = op::list, .line = line}, items);
}

TOKENWORKS_FUNCTION std::uint32_t expression_parser::dict_literal() {
    const std::uint32_t line = now_.line;
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
    return add({.what = op::dict, .line = line}, items);
}

TOKENWORKS_FUNCTION std::uint32_t expression_parser::postfix(std::uint32_t of) {
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

TOKENWORKS_FUNCTION std::uint32_t expression_parser::filters_and_tests(std::uint32_t of) {
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

TOKENWORKS_FUNCTION std::uint32_t expression_parser::filters(std::uint32_t of, bool inline_first) {
    while(inline_first || skip_sign("|")) {
        inline_first = false;
        node n{.what = op::filter, .line = now_.line, .a = of};
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

TOKENWORKS_FUNCTION std::uint32_t expression_parser::test(std::uint32_t of) {
    const std::uint32_t line = now_.line;
    advance();
    const bool negated = skip_name("not");
    const std::uint32_t name = intern(expect_name());
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
    const std::uint32_t made = add({.what = op::test, .line = line, .name = name, .a = of}, arguments);
    return negated ? add(op::negation, line, made) : made;
}

TOKENWORKS_FUNCTION std::uint32_t expression_parser::subscript(std::uint32_t of) {
    const std::uint32_t line = now_.line;
    if(skip_sign(".")) {
        if(now_.kind == token_kind::number) {
            return add(op::item, line, of, number());
        }
        return add({.what = op::attribute, .line = line, .name = intern(expect_name()), .a = of});
    }
    expect_sign("[");
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
            lexer_.fail(line, {"a slice among other keys"});
        }
    }
    const std::uint32_t key = items.size() == 1 ? items[0] : add({.what = op::tuple, .line = line}, items);
    return add(op::item, line, of, key);
}

TOKENWORKS_FUNCTION std::uint32_t expression_parser::subscribed() {
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

TOKENWORKS_FUNCTION expression_parser::list expression_parser::call_arguments() {
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
        node n{.line = now_.line};
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

TOKENWORKS_FUNCTION std::uint32_t expression_parser::call(std::uint32_t callee) {
    const std::uint32_t line = now_.line;
    return add({.what = op::call, .line = line, .a = callee}, call_arguments());
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja
