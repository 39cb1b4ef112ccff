// What a model will take on this machine, told from its configuration and the types of its tensors, before it is
// loaded: memory, operations, bytes read, and the speed that the machine's limits allow.
//
// Operations are multiplications and additions of products and of attention; norms, activations and positions are a few
// per cent and not counted. `bench` of the example program holds what it measures against the same numbers.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include <tokenworks/config.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/kernels/panel_format.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/weights.hpp>
#include <tokenworks/runtime/machine_limits.hpp>

#if TOKENWORKS_DEFINITIONS
#include <array>

#include <tokenworks/core/allocator.hpp>
#include <tokenworks/core/checked.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/kernels/packed_matrix.hpp>
#include <tokenworks/kernels/quantize_activations.hpp>
#include <tokenworks/models/weight_list.hpp>
#include <tokenworks/nn/kv_cache.hpp>
#include <tokenworks/nn/routing.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

/// Multiplications and additions, by what they multiply.
struct operation_count {
    double integer = 0; ///< of 8-bit codes: products with quantised weights
    double real = 0;    ///< of floats

    [[nodiscard]] double total() const noexcept { return integer + real; }
    /// Seconds at the machine's peak.
    [[nodiscard]] double seconds(const machine_limits& limits) const noexcept {
        return (integer == 0 ? 0 : integer / limits.int8_operations_per_second) +
               (real == 0 ? 0 : real / limits.float_operations_per_second);
    }
    operation_count& operator+=(const operation_count& other) noexcept {
        integer += other.integer;
        real += other.real;
        return *this;
    }
    [[nodiscard]] friend operation_count operator+(operation_count a, const operation_count& b) noexcept {
        return a += b;
    }
    [[nodiscard]] friend operation_count operator*(double times, const operation_count& one) noexcept {
        return {times * one.integer, times * one.real};
    }
};

/// What the matrices of a model cost. Vectors (norms, biases) are a thousandth of them and not counted.
struct weight_costs {
    std::uint64_t packed_bytes = 0; ///< in memory, all of them
    std::uint64_t layer_bytes = 0;  ///< of these, what every step of the layers reads
    std::uint64_t expert_bytes = 0; ///< the experts of all mixtures
    std::uint64_t head_bytes = 0;   ///< what a step reads that wants logits
    std::uint64_t memory_bytes = 0; ///< what reads an encoder's output, once
    operation_count layers;         ///< of a token, in the layers
    operation_count head;           ///< of a row of logits
    operation_count memory;         ///< of a row of an encoder's output
};

/// Reads names, types and extents of the tensors, not their data.
/// @param set  where the model is to run: packed encoders differ
/// @throws as models::decoder, for the tensors' sake: format_error, unsupported_error; argument_error for the
///         configuration's
[[nodiscard]] TOKENWORKS_FUNCTION weight_costs
weight_costs_of(const models::model_config& config, const models::weight_source& source,
                kernels::matmul_precision precision = kernels::matmul_precision::highest, isa set = best_isa());

/// Operations of the scores and sums of attention in all layers, for `count` tokens behind `depth` others.
[[nodiscard]] TOKENWORKS_FUNCTION double attention_operations(const models::model_config& config, std::size_t depth,
                                                              std::size_t count);

/// Bytes of keys and values that a token takes in a cache.
[[nodiscard]] TOKENWORKS_FUNCTION std::uint64_t cache_bytes_per_token(const models::model_config& config,
                                                                      dtype type = dtype::f16);

/// Scratch memory that a step takes: of that many tokens, and rows of logits, which the caller owns.
[[nodiscard]] TOKENWORKS_FUNCTION std::uint64_t scratch_bytes(const models::model_config& config, std::size_t tokens,
                                                              std::size_t rows_of_logits);

/// What one step, or several, take of the machine.
struct run_cost {
    operation_count products;
    double attention = 0;  ///< operations on floats
    double bytes_read = 0; ///< weights, and keys and values, that no cache of the processor holds

