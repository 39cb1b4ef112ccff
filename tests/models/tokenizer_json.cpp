#include <tokenworks/models/tokenizer_json.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/codec/token_pipeline.hpp>
#include <tokenworks/models/tokenizer_folder.hpp>

#include "io/files.hpp"
#include "models/tokenizer_golden.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
using namespace tokenworks::codec;
using tokenworks::models::tokenizer_of;

namespace {

/// The tokenizer of a document.
tokenizer read(std::string_view json) {
    const tw::io::json_tree tree{files::bytes_of(json), "tokenizer.json"};
    return make_tokenizer(tw::models::tokenizer_data_of(tree));
}

/// What a document is refused with.
template <class Error>
std::string refusal(const std::string& json) {
    return files::refusal<Error>([&] { static_cast<void>(read(json)); });
}

/// A document of one model, with other parts before it.
std::string with_model(const std::string& parts) {
    return "{" + parts + (parts.empty() ? "" : ",") +
           R"("model":{"type":"BPE","unk_token":null,"vocab":{"a":0,"b":1,"ab":2,"c":3},"merges":[["a","b"]]}})";
}

std::string bpe(const std::string& fields) { return R"({"model":{"type":"BPE",)" + fields + "}}"; }

} // namespace

TEST_CASE("tokenizer_json: ids and texts of the reference, for every kind", "[models]") {
    const std::vector<std::string> strings = tokenizer_golden::strings();
    REQUIRE(strings.size() > 150);
    const std::vector<std::string> names = tokenizer_golden::names(".json");
    REQUIRE(names.size() >= 24);
    for(const std::string& name: names) {
        const tokenizer tokens = tokenizer_of(tokenizer_golden::path(name + ".json"));
        CHECK(tokenizer_golden::compare(name, tokens, strings, true) > 120);
        for(const tokenizer_golden::pair& pair: tokenizer_golden::pairs(name, strings)) {
            INFO(name << ": " << tw::printable(pair.first) << " and " << tw::printable(pair.second));
            const tokenizer::pair_ids both =
                tokens.encode_pair(pair.first, pair.second, {.add_special = true, .parse_special = true});
            CHECK(both.ids == pair.ids);
            CHECK(both.types == pair.types);
        }
    }
}

TEST_CASE("tokenizer_json: special tokens are matched in trusted text only", "[models]") {
    const tokenizer tokens = tokenizer_of(tokenizer_golden::path("gpt2.json"));
    const token_id start = *tokens.find("<|im_start|>");
    const std::string text = "a<|im_start|>b";
    const auto plain = tokens.encode(text);
    CHECK(std::ranges::count(plain, start) == 0);
    CHECK(tokens.decode(plain) == text);
    const auto parsed = tokens.encode(text, {.parse_special = true});
    CHECK(std::ranges::count(parsed, start) == 1);
    CHECK(tokens.decode(parsed) == "ab");
    CHECK(tokens.decode(parsed, {.special = true}) == text);
    const std::vector<text_segment> segments{{"<|im_start|>", true},
                                             {"x <|im_start|> y", false},
                                             {"<|im_", true},
                                             {"start|>", true},
                                             {"<|im_start|>", true}};
    const auto ids = tokens.encode(segments);
    CHECK(std::ranges::count(ids, start) == 2); // neither the user's, nor one that two segments make together
    CHECK(ids.front() == start);
    CHECK(ids.back() == start);
    CHECK(tokens.decode(ids, {.special = true}) == "<|im_start|>x <|im_start|> y<|im_start|><|im_start|>");
}

