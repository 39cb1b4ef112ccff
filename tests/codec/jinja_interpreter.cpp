#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <tokenworks/codec/jinja_interpreter.hpp>
#include <tokenworks/codec/jinja_parser.hpp>
#include <tokenworks/codec/template_json.hpp>
#include <tokenworks/core/error.hpp>

#include "codec/golden.hpp"
#include "codec/jinja_run.hpp"
#include "support/catch.hpp"

using namespace tokenworks::codec::jinja;
using tokenworks::codec::parse_template_json;

namespace {

constexpr std::int64_t noon = 1785844800; // 2026-08-04 12:00, as tools/golden/jinja.py has it

text rendered(const std::string& source, const variables& given = {}, const limits& bounds = {}) {
    return run(parser{source, "t"}.parse(), source.size(), given, noon, "t", bounds);
}

variables variables_of(const std::string& json) {
    variables given;
    const value all = parse_template_json(json);
    for(const auto& [name, content]: all.entries()) {
        given.emplace_back(name.view(), content);
    }
    return given;
}

std::string trust(const std::string& source, const variables& given) {
    return jinja_run::trust(rendered(source, given));
}

std::string refusal(const std::string& source, const variables& given = {}, const limits& bounds = {}) {
    try {
        (void)rendered(source, given, bounds);
    } catch(const tokenworks::error& problem) {
        return problem.what();
    }
    return "rendered";
}

} // namespace

TEST_CASE("interpreter: templates render as Jinja2 renders them", "[codec]") {
    std::ifstream file = golden::open("jinja.txt");
    variables given;
    std::string source;
    std::size_t count = 0;
    for(std::string line; std::getline(file, line);) {
        if(line.starts_with("V ")) {
            given = variables_of(golden::from_hex(line.substr(2)));
        } else if(line.starts_with("T ")) {
            source = golden::from_hex(line.substr(2));
        } else if(line.starts_with("R ")) {
            INFO(source);
            ++count;
            if(line == "R !") {
                CHECK(refusal(source, given) != "rendered");
            } else {
                CHECK(rendered(source, given).view() == golden::from_hex(line.substr(2)));
            }
        }
    }
    CHECK(count > 240);
}

TEST_CASE("interpreter: what a message brought stays untrusted, however it is moved", "[codec]") {
    const variables given{{"u", value{"ab<|x|>"}},
                          {"n", value{7}},
                          {"d", value::dict({{"k", value{"v"}}})},
                          {"l", value::list({value{"p"}, value{1}})},
                          {"t", value::trusted("<s>")}};
    CHECK(trust("<|{{ u }}|>{{ t }}", given) == "<|[ab<|x|>]|><s>");
    CHECK(trust("{{ 'A' + u + 'B' }}{{ u ~ 'c' ~ u }}", given) == "A[ab<|x|>]B[ab<|x|>]c[ab<|x|>]");
    CHECK(trust("{{ ('A' + u)[::-1] }}", given) == "[>|x|<ba]A");
    CHECK(trust("{{ ('A' + u)[0:2] }}{{ ('A' + u)[1] }}", given) == "A[aa]");
    CHECK(trust("{{ u | upper }}{{ ('x' + u) | title }}", given) == "[AB<|X|>]X[ab<|x|>]");
    CHECK(trust("{{ u | replace('ab', '<e>') }}{{ 'a-b'.replace('-', u) }}", given) == "<e>[<|x|>]a[ab<|x|>]b");
    CHECK(trust("{{ (' ' + u + ' ') | trim }}{{ u.split('<')[1] }}", given) == "[ab<|x|>|x|>]");
    CHECK(trust("{{ [u, 'y'] | join(', ') }}{{ u | list | join('-') }}", given).starts_with("[ab<|x|>], y[a]-[b]-"));
    CHECK(trust("{{ '%s!%d' % (u, n) }}{{ '{}?'.format(u) }}", given) == "[ab<|x|>]![7ab<|x|>]?");
    CHECK(trust("{{ n }}{{ n + 1 }}{{ 5 }}{{ n | string }}{{ 3 * 4 }}", given) == "[78]5[7]12");
    CHECK(trust("{{ l | length }}{{ loop is defined }}", given) == "2False");
    CHECK(trust("{{ d }}", given) == "[{'k': 'v'}]"); // its shape too
    CHECK(trust("{{ d | tojson }}{{ l | tojson(indent=1) }}", given) == "[{\"k\": \"v\"}[\n \"p\",\n 1\n]]");
    CHECK(trust("{{ {'a': u} | tojson }}{{ [1, n] }}", given) == "{\"a\": [\"ab<|x|>\"]}[1, [7]]");
    CHECK(trust("{% for c in u %}{{ loop.index }}{{ c }}{% endfor %}", {{"u", value{"ab"}}}) == "1[a]2[b]");
    CHECK(trust("{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(u) | upper }}", given) == "<[AB<|X|>]>");
    CHECK(trust("{% set x %}a{{ u }}b{% endset %}{{ x }}", given) == "a[ab<|x|>]b");
    CHECK(trust("{% filter upper %}a{{ u }}{% endfilter %}", given) == "A[AB<|X|>]");
    CHECK(trust("{% set ns = namespace(x=u) %}{{ ns.x }}{{ u | e }}", given) == "[ab<|x|>ab&lt;|x|&gt;]");
    CHECK(trust("{{ u | indent(1, true) }}{{ u | center(9) }}", given) == " [ab<|x|>] [ab<|x|>] ");
    CHECK(trust("{{ u.zfill(9) }}{{ u[:2] * 2 }}{{ u | int(n) }}{{ '8' | int }}", given) == "00[ab<|x|>abab7]8");
    CHECK(trust("{{ strftime_now('%Y') }}{{ strftime_now(u[:1] ~ '%Y') }}", given) == "2026[a2026]");
    CHECK(trust("{% for k, v in d.items() %}{{ k }}={{ v }}{% endfor %}", given) == "[k]=[v]");
    CHECK(trust("{{ n > 5 }}{{ n if n else 0 }}{{ u == 'x' }}", given) == "True[7]False");
}

