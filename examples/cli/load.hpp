// Loads the model that the common options name, with a progress bar.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <tokenworks/codec/regex.hpp>
#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/models/decoder.hpp>
#include <tokenworks/models/encoder.hpp>
#include <tokenworks/models/encoder_decoder.hpp>
#include <tokenworks/models/gguf.hpp>
#include <tokenworks/models/importance_matrix.hpp>
#include <tokenworks/models/lora.hpp>
#include <tokenworks/models/model_files.hpp>
#include <tokenworks/models/quantization.hpp>
#include <tokenworks/nn/adapter.hpp>
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

/// What TYPE or --quantize, --tensor-type and --imatrix say.
[[nodiscard]] inline tw::models::quantization quantization_of(const common_options& options, const std::string& type) {
    using tw::models::quantization;
    try {
        quantization to = quantization::named(type);
        for(const std::string& rule: options.tensor_types) {
            const std::size_t equals = rule.rfind('=');
            if(equals == rule.npos) {
                throw usage_error("--tensor-type: '" + tw::printable(rule) + "' is not REGEX=TYPE");
            }
            to.rules.push_back({tw::codec::regex{std::string_view{rule}.substr(0, equals)},
                                quantization::type_named(std::string_view{rule}.substr(equals + 1))});
        }
        if(!options.imatrix.empty()) {
            to.importance = std::make_shared<const tw::models::importance_matrix>(
                tw::models::importance_matrix::open(options.imatrix));
        }
        return to;
    } catch(const tw::argument_error& problem) {
        throw usage_error(problem.what());
    }
}

/// An adapter that --lora names.
struct named_lora {
    std::string path;
    float scale = 1;
};
[[nodiscard]] inline std::vector<named_lora> loras_of(const common_options& options) {
    std::vector<named_lora> all;
    for(const std::string& text: options.loras) {
        named_lora& each = all.emplace_back(named_lora{text});
        const std::size_t colon = text.rfind(':');
        if(colon != text.npos && !std::filesystem::exists(text)) {
            const char* const end = text.data() + text.size();
            const auto [last, problem] = std::from_chars(text.data() + colon + 1, end, each.scale);
            if(problem != std::errc{} || last != end) {
                throw usage_error("--lora: '" + tw::printable(text) + "' is not PATH[:SCALE]");
            }
            each.path.resize(colon);
        }
    }
    return all;
}

/// The adapters that sequences get, unless they were merged.
class adapters {
public:
    adapters(const common_options& options, const tw::models::adapter_names& names, const tw::models::decoder& network,
             const tw::execution& how) {
        if(!options.merge_loras) {
            for(const named_lora& each: loras_of(options)) {
                owned_.push_back(tw::models::lora::open(each.path, names, each.scale).adapter_of(network, how));
            }
        }
        for(const tw::nn::adapter& each: owned_) {
            all_.push_back(&each);
        }
    }
    adapters(const common_options& options, const tw::text_model& model)
        : adapters{options, model.names(), model.network(), model.how()} {}
    adapters(const adapters&) = delete;
    adapters& operator=(const adapters&) = delete;

    [[nodiscard]] const std::vector<const tw::nn::adapter*>& all() const noexcept { return all_; }

private:
    std::vector<tw::nn::adapter> owned_;
    std::vector<const tw::nn::adapter*> all_;
};

/// What is done to weights on their way.
[[nodiscard]] inline std::vector<tw::models::weight_transform> transforms_of(const common_options& options) {
    std::vector<tw::models::weight_transform> all;
    if(options.merge_loras) {
        for(const named_lora& each: loras_of(options)) {
            all.push_back(tw::models::merge_on_load(each.path, each.scale));
        }
    }
    if(!options.quantize.empty()) {
        all.push_back(tw::models::quantize_on_load(quantization_of(options, options.quantize)));
    } else if(!options.tensor_types.empty() || !options.imatrix.empty()) {
        throw usage_error("--tensor-type and --imatrix go with --quantize");
    }
    return all;
}

/// Whether that is a model that turns texts to vectors.
[[nodiscard]] inline bool is_encoder(const std::string& path) {
    return !tw::models::model_files::open(path).config().causal;
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
    load.transforms = transforms_of(options);
    return load;
}

