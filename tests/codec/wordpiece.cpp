#include <tokenworks/codec/wordpiece.hpp>

#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/codec/token_pipeline.hpp>

#include "support/catch.hpp"

using namespace tokenworks::codec;

namespace {

using ids = std::vector<token_id>;

tokenizer_data pieces(const std::vector<std::string_view>& tokens) {
    tokenizer_data d;
    d.name = "pieces";
    d.model = token_model::wordpiece;
    d.continuing_prefix = "##";
    d.unk_token = "[UNK]";
    d.tokens.push_back({"[UNK]", 0});
    for(const std::string_view token: tokens) {
        d.tokens.push_back({token, d.tokens.size()});
    }
    return d;
}

ids encode(const tokenizer_data& d, const std::vector<std::string>& words) {
    const vocabulary vocab = make_vocabulary(d);
    cut_text cut;
    for(const std::string& word: words) {
        cut.pieces.push_back({cut.text.size(), cut.text.size() + word.size()});
        cut.text += word;
    }
    ids out;
    wordpiece{d, vocab}.encode(vocab, cut, out);
    return out;
}

} // namespace

TEST_CASE("wordpiece: the longest token first, then those that continue", "[codec]") {
    const tokenizer_data d = pieces({"un", "unaff", "##aff", "##able", "##ab", "##le", "a", "##é"});
    CHECK(encode(d, {"unaffable"}) == ids{2, 4});
    CHECK(encode(d, {"unable", "a"}) == ids{1, 4, 7});
    CHECK(encode(d, {"able"}) == ids{0}); // what continues begins no word, and one letter is not enough
    CHECK(encode(d, {"unab", "unx", "a"}) == ids{1, 5, 0, 7}); // a word is unknown as a whole
    CHECK(encode(d, {"aé"}) == ids{7, 8});
    CHECK(encode(d, {}).empty());
}

TEST_CASE("wordpiece: long words are unknown", "[codec]") {
    tokenizer_data d = pieces({"a", "##a", "é", "##é"});
    d.longest_word = 3;
    CHECK(encode(d, {"aaa"}) == ids{1, 2, 2});
    CHECK(encode(d, {"aaaa"}) == ids{0});
    CHECK(encode(d, {"ééé"}) == ids{3, 4, 4}); // in characters
    CHECK(encode(d, {"éééé"}) == ids{0});
}

TEST_CASE("wordpiece: whole words", "[codec]") {
    tokenizer_data d = pieces({"the", "cat"});
    d.model = token_model::wordlevel;
    CHECK(encode(d, {"the", "cat", "cats"}) == ids{1, 2, 0});
    d.unk_token.reset();
    CHECK(encode(d, {"the"}) == ids{1});
    CHECK_THROWS_WITH(encode(d, {"cats"}), ContainsSubstring("pieces: model.unk_token") && ContainsSubstring("cats"));
    d.unk_token = "[OTHER]"; // which the vocabulary does not have
    CHECK_THROWS_AS(encode(d, {"cats"}), tokenworks::format_error);
}