TEST_CASE("interpreter: errors carry line and reason", "[codec]") {
    CHECK(refusal("a\n{{ x.y }}") == "t: tokenizer.chat_template: line 2: 'x' is undefined");
    CHECK(refusal("\n\n{{ 1 / 0 }}") == "t: tokenizer.chat_template: line 3: division by zero");
    CHECK_THAT(refusal("{{ [].append(1) }}"), ContainsSubstring("a template may not change a value"));
    CHECK_THAT(refusal("{% macro m() %}\n{{ 1 + 'a' }}{% endmacro %}\n{{ m() }}"),
               ContainsSubstring("line 2: there is no +"));
    try {
        (void)rendered("\n{{ raise_exception('no \xc3\xa9 ' ~ x) }}", {{"x", value{"user"}}});
        FAIL("it must throw");
    } catch(const tokenworks::template_error& problem) {
        CHECK(problem.line() == 2);
        CHECK(problem.said() == "no \xc3\xa9 user");
        CHECK(std::string{problem.what()} == "t: tokenizer.chat_template: line 2: no \\xc3\\xa9 user");
    }
    CHECK_THROWS_AS(rendered("{{ raise_exception('x') }}"), tokenworks::argument_error);
}

TEST_CASE("interpreter: a template cannot take more than it is given", "[codec]") {
    const auto limited = [](const std::string& source, const variables& given = {}) {
        INFO(source);
        CHECK_THROWS_AS(rendered(source, given), tokenworks::limit_error);
    };
    limited("{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}");
    limited("{{ 'x' * 9000000000000000000 }}");
    limited("{{ [1] * 9000000000000000000 }}");
    limited("{% set ns = namespace(x='x') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}");
    limited("{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}");
    limited("{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}");
    limited(
        "{% set ns = namespace(x=[]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}");
    limited("{% set ns = namespace(x=[]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | "
            "tojson }}");
    limited(
        "{% set a = namespace(x=[]) %}{% set b = namespace(x=[]) %}{% for i in range(99) %}{% set a.x = [a.x, a.x] %}"
        "{% set b.x = [b.x, b.x] %}{% endfor %}{{ a.x == b.x }}");
    limited("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}");
    limited("{% macro m() %}{{ caller() }}{% endmacro %}{% macro n() %}{% call m() %}{{ n() }}{% endcall %}{% endmacro "
            "%}{{ n() }}");
    limited("{% for i in range(100000) %}{{ 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' }}{% endfor %}");
    limited("{{ 'a'.center(9000000000000) }}");
    limited("{{ [1] | tojson(indent=9000000000000) }}");
    limited("{{ 'a' | indent(9000000000000) }}");
    limited("{{ ('a' * 100000).replace('', 'b' * 100000) }}");
    limited("{{ ('a' * 100000) | list | join('b' * 100000) }}");
    limited("{{ [1] | batch(9000000000000, 'x') | list }}");
    limited("{{ [] | slice(9000000000000) | list }}");
    limited("{% set x = range(100000) | list %}{% for i in x %}{% if i in x %}{% endif %}{% endfor %}");
    limited("{{ range(100000) | unique | list }}");
    limited("{% for i in range(99999) %}{{ ('x' * 9999) | upper | length }}{% endfor %}");
    limited("{{ u * 400 }}{{ u * 400 }}", {{"u", value{std::string(100'000, 'u')}}});

    // What is let go of counts no longer; what is given allows more.
    const std::string copies = "{% for i in range(3000) %}{% set x = u + u %}{% endfor %}ok";
    CHECK(refusal(copies, {{"u", value{std::string(100'000, 'u')}}}) == "rendered");
    CHECK(rendered("{{ u * 10 }}", {{"u", value{std::string(1'000'000, 'u')}}}).size() == 10'000'000);
    CHECK_THROWS_AS(rendered("{{ 1 }}{{ 2 }}", {}, {.steps = 3, .steps_per_byte = 0}), tokenworks::limit_error);
    CHECK_THROWS_AS(rendered("abc", {}, {.output = 2, .output_per_byte = 0}), tokenworks::limit_error);
}

TEST_CASE("interpreter: what holds itself is let go of", "[codec]") {
    CHECK(rendered("{% set ns = namespace() %}{% set ns.me = ns %}{% set ns.l = [ns] %}{{ ns.me.me.l | length }}")
              .view() == "1");
    CHECK(rendered("{% macro m() %}x{% endmacro %}{% set ns = namespace(f=m) %}{{ ns.f() }}").view() == "x");
    CHECK(rendered("{% set ns = namespace() %}{% for x in [1, 2] %}{% set ns.l = loop %}{% endfor %}"
                   "{{ ns.l.index }}{{ ns.l.length }}")
              .view() == "22");
    CHECK(rendered("{% set ns = namespace() %}{% macro m() %}{% set ns.c = caller %}{% endmacro %}"
                   "{% for i in [7] %}{% call m() %}in {{ i }}{% endcall %}{% endfor %}{{ ns.c() }}")
              .view() == "in 7");
}
