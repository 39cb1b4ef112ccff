#include <tokenworks/models/dit.hpp>

#include <cstddef>
#include <string>
#include <vector>

#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/io/safetensors_reader.hpp>
#include <tokenworks/models/safetensors_source.hpp>
#include <tokenworks/models/tensor_names.hpp>
#include <tokenworks/sampling/diffusion.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/family_golden.hpp"
#include "support/kernels.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;
using support::family_golden;

namespace {

constexpr dit_config tiny{.side = 6,
                          .patch = 2,
                          .channels = 3,
                          .outputs = 6,
                          .width = 24,
                          .layers = 2,
                          .heads = 3,
                          .feed_forward = 48,
                          .classes = 4};
constexpr std::size_t pixels = 36;

struct opened {
    family_golden golden{"dit", "pictures"};
    files::temporary_folder folder;
    tw::io::safetensors_file file;
    safetensors_weights stored{file};
    named_weights named{stored, dit_names(tiny), false};
    dit model{tiny, named};

    opened() : file{written(golden, folder)} {}
    static tw::io::safetensors_file written(const family_golden& golden, const files::temporary_folder& folder) {
        golden.write_to(folder.string(), tw::dtype::f32);
        return tw::io::safetensors_file::open(folder / "model.safetensors");
    }

    /// The reference's two noises, channels last.
    [[nodiscard]] static std::vector<float> noise() {
        const auto planes = family_golden::weights("noise", 2 * 3 * pixels, 0.0, 1.0 / 32);
        std::vector<float> out(planes.size());
        for(std::size_t i = 0; i < out.size(); ++i) {
            out[i] = planes[i / (3 * pixels) * 3 * pixels + i % 3 * pixels + i / 3 % pixels];
        }
        return out;
    }
    [[nodiscard]] std::vector<float> told(std::vector<float> x, const std::vector<dit::condition>& of,
                                          const tw::execution& how = {}) const {
        tw::nn::context c{how};
        std::vector<float> out(of.size() * pixels * 6);
        model.forward(c, tw::nn::const_rows{x.data(), of.size() * pixels, std::size_t{3}}, of,
                      tw::nn::rows{out.data(), of.size() * pixels, std::size_t{6}});
        return out;
    }
};

} // namespace

TEST_CASE("dit: what its own code tells of two pictures at once, and the same bits of each alone", "[models]") {
    const opened o;
    const std::vector<dit::condition> both{{17, 3}, {981, 4}};
    support::for_each_isa(
        [&](const tw::execution& how) { CHECK(o.golden.worst(o.told(opened::noise(), both, how)) < 1e-5); });
    const auto expected = o.told(opened::noise(), both);
    tw::thread_team team{3};
    CHECK(support::same_bits(o.told(opened::noise(), both, {.threads = &team}), expected));
    const auto all = opened::noise();
    const auto second = o.told({all.begin() + 3 * pixels, all.end()}, {{981, 4}});
    CHECK(support::same_bits(second, std::span{expected}.subspan(6 * pixels)));
}

TEST_CASE("dit: five steps of DDIM end where its own code's do", "[models]") {
    const opened o;
    auto x = opened::noise();
    x.resize(3 * pixels);
    const tw::sampling::ddim steps{5};
    for(std::size_t i = 0; i < steps.size(); ++i) {
        const auto told = o.told(x, {{steps.time(i), 3}});
        std::vector<float> noise; // the other half of the channels is a variance
        for(std::size_t p = 0; p < pixels; ++p) {
            noise.insert(noise.end(), told.begin() + static_cast<std::ptrdiff_t>(6 * p),
                         told.begin() + static_cast<std::ptrdiff_t>(6 * p + 3));
        }
        steps.advance(i, noise, x);
    }
    CHECK(family_golden::worst(x, o.golden.more.at("ddim5").get<std::vector<float>>()) < 1e-4);
}

TEST_CASE("dit: what does not fit is named", "[models]") {
    const opened o;
    CHECK_THROWS_WITH(o.told(opened::noise(), {{1, 5}, {1, 0}}), ContainsSubstring("class 5, the model has 4"));
    tw::nn::context c;
    std::vector<float> out(1);
    const std::vector<dit::condition> one{{}};
    CHECK_THROWS_AS(o.model.forward(c, tw::nn::const_rows{out.data(), std::size_t{1}, std::size_t{1}}, one,
                                    tw::nn::rows{out.data(), std::size_t{1}, std::size_t{1}}),
                    tw::shape_error);
    dit_config wrong = tiny;
    wrong.heads = 5;
    CHECK_THROWS_WITH((dit{wrong, o.named}), ContainsSubstring("heads"));
    wrong = tiny;
    wrong.feed_forward = 47;
    CHECK_THROWS_WITH((dit{wrong, o.named}), ContainsSubstring("mlp.fc1"));
}
