// DiT, a diffusion transformer: patches of a noisy picture in, the noise (or, with SiT's weights, the flow) out.
// Peebles and Xie, "Scalable Diffusion Models with Transformers", 2023; its code at commit ed81ce2, models.py, whose
// state dict names dit_names() maps. Blocks are adaLN-zero: norms without weights, shifted and scaled by what time and
// class make.
//
//   const models::dit model{config, weights};
//   model.forward(c, x, {.time = 981, .label = 207}, out);
//
// sampling/diffusion.hpp makes the steps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/kernels/activation.hpp>
#include <tokenworks/models/tensor_names.hpp>
#include <tokenworks/models/weight_loading.hpp>
#include <tokenworks/models/weights.hpp>
#include <tokenworks/nn/attention.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/linear.hpp>
#include <tokenworks/nn/mlp.hpp>

#if TOKENWORKS_DEFINITIONS
#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <tokenworks/core/arena.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/kernels/convolution.hpp>
#include <tokenworks/kernels/elementwise.hpp>
#include <tokenworks/kernels/layer_norm.hpp>
#include <tokenworks/kernels/modulate.hpp>
#include <tokenworks/models/load_layers.hpp>
#include <tokenworks/nn/activations.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// As DiT's code names them; the defaults are DiT-XL/2's.
struct dit_config {
    std::size_t side = 32;    ///< pixels (of latents) each way
    std::size_t patch = 2;    ///< of them, each way, that are a token
    std::size_t channels = 4; ///< in
    std::size_t outputs = 8;  ///< channels out: the noise, and where it is learned its variance
    std::size_t width = 1152; ///< C
    std::size_t layers = 28;
    std::size_t heads = 16;
    std::size_t feed_forward = 4608;
    std::size_t classes = 1000;    ///< one more stands for none
    std::size_t frequencies = 256; ///< values that a time becomes, before its layers
    /// Their exponents rise from 0 to 1: reached with the last (diffusers), or one behind it.
    bool reaches_last = false;
    float second_epsilon = 1e-6F; ///< of the norm before the feed-forward

    [[nodiscard]] std::size_t tokens() const noexcept { return side / patch * (side / patch); }
    /// @throws argument_error naming the field
    void validate() const;
    friend bool operator==(const dit_config&, const dit_config&) = default;
};

/// Immutable after construction; share it by const reference among threads. Each thread needs its own context.
class dit {
public:
    /// @throws argument_error for a configuration that does not fit together; format_error naming a tensor that is
    ///         missing or of the wrong shape; unsupported_error for its type; cancelled_error
    dit(const dit_config& config, const weight_source& source, const execution& how = {},
        const weight_loading& loading = {});

    /// What is known of a picture.
    struct condition {
        float time = 0;
        std::size_t label = 0; ///< config().classes: none
    };

    [[nodiscard]] const dit_config& config() const noexcept { return config_; }
    [[nodiscard]] std::size_t weight_bytes() const noexcept;

    /// One picture, or several of which each has a condition: two with one class and none, for guidance.
    /// @param x    [N*side*side, channels]: pictures one after the other, pixels in rows
    /// @param out  [N*side*side, outputs]
    /// @throws shape_error; argument_error for a label that there is not
    /// @note   a picture's result is bitwise the same whatever else is in the step
    void forward(nn::context& c, nn::const_rows x, std::span<const condition> of, nn::rows out) const;

private:
    struct block {
        nn::attention attend;
        nn::mlp<kernels::gelu_tanh> mlp;
        nn::linear modulation; ///< [6C,C]
    };

