// What a transformer is, as data: the knobs that set one published architecture apart from another.
//
// A family (models/llama.hpp, models/gpt_neox.hpp) is a function from a file's metadata to this struct plus the names
// of its tensors; models/decoder.hpp turns it into blocks. Nothing here is a registry: a program may fill the struct
// itself.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/kernels/activation.hpp>
#include <tokenworks/kernels/rope_table.hpp>
#include <tokenworks/models/video_config.hpp>
#include <tokenworks/models/vq_config.hpp>
#include <tokenworks/nn/routing.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

enum class norm_kind : std::uint8_t {
    rms,   ///< x / rms(x) * weight
    layer, ///< (x - mean) / deviation * weight + bias
};

/// Where a normalisation of the queries and keys sits, if there is one.
enum class qk_norm_kind : std::uint8_t {
    none,
    per_head, ///< over each head's D values, one weight of D for all heads (Gemma 3, Qwen 3)
    full,     ///< over all H * D values at once, before the split into heads (OLMo 2)
    own_head, ///< over each head's D values, with a weight [H,D] (Command R+, StableLM 2 12B)
};

enum class position_kind : std::uint8_t {
    none,
    rope,     ///< rotates queries and keys; see rope_configs
    alibi,    ///< a slope per head, added to the scores
    learned,  ///< a table of vectors added to the embeddings
    relative, ///< a bias per head and distance, added to the scores; see relative_bias_config
};

enum class feed_forward_kind : std::uint8_t {
    gated, ///< down(activation(gate(x)) * up(x))
    plain, ///< down(activation(up(x)))
};

/// What may differ from one layer to the next.
struct layer_config {
    std::size_t window = 0;     ///< keys a query sees, itself included; 0: all before it
    std::size_t rope = 0;       ///< index into rope_configs; no_rope for a layer without position
    bool is_mixture = false;    ///< feed-forward is a mixture of experts
    bool attention_norm = true; ///< where norms come before: false for an input that is normalised already
    static constexpr std::size_t no_rope = ~std::size_t{0};
    friend bool operator==(const layer_config&, const layer_config&) = default;
};

/// A mixture of experts, in the layers that have one. See nn/mixture.hpp.
struct mixture_config {
    std::size_t feed_forward = 0; ///< F of an expert
    std::size_t shared = 0;       ///< F of the expert that sees every token; 0: none
    bool shared_gate = false;     ///< whose output is weighted by a sigmoid of the token
    nn::routing_options routing{};
    float clamp = 0; ///< as nn::mixture has it
    friend bool operator==(const mixture_config&, const mixture_config&) = default;
};

/// Latent attention, see nn/latent_projection.hpp. Of the D values of a head, the last `turned` know the position.
struct latent_config {
    std::size_t query_rank = 0; ///< Q; 0: queries come from the input itself
    std::size_t rank = 0;       ///< R
    std::size_t turned = 0;     ///< P
    friend bool operator==(const latent_config&, const latent_config&) = default;
};

/// Biases of scores by buckets of distances, see models/relative_bias.hpp.
struct relative_bias_config {
    std::size_t buckets = 0;
    std::size_t max_distance = 0; ///< tokens; all beyond share a bucket
    friend bool operator==(const relative_bias_config&, const relative_bias_config&) = default;
};

/// What a masked language model does before its head: norm(activation(x * weight^T + bias)).
struct head_transform_config {
    kernels::activation_kind activation = kernels::activation_kind::gelu;
    friend bool operator==(const head_transform_config&, const head_transform_config&) = default;
};

/// What tells which classes a text is of, from one row of its own: norm(activation(x * dense^T)), then a logit a class.
struct classifier_config {
    enum class kind : std::uint8_t {
        one_class,  ///< a text is of one class
        any_number, ///< of any number of them, each by itself
        numbers,    ///< logits are the result
    };
    std::vector<std::string> labels; ///< K names
    kind result = kind::one_class;
    bool mean = false; ///< of all rows; false: the first row
    kernels::activation_kind activation = kernels::activation_kind::tanh;
    bool norm = false;
    friend bool operator==(const classifier_config&, const classifier_config&) = default;
};

