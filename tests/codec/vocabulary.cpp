#include <limits>
#include <string>
#include <vector>

#include <tokenworks/codec/vocabulary.hpp>

#include "codec/golden.hpp"
#include "support/catch.hpp"

using namespace tokenworks::codec;

namespace {

vocabulary_data small() {
    vocabulary_data d;
    d.name = "small.gguf";
    d.model = "llama";
    d.tokens = {"<unk>", "<s>", "</s>", "<0x41>", "\xE2\x96\x81the", "B"};
    d.scores = {0, 0, 0, 0, -1, -2};
    d.types = {2, 3, 3, 6, 1, 1};
    d.bos = 1;
    d.eos = 2;
    d.unk = 0;
    return d;
}

} // namespace

TEST_CASE("a vocabulary knows texts, pieces, types and special ids", "[codec]") {
    const vocabulary v{small()};
    CHECK(v.size() == 6);
    CHECK(v.text(4) == "\xE2\x96\x81the");
    CHECK(v.piece(4) == " the");
    CHECK(v.piece(3) == "A");
    CHECK(v.type(3) == token_type::byte);
    CHECK(v.score(5) == -2);
    CHECK(v.find("B") == token_id{5});
    CHECK_FALSE(v.find("C"));
    CHECK(v.bos() == token_id{1});
    CHECK(v.is_end(2));
    CHECK_FALSE(v.is_end(1));
    CHECK_FALSE(v.is_end(-5));
    CHECK(v.is_hidden(1));
    CHECK_FALSE(v.is_hidden(5));
    CHECK(v.contains(5));
    CHECK_FALSE(v.contains(6));
    CHECK_FALSE(v.contains(-1));
}

TEST_CASE("what a vocabulary refuses, by the name of the field", "[codec]") {
    const auto refused = [](vocabulary_data d, const std::string& text) {
        CHECK_THROWS_WITH(vocabulary(d), ContainsSubstring(text) && ContainsSubstring("small.gguf"));
    };
    vocabulary_data d = small();
    d.tokens.clear();
    refused(d, "tokens: the vocabulary is empty");
    d = small();
    d.scores.pop_back();
    refused(d, "scores: 5 entries for 6 tokens");
    d = small();
    d.types.push_back(1);
    refused(d, "token_type: 7 entries for 6 tokens");
    d = small();
    d.types[0] = 99;
    refused(d, "token 0 has type 99");
    d = small();
    d.scores[4] = std::numeric_limits<float>::quiet_NaN();
    refused(d, "the score of token 4 is not a number");
    d = small();
    d.tokens[3] = "<0x4>";
    refused(d, "byte token 3");
    d = small();
    d.tokens[3] = "<0xZZ>";
    refused(d, "byte token 3");
    d = small();
    d.tokens[5] = "<s>";
    refused(d, "tokens");
    d = small();
    d.eos = 6;
    refused(d, "id 6 in a vocabulary of 6");
    d = small();
    d.model = "wordpiece-of-mars";
    CHECK_THROWS_AS(vocabulary(d), tokenworks::unsupported_error);
}
