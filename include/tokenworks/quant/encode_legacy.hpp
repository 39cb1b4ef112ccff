// Encoders of the formats with 32 elements: Q8_0, Q4_0, Q4_1, Q5_0, Q5_1 and IQ4_NL.
//
// Each gives the bytes of ggml's reference quantiser (quantize_row_*_ref of ggml-quants.c; for IQ4_NL what
// ggml_quantize_chunk writes without an importance matrix), whatever flags this is compiled with. Where the reference
// converts a number out of range to an integer (scales below 2^-127, which a half cannot hold), the code is 0. With the
// importance of each value, scales are searched for the least weighted error, as for the larger blocks.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include <tokenworks/config.hpp>
#include <tokenworks/core/float16.hpp>
#include <tokenworks/quant/block.hpp>
#include <tokenworks/quant/fit_scale.hpp>
#include <tokenworks/quant/iq4_quants.hpp>
#include <tokenworks/quant/legacy.hpp>
#include <tokenworks/quant/rounding.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::quant {

namespace detail {

using row32 = std::array<float, 32>;

[[nodiscard]] inline row32 load_row32(const float* values) noexcept {
    row32 row;
    std::copy_n(values, row.size(), row.begin());
    return row;
}

[[nodiscard]] inline float inverse(float x) noexcept { return x != 0.0F ? 1.0F / x : 0.0F; }

/// The first value of the largest magnitude, with its sign; 0 for a row of zeros.
[[nodiscard]] inline float extreme(const float* values, std::size_t count) noexcept {
    float largest = 0.0F;
    float out = 0.0F;
    for(std::size_t i = 0; i < count; ++i) {
        if(std::abs(values[i]) > largest) {
            largest = std::abs(values[i]);
            out = values[i];
        }
    }
    return out;
}

inline void pack_nibbles(const std::array<std::uint8_t, 32>& codes, bytes<16>& packed) noexcept {
    for(std::size_t i = 0; i < 16; ++i) {
        packed[i] = static_cast<std::uint8_t>((codes[i] & 15) | (codes[i + 16] << 4));
    }
}

inline void pack_fifth_bits(const std::array<std::uint8_t, 32>& codes, bytes<4>& high) noexcept {
    high = {};
    for(std::size_t i = 0; i < 32; ++i) {
        high[i / 8] = static_cast<std::uint8_t>(high[i / 8] | ((codes[i] >> 4) & 1) << (i % 8));
    }
}

/// code = value / d + offset to the nearest, where d takes the value of largest magnitude to the lowest code.
[[nodiscard]] inline std::array<std::uint8_t, 32> signed_codes(const float* values, int offset,
                                                               bytes<2>& d_out) noexcept {
    row32 row = load_row32(values);
    const float d = extreme(values, 32) / static_cast<float>(-offset);
    const float id = inverse(d);
    const float middle = static_cast<float>(offset) + 0.5F;
    std::array<std::uint8_t, 32> codes;
    for(float& value: row) {
        value *= id;
    }
    settle(row);
    for(std::size_t i = 0; i < 32; ++i) {
        codes[i] = static_cast<std::uint8_t>(std::min(truncate_byte(row[i] + middle), 2 * offset - 1));
    }
    store_half(d_out, f16{d});
    return codes;
}

/// code = (value - min) / d to the nearest, where the codes 0 to most span the row.
[[nodiscard]] inline std::array<std::uint8_t, 32> unsigned_codes(const float* values, int most, bytes<2>& d_out,
                                                                 bytes<2>& min_out) noexcept {
    row32 row = load_row32(values);
    const auto [min, greatest] = range_of(row);
    const float d = (greatest - min) / static_cast<float>(most);
    const float id = inverse(d);
    std::array<std::uint8_t, 32> codes;
    for(float& value: row) {
        value = (value - min) * id;
    }
    settle(row);
    for(std::size_t i = 0; i < 32; ++i) {
        codes[i] = static_cast<std::uint8_t>(std::min(truncate_byte(row[i] + 0.5F), most));
    }
    store_half(d_out, f16{d});
    store_half(min_out, f16{min});
    return codes;
}

/// signed_codes with the scale whose weighted error is least.
template <int Most>
[[nodiscard]] inline std::array<std::uint8_t, 32> weighted_signed_codes(const float* values, const float* importance,
                                                                        bytes<2>& d_out) noexcept {
    const row32 row = load_row32(values);
    row32 weight;
    row32 fitted;
    weigh(row, importance, mean_square(values, 32), weight);
    store_half(d_out, f16{fit_symmetric<Most>(row, weight, fitted)});
    std::array<std::uint8_t, 32> codes;
    for(std::size_t i = 0; i < 32; ++i) {
        codes[i] = static_cast<std::uint8_t>(static_cast<int>(fitted[i]) + Most);
    }
    return codes;
}

/// unsigned_codes with the scale and the minimum whose weighted error is least. A minimum above zero is not looked for.
template <int Most>
[[nodiscard]] inline std::array<std::uint8_t, 32> weighted_unsigned_codes(const float* values, const float* importance,
                                                                          bytes<2>& d_out, bytes<2>& min_out) noexcept {
    const row32 row = load_row32(values);
    row32 weight;
    row32 fitted;
    weigh(row, importance, mean_square(values, 32), weight);
    const affine_fit fit = fit_affine<Most>(row, weight, fitted);
    store_half(d_out, f16{fit.scale});
    store_half(min_out, f16{-fit.min});
    std::array<std::uint8_t, 32> codes;
    std::ranges::transform(fitted, codes.begin(), [](float code) { return static_cast<std::uint8_t>(code); });
    return codes;
}

/// The index in iq4_values of the value nearest to each x, the greater of two. Midpoints are compared doubled, as exact
/// integers; NaN gives 0.
inline void nearest_iq4(const row32& x, std::array<std::uint8_t, 32>& out) noexcept {
    out = {};
    for(std::size_t k = 1; k < 16; ++k) {
        const auto midpoint = static_cast<float>(iq4_values[k - 1] + iq4_values[k]);
        for(std::size_t i = 0; i < 32; ++i) {
            out[i] = static_cast<std::uint8_t>(out[i] + static_cast<int>(x[i] + x[i] >= midpoint));
        }
    }
}

} // namespace detail

/// Encodes 32 finite values: d = max |value| / 127, codes to the nearest.
inline void encode(const float* values, q8_0& out) noexcept {
    detail::row32 row = detail::load_row32(values);
    const float d = std::abs(detail::extreme(values, 32)) / 127.0F;
    const float id = detail::inverse(d);
    for(float& value: row) {
        value *= id;
    }
    detail::settle(row);
    for(std::size_t i = 0; i < 32; ++i) {
        out.codes[i] = static_cast<std::int8_t>(detail::round_byte(row[i]));
    }
    detail::store_half(out.d, f16{d});
}

/// Encodes 32 finite values: the one of largest magnitude becomes exactly -8 * d.
/// @param importance  here and below [32] of the values' errors, not negative; null: scales as said, without a search
inline void encode(const float* values, q4_0& out, const float* importance = nullptr) noexcept {
    detail::pack_nibbles(importance == nullptr ? detail::signed_codes(values, 8, out.d)
                                               : detail::weighted_signed_codes<8>(values, importance, out.d),
                         out.codes);
}

/// Encodes 32 finite values: the codes span the range from the least to the greatest.
inline void encode(const float* values, q4_1& out, const float* importance = nullptr) noexcept {
    detail::pack_nibbles(importance == nullptr ? detail::unsigned_codes(values, 15, out.d, out.m)
                                               : detail::weighted_unsigned_codes<15>(values, importance, out.d, out.m),
                         out.codes);
}

/// Encodes 32 finite values: the one of largest magnitude becomes exactly -16 * d.
inline void encode(const float* values, q5_0& out, const float* importance = nullptr) noexcept {
    const auto codes = importance == nullptr ? detail::signed_codes(values, 16, out.d)
                                             : detail::weighted_signed_codes<16>(values, importance, out.d);
    detail::pack_nibbles(codes, out.codes);
    detail::pack_fifth_bits(codes, out.high);
}

/// Encodes 32 finite values: the codes span the range from the least to the greatest.
inline void encode(const float* values, q5_1& out, const float* importance = nullptr) noexcept {
    const auto codes = importance == nullptr ? detail::unsigned_codes(values, 31, out.d, out.m)
                                             : detail::weighted_unsigned_codes<31>(values, importance, out.d, out.m);
    detail::pack_nibbles(codes, out.codes);
    detail::pack_fifth_bits(codes, out.high);
}

/// Encodes 32 finite values: of 16 scales, which take the value of largest magnitude near one end of the codebook, the
/// one with the least square error, each error weighted with its value's square.
inline void encode(const float* values, iq4_nl& out, const float* importance = nullptr) noexcept {
    const detail::row32 row = detail::load_row32(values);
    const float extreme = detail::extreme(values, 32);
    detail::row32 weight;
    detail::row32 scaled;
    detail::row32 weighted;
    detail::row32 with_value;
    detail::row32 with_code;
    std::array<std::uint8_t, 32> codes;
    float d = 0.0F;
    if(std::abs(extreme) >= 1e-15F) {
        if(importance != nullptr) {
            detail::weigh(row, importance, 2 * detail::mean_square(values, 32), weight);
        } else {
            detail::multiply(row, row, weight);
        }
        float best = 0.0F;
        const float lowest = iq4_values[0];
        // The first try takes the extreme value to the lowest code, the others to -7 ... 7 codes from there.
        for(int attempt = -8; attempt <= 7; ++attempt) {
            const float id =
                attempt == -8 ? 1.0F / (-extreme / lowest) : (static_cast<float>(attempt) + lowest) / extreme;
            for(std::size_t i = 0; i < 32; ++i) {
                scaled[i] = id * row[i];
            }
            detail::settle(scaled);
            detail::nearest_iq4(scaled, codes);
            for(std::size_t i = 0; i < 32; ++i) {
                scaled[i] = iq4_values[codes[i]];
            }
            detail::multiply(weight, scaled, weighted);
            detail::multiply(weighted, row, with_value);
            detail::multiply(weighted, scaled, with_code);
            float sum_qx = 0.0F;
            float sum_q2 = 0.0F;
            for(std::size_t i = 0; i < 32; ++i) {
                sum_qx += with_value[i];
                sum_q2 += with_code[i];
            }
            if(attempt == -8) {
                d = sum_q2 > 0.0F ? sum_qx / sum_q2 : 0.0F;
                best = d * sum_qx;
            } else if(sum_q2 > 0.0F && sum_qx * sum_qx > best * sum_q2) {
                d = sum_qx / sum_q2;
                best = d * sum_qx;
            }
        }
    }
    const float id = detail::inverse(d);
    for(std::size_t i = 0; i < 32; ++i) {
        scaled[i] = id * row[i];
    }
    detail::settle(scaled);
    detail::nearest_iq4(scaled, codes);
    detail::pack_nibbles(codes, out.codes);
    detail::store_half(out.d, f16{d});
}

} // namespace tokenworks::inline TOKENWORKS_ABI::quant
