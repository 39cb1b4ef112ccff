// What a model makes of ids before its first layer: rows of a table, and what is added to them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <tokenworks/config.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/embedding.hpp>
#include <tokenworks/nn/norm.hpp>

#if TOKENWORKS_DEFINITIONS
#include <tokenworks/core/arena.hpp>
#include <tokenworks/kernels/elementwise.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::nn {

/// x[t] = norm(tokens[ids[t]] * scale + positions[position of t] + types[type of t]).
struct input_embeddings {
    embedding tokens;                     ///< [V,C]
    float scale = 1;                      ///< of the tokens' rows
    std::optional<embedding> positions{}; ///< learned ones
    std::size_t first_position = 0;       ///< row of position 0
    std::optional<embedding> types{};     ///< of the parts that a text is made of; type 0 where none is given
    std::optional<norm> after{};

    /// Bytes of all tables.
    [[nodiscard]] std::size_t bytes() const noexcept {
        return tokens.bytes() + (positions ? positions->bytes() : 0) + (types ? types->bytes() : 0);
    }

    /// @param ids       [T], each in 0 … V-1; the context has the rows' positions
    /// @param type_ids  [T], or empty: 0
    /// @param x         [T,C]
    void operator()(context& c, std::span<const std::int32_t> ids, std::span<const std::int32_t> type_ids,
                    rows x) const;

private:
    void add(context& c, const embedding& table, std::span<const std::int32_t> which, rows x) const;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION void input_embeddings::operator()(context& c, std::span<const std::int32_t> ids,
                                                      std::span<const std::int32_t> type_ids, rows x) const {
    const arena::scope scratch{c.scratch};
    tokens(c, ids, x, scale);
    const auto indices = [&](std::span<const std::int32_t> from, std::int32_t shift) {
        const std::span<std::int32_t> which = c.scratch.take<std::int32_t>(ids.size());
        for(std::size_t t = 0; t < which.size(); ++t) {
            which[t] = (from.empty() ? 0 : from[t]) + shift;
        }
        return which;
    };
    if(positions) {
        add(c, *positions, indices(c.positions(), static_cast<std::int32_t>(first_position)), x);
    }
    if(types) {
        add(c, *types, indices(type_ids, 0), x);
    }
    if(after) {
        (*after)(c, x, x);
    }
}

TOKENWORKS_FUNCTION void input_embeddings::add(context& c, const embedding& table, std::span<const std::int32_t> which,
                                               rows x) const {
    const rows at = c.scratch_rows(x.extent(0), x.extent(1));
    table(c, which, at, 1.0F);
    kernels::add(x, at, x, c.how);
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::nn
