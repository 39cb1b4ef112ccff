#include <tokenworks/codec/symbol_bpe.hpp>

#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/codec/token_pipeline.hpp>

#include "support/catch.hpp"

using namespace tokenworks::codec;

namespace {

using ids = std::vector<token_id>;

tokenizer_data tokens(const std::vector<std::string_view>& texts) {
    tokenizer_data d;
    d.name = "letters";
    d.model = token_model::bpe;
    for(const std::string_view text: texts) {
        d.tokens.push_back({text, d.tokens.size()});
    }
    return d;
}

ids encode(const tokenizer_data& d, const std::vector<std::string>& words, bool raw_bytes = false) {
    const vocabulary vocab = make_vocabulary(d);
    cut_text cut;
    for(const std::string& word: words) {
        cut.pieces.push_back({cut.text.size(), cut.text.size() + word.size()});
        cut.text += word;
    }
    ids out;
    symbol_bpe{d, vocab, raw_bytes}.encode(vocab, cut, out);
    return out;
}

} // namespace

TEST_CASE("symbol_bpe: characters merge by rank, words apart", "[codec]") {
    tokenizer_data d = tokens({"a", "b", "é", "ab", "abé"});
    d.merges = {{"a", "b"}, {"ab", "é"}};
    CHECK(encode(d, {"abé"}) == ids{4});
    CHECK(encode(d, {"ab", "é"}) == ids{3, 2});
    CHECK(encode(d, {"aab"}) == ids{0, 3});
    CHECK(encode(d, {""}) == ids{});
    CHECK(encode(d, {"axb"}) == ids{3}); // nothing stands where a character without a token was
    d.ignore_merges = true;
    d.merges = {};
    CHECK(encode(d, {"abé", "abb"}) == ids{4, 0, 1, 1});
}

TEST_CASE("symbol_bpe: unknown characters, one by one or fused", "[codec]") {
    tokenizer_data d = tokens({"?", "a"});
    d.unk_token = "?";
    CHECK(encode(d, {"xyaz"}) == ids{0, 0, 1, 0});
    d.fuse_unk = true;
    CHECK(encode(d, {"xyaz"}) == ids{0, 1, 0});
    d.unk_token = "none";
    CHECK_THROWS_WITH(encode(d, {"x"}), ContainsSubstring("model.unk_token"));
    CHECK(encode(d, {"a"}) == ids{1});
}

TEST_CASE("symbol_bpe: a character without a token becomes bytes, where all of them are there", "[codec]") {
    tokenizer_data d = tokens({"?", "a", "<0xC3>", "<0xA9>"});
    d.unk_token = "?";
    d.byte_fallback = true;
    CHECK(encode(d, {"aé"}) == ids{1, 2, 3});
    CHECK(encode(d, {"è"}) == ids{0});        // C3 A8
    CHECK(encode(d, {"xé"}) == ids{2, 3, 0}); // bytes do not wait for the unknown token before them
}

TEST_CASE("symbol_bpe: parts of words are spelt with a prefix and a suffix", "[codec]") {
    tokenizer_data d = tokens({"a", "@@b", "@@b</w>", "a</w>", "ab", "ab</w>"});
    d.continuing_prefix = "@@";
    d.word_suffix = "</w>";
    d.merges = {{"a", "@@b</w>"}, {"a", "@@b"}};
    CHECK(encode(d, {"ab"}) == ids{5});
    CHECK(encode(d, {"a"}) == ids{3});
    CHECK(encode(d, {"abb"}) == ids{4, 2});
    CHECK_FALSE(symbol_bpe::takes_bytes(d));
}

TEST_CASE("symbol_bpe: words as bytes, whose tokens are spelt in letters", "[codec]") {
    // The letters of the bytes C3, A9 and 20: U+00C3, U+00A9 and U+0120.
    tokenizer_data d = tokens({"\xC3\x83", "\xC2\xA9", "\xC3\x83\xC2\xA9", "\xC4\xA0", "a"});
    d.merges = {{"\xC3\x83", "\xC2\xA9"}};
    CHECK(symbol_bpe::takes_bytes(d));
    CHECK(encode(d, {" é"}, true) == ids{3, 2});
    CHECK(encode(d, {"\xC3", "a\xA9"}, true) == ids{0, 4, 1});
}

TEST_CASE("symbol_bpe: a cut at blanks changes nothing, as no merge crosses it", "[codec]") {
    const std::string blank = "\xE2\x96\x81";
    const std::string a_blank = "a" + blank;
    tokenizer_data crossing = tokens({"a", "b", blank, "ab", a_blank});
    crossing.merges = {{"a", "b"}, {"a", blank}};
    CHECK(encode(crossing, {"a" + blank + "ab"}) == ids{4, 3}); // a token has a blank behind an a: no cut there
    const std::string blank_a = blank + "a";
    tokenizer_data apart = tokens({"a", "b", blank, "ab", blank_a});
    apart.merges = {{"a", "b"}, {blank, "a"}};
    CHECK(encode(apart, {"ab" + blank + "a" + blank + "b"}) == ids{3, 4, 2, 1});
}

TEST_CASE("symbol_bpe: merges that do not fit the tokens", "[codec]") {
    tokenizer_data d = tokens({"a", "b", "ab"});
    d.merges = {{"a", "b"}, {"a", "c"}};
    CHECK_THROWS_WITH(encode(d, {"a"}), ContainsSubstring("model.merges[1]") && ContainsSubstring("\"c\""));
    d.merges = {{"b", "a"}};
    CHECK_THROWS_WITH(encode(d, {"a"}), ContainsSubstring("\"ba\""));
    d = tokens({"@@@@", "@", "a"});
    d.continuing_prefix = "@@";
    d.merges = {{"a", "@"}};
    CHECK_THROWS_WITH(encode(d, {"a"}), ContainsSubstring("continuing_subword_prefix"));
}
