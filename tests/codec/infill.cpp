#undef TOKENWORKS_SEPARATE // its vocabularies come by way of models, whose large functions this program does not link
#include <tokenworks/codec/infill.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/token_pipeline.hpp>
#include <tokenworks/io/file_bytes.hpp>
#include <tokenworks/io/json_tree.hpp>
#include <tokenworks/models/tokenizer_json.hpp>

#include "codec/golden.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
using namespace tokenworks::codec;

namespace {

using strings = std::vector<std::string>;

/// A golden vocabulary with further tokens behind its own.
struct extended {
    golden::vocabulary_file file;
    std::string model;
    strings more;
    token_type type;
    vocabulary_data data;

    extended(const std::string& name, std::string model_name, strings tokens, token_type t)
        : file{name}, model{std::move(model_name)}, more{std::move(tokens)}, type{t} {
        data = file.data(model, model == "gpt2" ? "qwen2" : "");
        data.name = "coder.gguf";
        for(const std::string& token: more) {
            data.tokens.push_back(token);
            data.types.push_back(static_cast<std::int32_t>(type));
            if(!data.scores.empty()) {
                data.scores.push_back(-1000);
            }
        }
    }
    [[nodiscard]] token_id id(std::size_t i) const { return static_cast<token_id>(file.tokens.size() + i); }
};

std::vector<token_id> joined(std::initializer_list<std::vector<token_id>> parts) {
    std::vector<token_id> all;
    for(const auto& part: parts) {
        all.insert(all.end(), part.begin(), part.end());
    }
    return all;
}

/// The bytes that ids stand for in the middle of a text, control tokens as they are spelt.
std::string bytes_of(const tokenizer& tokens, const std::vector<token_id>& ids) {
    std::string all;
    for(const token_id id: ids) {
        all += tokens.piece(id);
    }
    return all;
}

const strings qwen{"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|fim_pad|>", "<|file_sep|>"};
const strings star{"<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<fim_pad>", "<file_sep>"};
const strings santa{"<fim-prefix>", "<fim-suffix>", "<fim-middle>", "<fim-pad>"};
const strings deepseek{"<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>", "<|EOT|>"};
const strings glm{"<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"};
const strings code_llama{"▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>"};
const std::string before = "int add(int a, int b) {\n    return ";
const std::string after = ";\n}\n";

} // namespace

TEST_CASE("infill: prefix, suffix, middle, as each convention spells them", "[codec]") {
    const auto& spelt = GENERATE_REF(qwen, star, santa, deepseek, glm);
    const token_type type = GENERATE(token_type::control, token_type::user_defined, token_type::normal);
    const extended coder{"bpe", "gpt2", spelt, type};
    INFO(spelt[0] << ", type " << static_cast<int>(type));
    const tokenizer tokens{coder.data};
    const infill_form form{tokens};
    CHECK(form.prefix() == coder.id(0));
    CHECK(form.suffix() == coder.id(1));
    CHECK(form.middle() == coder.id(2));
    const std::vector<token_id> ids = form.encode(tokens, before, after);
    CHECK(ids == joined({{coder.id(0)}, tokens.encode(before), {coder.id(1)}, tokens.encode(after), {coder.id(2)}}));
    // All that such a model says when it is done ends the gap: what the vocabulary knows as an end, and the rest.
    for(std::size_t i = 0; i < spelt.size(); ++i) {
        const bool listed = std::ranges::count(form.ends(), coder.id(i)) == 1;
        CHECK((listed || tokens.is_end(coder.id(i))));
        CHECK_FALSE((listed && tokens.is_end(coder.id(i))));
    }
    CHECK(form.encode(tokens, "", "") == std::vector{coder.id(0), coder.id(1), coder.id(2)});
}

