// A decoder's forward pass in double, by the formulas: every product a plain loop, every token attends to a list of
// keys. It knows the library's configuration struct and the names of tensors, and nothing else of it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <tokenworks/models/model_config.hpp>

#include "reference/activation.hpp"

namespace reference {

/// Tensors by name, row-major.
using tensors = std::map<std::string, std::vector<float>>;

/// A matrix of doubles, [rows, columns].
struct grid {
    std::size_t columns = 0;
    std::vector<double> values;

    grid(std::size_t row_count, std::size_t column_count)
        : columns{column_count}, values(row_count * column_count, 0.0) {}
    grid(std::span<const float> from, std::size_t column_count)
        : columns{column_count}, values(from.begin(), from.end()) {}

    [[nodiscard]] std::size_t rows() const { return values.size() / columns; }
    [[nodiscard]] std::span<double> row(std::size_t i) { return std::span{values}.subspan(i * columns, columns); }
    [[nodiscard]] std::span<const double> row(std::size_t i) const {
        return std::span{values}.subspan(i * columns, columns);
    }
};

/// out[t,n] = sum_k x[t,k] * w[n,k] + bias[n]; an empty bias is none
inline grid product(const grid& x, const std::vector<float>& w, const std::vector<float>& bias) {
    const std::size_t n = w.size() / x.columns;
    grid out(x.rows(), n);
    for(std::size_t t = 0; t < x.rows(); ++t) {
        for(std::size_t i = 0; i < n; ++i) {
            double sum = bias.empty() ? 0.0 : static_cast<double>(bias[i]);
            for(std::size_t k = 0; k < x.columns; ++k) {
                sum += x.row(t)[k] * static_cast<double>(w[i * x.columns + k]);
            }
            out.row(t)[i] = sum;
        }
    }
    return out;
}

struct norm_weights {
    bool centred = false; ///< layer norm: the mean is taken off first
    std::vector<float> weight{};
    std::vector<float> bias{};
    double epsilon = 0;
};

inline void normalize(std::span<double> x, const norm_weights& norm) {
    const auto count = static_cast<double>(x.size());
    double mean = 0;
    for(const double value: x) {
        mean += norm.centred ? value / count : 0.0;
    }
    double squares = 0;
    for(const double value: x) {
        squares += (value - mean) * (value - mean) / count;
    }
    for(std::size_t i = 0; i < x.size(); ++i) {
        x[i] = (x[i] - mean) / std::sqrt(squares + norm.epsilon) * static_cast<double>(norm.weight[i]) +
               (norm.bias.empty() ? 0.0 : static_cast<double>(norm.bias[i]));
    }
}

inline double activate(tokenworks::kernels::activation_kind kind, double x) {
    using enum tokenworks::kernels::activation_kind;
    switch(kind) {
    case silu:
        return reference::silu(x);
    case gelu:
        return reference::gelu(x);
    case gelu_tanh:
        return reference::gelu_tanh(x);
    case relu:
        return reference::relu(x);
    case relu_squared:
        return reference::relu_squared(x);
    case gelu_quick:
        return reference::gelu_quick(x);
    case sigmoid:
        return reference::sigmoid(x);
    case tanh:
        return std::tanh(x);
    case identity:
        break;
    }
    return x;
}

/// Self-attention of one sequence from its first token on.
struct attention_block {
    std::size_t heads = 1, groups = 1, key_width = 1, value_width = 1;
    double scale = 1, softcap = 0;
    std::size_t window = 0;
    std::vector<float> query{}, key{}, value{}, output{};
    std::vector<float> query_bias{}, key_bias{}, value_bias{}, output_bias{};
    norm_weights query_norm{}, key_norm{}; ///< without weights: none
    bool norm_over_all_heads = false;
    std::size_t rope_width = 0; ///< 0: none
    double rope_base = 10000;
    bool interleaved = false;
    std::vector<float> sinks{}, slopes{};

    void turn(std::span<double> head, std::size_t position) const {
        for(std::size_t i = 0; i < rope_width / 2; ++i) {
            const double angle = static_cast<double>(position) *
                                 std::pow(rope_base, -2.0 * static_cast<double>(i) / static_cast<double>(rope_width));
            double& a = head[interleaved ? 2 * i : i];
            double& b = head[interleaved ? 2 * i + 1 : i + rope_width / 2];
            const double before = a;
            a = before * std::cos(angle) - b * std::sin(angle);
            b = before * std::sin(angle) + b * std::cos(angle);
        }
    }