    /// The least time that the machine can take.
    [[nodiscard]] double seconds(const machine_limits& limits) const noexcept {
        const double read = bytes_read / limits.read_bytes_per_second;
        return std::max(read, (products + operation_count{0, attention}).seconds(limits));
    }
};

/// Tokens of a prompt that go into a step, as in generate_options.
inline constexpr std::size_t prompt_step = 512;

/// A prompt, up to its last token's logits; an encoder's text, up to its hidden states.
[[nodiscard]] TOKENWORKS_FUNCTION run_cost prefill_cost(const models::model_config& config, const weight_costs& weights,
                                                        std::size_t tokens);

/// A step of one token in each of `batch` sequences, of `depth` tokens each. Of a mixture those experts count that
/// as many tokens meet in the mean, if all are as likely.
[[nodiscard]] TOKENWORKS_FUNCTION run_cost decode_cost(const models::model_config& config, const weight_costs& weights,
                                                       std::size_t batch, std::size_t depth, dtype cache_type);

/// What is to be run.
struct plan_options {
    std::size_t context = 0;       ///< tokens of a sequence; 0: those that the model was trained on
    std::size_t batch = 1;         ///< sequences
    std::size_t prompt = 512;      ///< tokens, no more than the context
    std::size_t depth = 0;         ///< tokens behind which is decoded, less than the context
    dtype cache_type = dtype::f16; ///< of keys and values
    kernels::matmul_precision precision = kernels::matmul_precision::highest;
    isa set = best_isa();
};

struct model_plan {
    weight_costs weights;
    std::size_t context = 0;
    std::size_t prompt = 0;
    std::size_t depth = 0;
    std::uint64_t cache_bytes_per_token = 0;
    std::uint64_t cache_bytes = 0;   ///< of all sequences; 0 for encoders, as what follows of decoding
    std::uint64_t scratch_bytes = 0; ///< and logits
    run_cost prefill;                ///< of the prompt
    run_cost decode;                 ///< of a step behind `depth`
    run_cost decode_full;            ///< of a step that fills the context

    /// All memory; programs take a few MB more.
    [[nodiscard]] std::uint64_t memory_bytes() const noexcept {
        return weights.packed_bytes + cache_bytes + scratch_bytes;
    }
};

/// What a model of two parts takes: an encoder and a decoder that looks at what it has made of a source, or images and
/// texts, which have nothing in common but the space that both end in.
struct pair_plan {
    weight_costs encoder;
    weight_costs decoder;    ///< with the table of tokens; or that of texts
    std::size_t source = 0;  ///< rows of the encoder: tokens, or patches of an image
    std::size_t context = 0; ///< tokens of the decoder, or of a text
    std::size_t depth = 0;
    std::uint64_t cache_bytes = 0; ///< of all sequences, of what the encoder has made too
    std::uint64_t scratch_bytes = 0;
    run_cost encode;      ///< of a source, up to what the decoder looks at; or of an image
    run_cost text;        ///< of images and texts: a text
    run_cost decode;      ///< of a step behind `depth`
    run_cost decode_full; ///< of a step that fills the context

    /// All memory; programs take a few MB more.
    [[nodiscard]] std::uint64_t memory_bytes() const noexcept {
        return encoder.packed_bytes + decoder.packed_bytes + cache_bytes + scratch_bytes;
    }
};

/// @param encoder, config  as model_folder has them
/// @param options          whose prompt is the source, or the text that goes with images
/// @throws as plan_model
[[nodiscard]] TOKENWORKS_FUNCTION pair_plan plan_pair(const models::model_config& encoder,
                                                      const models::model_config& config,
                                                      const models::weight_source& source,
                                                      const plan_options& options = {});

/// @throws as weight_costs_of; argument_error for a batch of 0, for what a cache cannot be, and for sizes that overflow
[[nodiscard]] TOKENWORKS_FUNCTION model_plan plan_model(const models::model_config& config,
                                                        const models::weight_source& source,
                                                        const plan_options& options = {});

#if TOKENWORKS_DEFINITIONS

