#include <tokenworks/runtime/text_to_text.hpp>

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/exported_file.hpp"
#include "support/model_folders.hpp"

namespace tw = tokenworks;
using support::family_golden;
using tw::runtime::beam_stop;
using tw::runtime::finish_reason;
using ids = std::vector<tw::codec::token_id>;

namespace {

constexpr std::string_view plain = R"({"decoder_start_token_id": 2, "eos_token_id": 2, "max_length": 12})";

struct folder_model {
    files::temporary_folder folder;

    /// Its tables are longer than the tokenizer's, as many are.
    explicit folder_model(std::string_view generation = plain, const std::string& name = "bart",
                          const std::string& tokenizer = "roberta") {
        support::write_model_folder(folder.string(), family_golden{name, "encoder_decoders"}, tokenizer, 1000);
        if(!generation.empty()) {
            write("generation_config.json", generation);
        }
    }
    void write(const std::string& file, std::string_view text) const {
        support::write_text(folder.string(), file, text);
    }
    [[nodiscard]] tw::text_to_text load(unsigned threads = 1) const {
        return tw::text_to_text::load(folder.string(), {.threads = threads});
    }
};

} // namespace

TEST_CASE("text_to_text: one beam takes the likeliest token each time, as a greedy loop does", "[runtime]") {
    for(const auto& [name, tokenizer]: {std::pair{"bart", "roberta"}, {"mbart", "roberta"}, {"t5", "unigram"}}) {
        INFO(name);
        const folder_model f{plain, name, tokenizer};
        const tw::text_to_text model = f.load();
        CHECK(model.vocab_size() == model.tokenizer().vocab_size());
        CHECK(model.network().decoder().vocab_size() == 1000);
        const tw::rewritten found = model.rewrite("a cat");
        REQUIRE(!found.ids.empty());
        CHECK(found.ids.size() <= 11);
        CHECK(found.reason == (found.ids.back() == 2 ? finish_reason::stop : finish_reason::length));
        CHECK(found.text == model.tokenizer().decode(found.ids));
        CHECK(found.timings.generated_tokens == found.ids.size());
        CHECK(found.timings.prompt_tokens == model.encode("a cat").size() + 1);
        tw::generate_options greedy{.max_tokens = 11};
        greedy.sampling.temperature = 0;
        const tw::rewritten drawn = model.sample(model.encode("a cat"), greedy);
        CHECK(drawn.ids == found.ids);
        CHECK(drawn.text == found.text);
        CHECK_FALSE(drawn.score);
        for(const unsigned threads: {2U, 3U}) {
            CHECK(f.load(threads).rewrite("a cat").ids == found.ids);
        }
    }
}

TEST_CASE("text_to_text: a GGUF file of T5 does what its folder does", "[runtime]") {
    const folder_model f{R"({"decoder_start_token_id": 1, "eos_token_id": 2})", "t5", "unigram"};
    nlohmann::json config = nlohmann::json::parse(std::ifstream{f.folder.string() + "/config.json"});
    config["relative_attention_max_distance"] = 128;
    f.write("config.json", config.dump());
    nlohmann::json tokenizer = nlohmann::json::parse(std::ifstream{f.folder.string() + "/tokenizer.json"});
    tokenizer["pre_tokenizer"] = {{"type", "Sequence"},
                                  {"pretokenizers", {{{"type", "WhitespaceSplit"}}, tokenizer["pre_tokenizer"]}}};
    tokenizer["post_processor"] = nlohmann::json::parse(R"({"type": "TemplateProcessing",
        "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {"</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]}}})");
    f.write("tokenizer.json", tokenizer.dump());
    const tw::text_to_text folder = f.load();
    const std::string path = support::export_folder(f.folder.string());
    const tw::text_to_text file = tw::text_to_text::load(path, {.threads = 1});
    CHECK(file.prompt() == ids{1});
    CHECK(file.defaults().beams.ends == ids{2});
    CHECK(file.vocab_size() == folder.vocab_size());
    for(const std::string_view text: {"a cat", " the  word. ", ""}) {
        CHECK(file.encode(text) == folder.encode(text));
        for(const std::size_t count: {1U, 3U}) {
            tw::beam_options beams = folder.defaults().beams;
            beams.beams = count;
            beams.max_tokens = 12;
            const tw::rewritten expected = folder.rewrite(folder.encode(text), beams);
            const tw::rewritten found = file.rewrite(file.encode(text), beams);
            CHECK(found.ids == expected.ids);
            CHECK(found.text == expected.text);
        }
    }
    CHECK_THROWS_WITH(tw::text_model::load(path), ContainsSubstring("is no decoder alone"));
    const auto opened = tw::io::gguf_file::open(path);
    tw::io::gguf_writer out;
    out.copy_metadata(opened);
    out.set("t5.decoder_start_token_id", std::uint32_t{1000});
    for(const tw::io::gguf_tensor& tensor: opened.tensors()) {
        out.add_tensor(tensor.name, tensor.type, std::span{tensor.extents.data(), tensor.rank}, tensor.data);
    }
    out.save(f.folder.string() + "/wrong.gguf");
    CHECK_THROWS_WITH(tw::text_to_text::load(f.folder.string() + "/wrong.gguf"),
                      ContainsSubstring("t5.decoder_start_token_id"));
}

