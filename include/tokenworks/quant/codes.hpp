// Every block format, and their common structural form for integer kernels and for packing:
//   value[i] = scale[i / 16] * code[i] - min[i / 16]
// with int8 codes and one float32 scale and minimum per 16 consecutive elements. Formats with larger groups repeat them
// (Block::group elements share one), formats without minimums yield zeros (Block::has_min is false).
//
// The formula gives the decoded values exactly, bit for bit, in float32 (see block.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include <tokenworks/config.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/quant/block.hpp>
#include <tokenworks/quant/fp4.hpp>
#include <tokenworks/quant/iq4_quants.hpp>
#include <tokenworks/quant/iq_quants.hpp>
#include <tokenworks/quant/k_quants.hpp>
#include <tokenworks/quant/legacy.hpp>
#include <tokenworks/quant/ternary.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::quant {

/// Whether a type is stored in blocks.
[[nodiscard]] constexpr bool is_block_format(dtype type) noexcept { return info(type).block_size > 1; }

/// Calls f.template operator()<Block>() for the block format of that type and returns what it returns.
/// @throws unsupported_error for a type that is not a block format
template <class F>
decltype(auto) visit_block(dtype type, F&& f) {
    switch(type) {
    case dtype::q4_0:
        return f.template operator()<q4_0>();
    case dtype::q4_1:
        return f.template operator()<q4_1>();
    case dtype::q5_0:
        return f.template operator()<q5_0>();
    case dtype::q5_1:
        return f.template operator()<q5_1>();
    case dtype::q8_0:
        return f.template operator()<q8_0>();
    case dtype::q8_1:
        return f.template operator()<q8_1>();
    case dtype::q2_k:
        return f.template operator()<q2_k>();
    case dtype::q3_k:
        return f.template operator()<q3_k>();
    case dtype::q4_k:
        return f.template operator()<q4_k>();
    case dtype::q5_k:
        return f.template operator()<q5_k>();
    case dtype::q6_k:
        return f.template operator()<q6_k>();
    case dtype::q8_k:
        return f.template operator()<q8_k>();
    case dtype::iq1_s:
        return f.template operator()<iq1_s>();
    case dtype::iq1_m:
        return f.template operator()<iq1_m>();
    case dtype::iq2_xxs:
        return f.template operator()<iq2_xxs>();
    case dtype::iq2_xs:
        return f.template operator()<iq2_xs>();
    case dtype::iq2_s:
        return f.template operator()<iq2_s>();
    case dtype::iq3_xxs:
        return f.template operator()<iq3_xxs>();
    case dtype::iq3_s:
        return f.template operator()<iq3_s>();
    case dtype::iq4_nl:
        return f.template operator()<iq4_nl>();
    case dtype::iq4_xs:
        return f.template operator()<iq4_xs>();
    case dtype::tq1_0:
        return f.template operator()<tq1_0>();
    case dtype::tq2_0:
        return f.template operator()<tq2_0>();
    case dtype::mxfp4:
        return f.template operator()<mxfp4>();
    case dtype::nvfp4:
        return f.template operator()<nvfp4>();
    default:
        break;
    }
    tokenworks::detail::raise<unsupported_error>({"visit_block: ", info(type).name, " is not a block format"});
}

/// One block's codes, scales and minimums, from its bytes at any address.
///   value[i] = scales16[i / 16] * codes[i] - mins16[i / 16]
/// @param block     info(type).block_bytes bytes
/// @param codes     [info(type).block_size]
/// @param scales16  [info(type).block_size / 16]     @param mins16  the same
/// @throws          unsupported_error for a type that is not a block format
inline void decode_codes(dtype type, const std::byte* block, std::int8_t* codes, float* scales16, float* mins16) {
    visit_block(type, [&]<class Block>() { decode_codes(load_block<Block>(block), codes, scales16, mins16); });
}

} // namespace tokenworks::inline TOKENWORKS_ABI::quant