/// How rows, one for every token, become one for the text.
enum class pooling : std::uint8_t {
    mean, ///< of all tokens' rows
    cls,  ///< the first token's row
    last, ///< the last token's row
    max,  ///< the largest of each column
};

/// Images that an encoder reads, in patches that stand in place of tokens; before them stands a row for the whole.
struct image_config {
    std::size_t channels = 3;
    std::size_t height = 0; ///< pixels
    std::size_t width = 0;
    std::size_t patch_height = 0;
    std::size_t patch_width = 0;
    bool norm_pooled = false; ///< a norm of the first row alone, for what follows
    std::size_t pooled = 0;   ///< width of a layer that the first row goes through; 0: there is none
    kernels::activation_kind pooled_activation = kernels::activation_kind::tanh; ///< behind that layer
    std::size_t labels = 0; ///< kinds of images that a head tells apart; 0: there is none

    /// P; what is left at the edges is not looked at.
    [[nodiscard]] std::size_t patches() const noexcept { return height / patch_height * (width / patch_width); }
    /// Values of a patch.
    [[nodiscard]] std::size_t patch_values() const noexcept { return channels * patch_height * patch_width; }
    friend bool operator==(const image_config&, const image_config&) = default;
};

/// Series of numbers that a model continues: Chronos, whose tokens are values in bins, and Chronos-Bolt, whose tokens
/// are patches.
struct series_config {
    std::size_t context = 0; ///< values that are looked at, the last ones
    std::size_t horizon = 0; ///< values that come at once, or that the model was trained to continue by

    std::size_t patch = 0;                 ///< values of a patch; 0: values in bins
    std::size_t stride = 0;                ///< values from one patch to the next
    std::vector<float> quantiles{};        ///< that come out, rising
    std::int32_t start = 0;                ///< the token that the decoder begins with
    std::optional<std::int32_t> summary{}; ///< a token behind the patches that stands for the whole series

    /// Periods of seasons that are taken out of series before the model sees them; none where it knows seasons itself.
    std::vector<std::size_t> seasons{};

    float low = 0; ///< the centre of the lowest bin, in units of the series' mean size
    float high = 0;
    std::size_t bins = 0;
    std::size_t special = 0; ///< tokens before the bins
    std::int32_t missing = 0;
    std::optional<std::int32_t> end{}; ///< a token behind the values
    std::size_t samples = 0;           ///< continuations that quantiles are taken of
    float temperature = 1;
    std::size_t top_k = 0;
    float top_p = 1;
    friend bool operator==(const series_config&, const series_config&) = default;
};

struct model_config {
    std::string architecture; ///< the name a file gives it, for messages

    std::size_t vocab_size = 0;     ///< V
    std::size_t width = 0;          ///< C
    std::size_t feed_forward = 0;   ///< F
    std::size_t context_length = 0; ///< tokens the model was trained on
    std::vector<layer_config> layers;

    // Attention
    std::size_t heads = 0;       ///< H
    std::size_t kv_heads = 0;    ///< G, divides H
    std::size_t key_width = 0;   ///< D of queries and keys
    std::size_t value_width = 0; ///< D of values
    float attention_scale = 0;   ///< of each score; usually 1/sqrt(D)
    float attention_softcap = 0; ///< c: scores become c * tanh(score / c); 0: off
    bool attention_sinks = false;
    std::optional<latent_config> latent{};
    bool causal = true; ///< false: an encoder, whose rows see those behind them too, within the window on either side
    std::size_t memory_width = 0; ///< layers attend to an encoder's output of this width as well; 0: they do not
    float qkv_clip = 0;           ///< queries, keys and values are kept within ± this; 0: off
    qk_norm_kind qk_norm = qk_norm_kind::none;

    // Position
    position_kind position = position_kind::rope;
    std::vector<kernels::rope_config> rope_configs;
    std::size_t rope_context = 0; ///< tokens that sequences may reach, where scalings ask; 0: context_length
    float alibi_max_bias = 8;
    bool position_table = false;    ///< learned vectors are added besides
    std::size_t first_position = 0; ///< row of the table of learned positions that is position 0
    relative_bias_config relative{};
    float alibi_scale = 1; ///< of the slopes