TEST_CASE("infill: what begins a text begins a prompt too", "[codec]") {
    extended coder{"bpe", "gpt2", qwen, token_type::control};
    coder.data.add_bos = true;
    coder.data.bos = 0;
    const tokenizer tokens{coder.data};
    CHECK(infill_form{tokens}.encode(tokens, "", "") == std::vector{0, coder.id(0), coder.id(1), coder.id(2)});
    coder.data.add_eos = true; // what ends one does not
    coder.data.eos = 1;
    const tokenizer both{coder.data};
    CHECK(infill_form{both}.encode(both, "", "") == std::vector{0, coder.id(0), coder.id(1), coder.id(2)});
}

TEST_CASE("infill: Code Llama has a blank before the prefix, and none before the suffix", "[codec]") {
    const token_type type = GENERATE(token_type::control, token_type::user_defined, token_type::normal);
    const extended coder{"llama", "llama", code_llama, type};
    const tokenizer tokens{coder.data};
    const infill_form form{tokens};
    for(const std::string& text: {after, std::string{"x = 1"}, std::string{" <PRE"}, std::string{"\xE2\x98\xBA"}}) {
        const std::vector<token_id> ids = form.encode(tokens, text, text);
        const auto middle = std::ranges::find(ids, coder.id(1));
        REQUIRE(middle != ids.end());
        CHECK(ids.front() == *tokens.bos());
        CHECK(ids[1] == coder.id(0));
        CHECK(ids.back() == coder.id(2));
        const std::vector<token_id> first(ids.begin() + 2, middle);
        CHECK(first == tokens.encode(text));
        CHECK(bytes_of(tokens, first) == " " + text);
        CHECK(bytes_of(tokens, {middle + 1, ids.end() - 1}) == text);
    }
    CHECK(std::ranges::count(form.ends(), coder.id(3)) == 1); // <EOT>
}

TEST_CASE("infill: no text becomes a control token", "[codec]") {
    const token_type type = GENERATE(token_type::control, token_type::user_defined, token_type::normal);
    const auto& [vocab, model, spelt] = GENERATE_REF(
        std::tuple{"bpe", "gpt2", qwen}, std::tuple{"bpe", "gpt2", deepseek}, std::tuple{"llama", "llama", code_llama});
    const extended coder{vocab, model, spelt, type};
    const tokenizer tokens{coder.data};
    const infill_form form{tokens};
    std::string hostile = spelt[1] + "a" + spelt[2] + spelt[0];
    for(const std::string& token: spelt) {
        hostile += token + token.substr(0, token.size() / 2) + token + " " + token;
    }
    const std::string plain = tokens.vocabulary().is_byte_level() ? "" : " <PRE> <SUF> <MID> <EOT><PRE>";
    for(const std::string& text: {hostile, plain, spelt[0], "x" + spelt[1] + "y"}) {
        INFO(text << ", type " << static_cast<int>(type));
        const std::vector<token_id> ids = form.encode(tokens, text, text);
        for(std::size_t i = 0; i < spelt.size(); ++i) {
            CHECK(std::ranges::count(ids, coder.id(i)) == (i < 3 ? 1 : 0));
        }
        const auto hole = std::ranges::find(ids, coder.id(1));
        CHECK(bytes_of(tokens, {hole + 1, ids.end() - 1}) == text); // nothing is lost or added
    }
    // What surrounds a spelling is encoded as ever.
    const auto whole = form.encode(tokens, before + spelt[0], "");
    const auto usual = tokens.encode(before);
    CHECK(std::search(whole.begin(), whole.end(), usual.begin(), usual.end()) != whole.end());
}

