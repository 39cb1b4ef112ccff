#include <tokenworks/nn/convolution.hpp>

#include <cstddef>
#include <span>
#include <vector>

#include <tokenworks/core/dtype.hpp>
#include <tokenworks/kernels/pack.hpp>

#include "reference/image.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"

using namespace tokenworks;

TEST_CASE("convolution: filters, their biases and an image that becomes smaller", "[nn]") {
    constexpr std::size_t height = 9;
    constexpr std::size_t width = 6;
    constexpr std::size_t channels = 5;
    const auto w = support::random_floats(7 * 9 * channels, 1);
    const auto bias = support::random_floats(7, 2);
    auto x = support::random_floats(height * width * channels, 3);
    const nn::convolution layer{kernels::pack(dtype::f32, std::as_bytes(std::span{w}), 7, 9 * channels),
                                bias,
                                {.height = 3, .width = 3, .stride = 2, .bottom = 1, .right = 1}};
    CHECK(layer.pixels(height, width) == 4 * 3);
    nn::context c;
    std::vector<float> out(12 * 7);
    const nn::image in{nn::rows{x.data(), height * width, channels}, height, width};
    const nn::image made = layer(c, in, nn::rows{out.data(), std::size_t{12}, std::size_t{7}});
    CHECK(made.height == 4);
    CHECK(made.width == 3);
    CHECK(made.channels() == 7);
    const auto expected = reference::convolution(x, {height, width, channels}, w, bias, {3, 3, 2, 0, 0, 1, 1});
    CHECK(support::nmse(expected, out) < 1e-12);
    CHECK_THROWS_WITH(layer(c, in, nn::rows{out.data(), std::size_t{11}, std::size_t{7}}),
                      ContainsSubstring("4 x 3 pixels come out, the result has 11"));
}
