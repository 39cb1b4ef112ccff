// An autoencoder whose middle is a grid of codes: pictures to tokens and back. The network of VQGAN (Esser et al.,
// 2021) in the layout of LlamaGen (Sun et al., "Autoregressive Model Beats Diffusion", 2024;
// tokenizer/tokenizer_image/vq_model.py, VQ-8 and VQ-16), after whose names tensors are called here, and of Janus
// (transformers 5.24, modeling_janus.py, JanusVQVAE).
//
//   const models::vq_autoencoder codec{config, weights};
//   codec.encode(c, pixels, 256, 256, ids);      // [256,256,3] from -1 to 1, [256] ids of 16 x 16
//   codec.decode(c, ids, 16, 16, pixels);
//
// Filters are [N, KH*KW*C]: channels innermost, as pixels have them (see tensor_part::is_pixel_filter).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/models/tensor_names.hpp>
#include <tokenworks/models/vq_config.hpp>
#include <tokenworks/models/weight_loading.hpp>
#include <tokenworks/models/weights.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/convolution.hpp>
#include <tokenworks/nn/linear.hpp>
#include <tokenworks/nn/residual_block.hpp>

#if TOKENWORKS_DEFINITIONS
#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <tokenworks/core/arena.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/kernels/activation.hpp>
#include <tokenworks/kernels/upsample.hpp>
#include <tokenworks/models/load_layers.hpp>
#include <tokenworks/models/token_ids.hpp>
#include <tokenworks/nn/activations.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// Immutable after construction; share it by const reference among threads. Each thread needs its own context.
class vq_autoencoder {
public:
    /// @param prefix  in front of the tensors' names
    /// @throws argument_error for a configuration that does not fit together; format_error naming a tensor that is
    ///         missing or of the wrong shape; unsupported_error for its type; cancelled_error
    vq_autoencoder(vq_config config, const weight_source& source, const execution& how = {},
                   const weight_loading& loading = {}, const std::string& prefix = {});

    [[nodiscard]] const vq_config& config() const noexcept { return config_; }
    /// Files may come without the half that makes tokens of pictures.
    [[nodiscard]] bool has_encoder() const noexcept { return encoder_.has_value(); }
    [[nodiscard]] std::size_t weight_bytes() const noexcept;

    /// @param pixels  [H*W,C], from -1 to 1; sides that the scale divides
    /// @param ids     [H/s * W/s], in rows
    /// @throws shape_error; unsupported_error where the file has no encoder; argument_error where a latent is not
    /// finite
    void encode(nn::context& c, nn::const_rows pixels, std::size_t height, std::size_t width,
                std::span<std::int32_t> ids) const;

    /// @param ids     [rows*columns]
    /// @param pixels  [s*rows * s*columns, C]; about from -1 to 1, not clipped
    /// @throws shape_error; argument_error for an id that there is not
    void decode(nn::context& c, std::span<const std::int32_t> ids, std::size_t rows, std::size_t columns,
                nn::rows pixels) const;
    /// The same of values in place of codes, for autoencoders without a book of them.
    /// @param latents  [rows*columns, code_width]
    /// @throws shape_error
    void decode_latents(nn::context& c, nn::const_rows latents, std::size_t rows, std::size_t columns,
                        nn::rows pixels) const;

private:
    struct level {
        std::vector<nn::residual_block> blocks;
        std::vector<nn::pixel_attention> attentions; ///< behind each block, of the level with the fewest pixels
        std::optional<nn::convolution> resample{};   ///< behind the level
    };
    struct middle {
        nn::residual_block first;
        nn::pixel_attention attention;
        nn::residual_block second;
    };
    struct network {
        nn::convolution in;
        std::vector<level> levels;
        middle mid;
        nn::group_norm norm;
        nn::convolution out;
    };

    class reader;
    /// Two images of the largest size that a network comes to, in turn the input and the output of its blocks.
    class canvas;

    static std::size_t bytes_of(const network& of) noexcept;
    static void run(nn::context& c, const middle& mid, canvas& on);
    static void run(nn::context& c, const level& of, canvas& on);
    static void finish(nn::context& c, const network& of, canvas& on, nn::rows out);