TEST_CASE("text_to_text: what the files say of generating", "[runtime]") {
    const folder_model f{R"({"decoder_start_token_id": 5, "bos_token_id": 0, "eos_token_id": [2, 7], "num_beams": 3,
        "max_length": 9, "min_length": 4, "length_penalty": 2.0, "early_stopping": true, "no_repeat_ngram_size": 2,
        "repetition_penalty": 1.5, "forced_bos_token_id": 11, "forced_eos_token_id": 2})"};
    const tw::text_to_text model = f.load();
    const tw::beam_options& beams = model.defaults().beams;
    CHECK(model.defaults().start == 5);
    CHECK(model.prompt() == ids{5, 11});
    CHECK(beams.beams == 3);
    CHECK(beams.max_tokens == 8);
    CHECK(beams.min_tokens == 3);
    CHECK(beams.length_penalty == 2);
    CHECK(beams.stop == beam_stop::at_once);
    CHECK(beams.no_repeat_ngram == 2);
    CHECK(beams.penalties.repeat == 1.5F);
    CHECK(beams.penalties.last_n == -1);
    CHECK(beams.ends == ids{2, 7});
    CHECK(beams.last_tokens == ids{2});
    const tw::rewritten found = model.rewrite("the cat");
    CHECK(found.ids.front() == 11);
    CHECK(found.ids.size() <= 8);
    REQUIRE(found.score);
    tw::nn::context c;
    const ids start{5};
    const auto same = tw::beam_search(c, model.network(), model.encode("the cat"), start, beams);
    CHECK(same.front().ids == found.ids);
    // Drawn texts begin with the forced token too, which is then part of the prompt.
    tw::generate_options draw{.max_tokens = 3};
    CHECK(model.sample(model.encode("the cat"), draw).timings.prompt_tokens == model.encode("the cat").size() + 2);

    f.write("generation_config.json", R"({"bos_token_id": 3, "repetition_penalty": 0})");
    CHECK_THROWS_WITH(f.load(), ContainsSubstring("repetition_penalty"));
    f.write("generation_config.json", R"({"bos_token_id": 3, "max_new_tokens": 4, "early_stopping": "never"})");
    CHECK(f.load().defaults().start == 3);
    CHECK(f.load().defaults().beams.max_tokens == 4);
    CHECK(f.load().defaults().beams.stop == beam_stop::never);
    f.write("generation_config.json", R"({"bos_token_id": 3, "max_length": 1000000000, "eos_token_id": -1})");
    CHECK(f.load().defaults().beams.max_tokens == 65536);
    CHECK(f.load().defaults().beams.ends.empty());
    for(const char* const wrong:
        {R"({"decoder_start_token_id": 5000})", R"({"bos_token_id": 1, "num_beams": 0})",
         R"({"bos_token_id": 1, "num_beams": 5000})", R"({"bos_token_id": 1, "max_length": "long"})", "{}"}) {
        f.write("generation_config.json", wrong);
        CHECK_THROWS_AS(f.load(), tw::format_error);
    }
    CHECK_THROWS_WITH(f.load(), ContainsSubstring("decoder_start_token_id: the key is missing"));

    // Where there is no such file, config.json says it.
    family_golden golden{"bart", "encoder_decoders"};
    golden.config.update({{"decoder_start_token_id", 4}, {"eos_token_id", 2}, {"num_beams", 2}});
    const files::temporary_folder folder;
    support::write_model_folder(folder.string(), golden, "roberta", 1000);
    const tw::text_to_text older = tw::text_to_text::load(folder.string());
    CHECK(older.defaults().start == 4);
    CHECK(older.defaults().beams.beams == 2);
}

TEST_CASE("text_to_text: sources and texts end where learned positions do", "[runtime]") {
    const folder_model f{R"({"decoder_start_token_id": 2, "max_length": 100})"};
    const tw::text_to_text model = f.load();
    std::string text;
    for(int i = 0; i < 100; ++i) {
        text += "the cat ";
    }
    const ids source = model.encode(text);
    CHECK(source.size() == 32);
    CHECK(source.back() == model.tokenizer().encode("", {.add_special = true}).back());
    CHECK(model.rewrite(text).ids.size() == 31);
    CHECK(model.sample(source, {.ignore_eos = true}).reason == finish_reason::context_full);
    CHECK_FALSE(folder_model(plain, "t5", "unigram").load().encode(text).size() == 32);
}

TEST_CASE("text_to_text: folders that it refuses", "[runtime]") {
    const files::temporary_folder folder;
    support::write_model_folder(folder.string(), family_golden{"llama"}, "bert", 700);
    CHECK_THROWS_WITH(tw::text_to_text::load(folder.string()), ContainsSubstring("has no encoder beside a decoder"));
    support::write_model_folder(folder.string(), family_golden{"bart", "encoder_decoders"}, "roberta", 100);
    CHECK_THROWS_WITH(tw::text_to_text::load(folder.string()), ContainsSubstring("the model has 100"));
    const folder_model f;
    bool went_on = false;
    CHECK_THROWS_AS(tw::text_to_text::load(
                        f.folder.string(),
                        {.on_progress = [&](std::uint64_t, std::uint64_t) { return std::exchange(went_on, true); }}),
                    tw::cancelled_error);
}
