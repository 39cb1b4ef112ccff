// Pictures of a class out of noise: a folder of diffusers' DiTPipeline, as facebook/DiT-XL-2-256 is published.
//
//   auto model = tokenworks::diffusion_model::load("DiT-XL-2-256");
//   tokenworks::io::picture page = model.draw(model.class_of("golden retriever"), {.seed = 3});
//
// The folder holds model_index.json, transformer/ (DiTTransformer2DModel), scheduler/ (DDIM) and vae/ (AutoencoderKL),
// each with config.json and diffusion_pytorch_model.safetensors. diffusers 0.42, pipeline_dit.py, is followed: the
// steps are deterministic, and guidance is of all channels of the noise.
//
// Needs nlohmann-json.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/limits.hpp>
#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/io/picture.hpp>
#include <tokenworks/models/dit.hpp>
#include <tokenworks/models/vq_autoencoder.hpp>
#include <tokenworks/runtime/text_model.hpp>
#include <tokenworks/sampling/diffusion.hpp>

#if TOKENWORKS_DEFINITIONS
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numbers>
#include <system_error>
#include <utility>

#include <tokenworks/core/error.hpp>
#include <tokenworks/core/random.hpp>
#include <tokenworks/io/safetensors_reader.hpp>
#include <tokenworks/models/hf_config.hpp>
#include <tokenworks/models/json_file.hpp>
#include <tokenworks/models/safetensors_source.hpp>
#include <tokenworks/models/tensor_names.hpp>
#include <tokenworks/models/weight_loading.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI {

struct diffusion_options {
    std::uint64_t seed = 0; ///< of the noise to begin with
    float guidance = 4;     ///< how much more than the class asks for; 1: none, and twice as fast
    std::size_t steps = 50; ///< that evenly divide those of the training
    std::function<bool(std::size_t, std::size_t)> on_progress{}; ///< steps done and their total; false cancels
};

/// Immutable once loaded: share it by const reference.
class diffusion_model {
public:
    /// Whether a folder is laid out as a pipeline of diffusers.
    [[nodiscard]] static bool knows(const std::string& path);

    /// @throws io_error, format_error, limit_error, cancelled_error; unsupported_error for a pipeline of something else
    [[nodiscard]] static diffusion_model load(const std::string& path, const load_options& options = {},
                                              const limits& bounds = {}) {
        return diffusion_model{path, options, bounds};
    }

    [[nodiscard]] const models::dit_config& config() const noexcept { return network_->config(); }
    [[nodiscard]] std::size_t width() const noexcept { return config().side * decoder_->config().scale(); }
    [[nodiscard]] std::size_t height() const noexcept { return width(); }
    [[nodiscard]] std::size_t weight_bytes() const noexcept {
        return network_->weight_bytes() + decoder_->weight_bytes();
    }

    [[nodiscard]] std::size_t classes() const noexcept { return config().classes; }
    /// What the folder calls a class, or its number where it says nothing. A name may list several.
    [[nodiscard]] std::string label(std::size_t which) const {
        return which < labels_.size() ? labels_[which] : std::to_string(which);
    }
    /// The class of a name, of one that it lists, or of a number.
    /// @throws argument_error for one that there is not
    [[nodiscard]] std::size_t class_of(std::string_view name) const;

    /// @param which  below classes()
    /// @throws argument_error for a class that there is not, or a setting out of range; cancelled_error
    [[nodiscard]] io::picture draw(std::size_t which, const diffusion_options& options = {}) const {
        return picture_of(denoise(noise(options.seed), which, options));
    }

    /// Normally distributed values, a function of the seed alone: [side*side, channels].
    [[nodiscard]] std::vector<float> noise(std::uint64_t seed) const;
    /// From noise to what the decoder takes.
    /// @param x  as noise gives it
    /// @throws as draw
    [[nodiscard]] std::vector<float> denoise(std::vector<float> x, std::size_t which,
                                             const diffusion_options& options = {}) const;
    /// @param latents  as denoise gives them
    [[nodiscard]] io::picture picture_of(std::span<const float> latents) const;
    /// The same before it is rounded to bytes: [height*width, 3], about from -1 to 1.
    [[nodiscard]] std::vector<float> pixels_of(std::span<const float> latents) const;

private:
    diffusion_model(const std::string& path, const load_options& options, const limits& bounds);

    std::shared_ptr<team> team_;
    execution how_;
    std::unique_ptr<models::dit> network_;
    std::unique_ptr<models::vq_autoencoder> decoder_;
    float scale_ = 1; ///< of latents, as the network has them
    sampling::noise_schedule schedule_{};
    std::vector<std::string> labels_{};
};

