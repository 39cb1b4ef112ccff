#include <tokenworks/codec/vocabulary_tokenizer.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/catch.hpp"

using namespace tokenworks::codec;
using ids = std::vector<token_id>;

namespace {

/// "##" and what starts a word as files of llama.cpp have them.
vocabulary_data wordpiece_data() {
    vocabulary_data d;
    d.name = "bert.gguf";
    d.model = "bert";
    d.tokens = {"[PAD]",
                "[UNK]",
                "[CLS]",
                "[SEP]",
                "\xE2\x96\x81the",
                "\xE2\x96\x81un",
                "able",
                "\xE2\x96\x81,",
                "\xE2\x96\x81"
                "elan",
                "s",
                "\xE2\x96\x81[PAD10]"};
    d.types = {3, 3, 3, 3, 1, 1, 1, 1, 1, 1, 5};
    return d;
}

vocabulary_data unigram_data() {
    vocabulary_data d;
    d.name = "t5.gguf";
    d.model = "t5";
    d.tokens = {"<pad>",
                "</s>",
                "<unk>",
                "\xE2\x96\x81",
                "\xE2\x96\x81"
                "a",
                "b",
                "ab",
                "<extra>",
                "[PAD8]"};
    d.types = {3, 3, 2, 1, 1, 1, 1, 4, 5};
    d.scores = {0, 0, 0, -2, -3, -3, -3.5F, -1000, -10000};
    d.unk = 2;
    d.pad = 0;
    d.add_space_prefix = true;
    d.remove_extra_blanks = true;
    return d;
}

template <class Edit>
std::string refusal(vocabulary_data d, const Edit& edit) {
    edit(d);
    try {
        static_cast<void>(make_tokenizer(d));
    } catch(const tokenworks::error& problem) {
        return problem.what();
    }
    return "accepted";
}

} // namespace

TEST_CASE("vocabulary_tokenizer: WordPiece", "[codec]") {
    const tokenizer plain = make_tokenizer(wordpiece_data());
    CHECK(plain.vocab_size() == 10); // without what only fills a table
    CHECK(plain.vocabulary().text(6) == "##able");
    CHECK(plain.vocabulary().text(5) == "un");
    CHECK(plain.encode("The  unable, \xC3\x89lans", {.add_special = true}) == ids{2, 4, 5, 6, 7, 8, 9, 3});
    CHECK(plain.encode("able") == ids{1}); // nothing starts so
    CHECK(plain.encode("[SEP]", {.parse_special = true}) == ids{3});
    CHECK(plain.decode(ids{2, 4, 5, 6, 7, 3}) == "the unable,");
    const auto pair = plain.encode_pair("the", "un", {.add_special = true});
    CHECK(pair.ids == ids{2, 4, 3, 5, 3});
    CHECK(pair.types == std::vector<std::uint32_t>{0, 0, 0, 1, 1});
    CHECK(plain.bos() == 2);
    CHECK(plain.eos() == 3);

    vocabulary_data cased = wordpiece_data();
    cased.lowercase = false;
    CHECK(make_tokenizer(cased).encode("The \xC3\xA9lan") == ids{1, 1});
    cased.strip_accents = true;
    CHECK(make_tokenizer(cased).encode("The \xC3\xA9lan") == ids{1, 8});
    vocabulary_data moved = wordpiece_data();
    moved.bos = 3;
    moved.sep = 2;
    CHECK(make_tokenizer(moved).encode("the", {.add_special = true}) == ids{3, 4, 2});
}

TEST_CASE("vocabulary_tokenizer: Unigram", "[codec]") {
    const tokenizer plain = make_tokenizer(unigram_data());
    CHECK(plain.vocab_size() == 8);
    CHECK(plain.encode("  a   ab b", {.add_special = true}) == ids{4, 3, 6, 3, 5, 1});
    CHECK(plain.encode("c") == ids{3, 2});
    CHECK(plain.encode("a<extra>a") == ids{4, 7, 4});
    CHECK(plain.decode(ids{4, 5, 3, 5, 1}) == "ab b");
    CHECK(plain.encode_pair("a", "b", {.add_special = true}).ids == ids{4, 1, 3, 5, 1});
    CHECK(plain.eos() == 1);
    CHECK(plain.vocabulary().is_end(1));

    // As XLM-RoBERTa has it: a start, and a separator behind the first text's end.
    vocabulary_data other = unigram_data();
    other.bos = 0;
    other.add_bos = true;
    other.sep = 1;
    CHECK(make_tokenizer(other).encode("a", {.add_special = true}) == ids{0, 4, 1});
    CHECK(make_tokenizer(other).encode_pair("a", "b", {.add_special = true}).ids == ids{0, 4, 1, 1, 3, 5, 1});
    other.add_sep = false;
    CHECK(make_tokenizer(other).encode_pair("a", "b", {.add_special = true}).ids == ids{0, 4, 1, 3, 5, 1});
    other.add_eos = false;
    CHECK(make_tokenizer(other).encode("a", {.add_special = true}) == ids{0, 4});

    vocabulary_data bytes = unigram_data();
    bytes.tokens = {"<pad>", "</s>", "<unk>", "\xE2\x96\x81", "<0x63>"};
    bytes.types = {3, 3, 2, 1, 6};
    bytes.scores = {0, 0, 0, -2, 0};
    CHECK(make_tokenizer(bytes).encode("c") == ids{3, 4});
}

