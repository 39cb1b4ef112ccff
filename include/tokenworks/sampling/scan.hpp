// Passes over the logits of a whole vocabulary: copy and check, highest value, sum, exponentials.
//
// They run on sixteen portable lanes (core/simd.hpp), without a choice of instruction set: a pass over 262144 floats
// takes some tens of microseconds, and so gives the same bits on every machine of an architecture. Sums are made in
// double, in an order that depends on the length alone.
#pragma once

#include <array>
#include <cstddef>
#include <limits>
#include <span>

#include <tokenworks/config.hpp>
#include <tokenworks/core/simd.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::sampling::detail {

inline constexpr std::size_t block = 64; ///< entries that a search looks at together
inline constexpr float infinity = std::numeric_limits<float>::infinity();

using vector = simd::f32x16<simd::portable<>>;

/// Highest of the values, -infinity for none. NaN is passed over.
inline float highest(std::span<const float> x) noexcept {
    vector most = vector::broadcast(-infinity);
    std::size_t i = 0;
    for(; i + simd::lanes <= x.size(); i += simd::lanes) {
        most = max(most, vector::load(x.data() + i));
    }
    float best = simd::reduce_max(most);
    for(const float value: x.subspan(i)) {
        best = value > best ? value : best;
    }
    return best;
}

/// Where the first value that is not below top lies.
/// @pre there is one
inline std::size_t find_highest(std::span<const float> x, float top) noexcept {
    std::size_t i = 0;
    while(i + block < x.size() && !(highest(x.subspan(i, block)) >= top)) {
        i += block;
    }
    while(i + 1 < x.size() && !(x[i] >= top)) {
        ++i;
    }
    return i;
}

/// What inspect() found.
struct inspected {
    float highest; ///< -infinity for none
    bool valid;    ///< no value is NaN or +infinity
};

/// Looks through logits in one pass, and copies them where `copy` is not null.
inline inspected inspect(std::span<const float> logits, float* copy = nullptr) noexcept {
    const vector lowest = vector::broadcast(std::numeric_limits<float>::lowest());
    vector most = vector::broadcast(-infinity);
    vector zeros = vector::zero(); // x * 0 is NaN for an infinity and for NaN; -infinity is raised first
    std::size_t i = 0;
    for(; i + simd::lanes <= logits.size(); i += simd::lanes) {
        const vector x = vector::load(logits.data() + i);
        if(copy != nullptr) {
            x.store(copy + i);
        }
        most = max(most, x);
        zeros = zeros + max(x, lowest) * 0.0F;
    }
    inspected found{simd::reduce_max(most), simd::reduce_add(zeros) < 1.0F};
    for(; i < logits.size(); ++i) {
        if(copy != nullptr) {
            copy[i] = logits[i];
        }
        found.highest = logits[i] > found.highest ? logits[i] : found.highest;
        found.valid = found.valid && logits[i] < infinity;
    }
    return found;
}

/// Sum in double: sixteen partial sums over the length, then those.
inline double sum_of(std::span<const float> x) noexcept {
    std::array<double, 16> part{};
    std::size_t i = 0;
    for(; i + 16 <= x.size(); i += 16) {
        for(std::size_t j = 0; j < 16; ++j) {
            part[j] += static_cast<double>(x[i + j]);
        }
    }
    for(std::size_t j = 0; i < x.size(); ++i, ++j) {
        part[j] += static_cast<double>(x[i]);
    }
    double sum = 0;
    for(const double p: part) {
        sum += p;
    }
    return sum;
}

/// to[i] = exp(x[i] - top), to 2 units in the last place. The spans may be the same.
inline void exponentials(std::span<const float> x, float top, std::span<float> to) noexcept {
    const vector shift = vector::broadcast(-top);
    std::size_t i = 0;
    for(; i + simd::lanes <= x.size(); i += simd::lanes) {
        simd::exp(vector::load(x.data() + i) + shift).store(to.data() + i);
    }
    if(i < x.size()) {
        const vector rest = simd::load_partial<simd::portable<>>(x.data() + i, x.size() - i);
        simd::store_partial(simd::exp(rest + shift), to.data() + i, x.size() - i);
    }
}

/// x[i] /= by.
inline void divide(std::span<float> x, float by) noexcept {
    const vector divisor = vector::broadcast(by);
    std::size_t i = 0;
    for(; i + simd::lanes <= x.size(); i += simd::lanes) {
        (vector::load(x.data() + i) / divisor).store(x.data() + i);
    }
    for(; i < x.size(); ++i) {
        x[i] /= by;
    }
}

/// Maps keys to buckets so that a higher key never gets a lower bucket.
struct key_buckets {
    static constexpr std::size_t count = 2048;
    float least;
    float scale;

    /// @param least, most  of the finite keys; what lies 32 above `least` shares the last bucket
    static key_buckets between(float least, float most) noexcept {
        const float range = most - least < 32.0F ? most - least : 32.0F;
        return {least, range > 1e-30F ? static_cast<float>(count) / range : 0.0F};
    }
    [[nodiscard]] std::size_t index(float key) const noexcept {
        const float at = (key - least) * scale;
        return at < static_cast<float>(count - 1) ? static_cast<std::size_t>(at) : count - 1;
    }
};

} // namespace tokenworks::inline TOKENWORKS_ABI::sampling::detail
