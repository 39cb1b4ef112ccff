// How packed weights lie in memory: panels of 16 rows, made for instructions that multiply 4 x 16 bytes at once.
//
// A panel of integer codes is one stream of records, one per 32 columns: first the codes, [8 groups of 4 columns]
// [16 rows][4 columns] as unsigned bytes code + zero, or two groups in one vector as low and high nibbles; codes of 5
// and 6 bits are nibbles with a plane or two of 64 bits a group behind them, the higher bits of those bytes. Behind the
// codes lie the scales of the 16 rows, then their minimums, negated. "Super" scales are an int8 factor times a half per
// 256 columns, which stands in front of 8 records: what the K formats store, at their size, and the same product in
// float32. A panel of floats is [K][16 rows], of pairs of bf16 [K / 2][16 rows][2], filled up with zero. A panel of
// parts has a float as the sum of three bf16, [K / 32 blocks][3 parts][16 pairs of columns][16 rows][2]: tiles as AMX
// reads them.
//
// A lane is a row, so sums need no horizontal additions, and a matrix is read front to back.
#pragma once

#include <cstddef>
#include <cstdint>

#include <tokenworks/config.hpp>
#include <tokenworks/core/cpu.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/quant/codes.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels {

/// Packed bytes may be kept in files. Raise this with every change of the panels, of pack.hpp or of panel_format_of
/// that gives other bytes for the same weights: files of another version are packed anew. The bytes do not depend on
/// the instruction set.
inline constexpr std::uint32_t packing_version = 1;

/// The layouts that a packed matrix can have.
enum class panel_format : std::uint8_t {
    f32,
    f16,
    bf16,
    bf16_pairs,       ///< what weights of floating point become where the precision is medium
    f32_parts,        ///< what weights of float32 become where the precision is bf16_x6
    nibble_half,      ///< Q4_0
    nibble_half_min,  ///< Q4_1
    nibble_super_min, ///< Q4_K
    five_half,        ///< Q5_0
    five_half_min,    ///< Q5_1
    five_super_min,   ///< Q5_K
    six16_super,      ///< Q6_K, Q3_K
    byte_half,        ///< Q8_0, IQ4_NL, TQ
    byte_single,      ///< formats with other scales per 32 or more: IQ4_XS, IQ3, IQ2_XXS, IQ1_S, MXFP4
    byte16_super_min, ///< Q2_K
    byte16_single,    ///< IQ2_XS, IQ2_S, IQ1_M, NVFP4
};

/// Whether activations must be quantised for a product with this format.
[[nodiscard]] constexpr bool has_codes(panel_format format) noexcept { return format > panel_format::f32_parts; }

/// How exactly weights of floating point are multiplied; quantised ones are not concerned.
enum class matmul_precision : std::uint8_t {
    highest, ///< weights and activations as they are, sums in float
    medium,  ///< both rounded to bf16, sums in float: as PyTorch's float32_matmul_precision of that name; faster
    /// float32 as sums of three bf16 each, of whose nine products the largest six are added, in float: as exact as
    /// `highest` but for 2^-21 of a product, and faster where there are tiles and many rows. XLA calls it
    /// BF16_BF16_F32_X6. Other weights of floating point are multiplied as in `highest`.
    bf16_x6,
};

/// How a model that always reads many rows at once multiplies best on an instruction set.
[[nodiscard]] constexpr matmul_precision precision_for_many_rows(matmul_precision wanted, isa set) noexcept {
    return wanted == matmul_precision::highest && set == isa::amx ? matmul_precision::bf16_x6 : wanted;
}

/// The same for a table of which single rows are read, and which may be a head for few rows too.
[[nodiscard]] constexpr matmul_precision precision_of_table(matmul_precision wanted) noexcept {
    return wanted == matmul_precision::bf16_x6 ? matmul_precision::highest : wanted;
}

/// The layout that a matrix of this type is packed to, without loss except for f64, which is rounded to f32, and for
/// what `medium` rounds to bf16.
/// @throws unsupported_error for types that are not weights (integers, booleans)
[[nodiscard]] constexpr panel_format panel_format_of(dtype type,
                                                     matmul_precision precision = matmul_precision::highest) {
    if(precision == matmul_precision::medium && !has_codes(panel_format_of(type))) {
        return panel_format::bf16_pairs;
    }
    if(precision == matmul_precision::bf16_x6 && (type == dtype::f32 || type == dtype::f64)) {
        return panel_format::f32_parts;
    }
    switch(type) {
    case dtype::f32:
    case dtype::f64:
        return panel_format::f32;
    case dtype::f16:
    case dtype::f8_e4m3:
    case dtype::f8_e5m2:
        return panel_format::f16;
    case dtype::bf16:
        return panel_format::bf16;
    case dtype::q4_0:
        return panel_format::nibble_half;
    case dtype::q4_1:
        return panel_format::nibble_half_min;
    case dtype::q4_k:
        return panel_format::nibble_super_min;
    case dtype::q5_0:
        return panel_format::five_half;
    case dtype::q8_0:
    case dtype::q8_1:
    case dtype::iq4_nl:
    case dtype::tq1_0:
    case dtype::tq2_0:
        return panel_format::byte_half;
    case dtype::q5_1:
        return panel_format::five_half_min;
    case dtype::q5_k:
        return panel_format::five_super_min;
    case dtype::q3_k:
    case dtype::q6_k:
        return panel_format::six16_super;
    case dtype::q2_k:
        return panel_format::byte16_super_min;
    case dtype::iq2_xs:
    case dtype::iq2_s:
    case dtype::iq1_m:
    case dtype::nvfp4:
        return panel_format::byte16_single;
    case dtype::q8_k:
    case dtype::iq1_s:
    case dtype::iq2_xxs:
    case dtype::iq3_xxs:
    case dtype::iq3_s:
    case dtype::iq4_xs:
    case dtype::mxfp4:
        return panel_format::byte_single;
    default:
        break;
    }
    tokenworks::detail::raise<unsupported_error>({"matmul: weights of type ", info(type).name});
}

namespace detail {

inline constexpr std::size_t panel_rows = 16;

/// Where column k of a lane is in a panel of pairs, in elements.
[[nodiscard]] constexpr std::size_t pair_index(std::size_t k, std::size_t lane) noexcept {
    return 2 * (k / 2 * panel_rows + lane) + k % 2;
}

/// Where part 0, 1 or 2 of column k of a lane is in a panel of parts, in elements.
[[nodiscard]] constexpr std::size_t part_index(std::size_t part, std::size_t k, std::size_t lane) noexcept {
    return (k / 32 * 3 + part) * 32 * panel_rows + pair_index(k % 32, lane);
}

enum class scale_kind : std::uint8_t { half, single, super };

/// One layout of integer codes, as constants.
///   value[row][k] = scale * (code - Zero) + offset,   offset = -min
template <panel_format Format, int Bits, int Zero, scale_kind Kind, int PerBlock, bool HasMin>
struct code_panel {
    static constexpr panel_format format = Format;
    static constexpr int bits = Bits;
    static constexpr int zero = Zero;
    static constexpr scale_kind kind = Kind;
    static constexpr int per_block = PerBlock; ///< scales of 32 columns: 1, or 2 for 16 each
    static constexpr bool has_min = HasMin;

    static constexpr int planes = Bits == 8 ? 0 : Bits - 4; ///< of higher bits
    /// What codes below 8 bits count from. (Those of 5 and 6 bits become the bytes of the 8-bit formats in a register.)
    static constexpr int least = HasMin ? 0 : -(1 << (Bits - 1));

    static constexpr std::size_t code_bytes = 64 * Bits;
    static constexpr std::size_t scale_size = Kind == scale_kind::half ? 2 : Kind == scale_kind::single ? 4 : 1;
    static constexpr std::size_t scale_bytes = panel_rows * PerBlock * scale_size;
    static constexpr std::size_t record_bytes = code_bytes + scale_bytes * (HasMin ? 2 : 1);
    static constexpr std::size_t group = Kind == scale_kind::super ? 8 : 1; ///< records behind one header
    static constexpr std::size_t header_bytes = Kind == scale_kind::super ? 2 * panel_rows * (HasMin ? 2 : 1) : 0;
    static constexpr std::size_t group_bytes = header_bytes + group * record_bytes;

    /// Where the bits of plane p of column group g are in a record: those of the group's 64 bytes in turn.
    [[nodiscard]] static constexpr std::size_t plane_offset(std::size_t p, std::size_t g) noexcept {
        return 256 + 64 * p + 8 * g;
    }

