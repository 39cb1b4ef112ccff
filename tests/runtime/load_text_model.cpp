#include <tokenworks/runtime/load_text_model.hpp>

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"
#include "support/model_folders.hpp"
#include "support/tiny_model.hpp"

namespace tw = tokenworks;
using support::family_golden;

namespace {

constexpr std::size_t padded = 384; ///< more than the tokenizer of gpt2 has

struct folder_model {
    files::temporary_folder folder;

    explicit folder_model(const std::string& family = "llama_yarn", std::size_t tokens = padded) {
        support::write_model_folder(folder.string(), family_golden{family}, "gpt2", tokens);
    }
    [[nodiscard]] tw::text_model load(const tw::load_options& options = {.threads = 1}) const {
        return tw::load_text_model(folder.string(), options);
    }
};

} // namespace

TEST_CASE("load_text_model: a folder generates from text, and its padding of tokens is never chosen", "[runtime]") {
    for(const char* const family: {"llama_yarn", "llama", "gpt_neox", "qwen3_moe"}) {
        INFO(family);
        const folder_model f{family};
        const tw::text_model model = f.load();
        const std::size_t tokens = model.tokenizer().vocab_size();
        REQUIRE(tokens < padded);
        CHECK(model.vocab_size() == tokens);
        std::string text;
        for(const std::string_view piece: model.generate("ab", {.max_tokens = 12, .ignore_eos = true})) {
            text += piece;
        }
        CHECK_FALSE(text.empty());

        // The logits are those of the decoder, but for the padding.
        const auto opened = tw::models::model_folder::open(f.folder.string());
        const tw::models::decoder whole{opened.config(), opened.weights(), model.how()};
        const std::vector<std::int32_t> ids{3, 7, 5};
        const std::vector<float> expected = support::all_logits(whole, ids, 3, model.how());
        auto state = model.make_state({.capacity = 8, .cache_type = tw::dtype::f32});
        std::vector<float> logits(tokens);
        model.forward(state, ids, logits);
        CHECK(support::same_bits(logits, std::span{expected}.subspan(2 * padded, tokens)));
    }
}

TEST_CASE("load_text_model: the chat template is a file, a text, or the default of several", "[runtime]") {
    const folder_model f;
    const tw::codec::chat_message hello{"user", "ab"};
    const auto prompt = [&] {
        const tw::text_model model = f.load();
        return model.tokenizer().decode(model.chat_prompt(std::span{&hello, 1}), {.special = true});
    };
    CHECK_THROWS_WITH(prompt(), ContainsSubstring("no chat template"));
    support::write_text(f.folder.string(), "tokenizer_config.json",
                        R"({"chat_template": [{"name": "rag", "template": "no"},
                            {"name": "default", "template": "A{{ messages[0].content }}"}]})");
    CHECK(prompt() == "Aab");
    support::write_text(f.folder.string(), "tokenizer_config.json",
                        R"({"chat_template": "B{{ messages[0].content }}"})");
    CHECK(prompt() == "Bab");
    support::write_text(f.folder.string(), "chat_template.jinja", "C{{ messages[0].content }}");
    CHECK(prompt() == "Cab");
    support::write_text(f.folder.string(), "chat_template.jinja", "{% if %}");
    CHECK_NOTHROW(f.load()); // an error only for those who ask
    CHECK_THROWS_AS(prompt(), tw::error);
}

TEST_CASE("load_text_model: a packed cache gives the same bits", "[runtime]") {
    const folder_model f;
    const std::string cache = f.folder.string() + "/packed";
    using outcome = tw::models::packed_cache_report::outcome;
    const auto logits = [](const tw::text_model& model) {
        auto state = model.make_state({.capacity = 8});
        std::vector<float> out(model.vocab_size());
        const std::vector<std::int32_t> ids{4, 2};
        model.forward(state, ids, out);
        return out;
    };
    const tw::text_model first = f.load({.threads = 1, .packed_cache = cache});
    CHECK(first.packed_weights().what == outcome::written);
    const tw::text_model second = f.load({.threads = 1, .packed_cache = cache});
    CHECK(second.packed_weights().what == outcome::read);
    CHECK(support::same_bits(logits(first), logits(second)));
    support::write_model_folder(f.folder.string(), family_golden{"llama_linear"}, "gpt2", padded);
    CHECK(f.load({.threads = 1, .packed_cache = cache}).packed_weights().what == outcome::written);
}

TEST_CASE("load_text_model: files, folders that are none, encoders, and tokenizers that are too large", "[runtime]") {
    const files::temporary_folder folder;
    const std::string file = folder.string() + "/tiny.gguf";
    const auto bytes = support::tiny_model{}.bytes();
    support::write_text(folder.string(), "tiny.gguf", {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    CHECK(tw::load_text_model(file, {.threads = 1}).vocab_size() > 0);
    CHECK_THROWS_AS(tw::load_text_model(folder.string()), tw::io_error);
    CHECK_THROWS_AS(tw::load_text_model(folder.string() + "/none"), tw::io_error);

    support::write_model_folder(folder.string(), family_golden{"bert", "encoders"}, "bert", 700);
    CHECK_THROWS_WITH(tw::load_text_model(folder.string()), ContainsSubstring("is no decoder alone"));
    const folder_model small{"llama_yarn", 100};
    CHECK_THROWS_AS(small.load(), tw::format_error);
    std::filesystem::remove(small.folder.string() + "/tokenizer.json");
    CHECK_THROWS_AS(small.load().tokenizer(), tw::unsupported_error);
    std::size_t calls = 0;
    CHECK_THROWS_AS(small.load({.threads = 1, .on_progress = [&](auto, auto) { return ++calls < 2; }}),
                    tw::cancelled_error);
}
