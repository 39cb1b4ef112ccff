#include <cmath>
#include <cstddef>
#include <vector>

#include <tokenworks/kernels/row_sums.hpp>

#include "support/catch.hpp"
#include "support/kernels.hpp"

using namespace tokenworks;

namespace {

template <class Isa>
struct both_sums {
    static TOKENWORKS_INLINE void run(const float* x, std::size_t length, float center, float* out) {
        out[0] = kernels::detail::sum<Isa>(x, length);
        out[1] = kernels::detail::sum_of_squares<Isa>(x, length, center);
    }
};

/// The order that the header states, in plain float.
float ordered_sum(const std::vector<float>& x) {
    float chain[4][16] = {};
    const std::size_t whole = x.size() / 64 * 64;
    for(std::size_t i = 0; i < x.size(); ++i) {
        const bool last_part = i >= x.size() / 16 * 16;
        chain[i >= whole && last_part ? 3 : i / 16 % 4][i % 16] += x[i];
    }
    float lane[16];
    for(std::size_t i = 0; i < 16; ++i) {
        lane[i] = (chain[0][i] + chain[1][i]) + (chain[2][i] + chain[3][i]);
    }
    for(std::size_t half = 8; half != 0; half /= 2) {
        for(std::size_t i = 0; i < half; ++i) {
            lane[i] += lane[i + half];
        }
    }
    return lane[0];
}

} // namespace

TEST_CASE("sums have the order that is stated, on every instruction set") {
    for(std::size_t n = 0; n < 300; ++n) {
        const auto x = support::random_floats(n, static_cast<unsigned>(n));
        support::for_each_isa([&](execution how) {
            float out[2];
            simd::dispatch<both_sums>(how.set, x.data(), n, 0.0F, static_cast<float*>(out));
            CAPTURE(name(how.set), n);
            CHECK(out[0] == ordered_sum(x));
        });
    }
}

TEST_CASE("sums of squares about a centre, to a bound from the number of roundings") {
    for(const std::size_t n: {1U, 16U, 100U, 5000U, 100000U}) {
        auto x = support::random_floats(n, 7);
        for(float& value: x) {
            value += 3.0F;
        }
        double expected = 0;
        for(const float value: x) {
            expected += std::pow(static_cast<double>(value) - 3.0, 2);
        }
        support::for_each_isa([&](execution how) {
            float out[2];
            simd::dispatch<both_sums>(how.set, x.data(), n, 3.0F, static_cast<float*>(out));
            const double roundings = static_cast<double>(n) / 64 + 10;
            CAPTURE(name(how.set), n);
            CHECK(std::abs(static_cast<double>(out[1]) - expected) <= roundings * 0x1p-24 * expected + 1e-30);
        });
    }
}
