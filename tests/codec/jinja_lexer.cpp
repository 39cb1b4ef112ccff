#include <string>
#include <vector>

#include <tokenworks/codec/jinja_lexer.hpp>
#include <tokenworks/core/error.hpp>

#include "support/catch.hpp"

using namespace tokenworks::codec::jinja;

namespace {

/// Each token by kind and content; data and strings in quotes.
std::vector<std::string> tokens(const std::string& source) {
    lexer lex{source, "t"};
    std::vector<std::string> all;
    for(token next = lex.next(); next.kind != token_kind::end; next = lex.next()) {
        const bool quoted = next.kind == token_kind::data || next.kind == token_kind::string;
        all.push_back(quoted                                 ? "'" + next.content + "'"
                      : next.kind == token_kind::print_begin ? "{{"
                      : next.kind == token_kind::print_end   ? "}}"
                      : next.kind == token_kind::block_begin ? "{%"
                      : next.kind == token_kind::block_end   ? "%}"
                                                             : std::string{next.source});
    }
    return all;
}

using list = std::vector<std::string>;

} // namespace

TEST_CASE("lexer: blanks beside tags", "[codec]") {
    CHECK(tokens("a {{ b }} c\n") == list{"'a '", "{{", "b", "}}", "' c'"});
    CHECK(tokens("a {{- b -}} \n c") == list{"'a'", "{{", "b", "}}", "'c'"});
    CHECK(tokens("x\n  {% if a %}\n y") == list{"'x\n'", "{%", "if", "a", "%}", "' y'"});
    CHECK(tokens("x\n  {%+ if a +%}\n y") == list{"'x\n  '", "{%", "if", "a", "%}", "'\n y'"});
    CHECK(tokens("x {% if a %} \n y") == list{"'x '", "{%", "if", "a", "%}", "' \n y'"});
    CHECK(tokens("a{# c #}b{#- c -#} d") == list{"'a'", "'b'", "'d'"});
    CHECK(tokens("a\r\nb\rc\n\n") == list{"'a\nb\nc\n'"});
    CHECK(tokens("{% raw %}{{ x }}{% endraw %}") == list{"'{{ x }}'"});
    CHECK(tokens("").empty());
    CHECK(tokens("a\xc2\xa0{%- x %}") == list{"'a'", "{%", "x", "%}"});
}

TEST_CASE("lexer: names, numbers, strings and signs", "[codec]") {
    CHECK(tokens("{{ a.b[1.5]|c(1e3, 0x1F, 1_000) ** 2 // 3 != x.1.2 }}") ==
          list{"{{",    "a", ".",  "b", "[",  "1.5", "]",  "|", "c", "(", "1e3", ",", "0x1F", ",",
               "1_000", ")", "**", "2", "//", "3",   "!=", "x", ".", "1", ".",   "2", "}}"});
    CHECK(tokens("{{ {'a':{}}}}") == list{"{{", "{", "'a'", ":", "{", "}", "}", "}}"});
    CHECK(tokens(R"({{ '\n\x41\u00e9\101\q\'' "%}" }})") == list{"{{",
                                                                 "'\nA\xc3\xa9"
                                                                 "A\\q''",
                                                                 "'%}'", "}}"});
}

TEST_CASE("lexer: what is wrong is refused with its line", "[codec]") {
    const auto refusal = [](const std::string& source) {
        try {
            (void)tokens(source);
        } catch(const tokenworks::format_error& problem) {
            CHECK(problem.file() == "t");
            CHECK(problem.field() == "tokenizer.chat_template");
            return std::string{problem.what()};
        }
        return std::string{};
    };
    CHECK_THAT(refusal("\n\n{# open"), ContainsSubstring("line 3: a comment is not closed"));
    CHECK_THAT(refusal("\n{{ 'a }}"), ContainsSubstring("line 2: a string is not closed"));
    CHECK_THAT(refusal("{% raw %} x"), ContainsSubstring("a raw block is not closed"));
    CHECK_THAT(refusal("{{ (1] }}"), ContainsSubstring("unexpected \"]\""));
    CHECK_THAT(refusal("{{ a ! b }}"), ContainsSubstring("unexpected character \"!\""));
    CHECK_THAT(refusal("{{ '\\xZZ' }}"), ContainsSubstring("an escape without its digits"));
    CHECK_THAT(refusal("{{ '\\N{DASH}' }}"), ContainsSubstring("not supported"));
    CHECK_THAT(refusal("{{ '\\"), ContainsSubstring("a string is not closed"));
    CHECK_THROWS_AS(lexer(std::string(lexer::longest_source + 1, 'x'), "t"), tokenworks::limit_error);
}
