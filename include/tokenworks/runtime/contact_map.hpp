// Which residues of a protein touch, told from attention: ESM-2's contact head. Attention maps of all layers and heads,
// without the rows and columns of the special tokens, are made symmetric, corrected for what a row and a column have
// anyway (average product correction), and weighed by a logistic regression.
// Rao et al., "Transformer protein language models are unsupervised structure learners", 2021; transformers 5.24,
// EsmContactPredictionHead.
//
//   auto head = runtime::contact_head::of(weights, config);       // nothing where the weights have none
//   std::vector<float> map = head->contacts(c, network, ids);     // [T,T], T = ids.size() - 2
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/kernels/softmax.hpp>
#include <tokenworks/models/encoder.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/weights.hpp>
#include <tokenworks/nn/context.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

/// Turns an attention map [T,T] into one that is symmetric and without what its rows and columns have anyway:
///   s = a + transpose(a),   s[i,j] - sum_k s[i,k] * sum_k s[k,j] / sum s
/// @param map  [T,T], changed in place
inline void correct_average_product(std::span<float> map, std::size_t count) {
    std::vector<double> sums(count);
    double total = 0;
    for(std::size_t i = 0; i < count; ++i) {
        for(std::size_t j = 0; j <= i; ++j) {
            const float both = map[i * count + j] + map[j * count + i];
            map[i * count + j] = both;
            map[j * count + i] = both;
        }
    }
    for(std::size_t i = 0; i < count; ++i) {
        for(std::size_t j = 0; j < count; ++j) {
            sums[i] += static_cast<double>(map[i * count + j]);
        }
        total += sums[i];
    }
    for(std::size_t i = 0; i < count; ++i) {
        for(std::size_t j = 0; j < count; ++j) {
            const double usual = total > 0 ? sums[i] * sums[j] / total : 0;
            map[i * count + j] = static_cast<float>(static_cast<double>(map[i * count + j]) - usual);
        }
    }
}

/// Immutable.
class contact_head {
public:
    /// @return nothing where the weights have no such head
    /// @throws format_error for weights of another shape
    [[nodiscard]] static std::optional<contact_head> of(const models::weight_source& weights,
                                                        const models::model_config& config) {
        if(!weights.describe("contacts.weight")) {
            return std::nullopt;
        }
        const std::size_t maps = config.layers.size() * config.heads;
        const std::size_t extents[] = {std::size_t{1}, maps};
        contact_head made;
        made.heads_ = config.heads;
        made.kv_heads_ = config.kv_heads;
        made.weight_ = models::load_values(weights, "contacts.weight", extents);
        made.bias_ = models::load_values(weights, "contacts.bias", std::span{extents}.first(1)).front();
        return made;
    }

    /// @param ids  with a special token at either end, which the map leaves out
    /// @return [T,T], between 0 and 1
    /// @throws argument_error for fewer than three ids; as encoder::forward
    [[nodiscard]] std::vector<float> contacts(nn::context& c, const models::encoder& network,
                                              std::span<const std::int32_t> ids) const;

private:
    contact_head() = default;

    /// Adds the maps of a layer to a sum.
    /// @param q, k  [T+2,H*D]
    void add_layer(std::size_t layer, nn::const_rows q, nn::const_rows k, const execution& how,
                   std::span<float> sum) const;

    std::size_t heads_ = 0;
    std::size_t kv_heads_ = 0;
    std::vector<float> weight_{}; ///< [L*H]
    float bias_ = 0;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION void contact_head::add_layer(std::size_t layer, nn::const_rows q, nn::const_rows k,
                                                 const execution& how, std::span<float> sum) const {
    const std::size_t whole = q.extent(0);
    const std::size_t count = whole - 2;
    const std::size_t width = q.extent(1) / heads_;
    const double scale = 1 / std::sqrt(static_cast<double>(width));
    std::vector<float> scores(whole);
    std::vector<float> map(count * count);
    for(std::size_t h = 0; h < heads_; ++h) {
        const std::size_t g = h / (heads_ / kv_heads_);
        for(std::size_t i = 0; i < count; ++i) {
            for(std::size_t j = 0; j < whole; ++j) {
                double dot = 0;
                for(std::size_t d = 0; d < width; ++d) {
                    dot += static_cast<double>(q(i + 1, h * width + d)) * static_cast<double>(k(j, g * width + d));
                }
                scores[j] = static_cast<float>(dot * scale);
            }
            const view<float, dyn, dyn> row{scores.data(), std::size_t{1}, whole};
            kernels::softmax(row, row, {.set = how.set});
            std::copy(scores.begin() + 1, scores.end() - 1, map.begin() + static_cast<std::ptrdiff_t>(i * count));
        }
        correct_average_product(map, count);
        const float weight = weight_[layer * heads_ + h];
        for(std::size_t i = 0; i < map.size(); ++i) {
            sum[i] += weight * map[i];
        }
    }
}

TOKENWORKS_FUNCTION std::vector<float> contact_head::contacts(nn::context& c, const models::encoder& network,
                                                              std::span<const std::int32_t> ids) const {
    if(ids.size() < 3) {
        tokenworks::detail::raise<argument_error>({"contacts: ", ids.size(), " ids, of which two are no residues"});
    }
    const std::size_t count = ids.size() - 2;
    std::vector<float> sum(count * count, bias_);
    const auto before =
        std::exchange(c.on_attention, [&](std::size_t layer, nn::const_rows queries, nn::const_rows keys) {
            add_layer(layer, queries, keys, c.how, sum);
        });
    std::vector<float> hidden(ids.size() * network.width());
    const models::encoder_input input{ids};
    network.forward(c, std::span{&input, 1}, nn::rows{hidden.data(), ids.size(), network.width()});
    c.on_attention = before;
    for(float& each: sum) {
        each = 1 / (1 + std::exp(-each));
    }
    return sum;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
