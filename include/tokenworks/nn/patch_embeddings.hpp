// What a model makes of an image before its first layer: a row for each patch, and one before them for the whole.
//
// A convolution that steps by its own size is one product: a patch is a row of its values, a filter a row of weights.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/embedding.hpp>
#include <tokenworks/nn/linear.hpp>
#include <tokenworks/nn/norm.hpp>

#if TOKENWORKS_DEFINITIONS
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>

#include <tokenworks/core/arena.hpp>
#include <tokenworks/kernels/elementwise.hpp>
#include <tokenworks/nn/activations.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::nn {

/// [N,K,H,W]: images of K channels.
using images = view<const float, dyn, dyn, dyn, dyn>;

/// x[0] = first + positions[0], x[1 + p] = projection(patch p) + positions[1 + p], normalised where the model does so.
/// Patches go row by row. Dosovitskiy et al., "An Image is Worth 16x16 Words", 2021.
struct patch_embeddings {
    linear projection;        ///< [C, K*h*w]
    std::vector<float> first; ///< [C]
    embedding positions;      ///< [1+P, C]
    std::size_t patch_height = 0;
    std::size_t patch_width = 0;
    std::optional<norm> after{};

    /// Bytes of weights.
    [[nodiscard]] std::size_t bytes() const noexcept { return projection.bytes() + positions.bytes(); }

    /// @param from  [N,K,H,W] with P patches each   @param x  [N*(1+P), C], image after image
    void operator()(context& c, images from, rows x) const;

private:
    void cut(context& c, images from, rows patches) const;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION void patch_embeddings::operator()(context& c, images from, rows x) const {
    const arena::scope scratch{c.scratch};
    const std::size_t count = from.extent(0);
    const std::size_t per_image = from.extent(2) / patch_height * (from.extent(3) / patch_width);
    const rows patches = c.scratch_rows(count * per_image, projection.in_width());
    cut(c, from, patches);
    const rows projected = c.scratch_rows(count * per_image, x.extent(1));
    projection(c, activations{c, patches}, projected);

    const std::span<std::int32_t> ids = c.scratch.take<std::int32_t>(1 + per_image);
    std::iota(ids.begin(), ids.end(), 0);
    const rows places = c.scratch_rows(ids.size(), x.extent(1));
    positions(c, ids, places, 1.0F);
    for(std::size_t n = 0; n < count; ++n) {
        const std::size_t row = n * (1 + per_image);
        std::ranges::copy(first, x.row(row).data());
        std::ranges::copy(projected.slice(n * per_image, per_image).as_span(), x.row(row + 1).data());
        const rows own = x.slice(row, 1 + per_image);
        kernels::add(own, places, own, c.how);
    }
    if(after) {
        (*after)(c, x, x);
    }
}

/// Channel after channel, row after row.
TOKENWORKS_FUNCTION void patch_embeddings::cut(context& c, images from, rows patches) const {
    const std::size_t channels = from.extent(1);
    const std::size_t across = from.extent(3) / patch_width;
    const std::size_t per_image = from.extent(2) / patch_height * across;
    parallel_for(c.how, patches.extent(0), 4, [&](work_range range) {
        for(std::size_t i = range.begin; i < range.end; ++i) {
            const std::size_t top = i % per_image / across * patch_height;
            const std::size_t left = i % across * patch_width;
            float* to = patches.row(i).data();
            for(std::size_t k = 0; k < channels; ++k) {
                for(std::size_t y = 0; y < patch_height; ++y, to += patch_width) {
                    const float* const line = &from(i / per_image, k, top + y, left);
                    std::copy_n(line, patch_width, to);
                }
            }
        }
    });
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::nn
