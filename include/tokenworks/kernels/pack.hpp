// From rows of a file to panels and back: one panel at a time, any part of its rows and columns.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include <tokenworks/config.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/core/float16.hpp>
#include <tokenworks/kernels/panel_format.hpp>

#if TOKENWORKS_DEFINITIONS
#include <tokenworks/core/float8.hpp>
#include <tokenworks/quant/codes.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail {

/// Columns [begin, end) of one row of any type that has a panel format, into lane `lane` of a panel whose first column
/// is `begin`.
TOKENWORKS_FUNCTION void pack_row(dtype type, const std::byte* row, std::size_t begin, std::size_t end,
                                  std::byte* panel, std::size_t lane,
                                  matmul_precision precision = matmul_precision::highest);

/// Lane `lane` of a panel as floats.
TOKENWORKS_FUNCTION void unpack_row(panel_format format, const std::byte* panel, std::size_t lane,
                                    std::span<float> out);

/// Column k of lane `lane` of a panel of parts.
[[nodiscard]] inline float joined_parts(const std::byte* panel, std::size_t k, std::size_t lane) noexcept {
    const auto* const parts = reinterpret_cast<const bf16*>(panel);
    const float last{parts[part_index(2, k, lane)]};
    return float{parts[part_index(0, k, lane)]} + (float{parts[part_index(1, k, lane)]} + last);
}

#if TOKENWORKS_DEFINITIONS

/// The integers behind the scales of a K format: value = d * factor * code - dmin * min_factor.
struct super_scales {
    std::array<std::int8_t, 16> factors; ///< one per group of 16 or 32
    std::array<std::int8_t, 16> min_factors;
    f16 d;
    f16 dmin;
};

[[nodiscard]] inline f16 half_at(const quant::detail::bytes<2>& bytes) noexcept {
    return f16::from_bits(static_cast<std::uint16_t>(quant::detail::load16(bytes.data())));
}

template <class Block>
[[nodiscard]] super_scales read_super_scales(const Block& block) noexcept {
    super_scales out{};
    out.d = half_at(block.d);
    if constexpr(std::is_same_v<Block, quant::q6_k>) {
        out.factors = block.scales;
    } else if constexpr(std::is_same_v<Block, quant::q3_k>) {
        for(std::size_t j = 0; j < 16; ++j) {
            out.factors[j] = static_cast<std::int8_t>(quant::detail::unpack_q3_scale(block.scales, j) - 32);
        }
    } else if constexpr(std::is_same_v<Block, quant::q2_k>) {
        out.dmin = half_at(block.dmin);
        for(std::size_t j = 0; j < 16; ++j) {
            out.factors[j] = static_cast<std::int8_t>(block.scales[j] & 15);
            out.min_factors[j] = static_cast<std::int8_t>(block.scales[j] >> 4);
        }
    } else {
        out.dmin = half_at(block.dmin);
        for(std::size_t j = 0; j < 8; ++j) {
            const quant::detail::scale_and_min packed = quant::detail::unpack_scale(block.scales, j);
            out.factors[j] = static_cast<std::int8_t>(packed.scale);
            out.min_factors[j] = static_cast<std::int8_t>(packed.min);
        }
    }
    return out;
}

[[nodiscard]] inline std::uint32_t load_four(const std::int8_t* codes) noexcept {
    std::uint32_t four;
    std::memcpy(&four, codes, 4);
    return four;
}

/// 32 codes into lane `lane` of a record.
template <class Panel>
inline void put_codes(const std::int8_t* codes, std::byte* record, std::size_t lane) noexcept {
    if constexpr(Panel::bits != 8) {
        constexpr std::uint32_t ones = 0x01010101U;
        constexpr std::uint32_t mask = ones * ((1U << Panel::bits) - 1U);
        constexpr std::uint32_t flip = ones * static_cast<std::uint32_t>(-Panel::least); // adds within the bits
        for(std::size_t g = 0; g < 8; g += 2) {
            const std::uint32_t fours[2] = {(load_four(codes + 4 * g) & mask) ^ flip,
                                            (load_four(codes + 4 * g + 4) & mask) ^ flip};
            const std::uint32_t both = (fours[0] & (15U * ones)) | ((fours[1] & (15U * ones)) << 4);
            std::memcpy(record + 32 * g + 4 * lane, &both, 4);
            for(std::size_t p = 0; p < Panel::planes; ++p) {
                for(std::size_t i = 0; i < 2; ++i) {
                    const std::uint32_t bits = (fours[i] >> (4 + p)) & ones;
                    const std::uint32_t packed = (bits | (bits >> 7) | (bits >> 14) | (bits >> 21)) & 15U;
                    std::byte& to = record[Panel::plane_offset(p, g + i) + lane / 2]; // two lanes share a byte
                    const unsigned kept = std::to_integer<unsigned>(to) & (lane % 2 == 0 ? 0xf0U : 0x0fU);
                    to = static_cast<std::byte>(kept | (packed << (4 * (lane % 2))));
                }
            }
        }
    } else {
        for(std::size_t g = 0; g < 8; ++g) {
            const std::uint32_t four = load_four(codes + 4 * g) ^ 0x80808080U;
            std::memcpy(record + 64 * g + 4 * lane, &four, 4);
        }
    }
}