    /// [N,C], activated: what the blocks' shifts, scales and gates are made of.
    [[nodiscard]] nn::rows conditions(nn::context& c, std::span<const condition> of) const;
    void embed(nn::context& c, nn::const_rows x, nn::rows tokens) const;
    void unpatch(const execution& how, nn::const_rows tokens, nn::rows out) const;
    /// The norm of all rows, shifted and scaled by two parts of each picture's vector.
    void norm(nn::context& c, nn::const_rows x, nn::const_rows vectors, std::size_t shift, nn::rows out,
              float epsilon = 1e-6F) const;
    /// Sines and cosines of columns and rows, as the code of DiT makes them; files may leave them out.
    [[nodiscard]] std::vector<float> sine_positions() const;
    /// Adds a result to the rows, each times a part of its picture's vector.
    void add(nn::context& c, nn::const_rows result, nn::const_rows vectors, std::size_t gate, nn::rows x) const;

    dit_config config_;
    nn::linear patch_;
    std::vector<float> positions_; // [T,C]
    nn::linear time_in_, time_out_;
    std::vector<float> labels_; // [classes + 1, C]
    std::vector<block> blocks_;
    nn::linear last_modulation_;
    nn::linear last_;
};

/// Where a state dict of DiT's code has what the model asks for.
[[nodiscard]] TOKENWORKS_FUNCTION tensor_names dit_names(const dit_config& config);
/// Where a file of diffusers' DiTTransformer2DModel (0.42) has it. What times and classes become is there once a block;
/// all are the same, and the first is read.
[[nodiscard]] TOKENWORKS_FUNCTION tensor_names dit_diffusers_names();

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION void dit_config::validate() const {
    const auto need = [](bool holds, tokenworks::detail::message_parts what) {
        if(!holds) {
            tokenworks::detail::raise<argument_error>({"dit: ", tokenworks::detail::message(what)});
        }
    };
    constexpr std::size_t most = std::size_t{1} << 16;
    for(const auto& [value, name]:
        {std::pair{side, "side"}, std::pair{patch, "patch"}, std::pair{channels, "channels"},
         std::pair{outputs, "outputs"}, std::pair{width, "width"}, std::pair{feed_forward, "feed_forward"},
         std::pair{heads, "heads"}, std::pair{frequencies, "frequencies"}}) {
        need(value > 0 && value <= most, {name, " is ", value, ", not in 1..", most});
    }
    need(layers > 0 && layers <= 4096, {"layers are ", layers, ", not in 1..4096"});
    need(classes <= (std::size_t{1} << 24), {"classes are ", classes});
    need(side % patch == 0 && side <= 4096, {"patches of ", patch, " in pictures of ", side});
    need(width % heads == 0, {"heads are ", heads, ", which do not divide the width ", width});
    need(frequencies % 2 == 0, {"frequencies are ", frequencies, ", an odd number"});
    need(!reaches_last || frequencies > 2, {"frequencies are ", frequencies, ", too few to reach the last"});
    need(second_epsilon >= 0 && second_epsilon < 1, {"second_epsilon is ", second_epsilon});
}

TOKENWORKS_FUNCTION dit::dit(const dit_config& config, const weight_source& source, const execution& how,
                             const weight_loading& loading)
    : config_{config} {
    config_.validate();
    layer_loader load{source, how, loading};
    const std::size_t width = config_.width;
    patch_ = load.linear("patch", width, config_.patch * config_.patch * config_.channels);
    positions_ = source.describe("positions")
                     ? load_values(source, "positions", std::array{std::size_t{1}, config_.tokens(), width})
                     : sine_positions();
    time_in_ = load.linear("time.in", width, config_.frequencies);
    time_out_ = load.linear("time.out", width, width);
    labels_ = load_values(source, "labels.weight", std::array{config_.classes + 1, width});
    for(std::size_t i = 0; i < config_.layers; ++i) {
        const std::string name = tokenworks::detail::message({"blk.", i, "."});
        block& each = blocks_.emplace_back();
        each.attend.query = load.linear(name + "attn_q", width, width);
        each.attend.key = load.linear(name + "attn_k", width, width);
        each.attend.value = load.linear(name + "attn_v", width, width);
        each.attend.output = load.linear(name + "attn_output", width, width);
        each.attend.heads = config_.heads;
        each.attend.kv_heads = config_.heads;
        each.attend.key_width = width / config_.heads;
        each.attend.value_width = width / config_.heads;
        each.attend.causal = false;
        each.mlp.up = load.linear(name + "ffn_up", config_.feed_forward, width);
        each.mlp.down = load.linear(name + "ffn_down", width, config_.feed_forward);
        each.modulation = load.linear(name + "modulation", 6 * width, width);
    }
    last_modulation_ = load.linear("last.modulation", 2 * width, width);
    last_ = load.linear("last", config_.patch * config_.patch * config_.outputs, width);
}