    vq_config config_;
    std::optional<network> encoder_;
    nn::convolution to_codes_; // of the encoder
    nn::linear nearest_;       // of the encoder: its largest result is the nearest code
    std::vector<float> codes_; // [V,E]
    nn::convolution from_codes_;
    network decoder_;
};

/// Where a state dict of LlamaGen has them; its filters are [N,C,KH,KW].
/// @param stored  in front of them in the file   @param prefix  in front of the blocks' names
[[nodiscard]] TOKENWORKS_FUNCTION tensor_names llamagen_vq_names(const std::string& stored, const std::string& prefix);

/// The same of Janus, as transformers has it.
[[nodiscard]] TOKENWORKS_FUNCTION tensor_names janus_vq_names(const std::string& stored, const std::string& prefix);

/// The same of the decoder of diffusers' AutoencoderKL (0.42, autoencoder_kl.py and vae.py), which has no codes.
/// @param is_old  attention has the names of 2022: query, key, value, proj_attn
[[nodiscard]] TOKENWORKS_FUNCTION tensor_names kl_decoder_names(bool is_old = false);

#if TOKENWORKS_DEFINITIONS

class vq_autoencoder::reader {
public:
    reader(const vq_config& config, layer_loader& load, std::string prefix)
        : config_{config}, load_{load}, prefix_{std::move(prefix)} {}

    [[nodiscard]] network encoder() {
        const std::string name = prefix_ + "encoder.";
        const std::size_t count = config_.encoder_levels.size();
        network made;
        std::size_t channels = config_.width;
        made.in = convolution(name + "conv_in", channels, config_.channels, around_pixel);
        for(std::size_t i = 0; i < count; ++i) {
            const std::string part = tokenworks::detail::message({name, "conv_blocks.", i, "."});
            made.levels.push_back(level_of(part, channels, config_.width * config_.encoder_levels[i], config_.blocks,
                                           i + 1 == count && config_.attends));
            if(i + 1 != count) {
                made.levels.back().resample =
                    convolution(part + "downsample.conv", channels, channels,
                                {.height = 3, .width = 3, .stride = 2, .bottom = 1, .right = 1});
            }
        }
        end(made, name, channels, config_.latent);
        return made;
    }

    [[nodiscard]] network decoder() {
        const std::string name = prefix_ + "decoder.";
        const std::size_t count = config_.decoder_levels.size();
        network made;
        std::size_t channels = config_.width * config_.decoder_levels.back();
        made.in = convolution(name + "conv_in", channels, config_.latent, around_pixel);
        made.mid = middle_of(name, channels);
        for(std::size_t i = 0; i < count; ++i) {
            const std::string part = tokenworks::detail::message({name, "conv_blocks.", i, "."});
            made.levels.push_back(level_of(part, channels, config_.width * config_.decoder_levels[count - 1 - i],
                                           config_.blocks + 1, i == 0 && config_.attends));
            if(i + 1 != count) {
                made.levels.back().resample = convolution(part + "upsample.conv", channels, channels, around_pixel);
            }
        }
        made.norm = norm(name + "norm_out", channels);
        made.out = convolution(name + "conv_out", config_.channels, channels, around_pixel);
        return made;
    }

    [[nodiscard]] nn::convolution pixelwise(const std::string& name, std::size_t out, std::size_t in) {
        return convolution(prefix_ + name, out, in, {});
    }

    /// [V,E], at length 1 where `unit` says so.
    [[nodiscard]] std::vector<float> codes(bool unit) const {
        std::vector<float> all = load_values(load_.source(), prefix_ + "quantize.embedding.weight",
                                             std::array{config_.codes, config_.code_width});
        for(std::size_t i = 0; unit && i < config_.codes; ++i) {
            to_unit(std::span{all}.subspan(i * config_.code_width, config_.code_width));
        }
        return all;
    }

    /// As torch.nn.functional.normalize does it.
    static void to_unit(std::span<float> values) {
        double squares = 0;
        for(const float value: values) {
            squares += static_cast<double>(value) * static_cast<double>(value);
        }
        const double length = std::max(std::sqrt(squares), 1e-12);
        for(float& value: values) {
            value = static_cast<float>(static_cast<double>(value) / length);
        }
    }

private:
    static constexpr kernels::window around_pixel{
        .height = 3, .width = 3, .top = 1, .left = 1, .bottom = 1, .right = 1};

