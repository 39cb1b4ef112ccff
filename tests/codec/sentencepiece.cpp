#include <string>
#include <vector>

#include <tokenworks/codec/sentencepiece.hpp>
#include <tokenworks/codec/tokenizer.hpp>

#include "codec/golden.hpp"
#include "support/catch.hpp"

using namespace tokenworks::codec;

namespace {

constexpr const char* blank = "\xE2\x96\x81";

/// <unk> <s> </s>, the 256 bytes, then tokens with scores that fall from -1.
struct pieces {
    std::vector<std::string> texts{"<unk>", "<s>", "</s>"};
    std::vector<std::int32_t> types{2, 3, 3};

    explicit pieces(const std::vector<std::string>& more, bool bytes = true) {
        constexpr const char* digits = "0123456789ABCDEF";
        for(std::size_t b = 0; bytes && b < 256; ++b) {
            texts.push_back(std::string{"<0x"} + digits[b / 16] + digits[b % 16] + ">");
            types.push_back(6);
        }
        texts.insert(texts.end(), more.begin(), more.end());
        types.resize(texts.size(), 1);
    }
    [[nodiscard]] vocabulary_data data(bool prefix) const {
        vocabulary_data d;
        d.name = "pieces.gguf";
        d.model = "llama";
        d.tokens.assign(texts.begin(), texts.end());
        d.types = types;
        for(std::size_t i = 0; i < texts.size(); ++i) {
            d.scores.push_back(types[i] == 1 ? -static_cast<float>(i) : 0.F);
        }
        d.add_space_prefix = prefix;
        return d;
    }
    [[nodiscard]] std::vector<std::string> encode(std::string_view text, bool prefix) const {
        const vocabulary_data d = data(prefix);
        const tokenizer tokens{d};
        std::vector<std::string> out;
        for(const token_id id: tokens.encode(text)) {
            out.emplace_back(tokens.vocabulary().text(id));
        }
        CHECK(tokens.decode(tokens.encode(text)) == text);
        return out;
    }
};

using list = std::vector<std::string>;

} // namespace

TEST_CASE("pieces merge by score, then from the left", "[codec]") {
    const pieces p{{blank, "a", "b", "aa", "ab", "aab", std::string{blank} + "a"}};
    CHECK(p.encode("aab", false) == list{"aab"}); // "aa" before "ab", then "aab"
    CHECK(p.encode("aaab", false) == list{"aa", "ab"});
    CHECK(p.encode("aaa", false) == list{"aa", "a"});
    CHECK(p.encode("a", true) == list{std::string{blank} + "a"});
    CHECK(p.encode(" a", true) == list{blank, std::string{blank} + "a"});
    CHECK(p.encode("", true) == list{});
}

TEST_CASE("what has no token becomes bytes and comes back", "[codec]") {
    const pieces p{{blank, "a"}};
    CHECK(p.encode("\xC3\xA9", false) == list{"<0xC3>", "<0xA9>"});
    CHECK(p.encode("\xFF", false) == list{"<0xFF>"});
    CHECK(p.encode("a\xE2\x96", false) == list{"a", "<0xE2>", "<0x96>"});
    CHECK(p.encode("a b", false) == list{"a", blank, "<0x62>"});
    CHECK(p.encode("\xFF", true) == list{blank, "<0xFF>"});
    // U+2581 in the text is not a blank
    CHECK(p.encode(std::string{"a"} + blank, false) == list{"a", "<0xE2>", "<0x96>", "<0x81>"});
    // a vocabulary that spells no blank
    CHECK(pieces{{"a"}}.encode("a a", false) == list{"a", "<0x20>", "a"});
    CHECK(pieces{{"a"}}.encode("a a", true) == list{"<0x20>", "a", "<0x20>", "a"});
}

TEST_CASE("text never merges into control or byte tokens", "[codec]") {
    const pieces p{{"<", "s", ">", "/", "0", "x", "4", "1", "<s", "</", "</s", "<0", "<0x", "<0x4", "<0x41"}};
    CHECK(p.encode("<s>", false) == list{"<s", ">"});
    CHECK(p.encode("</s>", false) == list{"</s", ">"});
    CHECK(p.encode("<0x41>", false) == list{"<0x41", ">"});
}

TEST_CASE("without byte tokens the unknown token stands for a character", "[codec]") {
    const pieces p{{blank, "a"}, false};
    const vocabulary_data d = p.data(false);
    const tokenizer tokens{d};
    CHECK_FALSE(tokens.vocabulary().has_all_bytes());
    CHECK(tokens.encode("a\xC3\xA9"
                        "a\xFF") == std::vector<token_id>{4, 0, 4, 0});
    CHECK(tokens.encode(blank) == std::vector<token_id>{3});
    vocabulary_data none = d;
    none.types[0] = 1;
    REQUIRE_THROWS_WITH(tokenizer{none}, ContainsSubstring("byte tokens are missing, and there is no unknown token"));
}

TEST_CASE("cutting at blanks changes nothing", "[codec]") {
    // "x▁" and "▁▁" let merges cross a blank after x, but not after y.
    const pieces p{{blank, "x", "y", std::string{"x"} + blank, std::string{blank} + blank, std::string{blank} + "y",
                    std::string{"x"} + blank + "y"}};
    CHECK(p.encode("x y", false) == list{std::string{"x"} + blank + "y"});
    CHECK(p.encode("y y", false) == list{"y", std::string{blank} + "y"});
    CHECK(p.encode("x  y", false) == list{std::string{"x"} + blank, std::string{blank} + "y"});
    CHECK(p.encode("y  y", false) == list{"y", std::string{blank} + blank, "y"});
}

TEST_CASE("SentencePiece BPE gives the ids of the reference", "[codec]") {
    const bool prefix = GENERATE(true, false);
    const std::string name = prefix ? "llama" : "gemma";
    const golden::vocabulary_file file{name};
    vocabulary_data d = file.data("llama");
    d.add_space_prefix = prefix;
    const tokenizer tokens{d};
    const std::vector<std::string> strings = golden::strings();
    const auto expected = golden::ids(name);
    REQUIRE(expected.size() == strings.size());
    std::size_t compared = 0;
    for(std::size_t i = 0; i < strings.size(); ++i) {
        INFO(name << ", string " << i << ": " << tokenworks::printable(strings[i]));
        const std::vector<token_id> ids = tokens.encode(strings[i]);
        CHECK(tokens.decode(ids) == strings[i]);
        if(expected[i]) {
            ++compared;
            CHECK(ids == *expected[i]);
        }
    }
    CHECK(compared >= 550);
}

TEST_CASE("a long text without blanks takes no quadratic time", "[codec]") {
    const golden::vocabulary_file file{"llama"};
    const tokenizer tokens{file.data("llama")};
    const std::string text =
        GENERATE(std::string(100'000, 'a'), std::string(100'000, ' '), std::string(100'000, '\xFF'));
    CHECK(tokens.decode(tokens.encode(text)) == text);
}