    void prepare(grid& x, std::size_t count, const norm_weights& norm) const {
        for(std::size_t t = 0; t < x.rows(); ++t) {
            if(!norm.weight.empty() && norm_over_all_heads) {
                normalize(x.row(t), norm);
            }
            for(std::size_t h = 0; h < count; ++h) {
                const std::span<double> head = x.row(t).subspan(h * key_width, key_width);
                if(!norm.weight.empty() && !norm_over_all_heads) {
                    normalize(head, norm);
                }
                turn(head, t);
            }
        }
    }

    [[nodiscard]] grid operator()(const grid& x) const {
        grid q = product(x, query, query_bias);
        grid k = product(x, key, key_bias);
        const grid v = product(x, value, value_bias);
        prepare(q, heads, query_norm);
        prepare(k, groups, key_norm);
        grid mixed(x.rows(), heads * value_width);
        for(std::size_t t = 0; t < x.rows(); ++t) {
            for(std::size_t h = 0; h < heads; ++h) {
                const std::size_t g = h / (heads / groups);
                std::vector<double> scores;
                const std::size_t first = window != 0 && t + 1 > window ? t + 1 - window : 0;
                for(std::size_t s = first; s <= t; ++s) {
                    double score = 0;
                    for(std::size_t d = 0; d < key_width; ++d) {
                        score += q.row(t)[h * key_width + d] * k.row(s)[g * key_width + d];
                    }
                    score *= scale;
                    score = softcap > 0 ? softcap * std::tanh(score / softcap) : score;
                    score -= slopes.empty() ? 0.0 : static_cast<double>(slopes[h]) * static_cast<double>(t - s);
                    scores.push_back(score);
                }
                double most = *std::max_element(scores.begin(), scores.end());
                most = sinks.empty() ? most : std::max(most, static_cast<double>(sinks[h]));
                double sum = sinks.empty() ? 0.0 : std::exp(static_cast<double>(sinks[h]) - most);
                for(double& score: scores) {
                    score = std::exp(score - most);
                    sum += score;
                }
                for(std::size_t s = first; s <= t; ++s) {
                    for(std::size_t d = 0; d < value_width; ++d) {
                        mixed.row(t)[h * value_width + d] += scores[s - first] / sum * v.row(s)[g * value_width + d];
                    }
                }
            }
        }
        return product(mixed, output, output_bias);
    }
};

/// The whole model, from the tensors that GGUF files name so.
class decoder {
public:
    decoder(const tokenworks::models::model_config& config, const tensors& weights)
        : config_{config}, weights_{weights} {}

    /// Logits [T,V] of every token.
    [[nodiscard]] grid operator()(std::span<const std::int32_t> ids) const {
        grid x(ids.size(), config_.width);
        for(std::size_t t = 0; t < ids.size(); ++t) {
            for(std::size_t i = 0; i < config_.width; ++i) {
                x.row(t)[i] = at("token_embd.weight")[static_cast<std::size_t>(ids[t]) * config_.width + i] *
                              static_cast<double>(config_.embedding_scale);
                if(config_.has_position_table()) {
                    x.row(t)[i] += static_cast<double>(at("position_embd.weight")[t * config_.width + i]);
                }
            }
        }
        for(std::size_t i = 0; i < config_.layers.size(); ++i) {
            run_layer(i, x);
        }
        x = normed(x, "output_norm");
        grid logits =
            product(x, at(config_.tied_embeddings ? "token_embd.weight" : "output.weight"), maybe("output.bias"));
        for(double& value: logits.values) {
            value *= static_cast<double>(config_.logit_scale);
            const auto cap = static_cast<double>(config_.logit_softcap);
            value = cap > 0 ? cap * std::tanh(value / cap) : value;
        }
        return logits;
    }

private:
    [[nodiscard]] const std::vector<float>& at(const std::string& name) const { return weights_.at(name); }
    [[nodiscard]] std::vector<float> maybe(const std::string& name) const {
        const auto found = weights_.find(name);
        return found == weights_.end() ? std::vector<float>{} : found->second;
    }

    [[nodiscard]] norm_weights norm_of(const std::string& name) const {
        return {config_.norm == tokenworks::models::norm_kind::layer, maybe(name + ".weight"), maybe(name + ".bias"),
                static_cast<double>(config_.norm_epsilon)};
    }