    void end(network& made, const std::string& name, std::size_t channels, std::size_t out) {
        made.mid = middle_of(name, channels);
        made.norm = norm(name + "norm_out", channels);
        made.out = convolution(name + "conv_out", out, channels, around_pixel);
    }

    [[nodiscard]] nn::convolution convolution(const std::string& name, std::size_t out, std::size_t in,
                                              const kernels::window& by) {
        return load_.convolution(name, out, in, by);
    }
    [[nodiscard]] nn::group_norm norm(const std::string& name, std::size_t channels) const {
        return load_.group_norm(name, channels, config_.groups, config_.epsilon);
    }

    [[nodiscard]] nn::residual_block block(const std::string& name, std::size_t in, std::size_t out) {
        nn::residual_block made{.before_first = norm(name + ".norm1", in),
                                .first = convolution(name + ".conv1", out, in, around_pixel),
                                .before_second = norm(name + ".norm2", out),
                                .second = convolution(name + ".conv2", out, out, around_pixel)};
        if(in != out) {
            made.around = convolution(name + ".nin_shortcut", out, in, {});
        }
        return made;
    }
    [[nodiscard]] nn::pixel_attention attention(const std::string& name, std::size_t channels) {
        return {.before = norm(name + ".norm", channels),
                .query = convolution(name + ".q", channels, channels, {}),
                .key = convolution(name + ".k", channels, channels, {}),
                .value = convolution(name + ".v", channels, channels, {}),
                .output = convolution(name + ".proj_out", channels, channels, {})};
    }
    [[nodiscard]] middle middle_of(const std::string& name, std::size_t channels) {
        return {.first = block(name + "mid.first", channels, channels),
                .attention = attention(name + "mid.attn", channels),
                .second = block(name + "mid.second", channels, channels)};
    }
    /// @param channels  of what comes in; becomes that of what goes out
    [[nodiscard]] level level_of(const std::string& name, std::size_t& channels, std::size_t out, std::size_t blocks,
                                 bool attends) {
        level made;
        for(std::size_t i = 0; i < blocks; ++i) {
            made.blocks.push_back(block(tokenworks::detail::message({name, "res.", i}), channels, out));
            channels = out;
            if(attends) {
                made.attentions.push_back(attention(tokenworks::detail::message({name, "attn.", i}), channels));
            }
        }
        return made;
    }

    const vq_config& config_;
    layer_loader& load_;
    std::string prefix_;
};

class vq_autoencoder::canvas {
public:
    /// @param height, width  of the input; a network that makes images larger ends at `scale` times that
    canvas(nn::context& c, const network& of, std::size_t height, std::size_t width, bool grows) {
        std::size_t most = height * width * of.in.out_channels();
        for(const level& each: of.levels) {
            std::size_t channels = 0;
            for(const nn::residual_block& block: each.blocks) {
                channels = std::max(channels, block.out_channels());
            }
            most = std::max(most, height * width * channels);
            if(each.resample) {
                height = grows ? 2 * height : height / 2;
                width = grows ? 2 * width : width / 2;
                most = std::max(most, height * width * channels);
            }
        }
        for(std::span<float>& side: sides_) {
            side = c.scratch.take<float>(most);
        }
    }

    /// What was made last.
    nn::image now{};

    /// Room for what comes next.
    [[nodiscard]] nn::rows room(std::size_t pixels, std::size_t channels) {
        which_ = 1 - which_;
        return nn::rows{sides_[which_].data(), pixels, channels};
    }

private:
    std::array<std::span<float>, 2> sides_{};
    std::size_t which_ = 0;
};