    // Normalisation
    norm_kind norm = norm_kind::rms;
    float norm_epsilon = 1e-5F;
    bool norm_weights = true;       ///< false: norms without weight and bias
    bool embedding_norm = false;    ///< a norm of the embeddings
    bool pre_norm = true;           ///< norms before attention and feed-forward
    bool post_norm = false;         ///< norms after them, before the residual is added
    bool norm_sums = false;         ///< norms after them, of the sum with the residual
    bool final_norm = true;         ///< a norm after the last layer
    bool parallel_residual = false; ///< attention and feed-forward read the same input and are added together

    // Feed-forward
    feed_forward_kind mlp = feed_forward_kind::gated;
    kernels::activation_kind activation = kernels::activation_kind::silu;
    std::optional<mixture_config> mixture{};

    // Scalings
    float embedding_scale = 1;
    float residual_scale = 1; ///< of what attention and feed-forward add
    float logit_scale = 1;
    float logit_softcap = 0; ///< as attention_softcap, of the final logits; 0: off
    bool tied_embeddings = false;
    std::size_t token_types = 0; ///< kinds of parts that a text is made of, each with an embedding; 0: none
    std::optional<head_transform_config> head_transform{};
    std::optional<classifier_config> classifier{};
    /// Embeddings of masks count as zero, and the others are scaled as if a part of them had been masked (ESM-2).
    std::optional<std::int32_t> dropped_mask{};

    std::optional<series_config> series{};   ///< numbers are read, not texts
    std::optional<picture_config> picture{}; ///< tokens are of pictures
    std::optional<video_config> video{};     ///< tokens are of frames

    // Images, and the space that they share with texts
    std::optional<image_config> image{};
    std::size_t projection = 0;                ///< width of that space; 0: there is none
    std::optional<std::int32_t> end_of_text{}; ///< the first such token stands for a text there; nothing: the highest

    /// Embeddings have learned vectors of their positions added.
    [[nodiscard]] bool has_position_table() const noexcept {
        return position == position_kind::learned || position_table;
    }