/// The inverse of put_codes.
template <class Panel>
inline void get_codes(const std::byte* record, std::size_t lane, std::int8_t* codes) noexcept {
    for(std::size_t k = 0; k < 32; ++k) {
        const std::size_t g = k / 4;
        if constexpr(Panel::bits != 8) {
            const std::size_t at = 4 * lane + k % 4;
            unsigned code = (std::to_integer<unsigned>(record[64 * (g / 2) + at]) >> (4 * (g % 2))) & 15U;
            for(std::size_t p = 0; p < Panel::planes; ++p) {
                const auto bits = std::to_integer<unsigned>(record[Panel::plane_offset(p, g) + at / 8]);
                code |= ((bits >> (at % 8)) & 1U) << (4 + p);
            }
            codes[k] = static_cast<std::int8_t>(static_cast<int>(code) + Panel::least);
        } else {
            const auto code = static_cast<unsigned>(record[64 * g + 4 * lane + k % 4]);
            codes[k] = static_cast<std::int8_t>(static_cast<int>(code) - Panel::zero);
        }
    }
}

template <class T>
inline void put(std::byte* at, std::size_t index, T value) noexcept {
    std::memcpy(at + index * sizeof(T), &value, sizeof(T));
}

template <class T>
[[nodiscard]] inline T get(const std::byte* at, std::size_t index) noexcept {
    T value;
    std::memcpy(&value, at + index * sizeof(T), sizeof(T));
    return value;
}

/// `count` consecutive blocks of one row into lane `lane`, from record `first` of the panel on.
/// @pre Block's panel format is Panel::format
template <class Panel, class Block>
void pack_blocks(const std::byte* from, std::size_t count, std::byte* panel, std::size_t first,
                 std::size_t lane) noexcept {
    constexpr std::size_t records = Block::size / 32;
    std::array<std::int8_t, Block::size> codes;
    std::array<float, Block::size / 16> scales;
    std::array<float, Block::size / 16> mins;
    for(std::size_t i = 0; i < count; ++i) {
        const Block block = quant::load_block<Block>(from + i * sizeof(Block));
        decode_codes(block, codes.data(), scales.data(), mins.data());
        super_scales super{};
        if constexpr(Panel::kind == scale_kind::super) {
            super = read_super_scales(block);
            std::byte* const header = panel + Panel::offset(first + i * records) - Panel::header_bytes;
            put(header, lane, super.d);
            if constexpr(Panel::has_min) {
                put(header, panel_rows + lane, f16::from_bits(static_cast<std::uint16_t>(super.dmin.bits ^ 0x8000U)));
            }
        }
        for(std::size_t b = 0; b < records; ++b) {
            std::byte* const record = panel + Panel::offset(first + i * records + b);
            put_codes<Panel>(codes.data() + 32 * b, record, lane);
            std::byte* const to = record + Panel::code_bytes;
            for(std::size_t s = 0; s < Panel::per_block; ++s) {
                const std::size_t index = s * panel_rows + lane;
                const std::size_t group = 2 * b + s; // of 16 elements
                constexpr std::size_t mins_at = Panel::scale_bytes / Panel::scale_size;
                if constexpr(Panel::kind == scale_kind::super) {
                    const std::size_t g = Panel::per_block * b + s;
                    put(to, index, super.factors[g]);
                    if constexpr(Panel::has_min) {
                        put(to, mins_at + index, super.min_factors[g]);
                    }
                } else {
                    using stored = std::conditional_t<Panel::kind == scale_kind::half, f16, float>;
                    put(to, index, stored(scales[group])); // exact: it was a half in the file
                    if constexpr(Panel::has_min) {
                        put(to, mins_at + index, stored(-mins[group]));
                    }
                }
            }
        }
    }
}

