#include <tokenworks/models/vq_autoencoder.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/io/safetensors_reader.hpp>
#include <tokenworks/models/safetensors_source.hpp>
#include <tokenworks/models/tensor_names.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/family_golden.hpp"
#include "support/kernels.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;
using support::family_golden;

namespace {

/// Some dozens of float operations on each path away from the reference.
constexpr double bound = 2e-5;

struct opened {
    family_golden golden;
    files::temporary_folder folder;
    tw::io::safetensors_file file;
    safetensors_weights stored;
    named_weights named;
    vq_autoencoder model;
    std::size_t height;
    std::size_t width;

    opened(const std::string& name, const vq_config& config, tensor_names names, tw::dtype type = tw::dtype::f32)
        : golden{name, "pictures"},
          file{written(golden, folder, type)},
          stored{file},
          named{stored, std::move(names), false},
          model{config, named},
          height{golden.more.at("sides")[0].get<std::size_t>()},
          width{golden.more.at("sides")[1].get<std::size_t>()} {}

    static tw::io::safetensors_file written(const family_golden& golden, const files::temporary_folder& folder,
                                            tw::dtype type) {
        golden.write_to(folder.string(), type);
        return tw::io::safetensors_file::open(folder / "model.safetensors");
    }

    /// The reference's picture, channels last.
    [[nodiscard]] std::vector<float> pixels() const {
        const auto planes = family_golden::weights("pixels", 3 * height * width, 0.0, 1.0 / 64);
        std::vector<float> out(planes.size());
        for(std::size_t i = 0; i < out.size(); ++i) {
            out[i] = planes[i % 3 * height * width + i / 3];
        }
        return out;
    }
    [[nodiscard]] std::vector<std::int32_t> encode(const tw::execution& how = {}) const {
        tw::nn::context c{how};
        const std::vector<float> in = pixels();
        std::vector<std::int32_t> ids(golden.ids.size());
        model.encode(c, tw::nn::const_rows{in.data(), height * width, std::size_t{3}}, height, width, ids);
        return ids;
    }
    [[nodiscard]] std::vector<float> decode(const tw::execution& how = {}) const {
        tw::nn::context c{how};
        const std::size_t scale = model.config().scale();
        std::vector<float> out(3 * height * width);
        model.decode(c, golden.ids, height / scale, width / scale,
                     tw::nn::rows{out.data(), height * width, std::size_t{3}});
        return out;
    }
};

opened llamagen(tw::dtype type = tw::dtype::f32) {
    vq_config config{.width = 32, .encoder_levels = {1, 2}, .decoder_levels = {1, 2}, .blocks = 1, .latent = 12};
    config.codes = 50;
    return {"vq_llamagen", config, llamagen_vq_names("", ""), type};
}

opened janus() {
    vq_config config{.width = 32, .encoder_levels = {1, 1, 2}, .decoder_levels = {1, 1, 2}, .blocks = 1, .latent = 10};
    config.codes = 40;
    config.code_width = 4;
    config.unit_latents = false;
    return {"vq_janus", config, janus_vq_names("", "")};
}

} // namespace

TEST_CASE("vq_autoencoder: LlamaGen's ids and pixels, on every instruction set", "[models]") {
    const opened o = llamagen();
    support::for_each_isa([&](const tw::execution& how) {
        CHECK(o.encode(how) == o.golden.ids);
        CHECK(o.golden.worst(o.decode(how)) < bound);
    });
    const opened half = llamagen(tw::dtype::f16); // these weights are exact in 16 bits
    CHECK(half.golden.worst(half.decode()) < bound);
}

TEST_CASE("vq_autoencoder: Janus' ids and pixels", "[models]") {
    const opened o = janus();
    CHECK(o.model.config().scale() == 4);
    CHECK(o.encode() == o.golden.ids);
    CHECK(o.golden.worst(o.decode()) < bound);
}

TEST_CASE("vq_autoencoder: the same bits on every team", "[models]") {
    const opened o = llamagen();
    const auto expected = o.decode();
    tw::thread_team team{3};
    CHECK(support::same_bits(o.decode({.threads = &team}), expected));
    CHECK(o.encode({.threads = &team}) == o.encode());
}

TEST_CASE("vq_autoencoder: what does not fit is named", "[models]") {
    const opened o = llamagen();
    tw::nn::context c;
    std::vector<float> pixels(3 * 8 * 6);
    std::vector<std::int32_t> ids(12);
    const auto rows = [&](std::size_t count) { return tw::nn::rows{pixels.data(), count, std::size_t{3}}; };
    CHECK_THROWS_AS(o.model.encode(c, rows(35), 7, 5, ids), tw::shape_error);
    CHECK_THROWS_AS(o.model.decode(c, ids, 4, 4, rows(48)), tw::shape_error);
    ids[3] = 50;
    CHECK_THROWS_WITH(o.model.decode(c, ids, 4, 3, rows(48)), ContainsSubstring("token id 50 is not in 0..49"));
    CHECK_THROWS_AS((vq_config{.width = 33}.validate()), tw::argument_error);
    vq_config wrong = o.model.config();
    wrong.latent = 13;
    CHECK_THROWS_WITH((vq_autoencoder{wrong, o.named}), ContainsSubstring("encoder.conv_out.weight"));
}