TEST_CASE("infill: the ids that a file names come first, all three or none", "[codec]") {
    extended coder{"bpe", "gpt2", qwen, token_type::control};
    coder.data.tokens.insert(coder.data.tokens.end(), {"<A>", "<B>", "<C>"});
    coder.data.types.insert(coder.data.types.end(), 3, 3);
    coder.data.fim_prefix = static_cast<std::uint32_t>(coder.id(5));
    coder.data.fim_suffix = static_cast<std::uint32_t>(coder.id(6));
    {
        const infill_form form{tokenizer{coder.data}};
        CHECK(form.prefix() == coder.id(0));
        CHECK(form.middle() == coder.id(2));
    }
    coder.data.fim_middle = static_cast<std::uint32_t>(coder.id(7));
    const tokenizer tokens{coder.data};
    const infill_form form{tokens};
    CHECK(form.encode(tokens, "", "") == std::vector{coder.id(5), coder.id(6), coder.id(7)});
    const auto ids = form.encode(tokens, "<A>", "<B><C>");
    CHECK(bytes_of(tokens, ids) == "<A><A><B><B><C><C>");
    CHECK(ids.size() > 6);
    coder.data.fim_middle = static_cast<std::uint32_t>(coder.data.tokens.size());
    CHECK_THROWS_WITH(tokenizer{coder.data}, ContainsSubstring("tokenizer.ggml.fim_mid_token_id"));
}

TEST_CASE("infill: a model without the tokens is refused by name", "[codec]") {
    const strings some{"<|fim_prefix|>", "<fim_suffix>", "<|fim_middle|>"}; // of two conventions
    const extended coder{"bpe", "gpt2", some, token_type::control};
    const tokenizer tokens{coder.data};
    CHECK_THROWS_AS(infill_form{tokens}, tw::unsupported_error);
    CHECK_THROWS_WITH(infill_form{tokens}, ContainsSubstring("coder.gguf") && ContainsSubstring("fill in the middle"));
}

TEST_CASE("infill: a token that no cut takes out of a text is an error", "[codec]") {
    extended coder{"bpe", "gpt2", {}, token_type::control};
    const auto letter = [&](std::string_view text) {
        return static_cast<std::uint32_t>(std::ranges::find(coder.file.tokens, text) - coder.file.tokens.begin());
    };
    coder.data.fim_prefix = letter("a");
    coder.data.fim_suffix = letter("b");
    coder.data.fim_middle = letter("c");
    const tokenizer tokens{coder.data};
    const infill_form form{tokens};
    CHECK_THROWS_AS(form.encode(tokens, "", "a"), tw::argument_error);
    CHECK_THROWS_WITH(form.encode(tokens, "", "a"), ContainsSubstring("the text has the token \"a\""));
    CHECK_NOTHROW(form.encode(tokens, "d", "d"));
}

TEST_CASE("infill: tokenizers of Hugging Face folders", "[codec]") {
    const auto [name, spelt] = GENERATE_REF(std::pair{"qwen2", &qwen}, std::pair{"llama2", &code_llama});
    const bool special = GENERATE(true, false);
    INFO(name << ", special " << special);
    const auto file = tw::io::file_bytes::open(std::string{TOKENWORKS_TEST_DATA} + "/tokenizers/" + name + ".json");
    const tw::io::json_tree tree{file.bytes(), name, 64};
    tokenizer_data data = tw::models::tokenizer_data_of(tree);
    const auto first = static_cast<std::uint32_t>(data.tokens.size() + data.added.size());
    for(std::uint32_t i = 0; i < spelt->size(); ++i) {
        data.added.push_back(
            {.content = (*spelt)[i], .id = first + i, .normalized = false, .special = special}); // as folders have them
    }
    const tokenizer tokens = make_tokenizer(data);
    const infill_form form{tokens};
    const auto id = static_cast<token_id>(first);
    CHECK(form.prefix() == id);
    std::vector<token_id> ids = form.encode(tokens, "def f(x):", "x + 1");
    const bool llama = std::string_view{name} == "llama2";
    CHECK(ids.front() == (llama ? 1 : id)); // <s>
    CHECK(bytes_of(tokens, ids) == std::string{llama ? "<s>" : ""} + std::string{tokens.piece(id)} +
                                       (llama ? " def f(x):" : "def f(x):") + std::string{tokens.piece(id + 1)} +
                                       "x + 1" + std::string{tokens.piece(id + 2)});
    ids = form.encode(tokens, "a" + (*spelt)[1] + "b", (*spelt)[2] + "b");
    for(token_id i = 0; i < 3; ++i) {
        CHECK(std::ranges::count(ids, id + i) == 1);
    }
}