    /// Checks that the parts fit together.
    /// @throws argument_error naming the field
    void validate() const;
    friend bool operator==(const model_config&, const model_config&) = default;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION void model_config::validate() const {
    const auto need = [&](bool holds, tokenworks::detail::message_parts what) {
        if(!holds) {
            tokenworks::detail::raise<argument_error>(
                {architecture, " configuration: ", tokenworks::detail::message(what)});
        }
    };
    // Products of any two of these stay far below 2^64, whatever a file says.
    constexpr std::size_t most = std::size_t{1} << 28;
    const auto need_extent = [&](std::size_t value, const char* field) {
        need(value > 0 && value <= most, {field, " is ", value, ", not in 1..", most});
    };
    if(image) {
        need_extent(image->channels, "image.channels");
        need_extent(image->height, "image.height");
        need_extent(image->width, "image.width");
        need(image->patch_height > 0 && image->patch_height <= image->height && image->patch_width > 0 &&
                 image->patch_width <= image->width,
             {"patches of ", image->patch_height, " x ", image->patch_width, " in images of ", image->height, " x ",
              image->width});
        need(image->height <= 65536 && image->width <= 65536 && image->channels <= 4096,
             {"images of ", image->channels, " x ", image->height, " x ", image->width});
        need(context_length == image->patches() + 1,
             {"context_length ", context_length, " is not the image's patches and one more, ", image->patches() + 1});
        need(!causal && position == position_kind::learned && token_types == 0 && first_position == 0,
             {"images need an encoder with learned positions"});
        need(image->pooled <= most && image->labels <= most, {"image.pooled or image.labels is over ", most});
    } else {
        need_extent(vocab_size, "vocab_size");
    }
    need(projection <= most, {"projection is ", projection, ", not in 0..", most});
    need_extent(width, "width");
    need_extent(feed_forward, "feed_forward");
    need_extent(heads, "heads");
    need_extent(kv_heads, "kv_heads");
    need_extent(key_width, "key_width");
    need_extent(value_width, "value_width");
    need(!layers.empty() && layers.size() <= 4096, {"layers are ", layers.size(), ", not in 1..4096"});
    need(heads % kv_heads == 0, {"kv_heads ", kv_heads, " does not divide heads ", heads});
    need(context_length > 0, {"context_length is 0"});
    const auto need_finite = [&](float value, bool positive, const char* field) {
        need(std::isfinite(value) && (!positive || value > 0), {field, " is ", value});
    };
    need_finite(attention_scale, true, "attention_scale");
    need_finite(norm_epsilon, false, "norm_epsilon");
    need(norm_epsilon >= 0, {"norm_epsilon is negative"});
    need_finite(attention_softcap, false, "attention_softcap");
    need_finite(logit_softcap, false, "logit_softcap");
    need(attention_softcap >= 0 && logit_softcap >= 0, {"a soft-cap is negative"});
    need_finite(embedding_scale, false, "embedding_scale");
    need_finite(residual_scale, false, "residual_scale");
    need_finite(logit_scale, false, "logit_scale");
    need_finite(alibi_max_bias, false, "alibi_max_bias");
    need_finite(alibi_scale, false, "alibi_scale");
    need_finite(qkv_clip, false, "qkv_clip");
    need(token_types <= most, {"token_types is ", token_types, ", not in 0..", most});
    need(first_position <= most, {"first_position is ", first_position, ", not in 0..", most});
    need(memory_width <= most, {"memory_width is ", memory_width, ", not in 0..", most});
    need(memory_width == 0 || (causal && kv_heads == heads && key_width == value_width && !parallel_residual),
         {"attention to a memory needs causal layers with as many key as query heads, one after the other"});
    need(!norm_sums || (!pre_norm && !post_norm && !parallel_residual),
         {"norm_sums excludes pre_norm, post_norm and parallel_residual"});
    if(position == position_kind::relative) {
        need(relative.buckets >= 4 && relative.buckets % 4 == 0 && relative.buckets <= 4096,
             {"relative.buckets is ", relative.buckets, ", not a multiple of 4 in 4..4096"});
        need(relative.max_distance > relative.buckets / 2 && relative.max_distance <= 65536,
             {"relative.max_distance is ", relative.max_distance, ", not in ", relative.buckets / 2 + 1, "..65536"});
    }
    need(qkv_clip >= 0, {"qkv_clip is negative"});
    need(!classifier || (!classifier->labels.empty() && classifier->labels.size() <= most),
         {"a classifier without classes"});
    if(latent) {
        need_extent(latent->rank, "latent.rank");
        need(latent->query_rank <= most, {"latent.query_rank is ", latent->query_rank, ", not in 0..", most});
        need(latent->turned > 0 && latent->turned < key_width,
             {"latent.turned is ", latent->turned, ", not in 1..", key_width - 1});
        need(kv_heads == heads, {"kv_heads ", kv_heads, " are not heads ", heads, ", with latent attention"});
        for(const kernels::rope_config& rope: rope_configs) {
            need(rope.width <= latent->turned, {"a rope configuration is wider than latent.turned"});
        }
    }
    if(mixture) {
        need_extent(mixture->feed_forward, "mixture.feed_forward");
        need(mixture->shared <= most, {"mixture.shared is ", mixture->shared, ", not in 0..", most});
        need_finite(mixture->clamp, false, "mixture.clamp");
        try {
            mixture->routing.validate();
        } catch(const argument_error& problem) {
            need(false, {problem.what()});
        }
    }
    for(const kernels::rope_config& rope: rope_configs) {
        need(rope.width <= key_width, {"a rope configuration of width ", rope.width, " for heads of ", key_width});
    }
    for(const layer_config& layer: layers) {
        need(position != position_kind::rope || layer.rope == layer_config::no_rope || layer.rope < rope_configs.size(),
             {"a layer names a rope configuration that does not exist"});
        need(!layer.is_mixture || mixture.has_value(), {"a layer is a mixture of experts, which is not described"});
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::models
