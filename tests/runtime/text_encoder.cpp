#include <tokenworks/runtime/text_encoder.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/exported_file.hpp"
#include "support/kernels.hpp"
#include "support/model_folders.hpp"

namespace tw = tokenworks;
using support::family_golden;
using tw::runtime::pooling;

namespace {

struct folder_encoder {
    files::temporary_folder folder;

    folder_encoder() { support::write_model_folder(folder.string(), family_golden{"bert", "encoders"}, "bert", 700); }
    void write(const std::string& file, std::string_view text) const {
        support::write_text(folder.string(), file, text);
    }
    [[nodiscard]] tw::text_encoder load(unsigned threads = 1) const {
        return tw::text_encoder::load(folder.string(), {.threads = threads});
    }
};

double length(const std::vector<float>& x) {
    double squares = 0;
    for(const float value: x) {
        squares += static_cast<double>(value) * static_cast<double>(value);
    }
    return std::sqrt(squares);
}

} // namespace

TEST_CASE("text_encoder: the mean of a text's rows, or what the folder says", "[runtime]") {
    const folder_encoder f;
    const std::string text = "the cat";
    const tw::text_encoder plain = f.load();
    const std::vector<tw::codec::token_id> ids = plain.encode(text);
    CHECK(ids.front() == 2); // [CLS]
    CHECK(ids.back() == 3);  // [SEP]
    const std::vector<float> rows = plain.hidden(ids);
    REQUIRE(rows.size() == ids.size() * plain.width());
    std::vector<float> mean(plain.width());
    tw::runtime::pool(pooling::mean, tw::nn::const_rows{rows.data(), ids.size(), plain.width()}, mean);
    CHECK(support::same_bits(plain.embed(text), mean));
    CHECK(plain.defaults().normalize == false);

    f.write("modules.json", R"([{"type": "sentence_transformers.models.Transformer"},
                                {"type": "sentence_transformers.models.Normalize"}])");
    f.write("1_Pooling/config.json", R"({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false})");
    f.write("sentence_bert_config.json", R"({"max_seq_length": 4})");
    const tw::text_encoder told = f.load();
    CHECK(told.defaults().pooling == pooling::cls);
    CHECK(told.defaults().normalize);
    const std::vector<float> vector = told.embed("a");
    CHECK(std::abs(length(vector) - 1) < 1e-6);
    const std::vector<tw::codec::token_id> cut = told.encode("the cat the cat the cat");
    CHECK(cut.size() == 4);
    CHECK(cut.back() == 3);
    CHECK(support::same_bits(told.embed(cut, {.pooling = pooling::cls}), [&] {
        const std::vector<float> all = told.hidden(cut);
        return std::vector<float>(all.begin(), all.begin() + 16);
    }()));
}

TEST_CASE("text_encoder: a text's vector is the same bits alone and among others, on every team", "[runtime]") {
    const folder_encoder f;
    const std::vector<std::string_view> texts{"the cat", "a", "word the word the cat", ""};
    const tw::text_encoder one = f.load();
    for(const unsigned threads: {1U, 2U, 3U}) {
        const tw::text_encoder encoder = f.load(threads);
        const std::vector<std::vector<float>> together = encoder.embed(texts);
        REQUIRE(together.size() == texts.size());
        for(std::size_t i = 0; i < texts.size(); ++i) {
            CHECK(support::same_bits(together[i], one.embed(texts[i])));
        }
    }
    CHECK(one.embed(std::span<const std::string_view>{}).empty());
}