    [[nodiscard]] grid normed(grid x, const std::string& name) const {
        for(std::size_t t = 0; t < x.rows(); ++t) {
            normalize(x.row(t), norm_of(name));
        }
        return x;
    }

    [[nodiscard]] attention_block attention_of(std::size_t layer) const {
        using namespace tokenworks::models;
        const std::string name = "blk." + std::to_string(layer) + ".";
        attention_block block;
        block.heads = config_.heads;
        block.groups = config_.kv_heads;
        block.key_width = config_.key_width;
        block.value_width = config_.value_width;
        block.scale = static_cast<double>(config_.attention_scale);
        block.softcap = static_cast<double>(config_.attention_softcap);
        block.window = config_.layers[layer].window;
        block.query = at(name + "attn_q.weight");
        block.key = at(name + "attn_k.weight");
        block.value = at(name + "attn_v.weight");
        block.output = at(name + "attn_output.weight");
        block.query_bias = maybe(name + "attn_q.bias");
        block.key_bias = maybe(name + "attn_k.bias");
        block.value_bias = maybe(name + "attn_v.bias");
        block.output_bias = maybe(name + "attn_output.bias");
        if(config_.qk_norm != qk_norm_kind::none) {
            block.query_norm = norm_of(name + "attn_q_norm");
            block.key_norm = norm_of(name + "attn_k_norm");
            block.norm_over_all_heads = config_.qk_norm == qk_norm_kind::full;
        }
        if(config_.position == position_kind::rope && config_.layers[layer].rope != layer_config::no_rope) {
            const tokenworks::kernels::rope_config& rope = config_.rope_configs[config_.layers[layer].rope];
            block.rope_width = rope.width;
            block.rope_base = rope.base;
            block.interleaved = rope.pairing == tokenworks::kernels::rope_pairing::interleaved;
        }
        if(config_.attention_sinks) {
            block.sinks = at(name + "attn_sinks.weight");
        }
        if(config_.position == position_kind::alibi) {
            // Of a power of two heads, 2^(-8/H), 2^(-16/H), ...; further heads take every other slope of twice as many.
            std::size_t power = 1;
            for(; power * 2 <= config_.heads; power *= 2) {
            }
            for(std::size_t h = 0; h < config_.heads; ++h) {
                const double step = h < power
                                        ? static_cast<double>(h + 1) / static_cast<double>(power)
                                        : static_cast<double>(2 * (h - power) + 1) / static_cast<double>(2 * power);
                block.slopes.push_back(
                    static_cast<float>(std::pow(2.0, -static_cast<double>(config_.alibi_max_bias) * step)));
            }
        }
        return block;
    }

    [[nodiscard]] grid feed_forward(const std::string& name, const grid& x) const {
        grid up = product(x, at(name + "ffn_up.weight"), maybe(name + "ffn_up.bias"));
        if(config_.mlp == tokenworks::models::feed_forward_kind::gated) {
            const grid gate = product(x, at(name + "ffn_gate.weight"), maybe(name + "ffn_gate.bias"));
            for(std::size_t i = 0; i < up.values.size(); ++i) {
                up.values[i] *= activate(config_.activation, gate.values[i]);
            }
        } else {
            for(double& value: up.values) {
                value = activate(config_.activation, value);
            }
        }
        return product(up, at(name + "ffn_down.weight"), maybe(name + "ffn_down.bias"));
    }

    void add(grid& x, grid branch, const std::string& after) const {
        branch = config_.post_norm ? normed(std::move(branch), after) : std::move(branch);
        for(std::size_t i = 0; i < x.values.size(); ++i) {
            x.values[i] += static_cast<double>(config_.residual_scale) * branch.values[i];
        }
    }

    void run_layer(std::size_t layer, grid& x) const {
        const std::string name = "blk." + std::to_string(layer) + ".";
        const grid before = x;
        const grid input = config_.pre_norm ? normed(x, name + "attn_norm") : x;
        add(x, attention_of(layer)(input), name + "post_attention_norm");
        if(config_.parallel_residual) {
            const bool own = config_.pre_norm && weights_.contains(name + "ffn_norm.weight");
            add(x, feed_forward(name, own ? normed(before, name + "ffn_norm") : input), name + "post_ffw_norm");
        } else {
            add(x, feed_forward(name, config_.pre_norm ? normed(x, name + "ffn_norm") : x), name + "post_ffw_norm");
        }
    }

    tokenworks::models::model_config config_;
    tensors weights_;
};

} // namespace reference
