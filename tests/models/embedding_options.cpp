#include <tokenworks/models/embedding_options.hpp>

#include <cstdint>
#include <string>

#include <tokenworks/io/gguf_writer.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/model_folders.hpp"
#include "support/tiny_model.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;
using support::gguf_in_memory;

namespace {

template <class Edit>
gguf_in_memory file_with(const Edit& edit) {
    tw::io::gguf_writer out;
    out.set("general.architecture", "bert");
    edit(out);
    return gguf_in_memory{out};
}

} // namespace

TEST_CASE("embedding_options: the files of sentence-transformers", "[models]") {
    const files::temporary_folder folder;
    const auto write = [&](const char* file, const char* text) { support::write_text(folder.string(), file, text); };
    const auto read = [&] { return embedding_options_of(folder.string(), tw::limits{}); };
    CHECK(read().pooling == pooling::mean);
    CHECK_FALSE(read().normalize);
    CHECK(read().max_tokens == 0);
    write("modules.json", R"([{"type": "sentence_transformers.models.Normalize"}])");
    write("1_Pooling/config.json", R"({"pooling_mode_lasttoken": true})");
    write("sentence_bert_config.json", R"({"max_seq_length": 256})");
    CHECK(read().pooling == pooling::last);
    CHECK(read().normalize);
    CHECK(read().max_tokens == 256);
    write("1_Pooling/config.json", R"({"pooling_mode_weightedmean_tokens": true})");
    CHECK_THROWS_AS(read(), tw::unsupported_error);

    const auto classifier = [&] { return classifier_input_of(folder.string(), tw::limits{}); };
    CHECK(classifier().types);
    write("tokenizer_config.json", R"({"model_max_length": 128, "model_input_names": ["input_ids"]})");
    CHECK(classifier().max_tokens == 128);
    CHECK_FALSE(classifier().types);
    write("tokenizer_config.json", R"({"model_max_length": 1e30})");
    CHECK(classifier().max_tokens == 0);
}

TEST_CASE("embedding_options: the keys of a GGUF file", "[models]") {
    const auto plain = file_with([](auto&) {});
    CHECK(embedding_options_of(plain.file).pooling == pooling::mean);
    CHECK(embedding_options_of(plain.file).normalize);
    CHECK(classifier_input_of(plain.file).types);
    for(const pooling each: {pooling::mean, pooling::cls, pooling::last}) {
        const auto told = file_with([&](auto& out) {
            out.set("bert.pooling_type", gguf_pooling(each));
            out.set("tokenworks.normalize", false);
            out.set("tokenworks.max_tokens", std::uint32_t{7});
            out.set("tokenworks.pair_types", false);
        });
        CHECK(embedding_options_of(told.file).pooling == each);
        CHECK_FALSE(embedding_options_of(told.file).normalize);
        CHECK(embedding_options_of(told.file).max_tokens == 7);
        CHECK(classifier_input_of(told.file).max_tokens == 7);
        CHECK_FALSE(classifier_input_of(told.file).types);
    }
    CHECK_THROWS_AS(gguf_pooling(pooling::max), tw::argument_error);
    const auto wrong = file_with([](auto& out) { out.set("bert.pooling_type", std::uint32_t{5}); });
    CHECK_THROWS_WITH(embedding_options_of(wrong.file), ContainsSubstring("bert.pooling_type"));
    const auto text = file_with([](auto& out) { out.set("tokenworks.normalize", "yes"); });
    CHECK_THROWS_WITH(embedding_options_of(text.file), ContainsSubstring("tokenworks.normalize"));
}