#if TOKENWORKS_DEFINITIONS

namespace detail {

/// Refuses what is another than `wanted`; a file that says nothing means that.
inline void require_text(const models::hf_config& from, std::string_view key, std::string_view wanted) {
    if(const std::string found = from.text_or(key, std::string{wanted}); found != wanted) {
        raise<unsupported_error>({from.label(), ": ", key, " is '", escaped(found), "', only '", wanted, "' is read"});
    }
}
inline void require_flag(const models::hf_config& from, std::string_view key, bool wanted, bool otherwise) {
    if(from.flag_or(key, otherwise) != wanted) {
        raise<unsupported_error>({from.label(), ": ", key, " is ", wanted ? "false" : "true", ", which is not read"});
    }
}

[[nodiscard]] inline models::dit_config pipeline_dit(const models::hf_config& from) {
    require_text(from, "_class_name", "DiTTransformer2DModel");
    require_text(from, "norm_type", "ada_norm_zero");
    require_text(from, "activation_fn", "gelu-approximate");
    require_flag(from, "norm_elementwise_affine", false, false);
    constexpr std::size_t most = 65536;
    models::dit_config config;
    config.side = from.count_or("sample_size", 32, 4096);
    config.patch = from.count_or("patch_size", 2, 4096);
    config.channels = from.count_or("in_channels", 4, most);
    config.outputs = from.count_or("out_channels", config.channels, most);
    config.heads = from.count_or("num_attention_heads", 16, most);
    config.width = config.heads * from.count_or("attention_head_dim", 72, most);
    config.layers = from.count_or("num_layers", 28, 4096);
    config.feed_forward = 4 * config.width;
    config.classes = from.count_or("num_embeds_ada_norm", 1000, std::size_t{1} << 24);
    config.reaches_last = true;
    config.second_epsilon = from.real_or("norm_eps", 1e-5F);
    if(config.outputs != config.channels && config.outputs != 2 * config.channels) {
        from.refuse("out_channels", {"is ", config.outputs, ", with ", config.channels, " channels in"});
    }
    try {
        config.validate();
    } catch(const argument_error& problem) {
        from.refuse("sample_size", std::string{"and its like: "} + problem.what());
    }
    return config;
}

[[nodiscard]] inline models::vq_config pipeline_vae(const models::hf_config& from) {
    require_text(from, "_class_name", "AutoencoderKL");
    require_text(from, "act_fn", "silu");
    require_flag(from, "mid_block_add_attention", true, true);
    require_flag(from, "use_post_quant_conv", true, true);
    for(const char* const key: {"shift_factor", "latents_mean", "latents_std"}) {
        if(from.has(key)) {
            raise<unsupported_error>({from.label(), ": ", key, " is set, which is not read"});
        }
    }
    if(from.has("up_block_types")) {
        for(const std::string& kind: from.texts("up_block_types")) {
            if(kind != "UpDecoderBlock2D") {
                raise<unsupported_error>({from.label(), ": a block '", escaped(kind), "', which is not read"});
            }
        }
    }
    models::vq_config config;
    config.codes = 0;
    config.attends = false;
    config.channels = from.count_or("out_channels", 3, 65536);
    config.latent = from.count_or("latent_channels", 4, 65536);
    config.code_width = config.latent;
    config.blocks = from.count_or("layers_per_block", 1, 64);
    config.groups = from.count_or("norm_num_groups", 32, 65536);
    config.decoder_levels.clear();
    for(const std::uint64_t width: from.wholes("block_out_channels")) {
        if(config.decoder_levels.empty()) {
            config.width = static_cast<std::size_t>(std::min<std::uint64_t>(width, std::uint64_t{1} << 20));
        }
        if(config.width == 0 || width % config.width != 0 || width / config.width > 64) {
            from.refuse("block_out_channels", {"has ", width, ", which is no small multiple of ", config.width});
        }
        config.decoder_levels.push_back(static_cast<std::size_t>(width / config.width));
    }
    config.encoder_levels = config.decoder_levels;
    try {
        config.validate();
    } catch(const argument_error& problem) {
        from.refuse("block_out_channels", std::string{"and its like: "} + problem.what());
    }
    if(config.channels != 3 && config.channels != 1) {
        from.refuse("out_channels", {"is ", config.channels, ", not 3 or 1"});
    }
    return config;
}

[[nodiscard]] inline sampling::noise_schedule pipeline_schedule(const models::hf_config& from) {
    require_text(from, "beta_schedule", "linear");
    require_text(from, "prediction_type", "epsilon");
    require_text(from, "timestep_spacing", "leading");
    require_flag(from, "clip_sample", false, true);
    require_flag(from, "set_alpha_to_one", true, true);
    require_flag(from, "rescale_betas_zero_snr", false, false);
    require_flag(from, "thresholding", false, false);
    if(from.whole_or("steps_offset", 0) != 0 || from.has("trained_betas")) {
        raise<unsupported_error>({from.label(), ": steps_offset or trained_betas is set, which is not read"});
    }
    return {.times = from.count_or("num_train_timesteps", 1000, 1U << 20),
            .first = static_cast<double>(from.real_or("beta_start", 1e-4F)),
            .last = static_cast<double>(from.real_or("beta_end", 0.02F))};
}

/// The weights of a part of a pipeline: one file, or shards that an index names.
[[nodiscard]] inline io::safetensors_file pipeline_weights(const std::filesystem::path& folder, const limits& bounds) {
    const std::filesystem::path file = folder / "diffusion_pytorch_model.safetensors";
    const std::filesystem::path index = file.string() + ".index.json";
    std::error_code none;
    return io::safetensors_file::open((std::filesystem::exists(index, none) ? index : file).string(),
                                      {.limits = bounds});
}

} // namespace detail

