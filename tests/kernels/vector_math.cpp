#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include <tokenworks/kernels/elementwise.hpp>
#include <tokenworks/kernels/vector_math.hpp>

#include "reference/activation.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"

using namespace tokenworks;

// The functions behind activations and soft-caps, where they are hardest: close to zero, at the seams of their pieces,
// and far out. tests/kernels/activation.cpp has the ordinary arguments.

namespace {

struct tanh_op {
    template <class Isa>
    static TOKENWORKS_INLINE auto apply(const simd::f32x16<Isa>& x, const simd::f32x16<Isa>&, float) {
        return kernels::detail::tanh<Isa>(x);
    }
};
struct sigmoid_op {
    template <class Isa>
    static TOKENWORKS_INLINE auto apply(const simd::f32x16<Isa>& x, const simd::f32x16<Isa>&, float) {
        return kernels::detail::sigmoid<Isa>(x);
    }
};
struct gelu_op {
    template <class Isa>
    static TOKENWORKS_INLINE auto apply(const simd::f32x16<Isa>& x, const simd::f32x16<Isa>&, float) {
        return kernels::detail::gelu<Isa>(x);
    }
};

template <class Op>
double worst_ulps(const execution& how, const std::vector<float>& x, double (*exact)(double)) {
    std::vector<float> out(x.size());
    kernels::detail::map("test", view<const float, dyn>{x}, view<float, dyn>{out}, 0.0F, how,
                         kernels::detail::run_piece<Op>);
    double worst = 0;
    for(std::size_t i = 0; i < x.size(); ++i) {
        worst = std::max(worst, support::ulps(exact(static_cast<double>(x[i])), out[i]));
    }
    return worst;
}

/// Neighbouring floats around each of the given places.
std::vector<float> around(const std::vector<float>& places) {
    std::vector<float> out;
    for(const float place: places) {
        float up = place;
        float down = place;
        for(int i = 0; i < 200; ++i) {
            out.push_back(up);
            out.push_back(down);
            out.push_back(-up);
            up = std::nextafter(up, 1e9F);
            down = std::nextafter(down, -1e9F);
        }
    }
    return out;
}

} // namespace

TEST_CASE("tanh: tiny arguments, the seam at 0.625, saturation") {
    const auto x = around({1e-30F, 1e-8F, 1e-4F, 0.1F, 0.6249999F, 1.0F, 4.0F, 8.9F, 9.02F, 40.0F, 1e5F});
    support::for_each_isa([&](execution how) {
        CAPTURE(name(how.set));
        CHECK(worst_ulps<tanh_op>(how, x, reference::tanh) <= 4.0);
    });
}

TEST_CASE("sigmoid: both ends") {
    const auto x = around({1e-30F, 0.5F, 10.0F, 17.0F, 50.0F, 80.0F});
    support::for_each_isa([&](execution how) {
        CAPTURE(name(how.set));
        CHECK(worst_ulps<sigmoid_op>(how, x, reference::sigmoid) <= 4.0);
    });
}

TEST_CASE("gelu: near zero and deep in the tail") {
    const auto x = around({1e-30F, 1e-5F, 0.01F, 1.0F, 3.0F, 6.0F, 9.0F, 12.9F});
    support::for_each_isa([&](execution how) {
        CAPTURE(name(how.set));
        CHECK(worst_ulps<gelu_op>(how, x, reference::gelu) <= (how.set == isa::portable ? 8.0 + 12.9 * 12.9 / 2 : 8.0));
        const std::vector<float> zero = around({14.0F, 100.0F, 1e10F});
        std::vector<float> out(zero.size());
        kernels::detail::map("test", view<const float, dyn>{zero}, view<float, dyn>{out}, 0.0F, how,
                             kernels::detail::run_piece<gelu_op>);
        bool limits = true;
        for(std::size_t i = 0; i < zero.size(); ++i) {
            limits = limits && out[i] == std::max(zero[i], 0.0F);
        }
        CHECK(limits);
    });
}
