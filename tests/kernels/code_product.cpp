#include <cstddef>
#include <vector>

#include <tokenworks/kernels/code_product.hpp>
#include <tokenworks/kernels/packed_matrix.hpp>

#include "support/catch.hpp"
#include "support/kernels.hpp"
#include "support/weights.hpp"

using namespace tokenworks;
namespace inner = tokenworks::kernels::detail;

#if TOKENWORKS_ANY_X86_ASSEMBLY

namespace {

/// AVX-VNNI's instruction as AVX-512 machines encode it, on the same registers: what those have that lack AVX-VNNI.
struct dot_at_once_evex {
    static constexpr bool at_once = true;
    static TOKENWORKS_INLINE void add(__m256i& sum, const __m256i& weights, const __m256i& four) noexcept {
        __asm__("%{evex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(weights), "x"(four));
    }
};

} // namespace

TEST_CASE("code_product: AVX2 gives the same bits with AVX-VNNI and without") {
    if(!is_supported(isa::avx512)) {
        return;
    }
    constexpr std::size_t columns = 512;
    constexpr std::size_t tokens = 7;
    for(const dtype type: support::weight_types(true)) {
        CAPTURE(info(type).name);
        const auto bytes = support::random_blocks(type, 16 * columns, 41);
        const kernels::packed_matrix w = kernels::pack(type, bytes, 16, columns);
        const std::vector<float> x = support::random_floats(tokens * columns, 42);
        std::vector<std::byte> memory(kernels::quantized_rows::bytes(tokens, columns));
        const auto rows = kernels::quantize_rows(view<const float, dyn, dyn>{x.data(), tokens, columns}, memory, {});
        inner::visit_panel(w.format(), [&]<class Panel>() {
            std::vector<float> pairs(tokens * 16);
            std::vector<float> at_once(tokens * 16);
            std::vector<float> wide(tokens * 16);
            const kernels::quantized_block* const y = rows.tile_blocks(0);
            inner::code_product_avx2<Panel, inner::dot_by_pairs>(w.panel(0), columns / 32, y, tokens, pairs.data());
            inner::code_product_avx2<Panel, dot_at_once_evex>(w.panel(0), columns / 32, y, tokens, at_once.data());
            inner::code_product_avx512<Panel>(w.panel(0), columns / 32, y, tokens, wide.data());
            CHECK(support::same_bits(pairs, at_once));
            CHECK(support::same_bits(pairs, wide));
        });
    }
}

#endif

#if TOKENWORKS_X86

TEST_CASE("code_product: tiles give the bits of AVX-512, for every format and number of tokens") {
    if(!is_supported(isa::amx)) {
        return;
    }
    constexpr std::size_t columns = 768;
    for(const dtype type: support::weight_types(true)) {
        CAPTURE(info(type).name);
        const auto bytes = support::random_blocks(type, 16 * columns, 43);
        const kernels::packed_matrix w = kernels::pack(type, bytes, 16, columns);
        for(std::size_t tokens = 1; tokens <= 16; ++tokens) {
            CAPTURE(tokens);
            const std::vector<float> x = support::random_floats(tokens * columns, 44);
            std::vector<std::byte> memory(kernels::quantized_rows::bytes(tokens, columns));
            const auto rows =
                kernels::quantize_rows(view<const float, dyn, dyn>{x.data(), tokens, columns}, memory, {});
            inner::visit_panel(w.format(), [&]<class Panel>() {
                std::vector<float> vectors(tokens * 16, 0.5F);
                std::vector<float> tiles = vectors;
                const kernels::quantized_block* const y = rows.tile_blocks(0);
                inner::code_product_avx512<Panel>(w.panel(0), columns / 32, y, tokens, vectors.data());
                inner::shape_code_tiles(tokens);
                inner::code_product_amx<Panel>(w.panel(0), columns / 32, y, tokens, tiles.data());
                inner::release_tiles();
                CHECK(support::same_bits(vectors, tiles));
            });
        }
    }
}

#endif
