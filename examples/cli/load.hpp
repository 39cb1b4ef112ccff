// Loads the model that the common options name, with a progress bar.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/models/decoder.hpp>
#include <tokenworks/models/encoder.hpp>
#include <tokenworks/models/encoder_decoder.hpp>
#include <tokenworks/models/model_folder.hpp>
#include <tokenworks/runtime/load_text_model.hpp>
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

/// What the common options say of loading.
/// @param bar  must outlive what is returned
[[nodiscard]] inline tw::load_options load_options(const common_options& options, progress_bar& bar) {
    tw::load_options load;
    load.threads = options.threads;
    load.set = chosen_isa(options);
    load.on_progress = [&](std::uint64_t done, std::uint64_t total) {
        bar(done, total);
        return true;
    };
    load.packed_cache = options.packed_cache;
    load.precision = matmul_precision(options.matmul_precision);
    return load;
}

[[nodiscard]] inline tw::text_model load_model(const common_options& options) {
    progress_bar bar{"loading"};
    const tw::load_options load = load_options(options, bar);
    tw::text_model model = tw::load_text_model(options.model, load);
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

/// A network of any kind and how to run it, without the tokenizer that a model folder need not have.
class loaded_network {
public:
    /// @param tokens  that sequences may reach
    loaded_network(const common_options& options, std::size_t tokens) {
        if(!std::filesystem::is_directory(options.model)) {
            model_.emplace(load_model(options));
            return;
        }
        const tw::models::model_folder folder = tw::models::model_folder::open(options.model);
        team_.emplace(options.threads);
        how_ = {.set = chosen_isa(options), .threads = &*team_};
        const std::uint64_t total = folder.weight_bytes();
        progress_bar bar{"loading"};
        tw::models::weight_loading loading;
        loading.progress = [&](std::uint64_t done) {
            bar(std::min(done, total), total);
            return true;
        };
        loading.precision = matmul_precision(options.matmul_precision);
        tw::models::model_config config = folder.config();
        config.rope_context = tokens;
        if(folder.encoder_config()) {
            both_.emplace(*folder.encoder_config(), std::move(config), folder.weights(), how_, loading);
        } else if(config.causal) {
            decoder_.emplace(std::move(config), folder.weights(), how_, std::move(loading));
        } else {
            encoder_.emplace(std::move(config), folder.weights(), how_, std::move(loading));
        }
    }

    /// Which kind it is: one of these is there.
    [[nodiscard]] const tw::models::decoder* decoder() const {
        return model_ ? &model_->network() : decoder_ ? &*decoder_ : nullptr;
    }
    [[nodiscard]] const tw::models::encoder* encoder() const { return encoder_ ? &*encoder_ : nullptr; }
    [[nodiscard]] const tw::models::encoder_decoder* both() const { return both_ ? &*both_ : nullptr; }

    [[nodiscard]] const tw::execution& how() const { return model_ ? model_->how() : how_; }

private:
    std::optional<tw::text_model> model_;
    std::optional<tw::thread_team> team_;
    tw::execution how_;
    std::optional<tw::models::decoder> decoder_;
    std::optional<tw::models::encoder> encoder_;
    std::optional<tw::models::encoder_decoder> both_;
};

/// What --cache-type names.
[[nodiscard]] inline tw::dtype cache_type(const std::string& name) {
    const auto found = tw::find_dtype(std::string_view{name});
    if(!found || !tw::nn::kv_cache::holds(found->type)) {
        throw usage_error("--cache-type: '" + tw::printable(name) + "' is none of " + cache_types);
    }
    return found->type;
}

} // namespace cli
