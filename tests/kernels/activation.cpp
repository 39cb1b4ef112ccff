#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string_view>
#include <vector>

#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/kernels/activation.hpp>

#include "reference/activation.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"

using namespace tokenworks;

namespace {

using definition = double (*)(double);

struct activation_case {
    std::string_view name;
    kernels::activation_kind kind;
    definition exact;
    double ulps;     ///< allowed where |x| <= 12
    double absolute; ///< or this much of |x|
};

using kind = kernels::activation_kind;
const activation_case cases[] = {
    {"silu", kind::silu, reference::silu, 4, 0},
    {"gelu", kind::gelu, reference::gelu, 8, 0},
    {"gelu_tanh", kind::gelu_tanh, reference::gelu_tanh, 4, 1e-6},
    {"gelu_quick", kind::gelu_quick, reference::gelu_quick, 4, 1e-6},
    {"relu", kind::relu, reference::relu, 0, 0},
    {"relu_squared", kind::relu_squared, reference::relu_squared, 0.5, 0},
    {"sigmoid", kind::sigmoid, reference::sigmoid, 4, 0},
    {"tanh", kind::tanh, reference::tanh, 4, 0},
    {"identity", kind::identity, reference::identity, 0, 0},
};

/// A grid over [-12, 12], finer near zero, and random numbers.
std::vector<float> arguments() {
    std::vector<float> x = support::random_floats(20000, 1, 3.0F);
    for(int i = -12000; i <= 12000; ++i) {
        x.push_back(static_cast<float>(i) * 1e-3F);
        x.push_back(static_cast<float>(i) * 1e-6F);
    }
    for(float& value: x) {
        value = std::clamp(value, -12.0F, 12.0F);
    }
    return x;
}

} // namespace

TEST_CASE("activations keep the error they state") {
    const auto x = arguments();
    std::vector<float> out(x.size());
    support::for_each_isa([&](execution how) {
        for(const activation_case& test: cases) {
            kernels::activate(kernels::any_activation{test.kind}, x, out, how);
            double worst = 0;
            std::vector<double> expected;
            for(std::size_t i = 0; i < x.size(); ++i) {
                expected.push_back(test.exact(static_cast<double>(x[i])));
                const double error = std::abs(static_cast<double>(out[i]) - expected[i]);
                if(error > test.absolute * std::abs(static_cast<double>(x[i]))) {
                    worst = std::max(worst, support::ulps(expected[i], out[i]));
                }
            }
            CAPTURE(name(how.set), test.name);
            // Without a fused operation, gelu squares its argument with an error of x^2/2 ulp.
            const bool loses_squares = test.kind == kind::gelu && how.set == isa::portable;
            CHECK(worst <= (loses_squares ? 80.0 : test.ulps));
            CHECK(support::nmse(expected, out) < 1e-13);
        }
    });
}

TEST_CASE("activations of extreme arguments are finite and have their limits") {
    std::vector<float> x{-1e4F, 1e4F, -1e30F, 1e30F, -0.0F, 1e-30F};
    support::for_each_isa([&](execution how) {
        for(const activation_case& test: cases) {
            CAPTURE(name(how.set), test.name);
            if(test.kind == kind::relu_squared) {
                continue; // 1e30 squared is infinite
            }
            std::vector<float> out(x.size());
            kernels::activate(kernels::any_activation{test.kind}, x, out, how);
            for(std::size_t i = 0; i < x.size(); ++i) {
                const double expected = test.exact(static_cast<double>(x[i]));
                CAPTURE(x[i], out[i], expected);
                CHECK(std::abs(static_cast<double>(out[i]) - expected) <= std::abs(expected) * 1e-6 + 1e-6);
            }
        }
        std::vector<float> none(17, std::numeric_limits<float>::quiet_NaN());
        for(const activation_case& test: cases) {
            CAPTURE(name(how.set), test.name);
            std::vector<float> out(17);
            kernels::activate(kernels::any_activation{test.kind}, none, out, how);
            CHECK(std::ranges::all_of(out, [](float value) { return std::isnan(value); }));
        }
    });
}

TEST_CASE("glu is the activation of the gate times the other half, at every length") {
    support::for_each_isa([](execution how) {
        for(const std::size_t n: support::lengths) {
            for(const std::size_t offset: {0U, 1U}) {
                CAPTURE(name(how.set), n, offset);
                const auto gate = support::random_floats(n + offset, 2, 2.0F);
                const auto up = support::random_floats(n, 3);
                std::vector<float> out(n + 1, -7.0F);
                const view<const float, dyn> gates{gate.data() + offset, n};
                kernels::glu(kernels::silu{}, gates, up, view<float, dyn>{out.data(), n}, how);
                std::vector<double> expected;
                for(std::size_t i = 0; i < n; ++i) {
                    expected.push_back(reference::silu(static_cast<double>(gates(i))) * static_cast<double>(up[i]));
                }
                CHECK(support::nmse(expected, {out.data(), n}) < 1e-13);
                CHECK(out.back() == -7.0F);
            }
        }
    });
}

TEST_CASE("glu in place, on threads and by kind gives the same bits") {
    constexpr std::size_t rows = 20;
    constexpr std::size_t width = 1536;
    const auto gate = support::random_floats(rows * width, 4, 2.0F);
    const auto up = support::random_floats(rows * width, 5);
    const view<const float, dyn, dyn> gates{gate.data(), rows, width};
    const view<const float, dyn, dyn> ups{up.data(), rows, width};
    std::vector<float> one(rows * width);
    kernels::glu(kernels::gelu{}, gates, ups, view<float, dyn, dyn>{one.data(), rows, width});
    for(const unsigned threads: {2U, 3U}) {
        thread_team team{threads};
        auto out = gate;
        const view<float, dyn, dyn> same{out.data(), rows, width};
        kernels::glu(kernels::any_activation{kind::gelu}, same, ups, same, {best_isa(), &team});
        CHECK(support::same_bits(out, one));
    }
}

namespace {

struct leaky {
    template <class Isa>
    static TOKENWORKS_INLINE simd::f32x16<Isa> apply(const simd::f32x16<Isa>& x) {
        return max(x, x * 0.1F);
    }
};

} // namespace

TEST_CASE("an activation of the user's own") {
    std::vector<float> x{-1.0F, 2.0F};
    kernels::activate(leaky{}, x, x);
    CHECK(x == std::vector<float>{-0.1F, 2.0F});
}

TEST_CASE("glu names shapes that disagree") {
    std::vector<float> x(12);
    CHECK_THROWS_WITH(kernels::glu(kernels::silu{}, view<float, dyn, dyn>{x.data(), 3, 4},
                                   view<float, dyn, dyn>{x.data(), 2, 4}, view<float, dyn, dyn>{x.data(), 3, 4}),
                      ContainsSubstring("glu: gate is [3,4], up is [2,4]"));
}
