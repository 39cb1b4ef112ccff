#include <tokenworks/kernels/upsample.hpp>

#include <cstddef>
#include <vector>

#include <tokenworks/core/thread_team.hpp>

#include "support/catch.hpp"
#include "support/kernels.hpp"

using namespace tokenworks;
using image = view<float, dyn, dyn, dyn>;
using const_image = view<const float, dyn, dyn, dyn>;

TEST_CASE("upsample_nearest makes squares of pixels, on any number of threads") {
    thread_team team{3};
    for(const std::size_t factor: {1U, 2U, 3U}) {
        for(const std::size_t channels: {1U, 3U, 70U}) {
            const auto x = support::random_floats(5 * 4 * channels, 1);
            std::vector<float> out(x.size() * factor * factor);
            kernels::upsample_nearest(const_image{x.data(), 5, 4, channels}, factor,
                                      image{out.data(), 5 * factor, 4 * factor, channels}, {best_isa(), &team});
            for(std::size_t i = 0; i < out.size(); ++i) {
                const std::size_t c = i % channels;
                const std::size_t column = i / channels % (4 * factor);
                const std::size_t row = i / channels / (4 * factor);
                REQUIRE(out[i] == x[(row / factor * 4 + column / factor) * channels + c]);
            }
        }
    }
    const std::vector<float> x(4);
    std::vector<float> out(12);
    CHECK_THROWS_WITH(kernels::upsample_nearest(const_image{x.data(), 2, 2, 1}, 2, image{out.data(), 4, 3, 1}),
                      ContainsSubstring("x gives W=4, out has W=3"));
}