TEST_CASE("text_encoder: a GGUF file does what its folder does", "[runtime]") {
    const folder_encoder f;
    f.write("modules.json", R"([{"type": "sentence_transformers.models.Normalize"}])");
    f.write("1_Pooling/config.json", R"({"pooling_mode_cls_token": true})");
    f.write("sentence_bert_config.json", R"({"max_seq_length": 9})");
    const tw::text_encoder folder = f.load();
    const tw::text_encoder file = tw::text_encoder::load(support::export_folder(f.folder.string()), {.threads = 1});
    CHECK(file.defaults().pooling == pooling::cls);
    for(const std::string_view text: {"the cat", "",
                                      "A Cat, the \xC3\xA9"
                                      "cat! word cat cat cat the"}) {
        CHECK(file.encode(text) == folder.encode(text));
        CHECK(support::same_bits(file.embed(text), folder.embed(text)));
    }
    CHECK(file.encode("the cat the cat the cat the cat").size() == 9);
    f.write("modules.json", "[]");
    const tw::text_encoder plain = tw::text_encoder::load(support::export_folder(f.folder.string()), {.threads = 1});
    CHECK(std::abs(length(plain.embed("the cat")) - 1) > 1e-3);
    // Its matrices in blocks, at once or later.
    const tw::text_encoder coded =
        tw::text_encoder::load(support::export_folder(f.folder.string(), "q8_0"), {.threads = 1});
    const std::string path = support::export_folder(f.folder.string());
    const auto source = tw::io::gguf_file::open(path);
    const auto how = tw::models::quantization::named("q8_0");
    tw::io::gguf_writer out;
    tw::models::quantize_gguf(source, how, out);
    out.save(f.folder.string() + "/again.gguf");
    const tw::text_encoder again = tw::text_encoder::load(f.folder.string() + "/again.gguf", {.threads = 1});
    CHECK(support::same_bits(again.embed("the cat"), coded.embed("the cat")));
    const std::vector<float> a = plain.embed("the cat");
    const std::vector<float> b = coded.embed("the cat");
    double inner = 0;
    for(std::size_t i = 0; i < a.size(); ++i) {
        inner += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    }
    CHECK(inner / length(a) / length(b) > 0.999);
}

TEST_CASE("text_encoder: GGUF files that it refuses", "[runtime]") {
    const folder_encoder f;
    const std::string path = support::export_folder(f.folder.string());
    const auto load = [](const std::string& file) { return tw::text_encoder::load(file, {.threads = 1}); };
    const auto with = [&](auto edit) {
        const auto file = tw::io::gguf_file::open(path);
        tw::io::gguf_writer out;
        out.copy_metadata(file);
        for(const tw::io::gguf_tensor& tensor: file.tensors()) {
            out.add_tensor(tensor.name, tensor.type, std::span{tensor.extents.data(), tensor.rank}, tensor.data);
        }
        edit(out);
        std::string made = f.folder.string() + "/edited.gguf";
        out.save(made);
        return made;
    };
    CHECK_NOTHROW(load(with([](auto&) {})));
    CHECK_THROWS_WITH(load(with([](auto& out) { out.set("bert.pooling_type", std::uint32_t{9}); })),
                      ContainsSubstring("bert.pooling_type"));
    CHECK_THROWS_WITH(load(with([](auto& out) { out.set("tokenizer.ggml.model", "none"); })),
                      ContainsSubstring("the file has no tokenizer"));
    CHECK_THROWS_WITH(load(with([](auto& out) { out.set("tokenizer.ggml.model", "rwkv"); })),
                      ContainsSubstring("tokenizer.ggml.model"));
    CHECK_THROWS_WITH(load(with([](auto& out) { out.set("tokenizer.ggml.model", "t5"); })),
                      ContainsSubstring("tokenizer.ggml.scores"));
    CHECK_THROWS_WITH(
        load(with([](auto& out) { out.set_array("tokenizer.ggml.token_type", std::vector<std::int32_t>{1}); })),
        ContainsSubstring("tokenizer.ggml.token_type"));
    CHECK_THROWS_WITH(load(with([](auto& out) { out.set("bert.vocab_size", std::uint32_t{600}); })),
                      ContainsSubstring("tokenizer.ggml.tokens") && ContainsSubstring("the model has 600"));
    const std::size_t size = std::filesystem::file_size(path);
    for(const std::size_t part: {std::size_t{3}, size / 4, size / 2, size - 1}) {
        std::filesystem::resize_file(path, part);
        CHECK_THROWS_AS(load(path), tw::error);
        support::export_folder(f.folder.string());
    }
}

TEST_CASE("text_encoder: folders that it refuses", "[runtime]") {
    const folder_encoder f;
    f.write("1_Pooling/config.json", R"({"pooling_mode_weightedmean_tokens": true})");
    CHECK_THROWS_AS(f.load(), tw::unsupported_error);
    f.write("1_Pooling/config.json", R"({"pooling_mode_cls_token": 3})");
    CHECK_THROWS_WITH(f.load(), ContainsSubstring("1_Pooling/config.json"));
    f.write("1_Pooling/config.json", "{}");
    f.write("modules.json", "{}");
    CHECK_THROWS_AS(f.load(), tw::format_error);
    f.write("modules.json", "[]");
    CHECK_NOTHROW(f.load());
    support::write_model_folder(f.folder.string(), family_golden{"llama"}, "bert", 700);
    CHECK_THROWS_WITH(f.load(), ContainsSubstring("is no encoder"));
    support::write_model_folder(f.folder.string(), family_golden{"bert", "encoders"}, "bert", 600);
    CHECK_THROWS_AS(f.load(), tw::format_error);
}