TEST_CASE("tokenizer_json: a normalized special token is not matched in untrusted text either", "[models]") {
    const tokenizer tokens =
        read(with_model(R"("added_tokens":[{"id":4,"content":"[X]","single_word":false,"lstrip":false,
        "rstrip":false,"normalized":true,"special":true}],"normalizer":{"type":"Lowercase"})"));
    CHECK(tokens.encode("a[X]b") == std::vector<token_id>{2}); // nothing stands for the brackets
    CHECK(tokens.encode("A[x]B", {.parse_special = true}) == std::vector<token_id>{0, 4, 1});
    const std::vector<text_segment> mixed{{"a", true}, {"[x]", false}, {"b", true}};
    CHECK(tokens.encode(mixed) == std::vector<token_id>{2});
    const std::vector<text_segment> apart{{"a[x]b", true}};
    CHECK(tokens.encode(apart) == std::vector<token_id>{0, 4, 1});
}

TEST_CASE("tokenizer_json: pieces are the bytes of a token in the middle of a text", "[models]") {
    const tokenizer gpt2 = tokenizer_of(tokenizer_golden::path("gpt2.json"));
    for(const std::string text: {"The café — 你好 🙂", "  \n\t x", "don't"}) {
        std::string pieces;
        for(const token_id id: gpt2.encode(text)) {
            gpt2.append_piece(id, pieces);
        }
        CHECK(pieces == text);
    }
    const tokenizer llama = tokenizer_of(tokenizer_golden::path("llama2.json"));
    std::string pieces;
    for(const token_id id: llama.encode("The café — 你好", {.add_special = true})) {
        llama.append_piece(id, pieces);
    }
    CHECK(pieces == " The café — 你好"); // with the blank that encoding puts first
    const tokenizer bert = tokenizer_of(tokenizer_golden::path("bert.json"));
    CHECK(bert.piece(*bert.find("##s")) == "s");
    CHECK(bert.piece(*bert.find("a")) == " a");
}

TEST_CASE("tokenizer_json: bytes that are no UTF-8 come back from byte-level tokenizers", "[models]") {
    const tokenizer tokens = tokenizer_of(tokenizer_golden::path("gpt2.json"));
    for(const std::string text:
        {"\xFF", "a\xC3", "\xE2\x82 x", "caf\xE9 cr\xE8me", std::string("\0\xFF\0", 3).c_str()}) {
        CHECK(tokens.decode(tokens.encode(text)) == text);
    }
    const tokenizer llama = tokenizer_of(tokenizer_golden::path("llama2.json"));
    for(const std::string text: {"\xFF", "a\xC3", "\xE2\x82 x", "caf\xE9 cr\xE8me"}) {
        CHECK(llama.decode(llama.encode(text)) == text);
    }
}

TEST_CASE("tokenizer_json: every text is taken in linear time", "[models]") {
    for(const char* name: {"o200k", "llama2", "bert", "unigram_bytes", "falcon", "clip", "split_contiguous"}) {
        const tokenizer tokens = tokenizer_of(tokenizer_golden::path(std::string{name} + ".json"));
        for(const std::string one: {"a", " ", "\n", "7", "!", "A", "aA", "' ", "\u0301", "\u4e2d"}) {
            std::string text;
            while(text.size() < 100'000) {
                text += one;
            }
            INFO(name << ": " << tw::printable(one));
            CHECK_NOTHROW(tokens.encode(text));
        }
    }
}

TEST_CASE("tokenizer_json: what holds of a vocabulary", "[models]") {
    const tokenizer tokens =
        read(with_model(R"("added_tokens":[{"id":9,"content":"<s>","single_word":false,"lstrip":false,
        "rstrip":false,"normalized":false,"special":true}],"post_processor":{"type":"TemplateProcessing",
        "single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[],
        "special_tokens":{"<s>":{"id":"<s>","ids":[9],"tokens":["<s>"]}}})"));
    CHECK(tokens.vocab_size() == 10); // ids 4 to 8 belong to nothing
    CHECK(tokens.encode("abc") == std::vector<token_id>{2, 3});
    CHECK(tokens.encode("ab", {.add_special = true}) == std::vector<token_id>{9, 2});
    CHECK(tokens.encode("xay") == std::vector<token_id>{0}); // without an unknown token, what is not there is left out
    CHECK(tokens.decode(std::vector<token_id>{0, 1}) == "a b"); // no decoder: blanks between
    CHECK(tokens.decode(std::vector<token_id>{9, 5, 0}) == "a");
    CHECK_THROWS_AS(tokens.decode(std::vector<token_id>{10}), tw::argument_error);
    CHECK(tokens.vocabulary().type(9) == token_type::control);
}