TEST_CASE("vocabulary_tokenizer: other models are what tokenizer makes of them", "[codec]") {
    vocabulary_data d;
    d.model = "gpt2";
    d.pre = "gpt-2";
    d.tokens = {"a", "b", "<s>", "</s>"};
    d.types = {1, 1, 3, 3};
    d.bos = 2;
    d.eos = d.sep = 3;
    d.add_bos = d.add_eos = true;
    const tokenizer roberta = make_tokenizer(d);
    CHECK(roberta.encode("ab", {.add_special = true}) == ids{2, 0, 1, 3});
    const auto pair = roberta.encode_pair("a", "b", {.add_special = true});
    CHECK(pair.ids == ids{2, 0, 3, 3, 1, 3});
    CHECK(pair.types == std::vector<std::uint32_t>(6, 0));
    CHECK(roberta.encode_pair("aaaa", "b", {.add_special = true}, 7).ids == ids{2, 0, 0, 3, 3, 1, 3});
    CHECK(roberta.encode_pair("a", "b").ids == ids{0, 1});
    d.add_sep = false;
    CHECK(make_tokenizer(d).encode_pair("a", "b", {.add_special = true}).ids == ids{2, 0, 3, 1, 3});
    d.add_eos = false;
    CHECK_THROWS_AS(make_tokenizer(d).encode_pair("a", "b"), tokenworks::unsupported_error);
}

TEST_CASE("vocabulary_tokenizer: what is wrong is named as the file calls it", "[codec]") {
    const vocabulary_data words = wordpiece_data();
    CHECK_THAT(refusal(words, [](auto& d) { d.tokens.clear(); }),
               ContainsSubstring("bert.gguf: tokenizer.ggml.tokens: the vocabulary is empty"));
    CHECK_THAT(refusal(words, [](auto& d) { d.types.pop_back(); }),
               ContainsSubstring("tokenizer.ggml.token_type: 10 entries for 11 tokens"));
    CHECK_THAT(refusal(words, [](auto& d) { d.types[4] = 7; }), ContainsSubstring("token 4 has type 7"));
    CHECK_THAT(refusal(words, [](auto& d) { d.tokens[2] = "[CLASS]"; }),
               ContainsSubstring("tokenizer.ggml.bos_token_id: absent, and no token is [CLS]"));
    CHECK_THAT(refusal(words, [](auto& d) { d.sep = 11; }),
               ContainsSubstring("tokenizer.ggml.seperator_token_id: id 11 in a vocabulary of 11"));
    CHECK_THAT(refusal(words, [](auto& d) { d.sep = 10; }), ContainsSubstring("among the unused ones"));
    CHECK_THAT(refusal(words, [](auto& d) { d.unk = std::numeric_limits<std::uint32_t>::max(); }),
               ContainsSubstring("tokenizer.ggml.unknown_token_id"));
    CHECK_THAT(refusal(words, [](auto& d) { d.tokens[5] = d.tokens[4]; }), ContainsSubstring("both"));

    const vocabulary_data pieces = unigram_data();
    CHECK_THAT(refusal(pieces, [](auto& d) { d.scores.clear(); }),
               ContainsSubstring("tokenizer.ggml.scores: 0 entries for 9 tokens"));
    CHECK_THAT(refusal(pieces, [](auto& d) { d.scores[4] = std::numeric_limits<float>::infinity(); }),
               ContainsSubstring("the score of token 4 is not finite"));
    CHECK_THAT(refusal(pieces, [](auto& d) { d.add_bos = true; }),
               ContainsSubstring("tokenizer.ggml.bos_token_id: absent"));
    CHECK_THAT(refusal(pieces, [](auto& d) { d.eos = 9; }), ContainsSubstring("tokenizer.ggml.eos_token_id: id 9"));
    CHECK_THAT(refusal(pieces, [](auto& d) { d.charsmap = "abc"; }),
               ContainsSubstring("the table of characters is cut"));
    CHECK_THAT(refusal(pieces, [](auto& d) { d.model = "rwkv"; }), ContainsSubstring("rwkv"));
}