TOKENWORKS_FUNCTION std::vector<float> dit::sine_positions() const {
    const std::size_t quarter = config_.width / 4;
    if(config_.width % 4 != 0) {
        tokenworks::detail::raise<argument_error>(
            {"dit: a width of ", config_.width, " makes no positions, as 4 does not divide it"});
    }
    std::vector<float> made(config_.tokens() * config_.width);
    const std::size_t across = config_.side / config_.patch;
    for(std::size_t t = 0; t < config_.tokens(); ++t) {
        float* const row = made.data() + t * config_.width;
        for(std::size_t i = 0; i < quarter; ++i) {
            const double frequency = std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(quarter));
            const double column = static_cast<double>(t % across) * frequency;
            const std::size_t of_line = t / across;
            const double line = static_cast<double>(of_line) * frequency;
            row[i] = static_cast<float>(std::sin(column));
            row[quarter + i] = static_cast<float>(std::cos(column));
            row[2 * quarter + i] = static_cast<float>(std::sin(line));
            row[3 * quarter + i] = static_cast<float>(std::cos(line));
        }
    }
    return made;
}

TOKENWORKS_FUNCTION std::size_t dit::weight_bytes() const noexcept {
    std::size_t sum = patch_.bytes() + time_in_.bytes() + time_out_.bytes() + last_modulation_.bytes() + last_.bytes() +
                      (positions_.size() + labels_.size()) * sizeof(float);
    for(const block& each: blocks_) {
        sum += each.attend.bytes() + each.mlp.bytes() + each.modulation.bytes();
    }
    return sum;
}

TOKENWORKS_FUNCTION nn::rows dit::conditions(nn::context& c, std::span<const condition> of) const {
    const std::size_t half = config_.frequencies / 2;
    const auto steps = static_cast<double>(config_.reaches_last ? half - 1 : half);
    const nn::rows out = c.scratch_rows(of.size(), config_.width);
    const arena::scope scratch{c.scratch};
    const nn::rows waves = c.scratch_rows(of.size(), config_.frequencies);
    for(std::size_t n = 0; n < of.size(); ++n) {
        for(std::size_t i = 0; i < half; ++i) {
            // The reference makes its frequencies in float, and so do trained weights expect them.
            const auto frequency = static_cast<float>(std::exp(-std::log(10000.0) * static_cast<double>(i) / steps));
            const auto angle = static_cast<double>(of[n].time * frequency);
            waves.row(n).data()[i] = static_cast<float>(std::cos(angle));
            waves.row(n).data()[half + i] = static_cast<float>(std::sin(angle));
        }
    }
    const nn::rows middle = c.scratch_rows(of.size(), config_.width);
    time_in_(c, nn::activations{c, waves}, middle);
    kernels::activate(kernels::silu{}, middle, middle, c.how);
    time_out_(c, nn::activations{c, middle}, out);
    for(std::size_t n = 0; n < of.size(); ++n) {
        const view<const float, dyn> label{labels_.data() + of[n].label * config_.width, config_.width};
        kernels::add(out.row(n), label, out.row(n), c.how);
    }
    kernels::activate(kernels::silu{}, out, out, c.how);
    return out;
}

