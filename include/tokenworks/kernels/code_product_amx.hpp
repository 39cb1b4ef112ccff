// Integer panels times quantised activations on the tile registers of AMX, for tiles of several tokens. The same bits
// as code_product_x86.hpp's on AVX-512: the integer sums are exact, and floats are added by the same instructions.
//
// A tile of activations is [tokens][32], read where they lie; one of weights is a record's 32 columns of 16 rows, whose
// order in memory, four columns of a row side by side, is the one that tiles want; its codes become signed bytes first.
// One instruction multiplies the two. Its sums go through memory to the vector registers, where the accumulators of
// sixteen tokens stay for the whole panel. Neither way may be short: a tile is not loaded from stores that are under
// way, so a record is expanded some records ahead of its product, and its sums are used some records behind.
#pragma once

#include <tokenworks/config.hpp>

#if TOKENWORKS_X86

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <immintrin.h>

#include <tokenworks/kernels/code_product_x86.hpp>
#include <tokenworks/kernels/panel_format.hpp>
#include <tokenworks/kernels/quantize_activations.hpp>
#include <tokenworks/kernels/tile_registers.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail {

/// The registers: sums of either half of the columns (or of all), activations and weights of 32 columns, of 16.
enum tile_register : int { sums_0, sums_1, rows_32, codes_32, rows_16, codes_16 };

/// Shapes the tile registers for `tokens` activations, at most sixteen.
inline void shape_code_tiles(std::size_t tokens) noexcept {
    tile_shapes shapes;
    shapes.set(sums_0, tokens, 64);
    shapes.set(sums_1, tokens, 64);
    shapes.set(rows_32, tokens, 32);
    shapes.set(codes_32, 8, 64);
    shapes.set(rows_16, tokens, 16);
    shapes.set(codes_16, 4, 64);
    shapes.load();
}

/// A linear map of the bits of each byte, exclusive or with a constant: row i of the matrix, from its highest byte
/// down, says which bits make bit i (Intel's manual, GF2P8AFFINEQB).
template <std::uint64_t Matrix, int Constant>
TOKENWORKS_TARGET_AMX TOKENWORKS_INLINE void map_bits(__m512i& bytes) noexcept {
    bytes = _mm512_gf2p8affine_epi64_epi8(bytes, _mm512_set1_epi64(static_cast<long long>(Matrix)), Constant);
}

/// The codes of a record less their zero point, as signed bytes [8][16][4].
template <class Panel>
TOKENWORKS_TARGET_AMX TOKENWORKS_INLINE void expand_codes(const std::byte* record, std::byte* out) noexcept {
    if constexpr(Panel::bits == 4) {
        // Bits 3 … 0 are those of the nibble; n - 8 is n with bit 3 turned, which is also bits 7 … 4.
        constexpr bool is_signed = Panel::zero == 8;
        constexpr std::uint64_t low = is_signed ? 0x0102040808080808 : 0x0102040800000000;
        constexpr std::uint64_t high = is_signed ? 0x1020408080808080 : 0x1020408000000000;
        constexpr int turned = is_signed ? 0xf8 : 0;
        TOKENWORKS_UNROLL(4)
        for(int g = 0; g < 4; ++g) {
            __m512i first = _mm512_loadu_si512(record + 64 * g);
            __m512i second = first;
            map_bits<low, turned>(first);
            map_bits<high, turned>(second);
            _mm512_store_si512(out + 128 * g, first);
            _mm512_store_si512(out + 128 * g + 64, second);
        }
    } else {
        TOKENWORKS_UNROLL(8)
        for(int g = 0; g < 8; ++g) {
            __m512i codes;
            load_bytes<Panel>(record, g, codes);
            codes = _mm512_xor_si512(codes, _mm512_set1_epi8(-128));
            _mm512_store_si512(out + 64 * g, codes);
        }
    }
}

/// Tokens from which tiles are faster than vectors: a product of tiles costs the same for one token as for sixteen.
template <class Panel>
inline constexpr std::size_t least_tile_tokens = Panel::per_block == 2 ? 12 : 8;

/// The integer sums of one record, [half][tokens][16].
struct alignas(64) tile_sums {
    std::int32_t sums[2][16 * 16];
};