namespace detail {

/// Keys that a token sees, summed over the first `count` tokens of a text, of a layer that sees back `window`.
[[nodiscard]] inline double keys_seen(std::size_t window, std::size_t count) noexcept {
    const auto n = static_cast<double>(count);
    const auto w = static_cast<double>(window == 0 ? count : std::min(window, count));
    return w * (w + 1) / 2 + (n - w) * w;
}

/// Bytes that one step of so many tokens reads of the weights.
[[nodiscard]] inline double weight_bytes_read(const models::model_config& config, const weight_costs& weights,
                                              std::size_t tokens) {
    double share = 0;
    if(config.mixture) {
        const nn::routing_options& routing = config.mixture->routing;
        const double missed = 1 - static_cast<double>(routing.used) / static_cast<double>(routing.experts);
        share = 1 - std::pow(missed, static_cast<double>(tokens));
    }
    return static_cast<double>(weights.layer_bytes) + share * static_cast<double>(weights.expert_bytes);
}

/// Scratch memory as the blocks take it, rows after rows.
class scratch_sizes {
public:
    scratch_sizes(const models::model_config& config, std::size_t tokens) : config_{config}, tokens_{tokens} {}

    /// T rows of floats.
    [[nodiscard]] std::uint64_t rows(std::size_t width) const { return padded(tokens_ * width * sizeof(float)); }
    /// T rows as the input of a product.
    [[nodiscard]] std::uint64_t form(std::size_t width) const {
        return padded(kernels::quantized_rows::bytes(tokens_, width));
    }

    [[nodiscard]] std::uint64_t attention() const {
        const models::model_config& c = config_;
        const std::size_t out = c.heads * c.value_width;
        std::uint64_t sum = rows(c.heads * c.key_width) + rows(c.kv_heads * c.key_width) +
                            rows(c.kv_heads * c.value_width) + rows(out) + form(out);
        if(c.latent) {
            sum += rows(c.latent->query_rank) + form(c.latent->query_rank) + rows(c.latent->rank) +
                   form(c.latent->rank) + rows(c.heads * c.key_width) + rows(c.latent->turned);
        }
        return sum;
    }
    [[nodiscard]] std::uint64_t mlp(std::size_t width) const { return 2 * rows(width) + form(width); }
    [[nodiscard]] std::uint64_t mixture() const {
        const models::mixture_config& how = *config_.mixture;
        const std::size_t c = config_.width;
        const std::uint64_t routing = padded(tokens_ * how.routing.used * (sizeof(nn::routed) + sizeof(std::size_t))) +
                                      padded(how.routing.experts * 3 * sizeof(double)) + rows(how.routing.experts) +
                                      4 * default_alignment;
        const std::uint64_t expert = 2 * rows(c) + form(c) + mlp(how.feed_forward) + 8 * default_alignment;
        const std::uint64_t shared = how.shared == 0 ? 0 : rows(c) + rows(1) + mlp(how.shared);
        return rows(c) + routing + std::max(expert, shared);
    }

    /// The largest layer, its input included.
    [[nodiscard]] std::uint64_t layer() const {
        const std::size_t c = config_.width;
        std::uint64_t largest = attention();
        if(config_.memory_width != 0) {
            largest = std::max(largest,
                               2 * rows(config_.heads * config_.key_width) + form(config_.heads * config_.key_width));
        }
        for(const models::layer_config& each: config_.layers) {
            largest = std::max(largest, each.is_mixture ? mixture() : mlp(config_.feed_forward));
        }
        const bool has_result = config_.post_norm || config_.residual_scale != 1;
        const std::uint64_t inputs = (config_.parallel_residual ? 2 : 1) * (rows(c) + form(c));
        return largest + inputs + (has_result ? rows(c) : 0);
    }

    [[nodiscard]] static std::uint64_t padded(std::uint64_t bytes) {
        return bytes + (default_alignment - bytes % default_alignment) % default_alignment;
    }

private:
    const models::model_config& config_;
    std::uint64_t tokens_;
};

} // namespace detail