TOKENWORKS_FUNCTION void dit::embed(nn::context& c, nn::const_rows x, nn::rows tokens) const {
    const arena::scope scratch{c.scratch};
    const std::size_t pixels = config_.side * config_.side;
    const std::size_t count = config_.tokens();
    const std::size_t length = config_.patch * config_.patch * config_.channels;
    const kernels::window by{.height = config_.patch, .width = config_.patch, .stride = config_.patch};
    const nn::rows windows = c.scratch_rows(tokens.extent(0), length);
    for(std::size_t n = 0; n < tokens.extent(0) / count; ++n) {
        kernels::gather_windows(
            kernels::const_pixel_view{x.row(n * pixels).data(), config_.side, config_.side, config_.channels}, by, 0,
            windows.slice(n * count, count), c.how);
    }
    patch_(c, nn::activations{c, windows}, tokens);
    for(std::size_t n = 0; n < tokens.extent(0) / count; ++n) {
        const nn::rows own = tokens.slice(n * count, count);
        kernels::add(own, nn::const_rows{positions_.data(), count, config_.width}, own, c.how);
    }
}

TOKENWORKS_FUNCTION void dit::norm(nn::context& c, nn::const_rows x, nn::const_rows vectors, std::size_t shift,
                                   nn::rows out, float epsilon) const {
    const std::size_t width = config_.width;
    kernels::layer_norm(x, view<const float, dyn>{}, view<const float, dyn>{}, out, {.epsilon = epsilon}, c.how);
    for(std::size_t n = 0; n < vectors.extent(0); ++n) {
        const float* const parts = vectors.row(n).data() + shift * width;
        const nn::rows own = out.slice(n * config_.tokens(), config_.tokens());
        kernels::modulate(own, view<const float, dyn>{parts, width}, view<const float, dyn>{parts + width, width}, own,
                          c.how);
    }
}

TOKENWORKS_FUNCTION void dit::add(nn::context& c, nn::const_rows result, nn::const_rows vectors, std::size_t gate,
                                  nn::rows x) const {
    for(std::size_t n = 0; n < vectors.extent(0); ++n) {
        const view<const float, dyn> part{vectors.row(n).data() + gate * config_.width, config_.width};
        kernels::add_gated(result.slice(n * config_.tokens(), config_.tokens()), part,
                           x.slice(n * config_.tokens(), config_.tokens()), c.how);
    }
}

TOKENWORKS_FUNCTION void dit::unpatch(const execution& how, nn::const_rows tokens, nn::rows out) const {
    const std::size_t across = config_.side / config_.patch;
    const std::size_t run = config_.patch * config_.outputs; // values of a row of a patch, which lie side by side
    parallel_for(how, tokens.extent(0), 64, [&](work_range range) {
        for(std::size_t t = range.begin; t < range.end; ++t) {
            const std::size_t picture = t / config_.tokens();
            const std::size_t row = t % config_.tokens() / across * config_.patch;
            const std::size_t column = t % across * config_.patch;
            for(std::size_t i = 0; i < config_.patch; ++i) {
                const std::size_t pixel = (picture * config_.side + row + i) * config_.side + column;
                std::copy_n(tokens.row(t).data() + i * run, run, out.row(pixel).data());
            }
        }
    });
}

