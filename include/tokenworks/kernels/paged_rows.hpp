// Keys and values of one sequence in pages of 64 tokens, each anywhere in memory.
//
// In a page keys lie as in key_blocks, [G][D][64], and values as [G][64][Dv] rows. Attention takes 64 keys at a time
// that begin at a multiple of 64, so it asks where a page lies once for each of these; the bits are those of a cache in
// one piece.
#pragma once

#include <cstddef>
#include <span>

#include <tokenworks/config.hpp>
#include <tokenworks/kernels/key_blocks.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels {

inline constexpr std::size_t page_tokens = key_blocks<float>::step;

namespace detail {

/// Rows of all heads, of elements T, which begin at `offset` bytes in each page.
template <class T>
struct paged_rows {
    static_assert(attention_storage<T>, "tokenworks: pages are of float, f16, bf16, quant::q8_0 or quant::q4_0");

    std::span<const std::byte* const> pages{};
    std::size_t offset = 0;
    std::size_t groups = 0; ///< G
    std::size_t width = 0;  ///< D
    std::size_t count = 0;  ///< S, of which the pages hold as many at least
};

} // namespace detail

/// T is float, f16, bf16, quant::q8_0 or quant::q4_0.
template <class T>
struct paged_keys: detail::paged_rows<T> {};
template <class T>
struct paged_values: detail::paged_rows<T> {};

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels
