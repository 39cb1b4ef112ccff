// Loads the model that the common options name, with a progress bar.
#pragma once

#include <iostream>

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
    load.packed_cache = options.packed_cache;
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

} // namespace cli