TOKENWORKS_FUNCTION bool diffusion_model::knows(const std::string& path) {
    std::error_code none;
    return std::filesystem::is_regular_file(std::filesystem::path{path} / "model_index.json", none);
}

TOKENWORKS_FUNCTION diffusion_model::diffusion_model(const std::string& path, const load_options& options,
                                                     const limits& bounds)
    : team_{options.make_team()}, how_{options.set, team_.get()} {
    const std::filesystem::path folder{path};
    const models::hf_config index = models::json_file(folder / "model_index.json", bounds);
    detail::require_text(index, "_class_name", "DiTPipeline");
    const models::dit_config network =
        detail::pipeline_dit(models::json_file(folder / "transformer/config.json", bounds));
    const models::hf_config vae = models::json_file(folder / "vae/config.json", bounds);
    const models::vq_config decoder = detail::pipeline_vae(vae);
    scale_ = vae.real_or("scaling_factor", 0.18215F);
    if(!(scale_ > 0)) {
        vae.refuse("scaling_factor", {"is ", static_cast<double>(scale_), ", which must be above 0"});
    }
    if(decoder.latent != network.channels) {
        vae.refuse("latent_channels", {"is ", decoder.latent, ", the transformer makes ", network.channels});
    }
    if(network.side * decoder.scale() > 16384) {
        detail::raise<limit_error>({path, ": pictures of more than 16384 pixels a side"});
    }
    schedule_ = detail::pipeline_schedule(models::json_file(folder / "scheduler/scheduler_config.json", bounds));
    if(index.has("id2label")) {
        labels_ = index.texts("id2label");
        if(labels_.size() != network.classes) {
            index.refuse("id2label", {"has ", labels_.size(), " names for ", network.classes, " classes"});
        }
    }
    const io::safetensors_file weights = detail::pipeline_weights(folder / "transformer", bounds);
    const io::safetensors_file pixels = detail::pipeline_weights(folder / "vae", bounds);
    std::uint64_t total = 0;
    for(const io::safetensors_file* const each: {&weights, &pixels}) {
        for(const io::safetensor& tensor: each->tensors()) {
            total += tensor.bytes;
        }
    }
    std::uint64_t before = 0;
    std::uint64_t last = 0;
    models::weight_loading loading;
    loading.precision = options.precision;
    if(options.on_progress) {
        loading.progress = [&](std::uint64_t done) {
            last = done;
            return options.on_progress(std::min(before + done, total), total);
        };
    }
    const models::safetensors_weights stored{weights};
    network_ = std::make_unique<models::dit>(
        network, models::named_weights{stored, models::dit_diffusers_names(), false}, how_, loading);
    before = last;
    const models::safetensors_weights stored_pixels{pixels};
    const bool is_old = stored_pixels.describe("decoder.mid_block.attentions.0.query.weight").has_value();
    decoder_ = std::make_unique<models::vq_autoencoder>(
        decoder, models::named_weights{stored_pixels, models::kl_decoder_names(is_old), false}, how_, loading);
}