namespace detail {

/// Of a part of a model.
[[nodiscard]] inline weight_costs part_costs(const models::model_config& config, const models::weight_source& source,
                                             kernels::matmul_precision wanted, isa set,
                                             const models::listed_part& part) {
    config.validate();
    const auto of_layers = config.causal ? wanted : kernels::precision_for_many_rows(wanted, set);
    weight_costs costs;
    models::for_each_matrix(config, part, [&](const models::listed_matrix& each) {
        using use = models::matrix_use;
        const std::array extents{each.rows, each.columns};
        const models::weight found = models::require_real(source, each.name, extents, true);
        const bool is_table = each.use == use::table || each.use == use::table_as_head;
        const auto precision = is_table ? kernels::precision_of_table(of_layers) : of_layers;
        const std::uint64_t bytes = kernels::packed_matrix::bytes_of(found.type, each.rows, each.columns, precision);
        const double twice = 2 * static_cast<double>(each.rows) * static_cast<double>(each.columns);
        const bool has_codes = kernels::has_codes(kernels::panel_format_of(found.type));
        const operation_count product{has_codes ? twice : 0, has_codes ? 0 : twice};
        costs.packed_bytes += bytes;
        switch(each.use) {
        case use::layer:
            costs.layer_bytes += bytes;
            costs.layers += product;
            break;
        case use::expert: {
            const nn::routing_options& routing = config.mixture->routing;
            costs.expert_bytes += bytes;
            costs.layers += static_cast<double>(routing.used) / static_cast<double>(routing.experts) * product;
            break;
        }
        case use::head:
        case use::table_as_head:
            costs.head_bytes += bytes;
            costs.head += product;
            break;
        case use::memory:
            costs.memory_bytes += bytes;
            costs.memory += product;
            break;
        case use::table:
            break;
        }
    });
    return costs;
}

/// Bytes of the caches of all sequences.
[[nodiscard]] inline std::uint64_t caches_of(const models::model_config& config, std::size_t tokens, dtype type,
                                             std::size_t batch) {
    const std::uint64_t one = nn::kv_cache::bytes_of(config.layers.size(), config.kv_heads, config.key_width,
                                                     config.value_width, tokens, type);
    const auto all = checked_mul(one, batch);
    if(!all) {
        tokenworks::detail::raise<argument_error>({"plan: ", batch, " caches of ", one, " bytes"});
    }
    return *all;
}

inline void check_batch(std::size_t batch) {
    constexpr std::size_t most = std::size_t{1} << 24;
    if(batch == 0 || batch > most) {
        tokenworks::detail::raise<argument_error>({"plan: a batch of ", batch, ", not in 1..", most});
    }
}

} // namespace detail

TOKENWORKS_FUNCTION weight_costs weight_costs_of(const models::model_config& config,
                                                 const models::weight_source& source,
                                                 kernels::matmul_precision precision, isa set) {
    const bool has_head =
        config.causal || config.image || (config.head_transform && source.describe("output_transform.weight"));
    return detail::part_costs(config, source, precision, set, {.has_head = has_head});
}

TOKENWORKS_FUNCTION double attention_operations(const models::model_config& config, std::size_t depth,
                                                std::size_t count) {
    double keys = 0;
    for(const models::layer_config& layer: config.layers) {
        const double before = detail::keys_seen(layer.window, depth);
        const double seen = detail::keys_seen(layer.window, depth + count);
        // Rows of an encoder see as many keys behind them as before them, and themselves once.
        keys += config.causal ? seen - before : 2 * seen - static_cast<double>(count);
    }
    return 2 * keys * static_cast<double>(config.heads) * static_cast<double>(config.key_width + config.value_width);
}

TOKENWORKS_FUNCTION std::uint64_t cache_bytes_per_token(const models::model_config& config, dtype type) {
    const dtype_info stored = info(type);
    const std::uint64_t blocks = config.key_width / stored.block_size + config.value_width / stored.block_size;
    return std::uint64_t{config.layers.size()} * config.kv_heads * blocks * stored.block_bytes;
}