/// Scale and offset of lane `lane` for half s of record b: value = scale * code + offset.
template <class Panel>
[[nodiscard]] inline std::array<float, 2> get_scale(const std::byte* panel, std::size_t b, std::size_t s,
                                                    std::size_t lane) noexcept {
    const std::byte* const from = panel + Panel::offset(b) + Panel::code_bytes;
    const std::size_t index = s * panel_rows + lane;
    constexpr std::size_t mins_at = Panel::scale_bytes / Panel::scale_size;
    if constexpr(Panel::kind == scale_kind::super) {
        const std::byte* const header = panel + b / Panel::group * Panel::group_bytes;
        const float scale = get<f16>(header, lane) * static_cast<float>(get<std::int8_t>(from, index));
        if constexpr(Panel::has_min) {
            return {scale,
                    get<f16>(header, panel_rows + lane) * static_cast<float>(get<std::int8_t>(from, mins_at + index))};
        } else {
            return {scale, 0.0F};
        }
    } else {
        using stored = std::conditional_t<Panel::kind == scale_kind::half, f16, float>;
        return {get<stored>(from, index), Panel::has_min ? float{get<stored>(from, mins_at + index)} : 0.0F};
    }
}

/// Columns 32 b … 32 b + 31 of one row, as the file's format decodes them.
template <class Panel>
void unpack_block(const std::byte* panel, std::size_t b, std::size_t lane, float* out) noexcept {
    std::array<std::int8_t, 32> codes;
    get_codes<Panel>(panel + Panel::offset(b), lane, codes.data());
    constexpr std::size_t count = 32 / Panel::per_block;
    for(std::size_t s = 0; s < Panel::per_block; ++s) {
        const auto [scale, offset] = get_scale<Panel>(panel, b, s, lane);
        for(std::size_t k = s * count; k < (s + 1) * count; ++k) {
            if constexpr(Panel::has_min) {
                out[k] = scale * static_cast<float>(codes[k]) + offset;
            } else {
                out[k] = scale * static_cast<float>(codes[k]);
            }
        }
    }
}

/// Columns [begin, end) of one row of a block format (its bytes from column 0 on) into lane `lane` of a panel whose
/// record 0 holds column `begin`. Both are multiples of 256, or `end` is the number of columns.
inline void pack_codes(dtype type, const std::byte* row, std::size_t begin, std::size_t end, std::byte* panel,
                       std::size_t lane) {
    quant::visit_block(type, [&]<class Block>() {
        using panel_type = panel_of<panel_format_of(Block::type)>;
        pack_blocks<panel_type, Block>(row + begin / Block::size * sizeof(Block), (end - begin) / Block::size, panel, 0,
                                       lane);
    });
}

/// Columns [begin, end) of one row of plain numbers into lane `lane` of a panel whose row 0 holds column `begin`.
/// The panel's element must hold every number exactly, except that f64 is rounded to f32.
template <class From, class To>
inline void pack_numbers(const std::byte* row, std::size_t begin, std::size_t end, To* panel,
                         std::size_t lane) noexcept {
    for(std::size_t k = begin; k < end; ++k) {
        const From value = get<From>(row, k);
        if constexpr(std::is_same_v<From, To>) {
            panel[(k - begin) * panel_rows + lane] = value;
        } else {
            panel[(k - begin) * panel_rows + lane] = To(static_cast<float>(value));
        }
    }
}

/// The same into a panel of pairs, rounded.
template <class From>
inline void pack_pairs(const std::byte* row, std::size_t begin, std::size_t end, bf16* panel,
                       std::size_t lane) noexcept {
    for(std::size_t k = begin; k < end; ++k) {
        const From value = get<From>(row, k);
        if constexpr(std::is_same_v<From, bf16>) {
            panel[pair_index(k - begin, lane)] = value;
        } else {
            panel[pair_index(k - begin, lane)] = bf16(static_cast<float>(value));
        }
    }
    if((end - begin) % 2 != 0) {
        panel[pair_index(end - begin, lane)] = bf16(0.0F);
    }
}