TOKENWORKS_FUNCTION std::size_t diffusion_model::class_of(std::string_view name) const {
    for(std::size_t i = 0; i < classes(); ++i) {
        const std::string all = label(i);
        bool is_one = all == name || std::to_string(i) == name;
        for(std::size_t from = 0; !is_one && from < all.size();) { // "tench, Tinca tinca"
            const std::size_t comma = std::min(all.find(", ", from), all.size());
            is_one = std::string_view{all}.substr(from, comma - from) == name;
            from = comma + 2;
        }
        if(is_one) {
            return i;
        }
    }
    detail::raise<argument_error>({"there is no class '", detail::escaped(name), "' among the ", classes(),
                                   " of this model, ", detail::escaped(label(0)), " … ",
                                   detail::escaped(label(classes() - 1))});
}

TOKENWORKS_FUNCTION std::vector<float> diffusion_model::noise(std::uint64_t seed) const {
    // Box and Muller, "A Note on the Generation of Random Normal Deviates", 1958: a pair of uniforms is a pair of
    // these.
    std::vector<float> made(config().side * config().side * config().channels);
    const philox dice{seed};
    for(std::size_t i = 0; i < made.size(); ++i) {
        const std::uint64_t pair = i / 2 * 2;
        const double radius = std::sqrt(-2 * std::log(1 - dice.uniform<double>(pair)));
        const double angle = 2 * std::numbers::pi * dice.uniform<double>(pair + 1);
        made[i] = static_cast<float>(radius * (i % 2 == 0 ? std::cos(angle) : std::sin(angle)));
    }
    return made;
}

TOKENWORKS_FUNCTION std::vector<float> diffusion_model::denoise(std::vector<float> x, std::size_t which,
                                                                const diffusion_options& options) const {
    const std::size_t pixels = config().side * config().side;
    const std::size_t channels = config().channels;
    const std::size_t outputs = config().outputs;
    if(which >= classes()) {
        detail::raise<argument_error>({"draw: class ", which, ", the model has ", classes()});
    }
    if(!std::isfinite(options.guidance) || options.guidance < 0) {
        detail::raise<argument_error>({"draw: the guidance is ", options.guidance, ", which must be 0 or above"});
    }
    if(x.size() != pixels * channels) {
        detail::raise<shape_error>({"draw: noise of ", x.size(), " values, expected ", pixels * channels});
    }
    const sampling::ddim steps{options.steps, schedule_};
    const std::size_t rows = options.guidance == 1 ? 1 : 2; // with the class, and with none
    nn::context c{how_};
    std::vector<float> both(rows * x.size());
    std::vector<float> told(rows * pixels * outputs);
    std::vector<float> noise(x.size());
    for(std::size_t i = 0; i < steps.size(); ++i) {
        std::vector<models::dit::condition> of{{.time = steps.time(i), .label = which}};
        of.resize(rows, {.time = steps.time(i), .label = classes()});
        for(std::size_t n = 0; n < rows; ++n) {
            std::ranges::copy(x, both.begin() + static_cast<std::ptrdiff_t>(n * x.size()));
        }
        network_->forward(c, nn::const_rows{both.data(), rows * pixels, channels}, of,
                          nn::rows{told.data(), rows * pixels, outputs});
        for(std::size_t p = 0; p < pixels; ++p) { // behind the noise may stand its variance
            for(std::size_t k = 0; k < channels; ++k) {
                const float with = told[p * outputs + k];
                const float without = told[((rows - 1) * pixels + p) * outputs + k];
                noise[p * channels + k] = rows == 1 ? with : without + options.guidance * (with - without);
            }
        }
        steps.advance(i, noise, x);
        if(options.on_progress && !options.on_progress(i + 1, steps.size())) {
            detail::raise<cancelled_error>({"draw: cancelled"});
        }
    }
    return x;
}

TOKENWORKS_FUNCTION std::vector<float> diffusion_model::pixels_of(std::span<const float> latents) const {
    const std::size_t side = config().side;
    if(latents.size() != side * side * config().channels) {
        detail::raise<shape_error>({"draw: ", latents.size(), " latents, expected ", side * side * config().channels});
    }
    std::vector<float> scaled(latents.size());
    std::ranges::transform(latents, scaled.begin(), [&](float value) { return value / scale_; });
    std::vector<float> pixels(width() * height() * decoder_->config().channels);
    nn::context c{how_};
    decoder_->decode_latents(c, nn::const_rows{scaled.data(), side * side, config().channels}, side, side,
                             nn::rows{pixels.data(), width() * height(), decoder_->config().channels});
    return pixels;
}

TOKENWORKS_FUNCTION io::picture diffusion_model::picture_of(std::span<const float> latents) const {
    return io::picture_of_values(pixels_of(latents), width(), height(), decoder_->config().channels);
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI
