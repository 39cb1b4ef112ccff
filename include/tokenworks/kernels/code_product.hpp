// Panels of integer codes times quantised activations: the inner loops of every quantised product.
//
//   acc[t][row] += sum over blocks b of   float(sum_k code[row][k] * y[t][k]) * (scale[row] * d[t])
//                                         + offset[row] * (d[t] * sum_k y[t][k])
// The integer sums are exact, so every instruction set and every way of cutting the work gives the same ones. Each
// output has one float accumulator, which takes the blocks in order, a block's halves in order, and first the product,
// then the offset, each by one fused multiply-add: the bits depend on the row, the block sequence and the instruction
// set alone (the portable form rounds twice where the machine has no fused instruction).
//
// The zero point of the codes costs nothing: the integer accumulator starts at -zero * sum_k y. Weights are the
// unsigned operand, since the dot product instructions of x86 want one unsigned.
#pragma once

#include <cstddef>
#include <cstdint>

#include <tokenworks/config.hpp>
#include <tokenworks/core/cpu.hpp>
#include <tokenworks/core/simd.hpp>
#include <tokenworks/kernels/panel_format.hpp>
#include <tokenworks/kernels/quantize_activations.hpp>

#if TOKENWORKS_DEFINITIONS
#include <tokenworks/kernels/code_product_amx.hpp>
#include <tokenworks/kernels/code_product_neon.hpp>
#include <tokenworks/kernels/code_product_portable.hpp>
#include <tokenworks/kernels/code_product_x86.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail {

/// Adds `blocks` blocks of a panel times `tokens` quantised rows to acc [tokens][16].
/// @param y  blocks [blocks][tokens]
using code_function = void (*)(const std::byte* panel, std::size_t blocks, const quantized_block* y, std::size_t tokens,
                               float* acc) noexcept;

/// The inner loop for a format with codes on an instruction set.
/// @pre is_supported(set)
[[nodiscard]] TOKENWORKS_FUNCTION code_function select_code_product(panel_format format, isa set) noexcept;

/// The inner loop for tiles of so many tokens, at most 16. Where the processor has registers for whole tiles, and they
/// are faster for that many, it shapes them, and gives them back at its end; the bits are the same.
class tile_product {
public:
    /// @pre is_supported(set)
    TOKENWORKS_FUNCTION tile_product(panel_format format, isa set, std::size_t tokens) noexcept;
    tile_product(const tile_product&) = delete;
    tile_product& operator=(const tile_product&) = delete;
    TOKENWORKS_FUNCTION ~tile_product();

    /// As a code_function does it.
    void operator()(const std::byte* panel, std::size_t blocks, const quantized_block* y, float* acc) const noexcept {
        run_(panel, blocks, y, tokens_, acc);
    }

private:
    code_function run_;
    std::size_t tokens_;
    bool has_tiles_ = false;
};

#if TOKENWORKS_DEFINITIONS

template <class Panel>
[[nodiscard]] code_function select_code_product(isa set) noexcept {
    switch(set) {
#if TOKENWORKS_X86
    case isa::amx:
    case isa::avx512:
        return &code_product_avx512<Panel>;
    case isa::avx2:
#if TOKENWORKS_ANY_X86_ASSEMBLY
        if(tokenworks::detail::this_processor().avx_vnni) {
            return &code_product_avx2<Panel, dot_at_once>;
        }
#endif
        return &code_product_avx2<Panel, dot_by_pairs>;
#elif TOKENWORKS_ARM64
    case isa::neon:
        return &code_product_neon<Panel>;
#endif
    default:
        return &code_product_portable<Panel, simd::portable<>>;
    }
}

TOKENWORKS_FUNCTION code_function select_code_product(panel_format format, isa set) noexcept {
    return visit_panel(format, [&]<class Panel>() { return select_code_product<Panel>(set); });
}

TOKENWORKS_FUNCTION tile_product::tile_product(panel_format format, isa set, std::size_t tokens) noexcept
    : run_{select_code_product(format, set)}, tokens_{tokens} {
#if TOKENWORKS_X86
    if(set == isa::amx) {
        visit_panel(format, [&]<class Panel>() {
            if(tokens >= least_tile_tokens<Panel>) {
                run_ = &code_product_amx<Panel>;
                has_tiles_ = true;
            }
        });
    }
    if(has_tiles_) {
        shape_code_tiles(tokens);
    }
#endif
}

TOKENWORKS_FUNCTION tile_product::~tile_product() {
#if TOKENWORKS_X86
    if(has_tiles_) {
        release_tiles();
    }
#endif
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail
