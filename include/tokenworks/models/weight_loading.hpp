// How a model's weights are loaded, and what became of it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <tokenworks/config.hpp>
#include <tokenworks/kernels/panel_format.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

class packed_cache;

/// Called with the bytes of weights packed so far; false cancels the load.
using load_progress = std::function<bool(std::uint64_t bytes_done)>;

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