TOKENWORKS_FUNCTION std::uint64_t scratch_bytes(const models::model_config& config, std::size_t tokens,
                                                std::size_t rows_of_logits) {
    const detail::scratch_sizes all{config, tokens};
    const detail::scratch_sizes last{config, rows_of_logits};
    const std::size_t c = config.width;
    const std::uint64_t ids = 2 * detail::scratch_sizes::padded(std::uint64_t{tokens} * sizeof(std::int32_t));
    const std::uint64_t final = 2 * last.rows(c) + last.form(c) + last.rows(config.head_transform ? c : 0);
    std::uint64_t angles = 0;
    for(const kernels::rope_config& rope: config.rope_configs) {
        angles += std::uint64_t{tokens} * rope.width * sizeof(float);
    }
    std::uint64_t embedding = ids + all.rows(c);
    if(config.image) {
        const std::size_t values = config.image->patch_values();
        embedding += all.rows(values) + all.form(values) + all.rows(c);
    }
    return all.rows(c) + ids + std::max({all.layer(), final, embedding}) + angles + last.rows(config.vocab_size);
}

TOKENWORKS_FUNCTION run_cost prefill_cost(const models::model_config& config, const weight_costs& weights,
                                          std::size_t tokens) {
    run_cost cost;
    cost.products = static_cast<double>(tokens) * weights.layers;
    cost.attention = attention_operations(config, 0, tokens);
    const std::size_t steps = config.causal ? tokens / prompt_step : 0;
    const std::size_t rest = tokens - steps * prompt_step;
    cost.bytes_read = static_cast<double>(steps) * detail::weight_bytes_read(config, weights, prompt_step);
    if(rest != 0) {
        cost.bytes_read += detail::weight_bytes_read(config, weights, rest);
    }
    if(config.causal) {
        cost.products += weights.head;
        cost.bytes_read += static_cast<double>(weights.head_bytes);
    }
    return cost;
}

TOKENWORKS_FUNCTION run_cost decode_cost(const models::model_config& config, const weight_costs& weights,
                                         std::size_t batch, std::size_t depth, dtype cache_type) {
    const auto sequences = static_cast<double>(batch);
    double keys = 0;
    for(const models::layer_config& layer: config.layers) {
        keys += static_cast<double>(layer.window == 0 ? depth + 1 : std::min(layer.window, depth + 1));
    }
    const double bytes_of_key = static_cast<double>(cache_bytes_per_token(config, cache_type)) /
                                static_cast<double>(std::max<std::size_t>(1, config.layers.size()));
    run_cost cost;
    cost.products = sequences * (weights.layers + weights.head);
    cost.attention = sequences * attention_operations(config, depth, 1);
    cost.bytes_read = detail::weight_bytes_read(config, weights, batch) + static_cast<double>(weights.head_bytes) +
                      sequences * keys * bytes_of_key;
    return cost;
}

TOKENWORKS_FUNCTION model_plan plan_model(const models::model_config& config, const models::weight_source& source,
                                          const plan_options& options) {
    detail::check_batch(options.batch);
    model_plan plan;
    plan.weights = weight_costs_of(config, source, options.precision, options.set);
    plan.context = options.context == 0 || config.image ? config.context_length : options.context;
    plan.prompt = config.image ? plan.context : std::min(options.prompt, plan.context);
    plan.prefill = prefill_cost(config, plan.weights, plan.prompt);
    if(!config.causal) {
        plan.scratch_bytes = scratch_bytes(config, plan.prompt, 0);
        return plan;
    }
    plan.depth = std::min(options.depth, plan.context - 1);
    plan.cache_bytes = detail::caches_of(config, plan.context, options.cache_type, options.batch);
    plan.cache_bytes_per_token = cache_bytes_per_token(config, options.cache_type);
    plan.scratch_bytes = std::max(scratch_bytes(config, std::min(plan.prompt, prompt_step), 1),
                                  scratch_bytes(config, options.batch, options.batch));
    plan.decode = decode_cost(config, plan.weights, options.batch, plan.depth, options.cache_type);
    plan.decode_full = decode_cost(config, plan.weights, options.batch, plan.context - 1, options.cache_type);
    return plan;
}

