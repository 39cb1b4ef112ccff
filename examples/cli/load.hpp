// Loads the model that the common options name, with a progress bar.
#pragma once

#include <iostream>
#include <string>
#include <string_view>

#include <tokenworks/runtime/text_model.hpp>

#include "options.hpp"

namespace cli {

/// What --matmul-precision names.
[[nodiscard]] inline tw::kernels::matmul_precision matmul_precision(const std::string& name) {
    if(name != "highest" && name != "medium") {
        throw usage_error("--matmul-precision: '" + tw::printable(name) + "' is none of highest, medium");
    }
    return name == "medium" ? tw::kernels::matmul_precision::medium : tw::kernels::matmul_precision::highest;
}

[[nodiscard]] inline tw::text_model load_model(const common_options& options) {
    progress_bar bar{"loading"};
    tw::load_options load;
    load.threads = options.threads;
    load.set = chosen_isa(options);
    load.on_progress = [&](std::uint64_t done, std::uint64_t total) {
        bar(done, total);
        return true;
    };
    load.packed_cache = options.packed_cache;
    load.precision = matmul_precision(options.matmul_precision);
    tw::text_model model = tw::text_model::load(options.model, load);
    using outcome = tw::models::packed_cache_report::outcome;
    const tw::models::packed_cache_report& packed = model.packed_weights();
    if(packed.what == outcome::not_written) {
        std::cerr << "packed weights not written: " << packed.reason << '\n';
    } else if(packed.what != outcome::none) {
        std::cerr << "packed weights " << (packed.what == outcome::read ? "from " : "written to ")
                  << options.packed_cache << '\n';
    }
    return model;
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
