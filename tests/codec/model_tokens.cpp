#include <tokenworks/codec/model_tokens.hpp>

#include <string_view>

#include <tokenworks/codec/token_pipeline.hpp>

#include "support/catch.hpp"

using namespace tokenworks::codec;

TEST_CASE("model_tokens: added and control tokens are not the model's", "[codec]") {
    tokenizer_data data;
    data.name = "tokenizer.json";
    data.tokens = {{"a", 0}, {"<s>", 1}, {"u", 2}, {"<0x0A>", 3}, {"<unk>", 4}};
    data.types = {token_type::normal, token_type::control, token_type::user_defined, token_type::byte,
                  token_type::unknown};
    data.added = {{.content = "<added>", .id = 5, .special = true}};
    const vocabulary vocab = make_vocabulary(data);
    const model_tokens known{data, vocab};
    const auto find = [&](std::string_view text) { return known.find(vocab, text); };
    CHECK(find("a") == 0);
    CHECK(find("u") == 2);
    CHECK(find("<s>") == -1);
    CHECK(find("<unk>") == -1);
    CHECK(find("<added>") == -1);
    CHECK(find("nowhere") == -1);
    CHECK(vocab.find("<added>") == 5); // which the vocabulary has all the same
    CHECK(known.contains(3));
    CHECK_FALSE(known.contains(5));
    CHECK(known.find_byte(vocab, 0x0A) == 3);
    CHECK(known.find_byte(vocab, 0x0B) == -1);
    CHECK_THROWS_WITH(detail::no_unknown_token(vocab, "x\n"),
                      "tokenizer.json: model.unk_token: absent or no token, and needed for \"x\\x0a\"");
}

TEST_CASE("model_tokens: without types every token is the model's", "[codec]") {
    tokenizer_data data;
    data.tokens = {{"<s>", 1}, {"a", 0}};
    const vocabulary vocab = make_vocabulary(data);
    const model_tokens known{data, vocab};
    CHECK(known.find(vocab, "<s>") == 1);
    CHECK(known.find(vocab, "a") == 0);
}
