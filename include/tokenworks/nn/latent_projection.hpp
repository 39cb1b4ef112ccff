// Latent attention: queries, and keys and values together, go through a narrow middle; a part of each key, the one that
// turns with the position, is the same for all heads. DeepSeek-AI, "DeepSeek-V2", 2024.
//
// The cache keeps the keys and values of every head, as for any other attention. To keep the latents instead would take
// a tenth of the memory, and products of its own.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>

#include <tokenworks/config.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/nn/activations.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/linear.hpp>
#include <tokenworks/nn/norm.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::nn {

/// Where the rows of an attention with H heads come from, in place of products with the input itself.
/// A head's values are N that know no position, then P that turn: D = N + P.
struct latent_projection {
    std::optional<linear> query_down{}; ///< [Q,C]; without it queries come from the input
    std::optional<norm> query_norm{};
    linear latent_down; ///< [R,C]
    linear turned_key;  ///< [P,C]
    std::optional<norm> latent_norm{};
    linear key_up;   ///< [H*N,R]
    linear value_up; ///< [H*Dv,R]

    /// Bytes of weights.
    [[nodiscard]] std::size_t bytes() const noexcept {
        return (query_down ? query_down->bytes() : 0) + latent_down.bytes() + turned_key.bytes() + key_up.bytes() +
               value_up.bytes();
    }

    /// @param x      [T,C]
    /// @param query  [H*D,Q], or [H*D,C] without query_down
    /// @param q, k   [T,H*D]   @param v  [T,H*Dv]
    void operator()(context& c, const activations& x, const linear& query, rows q, rows k, rows v) const;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION void latent_projection::operator()(context& c, const activations& x, const linear& query, rows q,
                                                       rows k, rows v) const {
    const arena::scope scratch{c.scratch};
    const std::size_t count = x.values().extent(0);
    const auto narrowed = [&](const linear& down, const std::optional<norm>& layer) {
        const rows middle = c.scratch_rows(count, down.out_width());
        down(c, x, middle);
        if(layer) {
            (*layer)(c, middle, middle);
        }
        return activations{c, middle};
    };
    if(query_down) {
        query(c, narrowed(*query_down, query_norm), q);
    } else {
        query(c, x, q);
    }
    const activations latent = narrowed(latent_down, latent_norm);
    const rows plain = c.scratch_rows(count, key_up.out_width());
    const rows turned = c.scratch_rows(count, turned_key.out_width());
    key_up(c, latent, plain);
    value_up(c, latent, v);
    turned_key(c, x, turned);
    const std::size_t p = turned.extent(1);
    const std::size_t heads = (k.extent(1) - plain.extent(1)) / p;
    const std::size_t n = plain.extent(1) / heads;
    parallel_for(c.how, count, 16, [&](work_range range) {
        for(std::size_t t = range.begin; t < range.end; ++t) {
            for(std::size_t h = 0; h < heads; ++h) {
                float* const key = k.row(t).data() + h * (n + p);
                std::copy_n(plain.row(t).data() + h * n, n, key);
                std::copy_n(turned.row(t).data(), p, key + n);
            }
        }
    });
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::nn