TEST_CASE("tokenizer_json: files of older versions", "[models]") {
    // Merges as texts, and no type of the model.
    CHECK(read(R"({"model":{"vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}})").encode("ab") ==
          std::vector<token_id>{2});
    CHECK(read(R"({"model":{"vocab":[["a",0.0],["b",-1],["ab",-0.5]],"unk_id":0}})").encode("ab") ==
          std::vector<token_id>{2});
    CHECK(read(R"({"model":{"vocab":{"a":0,"##b":1,"u":2},"unk_token":"u","continuing_subword_prefix":"##",
        "max_input_chars_per_word":100}})")
              .encode("ab") == std::vector<token_id>{0, 1});
    CHECK(read(R"({"model":{"vocab":{"a":0,"u":1},"unk_token":"u"}})").encode("ab") == std::vector<token_id>{1});
}

TEST_CASE("tokenizer_json: an unknown token that is needed and not there", "[models]") {
    const tokenizer bert = read(R"({"model":{"type":"WordPiece","vocab":{"a":0},"unk_token":"[UNK]",
        "continuing_subword_prefix":"##","max_input_chars_per_word":100}})");
    CHECK(bert.encode("a") == std::vector<token_id>{0});
    CHECK_THROWS_WITH(bert.encode("b"), "tokenizer.json: model.unk_token: absent or no token, and needed for \"b\"");
    const tokenizer other = read(bpe(R"("vocab":{"a":0},"merges":[],"unk_token":"?")"));
    CHECK_THROWS_AS(other.encode("ab"), tw::format_error);
    const tokenizer unigram = read(R"({"model":{"type":"Unigram","vocab":[["a",-1.0]]}})");
    CHECK_THROWS_AS(unigram.encode("ab"), tw::format_error);
}

TEST_CASE("tokenizer_json: what is wrong is refused with file and field", "[models]") {
    using tw::format_error;
    CHECK(refusal<format_error>("[]") == "tokenizer.json: JSON: is an array, not an object");
    CHECK(refusal<format_error>("{}") == "tokenizer.json: model: is absent");
    CHECK(refusal<format_error>(R"({"model":[]})") == "tokenizer.json: model: is an array, not an object");
    CHECK(refusal<format_error>(bpe(R"("vocab":{"a":0})")) == "tokenizer.json: model.merges: is absent");
    CHECK(refusal<format_error>(bpe(R"("merges":[])")) == "tokenizer.json: model.vocab: is absent");
    CHECK(refusal<format_error>(bpe(R"("vocab":{"a":-1},"merges":[])")) ==
          "tokenizer.json: model.vocab: is a negative number, not a whole number");
    CHECK(refusal<format_error>(bpe(R"("vocab":{"a":1e3},"merges":[])")) ==
          "tokenizer.json: model.vocab: is a number, not a whole number");
    CHECK(refusal<format_error>(bpe(R"("vocab":{"a":2147483648},"merges":[])")) ==
          "tokenizer.json: model.vocab: is 2147483648; the most is 2147483647");
    CHECK(refusal<format_error>(bpe(R"("vocab":{"a":100000},"merges":[])")) ==
          "tokenizer.json: model.vocab: \"a\" has id 100000 among 1 tokens");
    CHECK(refusal<format_error>(bpe(R"("vocab":{"a":1,"b":1},"merges":[])")) ==
          "tokenizer.json: model.vocab: \"a\" and \"b\" both have id 1");
    CHECK(refusal<format_error>(bpe(R"("vocab":{},"merges":[])")) == "tokenizer.json: tokens: the vocabulary is empty");
    CHECK(refusal<format_error>(bpe(R"("vocab":{"a":0},"merges":["ab"])")) ==
          "tokenizer.json: model.merges[0]: has not two parts");
    CHECK(refusal<format_error>(bpe(R"("vocab":{"a":0},"merges":["a b c"])")) ==
          "tokenizer.json: model.merges[0]: has not two parts");
    CHECK(refusal<format_error>(bpe(R"("vocab":{"a":0},"merges":[["a"]])")) ==
          "tokenizer.json: model.merges[0]: has not two parts");
    CHECK(refusal<format_error>(bpe(R"("vocab":{"a":0},"merges":[["a","b"]])")) ==
          "tokenizer.json: model.merges[0]: needs \"b\", which is not a token");
    CHECK(refusal<format_error>(bpe(R"("vocab":{"a":0,"b":1},"merges":[["a","b"]])")) ==
          "tokenizer.json: model.merges[0]: needs \"ab\", which is not a token");
    CHECK(
        refusal<format_error>(bpe(R"("vocab":{"a":0,"b":1},"merges":[["a","b"]],"continuing_subword_prefix":"##")")) ==
        "tokenizer.json: model.merges[0]: its second part is shorter than continuing_subword_prefix");
    CHECK(refusal<format_error>(bpe(R"("vocab":{"a":0},"merges":[],"fuse_unk":1)")) ==
          "tokenizer.json: model.fuse_unk: is a whole number, not a bool");
    CHECK(refusal<format_error>(R"({"model":{"type":"Unigram","vocab":[["a"]]}})") ==
          "tokenizer.json: model.vocab[0]: is not a token and its score");
    CHECK(refusal<format_error>(R"({"model":{"type":"Unigram","vocab":[["a",0],["a",1]]}})") ==
          "tokenizer.json: tokens: tokens 0 and 1 are both \"a\"");
    CHECK(refusal<format_error>(R"({"model":{"type":"Unigram","vocab":[["a",0]],"unk_id":7}})") ==
          "tokenizer.json: model.unk_id: id 7 in a vocabulary of 1");
    CHECK(refusal<format_error>(with_model(R"("normalizer":{"type":"Precompiled","precompiled_charsmap":"!"})")) ==
          "tokenizer.json: normalizer.precompiled_charsmap: is not in base 64");
    CHECK(refusal<format_error>(with_model(R"("normalizer":{"type":"Precompiled","precompiled_charsmap":"////"})")) ==
          "tokenizer.json: normalizer: the table of characters is cut");
    CHECK(refusal<format_error>(with_model(R"("normalizer":{"type":"Strip"})")) ==
          "tokenizer.json: normalizer.strip_left: is absent");
    CHECK(refusal<format_error>(with_model(
              R"("pre_tokenizer":{"type":"Split","pattern":{"Regex":"("},"behavior":"Isolated","invert":false})")) ==
          "tokenizer.json: pre_tokenizer: regular expression \"(\", at byte 1: an unclosed group");
    CHECK(refusal<format_error>(with_model(R"("pre_tokenizer":{"type":"Metaspace","replacement":"ab"})")) ==
          "tokenizer.json: pre_tokenizer.replacement: is not one character");
    CHECK(refusal<format_error>(
              with_model(R"("post_processor":{"type":"BertProcessing","sep":["a",99],"cls":["a",0]})")) ==
          "tokenizer.json: post_processor: id 99 in a vocabulary of 4");
    CHECK(
        refusal<format_error>(with_model(R"("post_processor":{"type":"BertProcessing","sep":["a"],"cls":["a",0]})")) ==
        "tokenizer.json: post_processor.sep: is not a token and its id");
    CHECK(refusal<format_error>(with_model(R"("post_processor":{"type":"TemplateProcessing","single":
        [{"SpecialToken":{"id":"x","type_id":0}}],"pair":[],"special_tokens":{}})")) ==
          "tokenizer.json: post_processor.special_tokens: has no \"x\", which single needs");
    const std::string added = R"("content":"C","single_word":false,"lstrip":false,"rstrip":false,"normalized":false)";
    CHECK(refusal<format_error>(with_model(R"("added_tokens":[{"id":0,)" + added + R"(,"special":true}])")) ==
          "tokenizer.json: added_tokens: \"C\" has id 0, which is that of \"a\"");
    CHECK(refusal<format_error>(with_model(R"("added_tokens":[{"id":7,)" + added + "}]")) ==
          "tokenizer.json: added_tokens.special: is absent");
}

TEST_CASE("tokenizer_json: what is not supported is refused by name", "[models]") {
    using tw::unsupported_error;
    CHECK(refusal<unsupported_error>(R"({"version":"2.0"})") == "tokenizer.json: version: \"2.0\" is not supported");
    CHECK(refusal<unsupported_error>(R"({"model":{"type":"Magic"}})") ==
          "tokenizer.json: model.type: \"Magic\" is not supported");
    CHECK(refusal<unsupported_error>(bpe(R"("vocab":{"a":0},"merges":[],"dropout":0.1)")) ==
          "tokenizer.json: model.dropout: \"a part of merges left out at random\" is not supported");
    CHECK_NOTHROW(read(bpe(R"("vocab":{"a":0},"merges":[],"dropout":0.0)")));
    CHECK(
        refusal<unsupported_error>(with_model(R"("normalizer":{"type":"Sequence","normalizers":[{"type":"Odd"}]})")) ==
        "tokenizer.json: normalizer.type: \"Odd\" is not supported");
    CHECK(refusal<unsupported_error>(with_model(R"("pre_tokenizer":{"type":"UnicodeScripts"})")) ==
          "tokenizer.json: pre_tokenizer.type: \"UnicodeScripts\" is not supported");
    CHECK(refusal<unsupported_error>(with_model(R"("decoder":{"type":"CTC"})")) ==
          "tokenizer.json: decoder.type: \"CTC\" is not supported");
    CHECK(
        refusal<unsupported_error>(with_model(
            R"("pre_tokenizer":{"type":"Split","pattern":{"Regex":"(a)\\1"},"behavior":"Isolated","invert":false})")) ==
        "tokenizer.json: pre_tokenizer: regular expression \"(a)\\1\", at byte 5: this escape is not supported");
    const tokenizer gguf = [] {
        vocabulary_data d;
        d.model = "gpt2";
        d.pre = "gpt-2";
        d.tokens = {"a"};
        return tokenizer{d};
    }();
    CHECK_THROWS_AS(gguf.encode_pair("a", "a"), unsupported_error);
}

TEST_CASE("tokenizer_json: steps that would fill the memory or never end are refused", "[models]") {
    std::string doubling = R"("normalizer":{"type":"Sequence","normalizers":[)";
    for(int i = 0; i < 60; ++i) {
        doubling += std::string{i == 0 ? "" : ","} + R"({"type":"Replace","pattern":{"String":"a"},"content":"aa"})";
    }
    const tokenizer growing = read(with_model(doubling + "]}"));
    CHECK_THROWS_AS(growing.encode("a"), tw::limit_error);
    std::string many = R"("normalizer":{"type":"Sequence","normalizers":[)";
    for(int i = 0; i < 257; ++i) {
        many += std::string{i == 0 ? "" : ","} + R"({"type":"NFC"})";
    }
    CHECK(refusal<tw::limit_error>(with_model(many + "]}")) == "tokenizer.json: normalizer: over 256 steps");
    const tokenizer slow = read(with_model(
        R"("pre_tokenizer":{"type":"Split","pattern":{"Regex":"(?:a*)*b"},"behavior":"Isolated","invert":false})"));
    CHECK_THROWS_AS(slow.encode(std::string(5'000, 'a')), tw::limit_error);
    std::string deep;
    for(int i = 0; i < 200; ++i) {
        deep += R"({"type":"Sequence","normalizers":[)";
    }
    CHECK_THROWS_AS(read(R"({"normalizer":)" + deep), tw::limit_error);
}
