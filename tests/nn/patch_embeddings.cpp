#include <tokenworks/nn/patch_embeddings.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/kernels/packed_matrix.hpp>

#include "support/catch.hpp"
#include "support/kernels.hpp"

namespace tw = tokenworks;
namespace nn = tokenworks::nn;

namespace {

constexpr std::size_t channels = 2, height = 7, width = 11, patch_height = 3, patch_width = 4, c = 5;
constexpr std::size_t patches = (height / patch_height) * (width / patch_width);
constexpr std::size_t inner = channels * patch_height * patch_width;

tw::kernels::packed_matrix packed(std::span<const float> values, std::size_t rows) {
    return tw::kernels::pack(tw::dtype::f32, std::as_bytes(values), rows, values.size() / rows);
}

} // namespace

TEST_CASE("patch_embeddings: a convolution that steps by its own size, a first row, and positions", "[nn]") {
    const std::vector<float> filter = support::random_floats(c * inner, 1);
    const std::vector<float> bias = support::random_floats(c, 2);
    const std::vector<float> first = support::random_floats(c, 3);
    const std::vector<float> positions = support::random_floats((1 + patches) * c, 4);
    const nn::patch_embeddings embed{
        .projection = nn::linear{packed(filter, c), bias},
        .first = first,
        .positions = nn::embedding{std::make_shared<const tw::kernels::packed_matrix>(packed(positions, 1 + patches))},
        .patch_height = patch_height,
        .patch_width = patch_width};
    CHECK(embed.bytes() == embed.projection.bytes() + embed.positions.bytes());
    constexpr std::size_t count = 3;
    const std::vector<float> values = support::random_floats(count * channels * height * width, 5);
    const nn::images images{values.data(), count, channels, height, width};
    tw::thread_team team{2};
    for(tw::team* const threads: {static_cast<tw::team*>(nullptr), static_cast<tw::team*>(&team)}) {
        nn::context context{{.threads = threads}};
        std::vector<float> x(count * (1 + patches) * c);
        embed(context, images, nn::rows{x.data(), count * (1 + patches), c});
        for(std::size_t n = 0; n < count; ++n) {
            for(std::size_t t = 0; t <= patches; ++t) {
                for(std::size_t k = 0; k < c; ++k) {
                    double sum = static_cast<double>(positions[t * c + k]);
                    sum += static_cast<double>(t == 0 ? first[k] : bias[k]);
                    for(std::size_t i = 0; t != 0 && i < inner; ++i) {
                        const std::size_t across = width / patch_width;
                        const std::size_t y = (t - 1) / across * patch_height + i / patch_width % patch_height;
                        const std::size_t at = (t - 1) % across * patch_width + i % patch_width;
                        const std::size_t channel = i / (patch_height * patch_width);
                        sum += static_cast<double>(filter[k * inner + i]) *
                               static_cast<double>(values[((n * channels + channel) * height + y) * width + at]);
                    }
                    INFO(n << " " << t << " " << k);
                    CHECK(static_cast<double>(x[(n * (1 + patches) + t) * c + k]) == Approx(sum).margin(1e-5));
                }
            }
        }
    }
}

TEST_CASE("patch_embeddings: the norm is of all rows, and no images are no rows", "[nn]") {
    const std::vector<float> filter(c * inner, 0.5F);
    std::vector<float> positions = support::random_floats((1 + patches) * c, 4);
    nn::patch_embeddings embed{
        .projection = nn::linear{packed(filter, c)},
        .first = std::vector<float>(c, 1.0F),
        .positions = nn::embedding{std::make_shared<const tw::kernels::packed_matrix>(packed(positions, 1 + patches))},
        .patch_height = patch_height,
        .patch_width = patch_width,
        .after = nn::layer_norm{std::vector<float>(c, 1.0F), {}, 0.0F}};
    const std::vector<float> values(channels * height * width, 0.25F);
    nn::context context;
    std::vector<float> x((1 + patches) * c);
    embed(context, nn::images{values.data(), std::size_t{1}, channels, height, width},
          nn::rows{x.data(), 1 + patches, c});
    for(std::size_t t = 0; t <= patches; ++t) {
        double sum = 0;
        double squares = 0;
        for(std::size_t k = 0; k < c; ++k) {
            sum += static_cast<double>(x[t * c + k]);
            squares += static_cast<double>(x[t * c + k]) * static_cast<double>(x[t * c + k]);
        }
        CHECK(sum == Approx(0).margin(1e-5));
        CHECK(squares == Approx(static_cast<double>(c)).margin(1e-4));
    }
    embed(context, nn::images{values.data(), std::size_t{0}, channels, height, width},
          nn::rows{x.data(), std::size_t{0}, c});
}