TOKENWORKS_FUNCTION vq_autoencoder::vq_autoencoder(vq_config config, const weight_source& source, const execution& how,
                                                   const weight_loading& loading, const std::string& prefix)
    : config_{std::move(config)} {
    config_.validate();
    layer_loader load{source, how, loading};
    reader read{config_, load, prefix};
    if(config_.codes != 0) {
        codes_ = read.codes(config_.unit_codes);
    }
    if(config_.codes != 0 && source.describe(prefix + "encoder.conv_in.weight")) {
        encoder_ = read.encoder();
        to_codes_ = read.pixelwise("quant_conv", config_.code_width, config_.latent);
        // The nearest code is the one with the largest z·e - e·e/2.
        const std::vector<float> compared = read.codes(config_.unit_latents);
        std::vector<float> bias;
        bias.reserve(config_.codes);
        for(std::size_t i = 0; i < config_.codes; ++i) {
            double squares = 0;
            for(const float value: std::span{compared}.subspan(i * config_.code_width, config_.code_width)) {
                squares += static_cast<double>(value) * static_cast<double>(value);
            }
            bias.push_back(static_cast<float>(-squares / 2));
        }
        nearest_ = nn::linear{
            kernels::pack(dtype::f32, std::as_bytes(std::span{compared}), config_.codes, config_.code_width, how),
            std::move(bias)};
    }
    from_codes_ = read.pixelwise("post_quant_conv", config_.latent, config_.code_width);
    decoder_ = read.decoder();
}

TOKENWORKS_FUNCTION std::size_t vq_autoencoder::bytes_of(const network& of) noexcept {
    const auto of_middle = of.mid.first.bytes() + of.mid.attention.bytes() + of.mid.second.bytes();
    std::size_t sum = of.in.bytes() + of.out.bytes() + of_middle;
    for(const level& each: of.levels) {
        for(const nn::residual_block& block: each.blocks) {
            sum += block.bytes();
        }
        for(const nn::pixel_attention& attention: each.attentions) {
            sum += attention.bytes();
        }
        sum += each.resample ? each.resample->bytes() : 0;
    }
    return sum;
}

TOKENWORKS_FUNCTION std::size_t vq_autoencoder::weight_bytes() const noexcept {
    return bytes_of(decoder_) + from_codes_.bytes() + codes_.size() * sizeof(float) +
           (encoder_ ? bytes_of(*encoder_) + to_codes_.bytes() + nearest_.bytes() : 0);
}

TOKENWORKS_FUNCTION void vq_autoencoder::run(nn::context& c, const middle& mid, canvas& on) {
    on.now = mid.first(c, on.now, on.room(on.now.pixels(), mid.first.out_channels()));
    mid.attention(c, on.now);
    on.now = mid.second(c, on.now, on.room(on.now.pixels(), mid.second.out_channels()));
}

TOKENWORKS_FUNCTION void vq_autoencoder::run(nn::context& c, const level& of, canvas& on) {
    for(std::size_t i = 0; i < of.blocks.size(); ++i) {
        on.now = of.blocks[i](c, on.now, on.room(on.now.pixels(), of.blocks[i].out_channels()));
        if(!of.attentions.empty()) {
            of.attentions[i](c, on.now);
        }
    }
}

TOKENWORKS_FUNCTION void vq_autoencoder::finish(nn::context& c, const network& of, canvas& on, nn::rows out) {
    of.norm(c, on.now.values, on.now.values);
    kernels::activate(kernels::silu{}, on.now.values, on.now.values, c.how);
    of.out(c, on.now, out);
}

TOKENWORKS_FUNCTION void vq_autoencoder::encode(nn::context& c, nn::const_rows pixels, std::size_t height,
                                                std::size_t width, std::span<std::int32_t> ids) const {
    if(!encoder_) {
        tokenworks::detail::raise<unsupported_error>({"vq: the file has no encoder, which makes tokens of pictures"});
    }
    const std::size_t scale = config_.scale();
    if(height % scale != 0 || width % scale != 0 || pixels.extent(0) != height * width ||
       pixels.extent(1) != config_.channels || ids.size() != height / scale * (width / scale)) {
        tokenworks::detail::raise<shape_error>({"vq encode: pixels are ", to_string(pixels.extents()), " of ", height,
                                                " x ", width, ", ids are ", ids.size(), "; sides must be multiples of ",
                                                scale, ", pixels have ", config_.channels, " channels"});
    }
    const arena::scope scratch{c.scratch};
    canvas on{c, *encoder_, height, width, false};
    const nn::rows in = c.scratch_rows(pixels.extent(0), pixels.extent(1));
    std::ranges::copy(pixels.as_span(), in.data());
    on.now = encoder_->in(c, {in, height, width}, on.room(height * width, encoder_->in.out_channels()));
    for(const level& each: encoder_->levels) {
        run(c, each, on);
        if(each.resample) {
            const std::size_t count = each.resample->pixels(on.now.height, on.now.width);
            on.now = (*each.resample)(c, on.now, on.room(count, each.resample->out_channels()));
        }
    }
    run(c, encoder_->mid, on);
    const nn::image latent{c.scratch_rows(ids.size(), config_.latent), height / scale, width / scale};
    finish(c, *encoder_, on, latent.values);
    const nn::image coded = to_codes_(c, latent, c.scratch_rows(ids.size(), config_.code_width));
    for(std::size_t i = 0; config_.unit_latents && i < ids.size(); ++i) {
        reader::to_unit(coded.values.row(i).as_span());
    }
    const std::span<kernels::best_column> best = c.scratch.take<kernels::best_column>(ids.size());
    nearest_.argmax(c, nn::activations{c, coded.values}, best);
    for(std::size_t i = 0; i < ids.size(); ++i) {
        if(!best[i].is_valid()) {
            tokenworks::detail::raise<argument_error>({"vq encode: the latent at ", i, " is not finite"});
        }
        ids[i] = static_cast<std::int32_t>(best[i].column());
    }
}