TOKENWORKS_FUNCTION void dit::forward(nn::context& c, nn::const_rows x, std::span<const condition> of,
                                      nn::rows out) const {
    const std::size_t pixels = of.size() * config_.side * config_.side;
    if(x.extent(0) != pixels || out.extent(0) != pixels || x.extent(1) != config_.channels ||
       out.extent(1) != config_.outputs) {
        tokenworks::detail::raise<shape_error>({"dit: x is ", to_string(x.extents()), ", out is ",
                                                to_string(out.extents()), ", expected [", pixels, ",", config_.channels,
                                                "] and [", pixels, ",", config_.outputs, "]"});
    }
    for(const condition& each: of) {
        if(each.label > config_.classes) {
            tokenworks::detail::raise<argument_error>({"dit: class ", each.label, ", the model has ", config_.classes});
        }
    }
    const std::size_t count = of.size() * config_.tokens();
    c.begin_step(count, of.size());
    for(std::size_t n = 0; n < of.size(); ++n) {
        c.add_sequence({.first = n * config_.tokens(), .count = config_.tokens()});
    }
    const arena::scope scratch{c.scratch};
    const nn::rows known = conditions(c, of);
    const nn::rows tokens = c.scratch_rows(count, config_.width);
    embed(c, x, tokens);
    for(std::size_t i = 0; i < blocks_.size(); ++i) {
        const arena::scope of_block{c.scratch};
        c.layer = i;
        const nn::rows vectors = c.scratch_rows(of.size(), 6 * config_.width);
        blocks_[i].modulation(c, nn::activations{c, known}, vectors);
        const nn::rows normed = c.scratch_rows(count, config_.width);
        const nn::rows result = c.scratch_rows(count, config_.width);
        norm(c, tokens, vectors, 0, normed);
        blocks_[i].attend(c, nn::activations{c, normed}, result);
        add(c, result, vectors, 2, tokens);
        norm(c, tokens, vectors, 3, normed, config_.second_epsilon);
        blocks_[i].mlp(c, nn::activations{c, normed}, result);
        add(c, result, vectors, 5, tokens);
    }
    const nn::rows vectors = c.scratch_rows(of.size(), 2 * config_.width);
    last_modulation_(c, nn::activations{c, known}, vectors);
    norm(c, tokens, vectors, 0, tokens);
    const nn::rows patches = c.scratch_rows(count, last_.out_width());
    last_(c, nn::activations{c, tokens}, patches);
    unpatch(c.how, patches, out);
}

TOKENWORKS_FUNCTION tensor_names dit_names(const dit_config& config) {
    const std::size_t width = config.width;
    const auto part = [&](std::size_t which) { return tensor_part{.rows = {3 * width, which * width, width}}; };
    const std::string block = "blocks.#.";
    return {{"patch.weight", "x_embedder.proj.weight", {.is_pixel_filter = true}},
            {"patch.bias", "x_embedder.proj.bias"},
            {"positions", "pos_embed"},
            {"time.in", "t_embedder.mlp.0"},
            {"time.out", "t_embedder.mlp.2"},
            {"labels.weight", "y_embedder.embedding_table.weight"},
            {"blk.#.attn_q", block + "attn.qkv", part(0)},
            {"blk.#.attn_k", block + "attn.qkv", part(1)},
            {"blk.#.attn_v", block + "attn.qkv", part(2)},
            {"blk.#.attn_output", block + "attn.proj"},
            {"blk.#.ffn_up", block + "mlp.fc1"},
            {"blk.#.ffn_down", block + "mlp.fc2"},
            {"blk.#.modulation", block + "adaLN_modulation.1"},
            {"last.modulation", "final_layer.adaLN_modulation.1"},
            {"last", "final_layer.linear"}};
}

TOKENWORKS_FUNCTION tensor_names dit_diffusers_names() {
    const std::string block = "transformer_blocks.#.";
    const std::string known = "transformer_blocks.0.norm1.emb.";
    return {{"patch.weight", "pos_embed.proj.weight", {.is_pixel_filter = true}},
            {"patch.bias", "pos_embed.proj.bias"},
            {"time.in", known + "timestep_embedder.linear_1"},
            {"time.out", known + "timestep_embedder.linear_2"},
            {"labels.weight", known + "class_embedder.embedding_table.weight"},
            {"blk.#.attn_q", block + "attn1.to_q"},
            {"blk.#.attn_k", block + "attn1.to_k"},
            {"blk.#.attn_v", block + "attn1.to_v"},
            {"blk.#.attn_output", block + "attn1.to_out.0"},
            {"blk.#.ffn_up", block + "ff.net.0.proj"},
            {"blk.#.ffn_down", block + "ff.net.2"},
            {"blk.#.modulation", block + "norm1.linear"},
            {"last.modulation", "proj_out_1"},
            {"last", "proj_out_2"}};
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::models