namespace detail {

/// A step of a decoder that looks at sources of so many rows as well.
[[nodiscard]] inline run_cost step_with_sources(const models::model_config& config, const weight_costs& weights,
                                                std::size_t rows, std::size_t depth, const plan_options& options) {
    run_cost cost = decode_cost(config, weights, options.batch, depth, options.cache_type);
    const auto seen = static_cast<double>(options.batch) * static_cast<double>(rows);
    cost.attention += 2 * seen * static_cast<double>(config.layers.size() * config.heads) *
                      static_cast<double>(config.key_width + config.value_width);
    cost.bytes_read += seen * static_cast<double>(cache_bytes_per_token(config, options.cache_type));
    return cost;
}

/// The layer that texts go through to where images end too.
inline void add_projection(weight_costs& costs, const models::model_config& config, const models::weight_source& source,
                           kernels::matmul_precision precision) {
    if(config.projection == 0) {
        return;
    }
    const std::array extents{config.projection, config.width};
    const models::weight found = models::require_real(source, "projection.weight", extents, true);
    const std::uint64_t bytes = kernels::packed_matrix::bytes_of(found.type, extents[0], extents[1], precision);
    const double twice = 2 * static_cast<double>(extents[0]) * static_cast<double>(extents[1]);
    const bool has_codes = kernels::has_codes(kernels::panel_format_of(found.type));
    costs.packed_bytes += bytes;
    costs.head_bytes += bytes;
    costs.head += {has_codes ? twice : 0, has_codes ? 0 : twice};
}

} // namespace detail

TOKENWORKS_FUNCTION pair_plan plan_pair(const models::model_config& encoder, const models::model_config& config,
                                        const models::weight_source& source, const plan_options& options) {
    detail::check_batch(options.batch);
    const bool has_memory = config.memory_width != 0;
    pair_plan plan;
    plan.encoder = detail::part_costs(encoder, source, options.precision, options.set,
                                      {.prefix = "enc.", .tokens = false, .has_head = encoder.image.has_value()});
    plan.decoder = detail::part_costs(config, source, options.precision, options.set,
                                      {.prefix = has_memory ? "dec." : "", .has_head = has_memory});
    const bool is_bounded = encoder.image || encoder.position == models::position_kind::learned;
    plan.source = encoder.image ? encoder.context_length
                  : is_bounded  ? std::min(options.prompt, encoder.context_length)
                                : options.prompt;
    plan.context = options.context == 0 ? config.context_length : options.context;
    plan.encode = prefill_cost(encoder, plan.encoder, plan.source);
    plan.scratch_bytes =
        scratch_bytes(encoder, plan.source, 0) + std::uint64_t{plan.source} * encoder.width * sizeof(float);
    if(!has_memory) {
        detail::add_projection(plan.decoder, config, source, options.precision);
        const std::size_t tokens = std::min(options.prompt, config.context_length);
        plan.context = config.context_length;
        plan.text = prefill_cost(config, plan.decoder, tokens);
        plan.scratch_bytes = std::max(plan.scratch_bytes, scratch_bytes(config, tokens, 0));
        return plan;
    }
    const auto rows = static_cast<double>(plan.source);
    plan.encode.products += rows * plan.decoder.memory;
    plan.encode.bytes_read += static_cast<double>(plan.decoder.memory_bytes);
    plan.depth = std::min(options.depth, plan.context - 1);
    plan.cache_bytes = detail::caches_of(config, plan.context, options.cache_type, options.batch) +
                       detail::caches_of(config, plan.source, options.cache_type, options.batch);
    plan.scratch_bytes = std::max(plan.scratch_bytes, scratch_bytes(config, options.batch, options.batch));
    plan.decode = detail::step_with_sources(config, plan.decoder, plan.source, plan.depth, options);
    plan.decode_full = detail::step_with_sources(config, plan.decoder, plan.source, plan.context - 1, options);
    return plan;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