/// Any plain type to pairs.
inline void pack_pairs(dtype type, const std::byte* row, std::size_t begin, std::size_t end, std::byte* panel,
                       std::size_t lane) noexcept {
    auto* const to = reinterpret_cast<bf16*>(panel);
    switch(type) {
    case dtype::f64:
        return pack_pairs<double>(row, begin, end, to, lane);
    case dtype::f16:
        return pack_pairs<f16>(row, begin, end, to, lane);
    case dtype::f8_e4m3:
        return pack_pairs<f8_e4m3>(row, begin, end, to, lane);
    case dtype::f8_e5m2:
        return pack_pairs<f8_e5m2>(row, begin, end, to, lane);
    case dtype::bf16:
        return pack_pairs<bf16>(row, begin, end, to, lane);
    default:
        return pack_pairs<float>(row, begin, end, to, lane);
    }
}

/// The same into a panel of parts: the upper half of the bits of what is left, three times. An infinity's parts are
/// infinite and NaN, so that its products are NaN.
template <class From>
inline void pack_parts(const std::byte* row, std::size_t begin, std::size_t end, bf16* panel,
                       std::size_t lane) noexcept {
    for(std::size_t k = 0; k < (end - begin + 31) / 32 * 32; ++k) {
        float left = begin + k < end ? static_cast<float>(get<From>(row, begin + k)) : 0.0F;
        for(std::size_t part = 0; part < 3; ++part) {
            const auto upper = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(left) >> 16);
            panel[part_index(part, k, lane)] = bf16::from_bits(upper);
            left -= float{bf16::from_bits(upper)};
        }
    }
}

/// Any plain type to the element of its panel format.
inline void pack_floats(dtype type, const std::byte* row, std::size_t begin, std::size_t end, std::byte* panel,
                        std::size_t lane) noexcept {
    switch(type) {
    case dtype::f64:
        return pack_numbers<double>(row, begin, end, reinterpret_cast<float*>(panel), lane);
    case dtype::f16:
        return pack_numbers<f16>(row, begin, end, reinterpret_cast<f16*>(panel), lane);
    case dtype::f8_e4m3:
        return pack_numbers<f8_e4m3>(row, begin, end, reinterpret_cast<f16*>(panel), lane);
    case dtype::f8_e5m2:
        return pack_numbers<f8_e5m2>(row, begin, end, reinterpret_cast<f16*>(panel), lane);
    case dtype::bf16:
        return pack_numbers<bf16>(row, begin, end, reinterpret_cast<bf16*>(panel), lane);
    default:
        return pack_numbers<float>(row, begin, end, reinterpret_cast<float*>(panel), lane);
    }
}

TOKENWORKS_FUNCTION void pack_row(dtype type, const std::byte* row, std::size_t begin, std::size_t end,
                                  std::byte* panel, std::size_t lane, matmul_precision precision) {
    const panel_format format = panel_format_of(type, precision);
    if(has_codes(format)) {
        pack_codes(type, row, begin, end, panel, lane);
    } else if(format == panel_format::bf16_pairs) {
        pack_pairs(type, row, begin, end, panel, lane);
    } else if(format == panel_format::f32_parts) {
        auto* const to = reinterpret_cast<bf16*>(panel);
        if(type == dtype::f64) {
            pack_parts<double>(row, begin, end, to, lane);
        } else {
            pack_parts<float>(row, begin, end, to, lane);
        }
    } else {
        pack_floats(type, row, begin, end, panel, lane);
    }
}

TOKENWORKS_FUNCTION void unpack_row(panel_format format, const std::byte* panel, std::size_t lane,
                                    std::span<float> out) {
    if(has_codes(format)) {
        visit_panel(format, [&]<class Panel>() {
            for(std::size_t b = 0; b < out.size() / 32; ++b) {
                unpack_block<Panel>(panel, b, lane, out.data() + 32 * b);
            }
        });
        return;
    }
    for(std::size_t k = 0; k < out.size(); ++k) {
        const std::size_t index = k * panel_rows + lane;
        out[k] = format == panel_format::f32_parts    ? joined_parts(panel, k, lane)
                 : format == panel_format::f32        ? get<float>(panel, index)
                 : format == panel_format::f16        ? float{get<f16>(panel, index)}
                 : format == panel_format::bf16_pairs ? float{get<bf16>(panel, pair_index(k, lane))}
                                                      : float{get<bf16>(panel, index)};
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail
