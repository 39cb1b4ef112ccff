#include <tokenworks/runtime/diffusion_model.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
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

struct pipeline {
    family_golden golden{"dit_pipeline", "pictures"};
    family_golden vae{"dit_pipeline_vae", "pictures"};
    json scheduler = golden.more.at("scheduler");
    json index{{"_class_name", "DiTPipeline"},
               {"id2label", {{"0", "tench, Tinca tinca"}, {"1", "cock"}, {"2", "hen"}, {"3", "owl"}, {"4", "newt"}}}};
    files::temporary_folder folder;

    pipeline() { write(); }

    [[nodiscard]] std::string part(const std::string& name) const { return folder.string() + "/" + name; }
    void write() const {
        for(const auto& [name, what]: {std::pair{"transformer", &golden}, std::pair{"vae", &vae}}) {
            std::filesystem::create_directories(part(name));
            what->write_to(part(name), tw::dtype::f32);
            std::filesystem::rename(part(name) + "/model.safetensors",
                                    part(name) + "/diffusion_pytorch_model.safetensors");
        }
        std::filesystem::create_directories(part("scheduler"));
        std::ofstream{part("scheduler/scheduler_config.json")} << scheduler.dump();
        std::ofstream{part("model_index.json")} << index.dump();
    }
    [[nodiscard]] tw::diffusion_model load() const {
        return tw::diffusion_model::load(folder.string(), {.threads = 1});
    }
    /// What loading says once a part is changed.
    [[nodiscard]] std::string refusal() const {
        write();
        try {
            static_cast<void>(load());
        } catch(const tw::error& problem) {
            return problem.what();
        }
        return "";
    }

    /// The reference's noise, channels last.
    [[nodiscard]] static std::vector<float> noise() {
        const auto planes = family_golden::weights("latents", 4 * 36, 0.0, 1.0 / 24);
        std::vector<float> out(planes.size());
        for(std::size_t i = 0; i < out.size(); ++i) {
            out[i] = planes[i % 4 * 36 + i / 4];
        }
        return out;
    }
};

} // namespace

TEST_CASE("diffusion model: five steps of a pipeline, with guidance and without, and its picture", "[runtime]") {
    const pipeline o;
    CHECK(tw::diffusion_model::knows(o.folder.string()));
    CHECK_FALSE(tw::diffusion_model::knows(o.part("vae")));
    const tw::diffusion_model model = o.load();
    CHECK(model.width() == 24);
    const auto guided = model.denoise(pipeline::noise(), 3, {.guidance = 4, .steps = 5});
    CHECK(family_golden::worst(guided, o.golden.more.at("guided").get<std::vector<float>>()) < 1e-4);
    const auto plain = model.denoise(pipeline::noise(), 3, {.guidance = 1, .steps = 5});
    CHECK(family_golden::worst(plain, o.golden.more.at("plain").get<std::vector<float>>()) < 1e-4);
    const auto pixels = model.pixels_of(o.golden.more.at("guided").get<std::vector<float>>());
    CHECK(o.golden.worst(pixels) < 1e-4);
    const tw::io::picture drawn = model.picture_of(guided);
    REQUIRE(drawn.bytes.size() == pixels.size());
    for(std::size_t i = 0; i < pixels.size(); ++i) {
        const double byte = std::clamp((static_cast<double>(pixels[i]) + 1) * 127.5, 0.0, 255.0);
        CHECK(std::abs(byte - static_cast<double>(drawn.bytes[i])) < 0.6);
    }
}

TEST_CASE("diffusion model: a seed is a picture, whatever the threads", "[runtime]") {
    const pipeline o;
    const tw::diffusion_model model = o.load();
    const tw::diffusion_options five{.seed = 7, .steps = 5};
    const tw::io::picture drawn = model.draw(2, five);
    CHECK(drawn == tw::diffusion_model::load(o.folder.string(), {.threads = 3}).draw(2, five));
    CHECK_FALSE(drawn == model.draw(2, {.seed = 8, .steps = 5}));
    const std::vector<float> noise = model.noise(7);
    double sum = 0;
    double squares = 0;
    for(const float value: noise) {
        sum += static_cast<double>(value) / static_cast<double>(noise.size());
        squares += static_cast<double>(value) * static_cast<double>(value) / static_cast<double>(noise.size());
    }
    CHECK(std::abs(sum) < 0.35); // four deviations of a mean of 144
    CHECK(squares == Approx(1).margin(0.5));
    std::size_t steps = 0;
    CHECK_THROWS_AS(model.draw(2, {.steps = 5, .on_progress = [&](std::size_t, std::size_t) { return ++steps < 2; }}),
                    tw::cancelled_error);
    CHECK(steps == 2);
}

