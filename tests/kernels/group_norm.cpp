#include <tokenworks/kernels/group_norm.hpp>

#include <cstddef>
#include <vector>

#include <tokenworks/core/thread_team.hpp>

#include "reference/image.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"

using namespace tokenworks;
using matrix = view<float, dyn, dyn>;
using const_matrix = view<const float, dyn, dyn>;

namespace {

std::vector<float> run(const std::vector<float>& x, std::size_t pixels, std::size_t channels, std::size_t groups,
                       const std::vector<float>& weight, const std::vector<float>& bias, const execution& how) {
    std::vector<float> out(x.size());
    std::vector<float> scratch(kernels::group_norm_scratch_size(pixels, channels));
    kernels::group_norm(const_matrix{x.data(), pixels, channels}, weight, bias, scratch,
                        matrix{out.data(), pixels, channels}, {.groups = groups}, how);
    return out;
}

} // namespace

TEST_CASE("group_norm follows the definition at every shape") {
    support::for_each_isa([](execution how) {
        for(const std::size_t pixels: {1U, 2U, 63U, 64U, 65U, 200U}) {
            for(const auto& [channels, groups]: {std::pair{1U, 1U}, std::pair{32U, 32U}, std::pair{48U, 3U},
                                                 std::pair{18U, 2U}, std::pair{130U, 10U}}) {
                CAPTURE(name(how.set), pixels, channels, groups);
                auto x = support::random_floats(pixels * channels, 1);
                for(std::size_t i = 0; i < x.size(); ++i) {
                    x[i] += static_cast<float>(i % channels) * 10; // each group has a mean of its own
                }
                const auto weight = support::random_floats(channels, 2);
                const auto bias = support::random_floats(channels, 3);
                const auto out = run(x, pixels, channels, groups, weight, bias, how);
                CHECK(support::nmse(reference::group_norm(x, channels, groups, weight, bias, 1e-6), out) <
                      1e-8); // means of up to 1290 deviations are rounded to 6e-5 of one
            }
        }
    });
}

TEST_CASE("group_norm gives the same bits on any number of threads, and in place") {
    constexpr std::size_t pixels = 1000;
    constexpr std::size_t channels = 96;
    const auto x = support::random_floats(pixels * channels, 5);
    const auto weight = support::random_floats(channels, 6);
    const auto one = run(x, pixels, channels, 32, weight, weight, {});
    thread_team team{3};
    CHECK(support::same_bits(run(x, pixels, channels, 32, weight, weight, {best_isa(), &team}), one));
    auto same = x;
    std::vector<float> scratch(kernels::group_norm_scratch_size(pixels, channels));
    kernels::group_norm(const_matrix{same.data(), pixels, channels}, weight, weight, scratch,
                        matrix{same.data(), pixels, channels});
    CHECK(support::same_bits(same, one));
}

TEST_CASE("group_norm names what does not fit") {
    std::vector<float> x(12);
    std::vector<float> scratch(100);
    const std::vector<float> four(4);
    const std::vector<float> five(5);
    CHECK_THROWS_WITH(kernels::group_norm(const_matrix{x.data(), 3, 4}, five, four, scratch, matrix{x.data(), 3, 4}),
                      ContainsSubstring("x has C=4, weight has C=5"));
    CHECK_THROWS_WITH(
        kernels::group_norm(const_matrix{x.data(), 3, 4}, four, four, scratch, matrix{x.data(), 3, 4}, {.groups = 3}),
        ContainsSubstring("3 groups do not divide 4 channels"));
    CHECK_THROWS_AS(kernels::group_norm(const_matrix{x.data(), 3, 4}, four, four, std::span{scratch}.first(3),
                                        matrix{x.data(), 3, 4}, {.groups = 2}),
                    shape_error);
}