    /// Bytes of that many records; a multiple of `group`.
    [[nodiscard]] static constexpr std::size_t bytes(std::size_t blocks) noexcept {
        return blocks / group * group_bytes;
    }
    /// Where record b starts in its panel.
    [[nodiscard]] static constexpr std::size_t offset(std::size_t b) noexcept {
        return b / group * group_bytes + header_bytes + b % group * record_bytes;
    }
};

/// Asks for a record that the loop over a panel comes to a few steps later: a core's own prefetcher alone gets a third
/// to a half of the memory's speed when one token passes over weights.
template <class Panel>
TOKENWORKS_INLINE void prefetch_record(const std::byte* record) noexcept {
    constexpr std::size_t ahead = 3072;
    TOKENWORKS_UNROLL(10)
    for(std::size_t line = 0; line < Panel::record_bytes; line += 64) {
        __builtin_prefetch(record + ahead + line);
    }
}

template <panel_format Format>
struct find_panel;
template <>
struct find_panel<panel_format::nibble_half> {
    using type = code_panel<panel_format::nibble_half, 4, 8, scale_kind::half, 1, false>;
};
template <>
struct find_panel<panel_format::nibble_half_min> {
    using type = code_panel<panel_format::nibble_half_min, 4, 0, scale_kind::half, 1, true>;
};
template <>
struct find_panel<panel_format::nibble_super_min> {
    using type = code_panel<panel_format::nibble_super_min, 4, 0, scale_kind::super, 1, true>;
};
template <>
struct find_panel<panel_format::byte_half> {
    using type = code_panel<panel_format::byte_half, 8, 128, scale_kind::half, 1, false>;
};
template <>
struct find_panel<panel_format::five_half> {
    using type = code_panel<panel_format::five_half, 5, 128, scale_kind::half, 1, false>;
};
template <>
struct find_panel<panel_format::five_half_min> {
    using type = code_panel<panel_format::five_half_min, 5, 128, scale_kind::half, 1, true>;
};
template <>
struct find_panel<panel_format::five_super_min> {
    using type = code_panel<panel_format::five_super_min, 5, 128, scale_kind::super, 1, true>;
};
template <>
struct find_panel<panel_format::byte_single> {
    using type = code_panel<panel_format::byte_single, 8, 128, scale_kind::single, 1, false>;
};
template <>
struct find_panel<panel_format::six16_super> {
    using type = code_panel<panel_format::six16_super, 6, 128, scale_kind::super, 2, false>;
};
template <>
struct find_panel<panel_format::byte16_super_min> {
    using type = code_panel<panel_format::byte16_super_min, 8, 128, scale_kind::super, 2, true>;
};
template <>
struct find_panel<panel_format::byte16_single> {
    using type = code_panel<panel_format::byte16_single, 8, 128, scale_kind::single, 2, false>;
};

template <panel_format Format>
using panel_of = typename find_panel<Format>::type;

/// Calls f.template operator()<code_panel<...>>() for a format with codes.
/// @pre has_codes(format)
template <class F>
decltype(auto) visit_panel(panel_format format, F&& f) {
    using enum panel_format;
    switch(format) {
    case nibble_half:
        return f.template operator()<panel_of<nibble_half>>();
    case nibble_half_min:
        return f.template operator()<panel_of<nibble_half_min>>();
    case nibble_super_min:
        return f.template operator()<panel_of<nibble_super_min>>();
    case byte_half:
        return f.template operator()<panel_of<byte_half>>();
    case five_half:
        return f.template operator()<panel_of<five_half>>();
    case five_half_min:
        return f.template operator()<panel_of<five_half_min>>();
    case five_super_min:
        return f.template operator()<panel_of<five_super_min>>();
    case six16_super:
        return f.template operator()<panel_of<six16_super>>();
    case byte16_super_min:
        return f.template operator()<panel_of<byte16_super_min>>();
    case byte16_single:
        return f.template operator()<panel_of<byte16_single>>();
    default:
        return f.template operator()<panel_of<byte_single>>();
    }
}

/// Bytes of that many records of a panel with codes; a multiple of the format's group, or all of the panel's.
[[nodiscard]] inline std::size_t record_bytes(panel_format format, std::size_t blocks) noexcept {
    return visit_panel(format, [&]<class Panel>() { return Panel::bytes(blocks); });
}

/// Bytes of one panel of K columns.
[[nodiscard]] inline std::size_t panel_bytes(panel_format format, std::size_t columns) noexcept {
    if(has_codes(format)) {
        return record_bytes(format, (columns + 31) / 32);
    }
    if(format == panel_format::bf16_pairs) {
        return panel_rows * (columns + columns % 2) * 2;
    }
    if(format == panel_format::f32_parts) {
        return panel_rows * ((columns + 31) / 32 * 32) * 3 * 2;
    }
    return panel_rows * columns * (format == panel_format::f32 ? 4 : 2);
}

} // namespace detail

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels
