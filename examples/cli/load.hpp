// Loads the model that the common options name, with a progress bar.
#pragma once

#include <string>
#include <string_view>

#include <tokenworks/runtime/text_model.hpp>

#include "options.hpp"

namespace cli {

[[nodiscard]] inline tw::text_model load_model(const common_options& options) {
    progress_bar bar{"loading"};
    tw::load_options load;
    load.threads = options.threads;
    load.set = chosen_isa(options);
    load.on_progress = [&](std::uint64_t done, std::uint64_t total) {
        bar(done, total);
        return true;
    };
    return tw::text_model::load(options.model, load);
}

/// What --cache-type names.
[[nodiscard]] inline tw::dtype cache_type(const std::string& name) {
    const auto found = tw::find_dtype(std::string_view{name});
    if(!found || !tw::nn::kv_cache::holds(found->type)) {
        throw usage_error("--cache-type: '" + tw::printable(name) + "' is none of " + cache_types);
    }
    return found->type;
}

} // namespace cli
