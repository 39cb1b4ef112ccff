#include <tokenworks/codec/normalizer.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/codec/regex.hpp>

#include "support/catch.hpp"

using namespace tokenworks::codec;

namespace {

struct result {
    std::string text;
    bool start;
};

result applied(const std::vector<normalizer_data>& steps, std::string_view text, std::vector<std::string> kept = {}) {
    bool start = true;
    std::uint64_t left = regex::step_limit(text.size());
    std::string made = normalizer{steps, std::move(kept)}.apply(text, start, left);
    return {std::move(made), start};
}

std::string made(const normalizer_data& step, std::string_view text) { return applied({step}, text).text; }

} // namespace

// Expected texts: Hugging Face's tokenizers 0.23 and, for its own steps, sentencepiece 0.2.
TEST_CASE("normalizer: each step", "[codec]") {
    using enum normalizer_kind;
    CHECK(made({.kind = nfc}, "e\u0301") == "é");
    CHECK(made({.kind = nfkd}, "ﬁé") == "fie\u0301");
    CHECK(made({.kind = lowercase}, "ÀİΣ") == "ài\u0307σ");
    CHECK(made({.kind = strip}, "  a b \u00A0") == "a b");
    CHECK(made({.kind = strip, .left = false}, " a ") == " a");
    CHECK(made({.kind = strip, .right = false}, " a ") == "a ");
    CHECK(made({.kind = strip}, " \n ").empty());
    CHECK(made({.kind = strip_accents}, "e\u0301a\u0316é") == "eaé");
    CHECK(made({.kind = replace, .pattern = {"a", false}, .content = "bb"}, "aca") == "bbcbb");
    CHECK(made({.kind = replace, .pattern = {"a+", true}, .content = "b"}, "aacaa") == "bcb");
    CHECK(made({.kind = prepend, .content = "▁"}, "x") == "▁x");
    CHECK(made({.kind = prepend, .content = "▁"}, "").empty());
    CHECK(made({.kind = bert}, std::string_view{"  Héllo\t中x\0\u200B", 17}) == "  hello  中 x");
    CHECK(made({.kind = bert, .lowercase = false}, "É中") == "É 中 ");
    CHECK(made({.kind = bert, .strip_accents = false}, "É") == "é");
    CHECK(made({.kind = nmt}, "a\u200B"
                              "b\x01"
                              "c\td") == "a bc d");
    CHECK(made({.kind = byte_level}, "é x") == "Ã©Ġx");
    CHECK(applied({{.kind = replace, .pattern = {"a", false}, .content = "b"}, {.kind = prepend, .content = "a"}}, "a")
              .text == "ab"); // in their order
    CHECK(normalizer{}.empty());
}

TEST_CASE("normalizer: the blanks of SentencePiece", "[codec]") {
    using enum normalizer_kind;
    const normalizer_data usual{.kind = sentencepiece, .remove_extra_blanks = true, .add_prefix = true};
    CHECK(made(usual, "  a  b ") == "▁a▁b");
    CHECK(made(usual, "   ").empty());
    CHECK(made({.kind = sentencepiece, .add_prefix = true}, " a ") == "▁▁a▁");
    CHECK(made({.kind = sentencepiece, .add_prefix = true, .escape_blanks = false}, "a b") == " a b");
    CHECK(made({.kind = sentencepiece, .add_prefix = true, .blank_as_suffix = true}, "a b") == "a▁b▁");
    CHECK(applied({usual}, "a \xFF", {}).text == "▁a▁\xFF"); // where it has U+FFFD
    // Pieces of users stay as they are, blanks and all.
    CHECK(applied({usual}, "a<  >b", {"<  >"}).text == "▁a<▁▁>b");
}

TEST_CASE("normalizer: whether the start of the text is left", "[codec]") {
    using enum normalizer_kind;
    CHECK_FALSE(applied({{.kind = strip}}, " a").start);
    CHECK(applied({{.kind = strip}}, "a ").start);
    CHECK(applied({{.kind = strip, .left = false}}, " a").start);
    CHECK_FALSE(applied({{.kind = nmt}}, "\x01"
                                         "a")
                    .start);
    CHECK(applied({{.kind = prepend, .content = " "}}, "a").start);
    CHECK_FALSE(applied({{.kind = prepend, .content = " "}, {.kind = strip}}, "a").start);
}

TEST_CASE("normalizer: texts that grow, and steps without end, are refused", "[codec]") {
    using enum normalizer_kind;
    const normalizer_data twice{.kind = replace, .pattern = {"a", false}, .content = "aa"};
    CHECK_THROWS_AS(applied(std::vector<normalizer_data>(60, twice), "aaaa"), tokenworks::limit_error);
    CHECK_THROWS_WITH(normalizer(std::vector<normalizer_data>(257, twice)), "over 256 steps");
    CHECK_THROWS_AS(normalizer({{.kind = replace, .pattern = {"(", true}}}), tokenworks::argument_error);
    CHECK_THROWS_AS(normalizer({{.kind = precompiled, .charsmap = "abc"}}), tokenworks::argument_error);
}
