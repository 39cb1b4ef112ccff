#include <tokenworks/kernels/convolution.hpp>

#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include <tokenworks/core/dtype.hpp>
#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/kernels/pack.hpp>

#include "reference/image.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"

using namespace tokenworks;
using matrix = view<float, dyn, dyn>;
using kernels::const_pixel_view;
using kernels::pixel_view;

namespace {

struct layer {
    reference::image_shape shape;
    reference::window by;
    std::size_t filters = 0;
};

kernels::window window_of(const reference::window& w) {
    return {w.height, w.width, w.stride, w.top, w.left, w.bottom, w.right};
}

struct data {
    std::vector<float> x;
    std::vector<float> w;
    std::vector<float> bias;
    kernels::packed_matrix packed;
    std::size_t length = 0;

    explicit data(const layer& of)
        : x{support::random_floats(of.shape.height * of.shape.width * of.shape.channels, 1)},
          bias{support::random_floats(of.filters, 3)},
          length{of.by.height * of.by.width * of.shape.channels} {
        w = support::random_floats(of.filters * length, 2);
        packed = kernels::pack(dtype::f32, std::as_bytes(std::span{w}), of.filters, length);
    }
};

std::vector<float> run(const layer& of, const data& d, std::size_t patches, const execution& how) {
    const kernels::window by = window_of(of.by);
    const std::size_t rows = by.rows(of.shape.height);
    const std::size_t columns = by.columns(of.shape.width);
    std::vector<float> out(rows * columns * of.filters);
    std::vector<float> scratch(patches * d.length);
    kernels::convolution(const_pixel_view{d.x.data(), of.shape.height, of.shape.width, of.shape.channels}, d.packed, by,
                         matrix{scratch.data(), patches, d.length}, pixel_view{out.data(), rows, columns, of.filters},
                         {.bias = view<const float, dyn>{d.bias}}, how);
    return out;
}

const layer layers[] = {
    {{5, 7, 3}, {3, 3, 1, 1, 1, 1, 1}, 4},
    {{8, 6, 16}, {3, 3, 2, 0, 0, 1, 1}, 17},
    {{4, 4, 33}, {1, 1, 1}, 5},
    {{6, 5, 2}, {2, 3, 1, 0, 2, 1, 0}, 3},
    {{1, 1, 4}, {3, 3, 1, 1, 1, 1, 1}, 2},
    {{9, 9, 1}, {5, 5, 3, 2, 2, 2, 2}, 1},
    {{3, 2, 5}, {1, 1, 1, 1, 1, 1, 1}, 2},
    {{2, 3, 2}, {1, 4, 1, 0, 5, 0, 5}, 3},
    {{7, 7, 3}, {4, 4, 4}, 8},
};

} // namespace

TEST_CASE("convolution follows the definition, whatever its window, stride and edges") {
    support::for_each_isa([](execution how) {
        for(const layer& of: layers) {
            CAPTURE(name(how.set), of.shape.height, of.shape.width, of.shape.channels, of.by.height, of.by.width);
            const data d{of};
            const auto expected = reference::convolution(d.x, of.shape, d.w, d.bias, of.by);
            const auto out = run(of, d, 3, how);
            REQUIRE(out.size() == expected.size());
            CHECK(support::nmse(expected, out) < 1e-12);
        }
    });
}

TEST_CASE("convolution gives the same bits whatever the scratch and the threads") {
    thread_team team{3};
    for(const layer& of: layers) {
        const data d{of};
        const auto one = run(of, d, 1, {});
        CHECK(support::same_bits(run(of, d, 7, {}), one));
        CHECK(support::same_bits(run(of, d, 1000, {best_isa(), &team}), one));
    }
}

TEST_CASE("convolution adds where it should, and works in place of nothing else") {
    const layer of = layers[0];
    const data d{of};
    const auto expected = run(of, d, 8, {});
    std::vector<float> out(expected.size(), 2.0F);
    std::vector<float> scratch(8 * d.length);
    kernels::convolution(const_pixel_view{d.x.data(), 5, 7, 3}, d.packed, window_of(of.by),
                         matrix{scratch.data(), 8, d.length}, pixel_view{out.data(), 5, 7, 4},
                         {.add = true, .bias = view<const float, dyn>{d.bias}});
    for(std::size_t i = 0; i < out.size(); ++i) {
        CHECK(out[i] == Approx(expected[i] + 2.0F).epsilon(1e-5));
    }
}

TEST_CASE("convolution names extents that disagree") {
    const data d{layers[0]};
    std::vector<float> out(1000);
    std::vector<float> scratch(100);
    const kernels::window by = window_of(layers[0].by);
    const const_pixel_view x{d.x.data(), 5, 7, 3};
    CHECK_THROWS_WITH(
        kernels::convolution(x, d.packed, by, matrix{scratch.data(), 2, 27}, pixel_view{out.data(), 5, 6, 4}),
        ContainsSubstring("the windows give W=7, out has W=6"));
    CHECK_THROWS_WITH(
        kernels::convolution(x, d.packed, by, matrix{scratch.data(), 2, 27}, pixel_view{out.data(), 5, 7, 3}),
        ContainsSubstring("filters has N=4, out has N=3"));
    CHECK_THROWS_WITH(kernels::convolution(const_pixel_view{d.x.data(), 5, 7, 2}, d.packed, by,
                                           matrix{scratch.data(), 2, 27}, pixel_view{out.data(), 5, 7, 4}),
                      ContainsSubstring("a window has=18, filters has K=27"));
    CHECK_THROWS_WITH(
        kernels::convolution(x, d.packed, by, matrix{scratch.data(), 0, 27}, pixel_view{out.data(), 5, 7, 4}),
        ContainsSubstring("no rows"));
    CHECK_THROWS_AS(kernels::gather_windows(x, by, 34, matrix{scratch.data(), 2, 27}), shape_error);
    CHECK(kernels::window{.height = 3}.rows(2) == 0);
}