/// The integer sums of one record from its signed codes.
template <class Panel>
TOKENWORKS_TARGET_AMX TOKENWORKS_INLINE void multiply_record(const std::byte* codes, const quantized_block* y,
                                                             tile_sums& to) noexcept {
    if constexpr(Panel::per_block == 1) {
        load_tile<rows_32>(y, sizeof(quantized_block));
        load_tile<codes_32>(codes, 64);
        clear_tile<sums_0>();
        add_byte_tiles<sums_0, rows_32, codes_32>();
        store_tile<sums_0>(to.sums[0]);
    } else {
        load_tile<rows_16>(y, sizeof(quantized_block));
        load_tile<codes_16>(codes, 64);
        clear_tile<sums_0>();
        add_byte_tiles<sums_0, rows_16, codes_16>();
        store_tile<sums_0>(to.sums[0]);
        load_tile<rows_16>(y->codes + 16, sizeof(quantized_block));
        load_tile<codes_16>(codes + 256, 64);
        clear_tile<sums_1>();
        add_byte_tiles<sums_1, rows_16, codes_16>();
        store_tile<sums_1>(to.sums[1]);
    }
}

/// Adds a record's sums of one token.
template <class Panel>
TOKENWORKS_TARGET_AMX TOKENWORKS_INLINE void add_sums(const tile_sums& from, const record_scales<Panel>& scales,
                                                      const quantized_block* y, std::size_t t, __m512& acc) noexcept {
    const __m512i first = _mm512_load_si512(from.sums[0] + 16 * t);
    __m512i second = _mm512_setzero_si512();
    if constexpr(Panel::per_block == 2) {
        second = _mm512_load_si512(from.sums[1] + 16 * t);
    }
    scales.add(acc, first, second, y[t]);
}

/// As code_product_avx512, for at most 16 tokens.
/// @pre the tile registers have been shaped for so many
template <class Panel>
TOKENWORKS_TARGET_AMX void code_product_amx(const std::byte* panel, std::size_t blocks, const quantized_block* y,
                                            std::size_t tokens, float* acc) noexcept {
    constexpr std::size_t full = 16;
    constexpr std::size_t ahead = 4;  // records from the expansion of codes to their product
    constexpr std::size_t behind = 2; // and on to the use of the sums
    alignas(64) std::byte codes[2 * ahead][512];
    tile_sums sums[2 * behind];
    __m512 super = _mm512_setzero_ps();
    __m512 super_min = _mm512_setzero_ps();
    record_scales<Panel> scales;
    __m512 total[full];
    TOKENWORKS_UNROLL(16)
    for(std::size_t t = 0; t < full; ++t) {
        total[t] = t < tokens ? _mm512_loadu_ps(acc + 16 * t) : _mm512_setzero_ps();
    }
    for(std::size_t step = 0; step < blocks + ahead + behind; ++step) {
        if(step < blocks) {
            const std::byte* const record = panel + Panel::offset(step);
            prefetch_record<Panel>(record);
            expand_codes<Panel>(record, static_cast<std::byte*>(codes[step % (2 * ahead)]));
        }
        if(step >= ahead && step - ahead < blocks) {
            const std::size_t b = step - ahead;
            multiply_record<Panel>(static_cast<const std::byte*>(codes[b % (2 * ahead)]), y + b * tokens,
                                   sums[b % (2 * behind)]);
        }
        if(step < ahead + behind) {
            continue;
        }
        const std::size_t b = step - ahead - behind;
        if constexpr(Panel::kind == scale_kind::super) {
            if(b % Panel::group == 0) {
                const std::byte* const header = panel + b / Panel::group * Panel::group_bytes;
                load_scales<scale_kind::half>(header, super, super);
                if constexpr(Panel::has_min) {
                    load_scales<scale_kind::half>(header + 32, super, super_min);
                }
            }
        }
        scales.load(panel + Panel::offset(b) + Panel::code_bytes, super, super_min);
        if(tokens == full) {
            TOKENWORKS_UNROLL(16)
            for(std::size_t t = 0; t < full; ++t) {
                add_sums<Panel>(sums[b % (2 * behind)], scales, y + b * full, t, total[t]);
            }
        } else {
            TOKENWORKS_UNROLL(16)
            for(std::size_t t = 0; t < full; ++t) {
                if(t < tokens) {
                    add_sums<Panel>(sums[b % (2 * behind)], scales, y + b * tokens, t, total[t]);
                }
            }
        }
    }
    TOKENWORKS_UNROLL(16)
    for(std::size_t t = 0; t < full; ++t) {
        if(t < tokens) {
            _mm512_storeu_ps(acc + 16 * t, total[t]);
        }
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail

#endif