TOKENWORKS_FUNCTION void vq_autoencoder::decode(nn::context& c, std::span<const std::int32_t> ids, std::size_t rows,
                                                std::size_t columns, nn::rows pixels) const {
    detail::require_ids("vq decode", ids, config_.codes);
    const arena::scope scratch{c.scratch};
    const nn::rows coded = c.scratch_rows(ids.size(), config_.code_width);
    for(std::size_t i = 0; i < ids.size(); ++i) {
        const auto first = static_cast<std::ptrdiff_t>(static_cast<std::size_t>(ids[i]) * config_.code_width);
        std::copy_n(codes_.begin() + first, config_.code_width, coded.row(i).data());
    }
    decode_latents(c, coded, rows, columns, pixels);
}

TOKENWORKS_FUNCTION void vq_autoencoder::decode_latents(nn::context& c, nn::const_rows latents, std::size_t rows,
                                                        std::size_t columns, nn::rows pixels) const {
    const std::size_t scale = config_.scale();
    const std::size_t count = rows * columns;
    if(latents.extent(0) != count || latents.extent(1) != config_.code_width ||
       pixels.extent(0) != count * scale * scale || pixels.extent(1) != config_.channels) {
        tokenworks::detail::raise<shape_error>({"vq decode: latents are ", to_string(latents.extents()), " of ", rows,
                                                " x ", columns, ", pixels are ", to_string(pixels.extents()),
                                                ", expected [", count, ",", config_.code_width, "] and [",
                                                count * scale * scale, ",", config_.channels, "]"});
    }
    const arena::scope scratch{c.scratch};
    canvas on{c, decoder_, rows, columns, true};
    const nn::image coded{c.scratch_rows(count, config_.code_width), rows, columns};
    std::ranges::copy(latents.as_span(), coded.values.data());
    const nn::image latent = from_codes_(c, coded, c.scratch_rows(count, config_.latent));
    on.now = decoder_.in(c, latent, on.room(count, decoder_.in.out_channels()));
    run(c, decoder_.mid, on);
    for(const level& each: decoder_.levels) {
        run(c, each, on);
        if(each.resample) {
            const nn::image large{on.room(4 * on.now.pixels(), on.now.channels()), 2 * on.now.height, 2 * on.now.width};
            kernels::upsample_nearest(on.now.view3(), 2, large.view3(), c.how);
            on.now = (*each.resample)(c, large, on.room(large.pixels(), each.resample->out_channels()));
        }
    }
    finish(c, decoder_, on, pixels);
}

namespace detail {

/// What a layout calls the parts of its networks.
struct vq_layout {
    const char* encoder_level;
    const char* decoder_level;
    const char* block;
    const char* middle[3];
};

class vq_name_list {
public:
    vq_name_list(std::string prefix, std::string stored) : prefix_{std::move(prefix)}, stored_{std::move(stored)} {}

    void plain(const std::string& name, const std::string& stored) {
        names_.push_back({prefix_ + name, stored_ + stored});
    }
    /// A layer whose filters are turned so that channels come last.
    void filter(const std::string& name, const std::string& stored) {
        names_.push_back({prefix_ + name + ".weight", stored_ + stored + ".weight", {.is_pixel_filter = true}});
        plain(name + ".bias", stored + ".bias");
    }
    void block(const std::string& name, const std::string& stored) {
        for(const char* const part: {".norm1", ".norm2"}) {
            plain(name + part, stored + part);
        }
        for(const char* const part: {".conv1", ".conv2", ".nin_shortcut"}) {
            filter(name + part, stored + part);
        }
    }
    void attention(const std::string& name, const std::string& stored) {
        plain(name + ".norm", stored + ".norm");
        for(const char* const part: {".q", ".k", ".v", ".proj_out"}) {
            filter(name + part, stored + part);
        }
    }
    void network(const std::string& part, const vq_layout& layout, const std::string& level, const char* resample) {
        filter(part + "conv_in", part + "conv_in");
        block(part + "conv_blocks.#.res.@", part + level + ".#." + layout.block + ".@");
        attention(part + "conv_blocks.#.attn.@", part + level + ".#.attn.@");
        filter(part + "conv_blocks.#." + resample, part + level + ".#." + resample);
        block(part + "mid.first", part + layout.middle[0]);
        attention(part + "mid.attn", part + layout.middle[1]);
        block(part + "mid.second", part + layout.middle[2]);
        plain(part + "norm_out", part + "norm_out");
        filter(part + "conv_out", part + "conv_out");
    }

    [[nodiscard]] tensor_names of(const vq_layout& layout) && {
        plain("quantize.embedding", "quantize.embedding");
        filter("quant_conv", "quant_conv");
        filter("post_quant_conv", "post_quant_conv");
        network("encoder.", layout, layout.encoder_level, "downsample.conv");
        network("decoder.", layout, layout.decoder_level, "upsample.conv");
        return std::move(names_);
    }

private:
    std::string prefix_;
    std::string stored_;
    tensor_names names_{};
};

} // namespace detail

TOKENWORKS_FUNCTION tensor_names llamagen_vq_names(const std::string& stored, const std::string& prefix) {
    return detail::vq_name_list{prefix, stored}.of({"conv_blocks", "conv_blocks", "res", {"mid.0", "mid.1", "mid.2"}});
}

TOKENWORKS_FUNCTION tensor_names janus_vq_names(const std::string& stored, const std::string& prefix) {
    return detail::vq_name_list{prefix, stored}.of(
        {"down", "up", "block", {"mid.block_1", "mid.attn_1", "mid.block_2"}});
}

TOKENWORKS_FUNCTION tensor_names kl_decoder_names(bool is_old) {
    tensor_names names;
    const auto plain = [&](const std::string& name, const std::string& stored) { names.push_back({name, stored}); };
    const auto filter = [&](const std::string& name, const std::string& stored) {
        names.push_back({name + ".weight", stored + ".weight", {.is_pixel_filter = true}});
        plain(name + ".bias", stored + ".bias");
    };
    const auto block = [&](const std::string& name, const std::string& stored) {
        for(const char* const part: {".norm1", ".norm2"}) {
            plain(name + part, stored + part);
        }
        filter(name + ".conv1", stored + ".conv1");
        filter(name + ".conv2", stored + ".conv2");
        filter(name + ".nin_shortcut", stored + ".conv_shortcut");
    };
    const std::string attention = "decoder.mid_block.attentions.0.";
    plain("decoder.mid.attn.norm", attention + "group_norm");
    plain("decoder.mid.attn.q", attention + (is_old ? "query" : "to_q")); // layers, not filters
    plain("decoder.mid.attn.k", attention + (is_old ? "key" : "to_k"));
    plain("decoder.mid.attn.v", attention + (is_old ? "value" : "to_v"));
    plain("decoder.mid.attn.proj_out", attention + (is_old ? "proj_attn" : "to_out.0"));
    filter("post_quant_conv", "post_quant_conv");
    filter("decoder.conv_in", "decoder.conv_in");
    block("decoder.mid.first", "decoder.mid_block.resnets.0");
    block("decoder.mid.second", "decoder.mid_block.resnets.1");
    block("decoder.conv_blocks.#.res.@", "decoder.up_blocks.#.resnets.@");
    filter("decoder.conv_blocks.#.upsample.conv", "decoder.up_blocks.#.upsamplers.0.conv");
    plain("decoder.norm_out", "decoder.conv_norm_out");
    filter("decoder.conv_out", "decoder.conv_out");
    return names;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::models
