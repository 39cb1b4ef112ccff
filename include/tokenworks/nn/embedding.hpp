// An embedding table: a row for every token id.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include <tokenworks/config.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/kernels/packed_matrix.hpp>
#include <tokenworks/nn/context.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::nn {

/// Rows of a packed matrix, which a tied head multiplies by.
class embedding {
public:
    embedding() = default;
    explicit embedding(std::shared_ptr<const kernels::packed_matrix> table) : table_{std::move(table)} {}

    [[nodiscard]] const std::shared_ptr<const kernels::packed_matrix>& table() const noexcept { return table_; }
    [[nodiscard]] std::size_t bytes() const noexcept { return table_ == nullptr ? 0 : table_->bytes(); }

    /// out[t,:] = table[ids[t],:] * scale
    /// @param ids  [T], each in 0 … V-1   @param out  [T,C]
    void operator()(const context& c, std::span<const std::int32_t> ids, rows out, float scale) const;

private:
    std::shared_ptr<const kernels::packed_matrix> table_;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION void embedding::operator()(const context& c, std::span<const std::int32_t> ids, rows out,
                                               float scale) const {
    parallel_for(c.how, ids.size(), 16, [&](work_range range) {
        for(std::size_t t = range.begin; t < range.end; ++t) {
            const std::span<float> row = out.row(t).as_span();
            table_->decode_row(static_cast<std::size_t>(ids[t]), row);
            if(scale != 1) {
                for(float& value: row) {
                    value *= scale;
                }
            }
        }
    });
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::nn
