// The element types a tensor can have at run time: their names, and how many elements a block of them holds.
//
// Identifiers 0 to 42 are those of the GGUF format (ggml.h, enum ggml_type); those above 1000 are our own and never
// written to a GGUF file.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI {

enum class dtype : std::uint32_t {
    f32 = 0,
    f16 = 1,
    q4_0 = 2,
    q4_1 = 3,
    q5_0 = 6,
    q5_1 = 7,
    q8_0 = 8,
    q8_1 = 9,
    q2_k = 10,
    q3_k = 11,
    q4_k = 12,
    q5_k = 13,
    q6_k = 14,
    q8_k = 15,
    iq2_xxs = 16,
    iq2_xs = 17,
    iq3_xxs = 18,
    iq1_s = 19,
    iq4_nl = 20,
    iq3_s = 21,
    iq2_s = 22,
    iq4_xs = 23,
    i8 = 24,
    i16 = 25,
    i32 = 26,
    i64 = 27,
    f64 = 28,
    iq1_m = 29,
    bf16 = 30,
    tq1_0 = 34,
    tq2_0 = 35,
    mxfp4 = 39,
    nvfp4 = 40,
    f8_e4m3 = 1001,
    f8_e5m2 = 1002,
    u8 = 1003,
    u16 = 1004,
    u32 = 1005,
    u64 = 1006,
    boolean = 1007,
};

/// What is fixed about an element type.
struct dtype_info {
    dtype type;
    std::string_view name;     ///< lower case, as in the tokenworks command line
    std::uint32_t block_size;  ///< elements a block holds; 1 for plain types
    std::uint32_t block_bytes; ///< bytes a block takes in a file
};

inline constexpr std::array dtype_table{
    dtype_info{dtype::f32, "f32", 1, 4},
    dtype_info{dtype::f16, "f16", 1, 2},
    dtype_info{dtype::q4_0, "q4_0", 32, 18},
    dtype_info{dtype::q4_1, "q4_1", 32, 20},
    dtype_info{dtype::q5_0, "q5_0", 32, 22},
    dtype_info{dtype::q5_1, "q5_1", 32, 24},
    dtype_info{dtype::q8_0, "q8_0", 32, 34},
    dtype_info{dtype::q8_1, "q8_1", 32, 36},
    dtype_info{dtype::q2_k, "q2_k", 256, 84},
    dtype_info{dtype::q3_k, "q3_k", 256, 110},
    dtype_info{dtype::q4_k, "q4_k", 256, 144},
    dtype_info{dtype::q5_k, "q5_k", 256, 176},
    dtype_info{dtype::q6_k, "q6_k", 256, 210},
    dtype_info{dtype::q8_k, "q8_k", 256, 292},
    dtype_info{dtype::iq2_xxs, "iq2_xxs", 256, 66},
    dtype_info{dtype::iq2_xs, "iq2_xs", 256, 74},
    dtype_info{dtype::iq3_xxs, "iq3_xxs", 256, 98},
    dtype_info{dtype::iq1_s, "iq1_s", 256, 50},
    dtype_info{dtype::iq4_nl, "iq4_nl", 32, 18},
    dtype_info{dtype::iq3_s, "iq3_s", 256, 110},
    dtype_info{dtype::iq2_s, "iq2_s", 256, 82},
    dtype_info{dtype::iq4_xs, "iq4_xs", 256, 136},
    dtype_info{dtype::i8, "i8", 1, 1},
    dtype_info{dtype::i16, "i16", 1, 2},
    dtype_info{dtype::i32, "i32", 1, 4},
    dtype_info{dtype::i64, "i64", 1, 8},
    dtype_info{dtype::f64, "f64", 1, 8},
    dtype_info{dtype::iq1_m, "iq1_m", 256, 56},
    dtype_info{dtype::bf16, "bf16", 1, 2},
    dtype_info{dtype::tq1_0, "tq1_0", 256, 54},
    dtype_info{dtype::tq2_0, "tq2_0", 256, 66},
    dtype_info{dtype::mxfp4, "mxfp4", 32, 17},
    dtype_info{dtype::nvfp4, "nvfp4", 64, 36},
    dtype_info{dtype::f8_e4m3, "f8_e4m3", 1, 1},
    dtype_info{dtype::f8_e5m2, "f8_e5m2", 1, 1},
    dtype_info{dtype::u8, "u8", 1, 1},
    dtype_info{dtype::u16, "u16", 1, 2},
    dtype_info{dtype::u32, "u32", 1, 4},
    dtype_info{dtype::u64, "u64", 1, 8},
    dtype_info{dtype::boolean, "bool", 1, 1},
};

/// The table's row for a type, or nothing where the number names no live type.
[[nodiscard]] constexpr std::optional<dtype_info> find_dtype(std::uint32_t id) noexcept {
    for(const dtype_info& row: dtype_table) {
        if(static_cast<std::uint32_t>(row.type) == id) {
            return row;
        }
    }
    return std::nullopt;
}

/// The type of that name (lower case), or nothing.
[[nodiscard]] constexpr std::optional<dtype_info> find_dtype(std::string_view name) noexcept {
    for(const dtype_info& row: dtype_table) {
        if(row.name == name) {
            return row;
        }
    }
    return std::nullopt;
}

/// The table's row for a type.
[[nodiscard]] constexpr dtype_info info(dtype type) noexcept {
    return find_dtype(static_cast<std::uint32_t>(type)).value_or(dtype_info{type, "unknown", 1, 1});
}

} // namespace tokenworks::inline TOKENWORKS_ABI
