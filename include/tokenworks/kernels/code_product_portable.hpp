// Integer panels times quantised activations on any machine. See code_product.hpp for what they compute.
//
// Products of a code and an activation fit 16 bits (128 * 127), and so does the sum of two (of 16 where codes are
// nibbles), so the loops run on 16-bit lanes, which every vector unit multiplies, and widen rarely. Four columns of a
// row are 32 bits of a record: two lanes with columns 0 and 2, two with 1 and 3, without any shuffle. The vectors are
// the compiler's own: they become whatever the program is compiled for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <tokenworks/config.hpp>
#include <tokenworks/core/simd.hpp>
#include <tokenworks/kernels/panel_format.hpp>
#include <tokenworks/kernels/quantize_activations.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail {

using i16x8 = std::int16_t __attribute__((vector_size(16)));
using i32x4 = std::int32_t __attribute__((vector_size(16)));

/// 32-bit lanes of four signed bytes as 16-bit lanes: bytes 0 and 2, bytes 1 and 3.
struct byte_pairs {
    i16x8 even;
    i16x8 odd;
};

TOKENWORKS_INLINE void split_bytes(const i16x8& four, byte_pairs& out) noexcept {
    out.even = (four << 8) >> 8;
    out.odd = four >> 8;
}

/// Adds `value` where a bit is set: bits 0, 2, … to the even lanes, 1, 3, … to the odd ones.
TOKENWORKS_INLINE void add_plane(const std::byte* plane, std::int16_t value, byte_pairs& to) noexcept {
    constexpr i16x8 even = {1, 4, 16, 64, 256, 1024, 4096, 16384};
    constexpr i16x8 odd = {2, 8, 32, 128, 512, 2048, 8192, -32768};
    std::int16_t bits;
    std::memcpy(&bits, plane, sizeof bits);
    const i16x8 all = {bits, bits, bits, bits, bits, bits, bits, bits};
    to.even += ((all & even) == even) & value; // a comparison is -1 where it holds
    to.odd += ((all & odd) == odd) & value;
}

/// A record with its codes widened to 16 bits: codes[g][quarter] holds columns 4 g … 4 g + 3 of four rows.
template <class Panel, class Isa>
struct open_record {
    using vector = simd::f32x16<Isa>;
    byte_pairs codes[8][4];
    vector scale[Panel::per_block];
    vector offset[Panel::per_block];

    static TOKENWORKS_INLINE vector scales_at(const std::byte* at, const std::byte* super) noexcept {
        if constexpr(Panel::kind == scale_kind::half) {
            return vector::load(reinterpret_cast<const f16*>(at));
        } else if constexpr(Panel::kind == scale_kind::single) {
            return vector::load(reinterpret_cast<const float*>(at));
        } else {
            return vector::load(reinterpret_cast<const f16*>(super)) *
                   vector::load(reinterpret_cast<const std::int8_t*>(at));
        }
    }

    void load(const std::byte* panel, std::size_t b) noexcept {
        const std::byte* const record = panel + Panel::offset(b);
        const std::byte* const super = panel + b / Panel::group * Panel::group_bytes;
        for(std::size_t g = 0; g < 8; ++g) {
            for(std::size_t quarter = 0; quarter < 4; ++quarter) {
                byte_pairs& to = codes[g][quarter];
                i16x8 raw;
                std::memcpy(&raw, record + 64 * (Panel::bits == 8 ? g : g / 2) + 16 * quarter, sizeof raw);
                if constexpr(Panel::bits == 8) {
                    split_bytes(raw ^ static_cast<std::int16_t>(-32640), to); // 0x8080
                    continue;
                }
                raw = g % 2 == 0 ? raw : raw >> 4;
                to.even = raw & std::int16_t{15};
                to.odd = (raw >> 8) & std::int16_t{15};
                if constexpr(Panel::planes != 0) {
                    to.even += std::int16_t{Panel::least};
                    to.odd += std::int16_t{Panel::least};
                    for(std::size_t p = 0; p < Panel::planes; ++p) {
                        add_plane(record + Panel::plane_offset(p, g) + 2 * quarter, static_cast<std::int16_t>(16 << p),
                                  to);
                    }
                }
            }
        }
        for(std::size_t s = 0; s < Panel::per_block; ++s) {
            const std::byte* const at = record + Panel::code_bytes + 16 * Panel::scale_size * s;
            scale[s] = scales_at(at, super);
            if constexpr(Panel::has_min) {
                offset[s] = scales_at(at + Panel::scale_bytes, super + 32);
            }
        }
    }

    /// Sums of columns 4 begin … 4 end - 1 for all rows, as floats, from sums that start at `start`.
    void dot(const byte_pairs (&y)[8], std::size_t begin, std::size_t end, std::int32_t start,
             float* out) const noexcept {
        for(std::size_t quarter = 0; quarter < 4; ++quarter) {
            i32x4 total = {start, start, start, start};
            i16x8 narrow = {};
            for(std::size_t g = begin; g < end; ++g) {
                const byte_pairs& w = codes[g][quarter];
                const i16x8 sum = w.even * y[g].even + w.odd * y[g].odd;
                if constexpr(Panel::bits == 4) {
                    narrow += sum;
                } else {
                    const auto pairs = reinterpret_cast<i32x4>(sum);
                    total += ((pairs << 16) >> 16) + (pairs >> 16);
                }
            }
            if constexpr(Panel::bits == 4) {
                const auto pairs = reinterpret_cast<i32x4>(narrow);
                total += ((pairs << 16) >> 16) + (pairs >> 16);
            }
            for(std::size_t i = 0; i < 4; ++i) {
                out[4 * quarter + i] = static_cast<float>(total[i]);
            }
        }
    }
};

template <class Panel, class Isa>
void code_product_portable(const std::byte* panel, std::size_t blocks, const quantized_block* y, std::size_t tokens,
                           float* acc) noexcept {
    using vector = simd::f32x16<Isa>;
    open_record<Panel, Isa> record;
    for(std::size_t b = 0; b < blocks; ++b, y += tokens) {
        record.load(panel, b);
        for(std::size_t t = 0; t < tokens; ++t) {
            byte_pairs codes[8];
            for(std::size_t g = 0; g < 8; ++g) {
                std::int32_t four;
                std::memcpy(&four, y[t].codes + 4 * g, 4);
                const i32x4 all = {four, four, four, four};
                split_bytes(reinterpret_cast<i16x8>(all), codes[g]);
            }
            vector sum = vector::load(static_cast<const float*>(acc + t * panel_rows));
            for(std::size_t s = 0; s < Panel::per_block; ++s) {
                constexpr std::size_t count = 8 / Panel::per_block;
                float dots[panel_rows];
                record.dot(codes, s * count, (s + 1) * count, Panel::zero == 8 ? y[t].start_8 : 0, dots);
                sum = fma(vector::load(static_cast<const float*>(dots)), record.scale[s] * y[t].scale, sum);
                if constexpr(Panel::has_min) {
                    sum = fma(record.offset[s], Panel::per_block == 2 ? y[t].scaled_sum_half[s] : y[t].scaled_sum, sum);
                }
            }
            sum.store(acc + t * panel_rows);
        }
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail
