// How a model's weights are loaded, and what became of it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/kernels/panel_format.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels {
class packed_matrix;
}

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// Weights of linear layers by the names that blocks ask for.
using named_matrices = std::vector<std::pair<std::string, const kernels::packed_matrix*>>;

class packed_cache;
class weight_source;
struct adapter_names;
struct model_config;

/// Called with the bytes of weights packed so far; false cancels the load.
using load_progress = std::function<bool(std::uint64_t bytes_done)>;

/// Other weights in place of those of a file: quantised ones (models/quantization.hpp), or with an adapter merged.
struct weight_transform {
    /// What it makes looks at the source, and may run on a team; both outlive it.
    std::function<std::unique_ptr<weight_source>(const weight_source&, const model_config&, const execution&)> apply;
    std::uint64_t identity = 0; ///< differs where weights do that it makes of the same ones; for packed caches
    /// Where set, in place of both: makes them once it is known how adapters call the model's matrices.
    std::function<weight_transform(const adapter_names&)> bind{};
};

/// The transforms of a model whose matrices adapters call so.
[[nodiscard]] inline std::vector<weight_transform> bound_transforms(std::vector<weight_transform> transforms,
                                                                    const adapter_names& names) {
    for(weight_transform& each: transforms) {
        if(each.bind) {
            each = weight_transform{each.bind(names)};
        }
    }
    return transforms;
}

struct weight_loading {
    load_progress progress{};
    packed_cache* cache = nullptr; ///< where packed weights are looked for first; finish() is for who owns it
    kernels::matmul_precision precision = kernels::matmul_precision::highest;
};

/// What became of a packed cache.
struct packed_cache_report {
    enum class outcome {
        none,        ///< no cache was asked for
        read,        ///< all packed weights came from it
        written,     ///< weights were packed and the cache written; `reason` tells why the old one did not serve
        not_written, ///< weights were packed, and the cache could not be written; `reason` tells why
    };
    outcome what = outcome::none;
    std::string reason{};
};

} // namespace tokenworks::inline TOKENWORKS_ABI::models
