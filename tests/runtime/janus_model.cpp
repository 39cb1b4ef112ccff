#include <tokenworks/runtime/janus_model.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/family_golden.hpp"
#include "support/kernels.hpp"

namespace tw = tokenworks;
using nlohmann::json;
using support::family_golden;

namespace {

struct opened {
    family_golden golden{"janus", "pictures"};
    json generation = golden.more.at("generation");
    files::temporary_folder folder;

    opened() { write(); }
    void write() const {
        golden.write_to(folder.string(), tw::dtype::f32);
        std::ofstream{folder.string() + "/generation_config.json"} << generation.dump();
    }
    [[nodiscard]] tw::janus_model load(unsigned threads = 1) const {
        return tw::janus_model::load(folder.string(), {.threads = threads});
    }
    [[nodiscard]] std::vector<std::int32_t> expected(const char* name) const {
        return golden.more.at(name).get<std::vector<std::int32_t>>();
    }
    /// What loading says once something is changed.
    template <class Change>
    [[nodiscard]] static std::string refusal(Change change) {
        opened o;
        change(o);
        o.write();
        try {
            static_cast<void>(o.load());
        } catch(const tw::error& problem) {
            return problem.what();
        }
        return "";
    }
};

} // namespace

TEST_CASE("janus: the reference's codes of a prompt, greedily, and its picture", "[runtime]") {
    const opened o;
    CHECK(tw::janus_model::knows(o.folder.string()));
    const tw::janus_model model = o.load();
    CHECK(model.width() == 12);
    CHECK(model.draw_ids(o.golden.ids, {.temperature = 0}) == o.expected("guided"));
    CHECK(model.draw_ids(o.golden.ids, {.guidance = 2, .temperature = 0}) == o.expected("less"));
    const std::vector<float> pixels = model.pixels_of(o.expected("guided"));
    CHECK(o.golden.worst(pixels) < 1e-4);
    CHECK(model.picture_of(o.expected("guided")).bytes.size() == pixels.size());
}

TEST_CASE("janus: a seed is a picture, whatever the threads; it can be cancelled", "[runtime]") {
    const opened o;
    const tw::janus_model model = o.load();
    const auto drawn = model.draw_ids(o.golden.ids, {.seed = 4});
    CHECK(drawn.size() == model.tokens());
    CHECK(o.load(3).draw_ids(o.golden.ids, {.seed = 4}) == drawn);
    CHECK_FALSE(model.draw_ids(o.golden.ids, {.seed = 5}) == drawn);
    for(const std::int32_t id: drawn) {
        CHECK((id >= 0 && id < 40));
    }
    // Without guidance the other sequence does not run, and does not count.
    CHECK(model.draw_ids(o.golden.ids, {.guidance = 1, .temperature = 0}).size() == model.tokens());
    CHECK_THROWS_AS(
        model.draw_ids(o.golden.ids, {.on_progress = [](std::size_t done, std::size_t) { return done < 3; }}),
        tw::cancelled_error);
    const std::vector<std::int32_t> many(60, 5);
    CHECK_THROWS_WITH(model.draw_ids(many), ContainsSubstring("a prompt of 60 tokens and a picture of 9"));
    CHECK_THROWS_AS(model.draw_ids({}), tw::capacity_error);
    CHECK_THROWS_AS(model.draw_ids(o.golden.ids, {.guidance = -1}), tw::argument_error);
    CHECK_THROWS_AS(model.picture_of(std::vector<std::int32_t>(9, 40)), tw::argument_error);
    CHECK_THROWS_WITH(model.draw("a fox"), ContainsSubstring("no tokenizer.json"));
}

TEST_CASE("janus: what does not fit is named with its file", "[runtime]") {
    CHECK_THAT(opened::refusal([](opened& o) { o.golden.config["model_type"] = "llama"; }),
               ContainsSubstring("no folder of Janus"));
    CHECK_THAT(opened::refusal([](opened& o) { o.generation["bos_token_id"] = 50; }),
               ContainsSubstring("generation_config.json") && ContainsSubstring("bos_token_id"));
    CHECK_THAT(opened::refusal([](opened& o) { o.generation.erase("generation_kwargs"); }),
               ContainsSubstring("boi_token_id"));
    CHECK_THAT(opened::refusal([](opened& o) { o.golden.config["vq_config"]["num_patches"] = 30; }),
               ContainsSubstring("num_patches"));
    CHECK_THAT(opened::refusal([](opened& o) { o.golden.config["vq_config"]["projection_dim"] = 31; }),
               ContainsSubstring("proj_out"));
    CHECK_THAT(opened::refusal([](opened& o) { o.golden.config["vq_config"]["num_embeddings"] = 41; }),
               ContainsSubstring("quantize.embedding"));
    CHECK_THAT(opened::refusal([](opened& o) { o.golden.config["vq_config"]["double_latent"] = true; }),
               ContainsSubstring("double_latent"));
    CHECK_THAT(opened::refusal([](opened& o) { o.golden.tensors.erase(o.golden.tensors.size() - 2); }),
               ContainsSubstring("missing"));
    const opened o;
    std::filesystem::remove(o.folder.string() + "/generation_config.json");
    CHECK_THROWS_AS(o.load(), tw::io_error);
}
