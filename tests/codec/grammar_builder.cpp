#include <tokenworks/codec/grammar_builder.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "codec/grammar_support.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
using grammar_support::matches;
using namespace tokenworks::codec;

namespace {

/// The texts of up to `longest` bytes of an alphabet that follow a grammar.
std::vector<std::string> texts_of_grammar(const grammar& g, std::size_t longest, const std::string& alphabet = "ab") {
    std::vector<std::string> all{""};
    for(std::size_t i = 0; i < all.size(); ++i) {
        if(all[i].size() < longest) {
            for(const char c: alphabet) {
                all.push_back(all[i] + c);
            }
        }
    }
    std::erase_if(all, [&](const std::string& text) { return !matches(g, text); });
    return all;
}

/// The texts that a builder's part makes.
template <class Make>
std::vector<std::string> texts_of_part(std::size_t longest, Make make) {
    grammar_builder b;
    const grammar_builder::part p = make(b);
    return texts_of_grammar(b.finish(p, "test"), longest);
}

using texts = std::vector<std::string>;

} // namespace

TEST_CASE("grammar_builder: each part is what its name says") {
    CHECK(texts_of_part(2, [](auto& b) { return b.text(""); }) == texts{""});
    CHECK(texts_of_part(3, [](auto& b) { return b.text("ab"); }) == texts{"ab"});
    CHECK(texts_of_part(2, [](auto& b) { return b.range('a', 'b'); }) == texts{"a", "b"});
    CHECK(texts_of_part(3, [](auto& b) { return b.sequence({b.text("a"), b.range('a', 'b')}); }) == texts{"aa", "ab"});
    CHECK(texts_of_part(2, [](auto& b) { return b.sequence(std::span<const grammar_builder::part>{}); }) == texts{""});
    CHECK(texts_of_part(2, [](auto& b) { return b.any({b.text("a"), b.text("bb")}); }) == texts{"a", "bb"});
    CHECK(texts_of_part(2, [](auto& b) { return b.maybe(b.text("a")); }) == texts{"", "a"});
    CHECK(texts_of_part(3, [](auto& b) { return b.star(b.text("a")); }) == texts{"", "a", "aa", "aaa"});
    CHECK(texts_of_part(3, [](auto& b) { return b.plus(b.text("a")); }) == texts{"a", "aa", "aaa"});
}

TEST_CASE("grammar_builder: repetitions take as many rounds as they may, of anything") {
    const auto lengths = [](std::uint32_t least, std::uint32_t most) {
        std::vector<std::size_t> all;
        for(const std::string& each: texts_of_part(6, [&](auto& b) { return b.repeat(b.text("a"), least, most); })) {
            all.push_back(each.size());
        }
        return all;
    };
    CHECK(lengths(0, 0) == std::vector<std::size_t>{0});
    CHECK(lengths(1, 1) == std::vector<std::size_t>{1});
    CHECK(lengths(0, 1) == std::vector<std::size_t>{0, 1});
    CHECK(lengths(2, 4) == std::vector<std::size_t>{2, 3, 4});
    CHECK(lengths(4, grammar::unbounded) == std::vector<std::size_t>{4, 5, 6});
    CHECK(lengths(1, grammar::unbounded) == std::vector<std::size_t>{1, 2, 3, 4, 5, 6});
    // Rounds that may take nothing, and repetitions of repetitions.
    CHECK(texts_of_part(3, [](auto& b) { return b.repeat(b.maybe(b.text("a")), 2, 3); }) ==
          texts{"", "a", "aa", "aaa"});
    CHECK(texts_of_part(5, [](auto& b) { return b.repeat(b.repeat(b.text("a"), 2, 2), 2, 2); }) == texts{"aaaa"});
    grammar_builder b;
    CHECK_THROWS_AS(b.repeat(b.text("a"), 3, 2), tw::argument_error);
}

TEST_CASE("grammar_builder: characters are the UTF-8 of their ranges, without surrogates") {
    const auto one = [](std::vector<code_range> ranges, bool but = false) {
        grammar_builder b;
        const grammar_builder::part p = but ? b.characters_but(std::move(ranges)) : b.characters(std::move(ranges));
        return b.finish(p, "characters");
    };
    const auto taken = [](const grammar& g, char32_t c) {
        std::string text;
        append_utf8(text, c);
        return matches(g, text);
    };
    const std::vector<code_range> ranges{{0x7E, 0x81}, {0x7FE, 0x802}, {0xD7FE, 0xE001}, {0xFFFE, 0x10002}};
    const grammar some = one(ranges);
    const grammar others = one(ranges, true);
    std::size_t wrong = 0;
    for(const char32_t at: {0x7FU, 0x7FFU, 0xD7FFU, 0xE000U, 0xFFFFU, 0x10FFFDU}) {
        for(char32_t c = at - 6; c <= at + 2; ++c) {
            bool in = false;
            for(const code_range& r: ranges) {
                in = in || (r.first <= c && c <= r.last);
            }
            if(c < 0xD800 || c > 0xDFFF) {
                wrong += (taken(some, c) != in ? 1U : 0U) + (taken(others, c) == in ? 1U : 0U);
            }
        }
    }
    CHECK(wrong == 0);
    CHECK_FALSE(matches(some, "\xED\xA0\x80")); // U+D800
    CHECK_FALSE(matches(some, "\xC2"));
    CHECK_FALSE(matches(one({{0, 0x10FFFF}}), "\xC0\x80")); // too long a form
}

TEST_CASE("grammar_builder: rules call themselves behind a byte, and not before") {
    grammar_builder b;
    const auto nested = b.declare("nested");
    CHECK_FALSE(b.is_defined(nested));
    b.define(nested, b.maybe(b.sequence({b.text("a"), b.call(nested), b.text("b")})));
    CHECK(b.is_defined(nested));
    CHECK_THROWS_WITH(b.define(nested, b.text("a")), ContainsSubstring("'nested'"));
    CHECK(texts_of_grammar(b.finish(b.call(nested), "nested"), 6) == texts{"", "ab", "aabb", "aaabbb"});

    grammar_builder left;
    const auto first = left.declare("first");
    left.define(first, left.sequence({left.maybe(left.text("a")), left.call(first), left.text("b")}));
    CHECK_THROWS_WITH(left.finish(left.call(first), "left"), ContainsSubstring("first"));

    grammar_builder open;
    const auto missing = open.declare("missing");
    CHECK_THROWS_WITH(open.finish(open.call(missing), "open"), ContainsSubstring("missing"));
}

TEST_CASE("grammar_builder: ways that lead nowhere are left out, or refused") {
    const auto make = [](bool every_rule) {
        grammar_builder b;
        const auto endless = b.declare("endless");
        b.define(endless, b.sequence({b.text("a"), b.call(endless)}));
        const auto root = b.any({b.text("b"), b.call(endless)});
        return b.finish(root, "ways", every_rule);
    };
    CHECK(texts_of_grammar(make(false), 3) == texts{"b"});
    CHECK_THROWS_AS(make(true), tw::argument_error);
    grammar_builder none;
    CHECK_THROWS_AS(none.finish(none.any(std::span<const grammar_builder::part>{}), "none"), tw::argument_error);
}

TEST_CASE("grammar_builder: a grammar has a most of elements") {
    grammar_builder b;
    CHECK_THROWS_AS(b.text(std::string(grammar::most_elements, 'a')), tw::limit_error);
}