/// Refuses --lora where sequences cannot have an adapter of their own.
inline void require_merged_loras(const common_options& options, const std::string& what) {
    if(!options.loras.empty() && !options.merge_loras) {
        throw usage_error("--lora: " + what + " takes adapters with --merge-lora only");
    }
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

/// A text in windows of so many tokens, each of which begins with the model's first token, if texts have one.
class text_windows {
public:
    /// @param command, part  what errors call the work and a window
    text_windows(const tw::text_model& model, const std::string& text, std::size_t size, const std::string& command,
                 const std::string& part)
        : size_{size} {
        const tw::codec::tokenizer& tokenizer = model.tokenizer();
        if(tokenizer.vocabulary().add_bos()) {
            first_ = tokenizer.bos();
        }
        if(first_) {
            tokens_.push_back(*first_);
        }
        tokenizer.encode_to(tokens_, text);
        if(count() == 0) {
            throw tw::argument_error(command + ": the text has " + std::to_string(tokens_.size()) + " tokens, a " +
                                     part + " " + std::to_string(size));
        }
        for(std::size_t i = 0; first_ && i < count(); ++i) {
            tokens_[i * size_] = *first_;
        }
    }

    [[nodiscard]] std::size_t count() const noexcept { return tokens_.size() / size_; }
    [[nodiscard]] std::span<const std::int32_t> operator[](std::size_t i) const {
        return std::span{tokens_}.subspan(i * size_, size_);
    }

private:
    std::size_t size_;
    std::optional<std::int32_t> first_{};
    std::vector<std::int32_t> tokens_{};
};

/// A network of any kind and how to run it, without the tokenizer that a model folder need not have.
class loaded_network {
public:
    /// @param tokens  that sequences may reach
    loaded_network(const common_options& options, std::size_t tokens) {
        const tw::models::model_files files = tw::models::model_files::open(options.model);
        if(files.gguf() != nullptr && files.config().causal && !files.encoder_config()) {
            model_.emplace(load_model(options));
            return;
        }
        team_.emplace(options.threads);
        how_ = {.set = chosen_isa(options), .threads = &*team_};
        const std::uint64_t total = files.weight_bytes();
        progress_bar bar{"loading"};
        tw::models::weight_loading loading;
        loading.progress = [&](std::uint64_t done) {
            bar(std::min(done, total), total);
            return true;
        };
        loading.precision = matmul_precision(options.matmul_precision);
        tw::models::model_config config = files.config();
        config.rope_context = tokens;
        if(!config.causal || files.encoder_config()) {
            require_merged_loras(options, "'" + config.architecture + "'");
        }
        names_ = files.names();
        const std::vector<tw::models::weight_transform> transforms =
            tw::models::bound_transforms(transforms_of(options), names_);
        const tw::models::transformed_weights weights{files.weights(), transforms, config, how_};
        if(files.encoder_config()) {
            both_.emplace(*files.encoder_config(), std::move(config), weights.get(), how_, loading);
        } else if(config.causal) {
            decoder_.emplace(std::move(config), weights.get(), how_, std::move(loading));
        } else {
            encoder_.emplace(std::move(config), weights.get(), how_, std::move(loading));
        }
    }

    /// Which kind it is: one of these is there.
    [[nodiscard]] const tw::models::decoder* decoder() const {
        return model_ ? &model_->network() : decoder_ ? &*decoder_ : nullptr;
    }
    [[nodiscard]] const tw::models::encoder* encoder() const { return encoder_ ? &*encoder_ : nullptr; }
    [[nodiscard]] const tw::models::encoder_decoder* both() const { return both_ ? &*both_ : nullptr; }

    /// How its files call tensors.
    [[nodiscard]] const tw::models::adapter_names& names() const { return model_ ? model_->names() : names_; }

    [[nodiscard]] const tw::execution& how() const { return model_ ? model_->how() : how_; }

private:
    std::optional<tw::text_model> model_;
    std::optional<tw::thread_team> team_;
    tw::execution how_;
    tw::models::adapter_names names_;
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