TEST_CASE("diffusion model: classes by name, by one of the names, and by number", "[runtime]") {
    pipeline o;
    const tw::diffusion_model model = o.load();
    CHECK(model.class_of("tench, Tinca tinca") == 0);
    CHECK(model.class_of("Tinca tinca") == 0);
    CHECK(model.class_of("owl") == 3);
    CHECK(model.class_of("4") == 4);
    CHECK_THROWS_WITH(model.class_of("ca"), ContainsSubstring("no class 'ca' among the 5"));
    CHECK_THROWS_AS(model.draw(5), tw::argument_error);
    CHECK_THROWS_WITH(model.draw(1, {.steps = 1001}), ContainsSubstring("1000 steps of training cannot be made 1001"));
    CHECK_THROWS_AS(model.draw(1, {.guidance = -1}), tw::argument_error);
    CHECK_THROWS_AS(model.denoise({1, 2}, 1), tw::shape_error);
    CHECK_THROWS_AS(model.pixels_of({}), tw::shape_error);
    o.index.erase("id2label");
    o.write();
    CHECK(o.load().label(3) == "3");
}

TEST_CASE("diffusion model: what does not fit is named with its file", "[runtime]") {
    const auto changed = [](auto change) {
        pipeline o;
        change(o);
        return o.refusal();
    };
    CHECK_THAT(changed([](pipeline& o) { o.index["_class_name"] = "FluxPipeline"; }),
               ContainsSubstring("model_index.json") && ContainsSubstring("FluxPipeline"));
    CHECK_THAT(changed([](pipeline& o) { o.index["id2label"].erase("4"); }),
               ContainsSubstring("4 names for 5 classes"));
    CHECK_THAT(changed([](pipeline& o) { o.golden.config["attention_head_dim"] = 9; }),
               ContainsSubstring("pos_embed.proj.weight") || ContainsSubstring("positions"));
    CHECK_THAT(changed([](pipeline& o) { o.golden.config["patch_size"] = 4; }), ContainsSubstring("patches of 4"));
    CHECK_THAT(changed([](pipeline& o) { o.golden.config["activation_fn"] = "geglu"; }), ContainsSubstring("geglu"));
    CHECK_THAT(changed([](pipeline& o) { o.golden.config["out_channels"] = 7; }), ContainsSubstring("out_channels"));
    CHECK_THAT(changed([](pipeline& o) { o.vae.config["latent_channels"] = 5; }), ContainsSubstring("latent_channels"));
    CHECK_THAT(changed([](pipeline& o) {
                   o.vae.config["block_out_channels"] = {8, 12, 16};
               }),
               ContainsSubstring("block_out_channels"));
    CHECK_THAT(changed([](pipeline& o) { o.vae.config["block_out_channels"] = json::array(); }),
               ContainsSubstring("block_out_channels"));
    CHECK_THAT(changed([](pipeline& o) { o.vae.config["scaling_factor"] = 0; }), ContainsSubstring("scaling_factor"));
    CHECK_THAT(changed([](pipeline& o) { o.vae.config["shift_factor"] = 0.1; }), ContainsSubstring("shift_factor"));
    CHECK_THAT(changed([](pipeline& o) { o.vae.config["sample_size"] = 24, o.vae.config["layers_per_block"] = 2; }),
               ContainsSubstring("resnets.2"));
    CHECK_THAT(changed([](pipeline& o) { o.scheduler["prediction_type"] = "v_prediction"; }),
               ContainsSubstring("scheduler_config.json") && ContainsSubstring("v_prediction"));
    CHECK_THAT(changed([](pipeline& o) { o.scheduler["clip_sample"] = true; }), ContainsSubstring("clip_sample"));
    CHECK_THAT(changed([](pipeline& o) { o.golden.tensors.erase(0); }),
               ContainsSubstring("pos_embed.proj.weight: missing"));
    const pipeline o;
    std::filesystem::remove_all(o.part("vae"));
    CHECK_THROWS_AS(o.load(), tw::io_error);
}
