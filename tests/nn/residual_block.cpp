#include <tokenworks/nn/residual_block.hpp>

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include <tokenworks/core/dtype.hpp>
#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/kernels/pack.hpp>

#include "reference/image.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"

using namespace tokenworks;

namespace {

constexpr std::size_t height = 4;
constexpr std::size_t width = 5;
constexpr std::size_t pixels = height * width;
constexpr reference::window around{3, 3, 1, 1, 1, 1, 1};

struct layer {
    std::vector<float> w;
    std::vector<float> bias;
    std::size_t side;

    layer(std::size_t in, std::size_t out, std::size_t filter_side, unsigned seed)
        : w{support::random_floats(out * filter_side * filter_side * in, seed, 0.2F)},
          bias{support::random_floats(out, seed + 1)},
          side{filter_side} {}
    [[nodiscard]] nn::convolution own() const {
        const kernels::window one{};
        const kernels::window three{.height = 3, .width = 3, .top = 1, .left = 1, .bottom = 1, .right = 1};
        return {kernels::pack(dtype::f32, std::as_bytes(std::span{w}), bias.size(), w.size() / bias.size()), bias,
                side == 1 ? one : three};
    }
    [[nodiscard]] std::vector<double> of(std::span<const double> x, const reference::window& by) const {
        const std::vector<float> narrow{x.begin(), x.end()};
        return reference::convolution(narrow, {height, width, narrow.size() / pixels}, w, bias, by);
    }
};

std::vector<double> normed(std::span<const double> x, const nn::group_norm& by, bool activated) {
    const std::vector<float> narrow{x.begin(), x.end()};
    auto out = reference::group_norm(narrow, narrow.size() / pixels, by.groups, by.weight, by.bias, 1e-6);
    for(double& value: out) {
        value = activated ? value / (1 + std::exp(-value)) : value;
    }
    return out;
}

nn::group_norm norm(std::size_t channels, unsigned seed) {
    return {support::random_floats(channels, seed), support::random_floats(channels, seed + 1), 2};
}

} // namespace

TEST_CASE("residual_block: two convolutions and the way around them", "[nn]") {
    for(const std::size_t out_channels: {4U, 6U}) {
        const layer first{4, out_channels, 3, 10};
        const layer second{out_channels, out_channels, 3, 20};
        const layer skip{4, out_channels, 1, 30};
        nn::residual_block block{norm(4, 1), first.own(), norm(out_channels, 3), second.own()};
        if(out_channels != 4) {
            block.around = skip.own();
        }
        auto x = support::random_floats(pixels * 4, 5);
        const std::vector<double> wide{x.begin(), x.end()};
        auto expected = second.of(
            normed(first.of(normed(wide, block.before_first, true), around), block.before_second, true), around);
        const auto way = out_channels == 4 ? wide : skip.of(wide, {});
        for(std::size_t i = 0; i < expected.size(); ++i) {
            expected[i] += way[i];
        }
        thread_team team{3};
        std::vector<float> out(pixels * out_channels);
        for(const execution& how: {execution{}, execution{best_isa(), &team}}) {
            nn::context c{how};
            const nn::image in{nn::rows{x.data(), pixels, std::size_t{4}}, height, width};
            static_cast<void>(block(c, in, nn::rows{out.data(), pixels, out_channels}));
            CHECK(support::nmse(expected, out) < 1e-11);
        }
    }
}

TEST_CASE("pixel_attention: every pixel attends to all others", "[nn]") {
    constexpr std::size_t channels = 6;
    const layer query{channels, channels, 1, 10};
    const layer key{channels, channels, 1, 20};
    const layer value{channels, channels, 1, 30};
    const layer output{channels, channels, 1, 40};
    const nn::pixel_attention block{norm(channels, 1), query.own(), key.own(), value.own(), output.own()};
    auto x = support::random_floats(pixels * channels, 5);
    const std::vector<double> wide{x.begin(), x.end()};
    const auto n = normed(wide, block.before, false);
    const auto q = query.of(n, {});
    const auto k = key.of(n, {});
    const auto v = value.of(n, {});
    std::vector<double> mixed(pixels * channels);
    for(std::size_t t = 0; t < pixels; ++t) {
        std::vector<double> scores(pixels);
        double sum = 0;
        for(std::size_t s = 0; s < pixels; ++s) {
            for(std::size_t c = 0; c < channels; ++c) {
                scores[s] += q[t * channels + c] * k[s * channels + c] / std::sqrt(6.0);
            }
            scores[s] = std::exp(scores[s]);
            sum += scores[s];
        }
        for(std::size_t s = 0; s < pixels; ++s) {
            for(std::size_t c = 0; c < channels; ++c) {
                mixed[t * channels + c] += scores[s] / sum * v[s * channels + c];
            }
        }
    }
    auto expected = output.of(mixed, {});
    for(std::size_t i = 0; i < expected.size(); ++i) {
        expected[i] += wide[i];
    }
    nn::context c;
    block(c, {nn::rows{x.data(), pixels, channels}, height, width});
    CHECK(support::nmse(expected, x) < 1e-11);
}
