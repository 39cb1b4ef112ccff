// What the tests of kernels share: random operands, the distance to a reference, and every way to run.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include <tokenworks/core/cpu.hpp>
#include <tokenworks/core/execution.hpp>

namespace support {

/// Normal numbers, the same in every run.
inline std::vector<float> random_floats(std::size_t count, unsigned seed, float deviation = 1.0F) {
    std::mt19937 engine{seed};
    std::normal_distribution<float> normal{0.0F, deviation};
    std::vector<float> out(count);
    for(float& x: out) {
        x = normal(engine);
    }
    return out;
}

/// sum((a-b)^2) / sum(a^2), where a is the reference; 0 for two vectors of zeros.
inline double nmse(std::span<const double> expected, std::span<const float> actual) {
    double error = 0;
    double norm = 0;
    for(std::size_t i = 0; i < expected.size(); ++i) {
        const double difference = static_cast<double>(actual[i]) - expected[i];
        error += difference * difference;
        norm += expected[i] * expected[i];
    }
    return error == 0 ? 0 : error / norm;
}

/// Units in the last place of the exact value that a float is off by; values below 1e-37 count as that.
inline double ulps(double expected, float actual) {
    const double magnitude = std::max(std::abs(expected), 1e-37);
    const double unit = std::ldexp(1.0, std::ilogb(magnitude) - 23);
    return std::abs(static_cast<double>(actual) - expected) / unit;
}

/// The same bits, NaN included.
inline bool same_bits(std::span<const float> a, std::span<const float> b) {
    if(a.size() != b.size()) {
        return false;
    }
    for(std::size_t i = 0; i < a.size(); ++i) {
        if(std::bit_cast<std::uint32_t>(a[i]) != std::bit_cast<std::uint32_t>(b[i])) {
            return false;
        }
    }
    return true;
}

/// Calls body(execution) for every instruction set that this machine has, on the calling thread.
template <class Body>
void for_each_isa(Body&& body) {
    for(const tokenworks::isa set: tokenworks::all_isas) {
        if(tokenworks::is_supported(set)) {
            body(tokenworks::execution{set, nullptr});
        }
    }
}

/// Lengths around the vector width, and around the four vectors that sums are unrolled by.
inline constexpr std::size_t lengths[] = {0, 1, 2, 15, 16, 17, 31, 33, 63, 64, 65, 127, 576};

} // namespace support
