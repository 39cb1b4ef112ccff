// The matrices that a configuration asks for: what load_blocks.hpp loads, told without loading it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/function_ref.hpp>
#include <tokenworks/models/model_config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// Who reads a matrix.
enum class matrix_use : std::uint8_t {
    table,         ///< a token reads one row
    table_as_head, ///< the same, and whoever wants logits all of it
    layer,         ///< every token
    expert,        ///< tokens that are routed there
    memory,        ///< an encoder's output, once
    head,          ///< whoever wants logits
};

/// [N,K] of a name, as blocks ask for it.
struct listed_matrix {
    std::string name;
    std::size_t rows = 0;
    std::size_t columns = 0;
    matrix_use use = matrix_use::layer;
};

/// What part of a model is listed.
struct listed_part {
    std::string prefix{}; ///< as block_loader has it
    bool tokens = true;   ///< with the table of tokens, which the parts of a model share
    bool has_head = true; ///< encoders may come without
};

/// Calls visit with every matrix. The configuration must be valid; a list may be long, as a file says how many layers
/// and experts there are, so that nothing is kept of it.
TOKENWORKS_FUNCTION void for_each_matrix(const model_config& config, const listed_part& part,
                                         function_ref<void(const listed_matrix&)> visit);

#if TOKENWORKS_DEFINITIONS

namespace detail {

class matrix_lister {
public:
    matrix_lister(const model_config& config, const listed_part& part, function_ref<void(const listed_matrix&)> visit)
        : config_{config}, part_{part}, visit_{visit} {}

    void run() const {
        embeddings();
        for(std::size_t i = 0; i < config_.layers.size(); ++i) {
            const std::string prefix = tokenworks::detail::message({part_.prefix, "blk.", i, "."});
            attention(prefix);
            if(config_.memory_width != 0) {
                cross_attention(prefix);
            }
            if(config_.layers[i].is_mixture) {
                mixture(prefix);
            } else {
                feed_forward(prefix, "", config_.feed_forward, config_.mlp == feed_forward_kind::gated);
            }
        }
        head();
    }

private:
    void list(const std::string& name, std::size_t rows, std::size_t columns,
              matrix_use use = matrix_use::layer) const {
        visit_({name + ".weight", rows, columns, use});
    }

    void embeddings() const {
        const std::size_t c = config_.width;
        if(config_.image) {
            list(part_.prefix + "patch_embd", c, config_.image->patch_values());
        } else if(part_.tokens) {
            const bool is_head = config_.tied_embeddings && part_.has_head;
            list("token_embd", config_.vocab_size, c, is_head ? matrix_use::table_as_head : matrix_use::table);
        }
        if(config_.has_position_table()) {
            list(part_.prefix + "position_embd", config_.first_position + config_.context_length, c, matrix_use::table);
        }
        if(config_.token_types != 0) {
            list("token_types", config_.token_types, c, matrix_use::table);
        }
    }

    void attention(const std::string& prefix) const {
        const std::size_t c = config_.width;
        const std::size_t queries = config_.heads * config_.key_width;
        if(config_.latent) {
            const latent_config& how = *config_.latent;
            if(how.query_rank != 0) {
                list(prefix + "attn_q_a", how.query_rank, c);
            }
            list(prefix + (how.query_rank != 0 ? "attn_q_b" : "attn_q"), queries,
                 how.query_rank != 0 ? how.query_rank : c);
            list(prefix + "attn_kv_a", how.rank, c);
            list(prefix + "attn_k_turned", how.turned, c);
            list(prefix + "attn_k_b", config_.heads * (config_.key_width - how.turned), how.rank);
            list(prefix + "attn_v_b", config_.heads * config_.value_width, how.rank);
        } else {
            list(prefix + "attn_q", queries, c);
            list(prefix + "attn_k", config_.kv_heads * config_.key_width, c);
            list(prefix + "attn_v", config_.kv_heads * config_.value_width, c);
        }
        list(prefix + "attn_output", c, config_.heads * config_.value_width);
    }

    void cross_attention(const std::string& prefix) const {
        const std::size_t inner = config_.heads * config_.key_width;
        list(prefix + "cross_attn_q", inner, config_.width);
        list(prefix + "cross_attn_k", inner, config_.memory_width, matrix_use::memory);
        list(prefix + "cross_attn_v", inner, config_.memory_width, matrix_use::memory);
        list(prefix + "cross_attn_output", config_.width, inner);
    }

    void feed_forward(const std::string& prefix, const std::string& suffix, std::size_t width, bool is_gated,
                      matrix_use use = matrix_use::layer) const {
        if(is_gated) {
            list(prefix + "ffn_gate" + suffix, width, config_.width, use);
        }
        list(prefix + "ffn_up" + suffix, width, config_.width, use);
        list(prefix + "ffn_down" + suffix, config_.width, width, use);
    }

    void mixture(const std::string& prefix) const {
        const mixture_config& how = *config_.mixture;
        list(prefix + "ffn_gate_inp", how.routing.experts, config_.width);
        for(std::size_t e = 0; e < how.routing.experts; ++e) {
            feed_forward(prefix, tokenworks::detail::message({".", e}), how.feed_forward, true, matrix_use::expert);
        }
        if(how.shared != 0) {
            feed_forward(prefix, "_shexp", how.shared, true);
        }
        if(how.shared_gate) {
            list(prefix + "ffn_gate_inp_shexp", 1, config_.width);
        }
    }

    void head() const {
        if(!part_.has_head) {
            return;
        }
        if(config_.image) {
            image_heads();
            return;
        }
        if(config_.head_transform) {
            list("output_transform", config_.width, config_.width, matrix_use::head);
        }
        if(!config_.tied_embeddings) {
            list("output", config_.vocab_size, config_.width, matrix_use::head);
        }
    }

    void image_heads() const {
        const auto layer = [&](const char* name, std::size_t rows) {
            if(rows != 0) {
                list(part_.prefix + name, rows, config_.width, matrix_use::head);
            }
        };
        layer("pooled", config_.image->pooled);
        layer("labels", config_.image->labels);
        layer("projection", config_.projection);
    }

    const model_config& config_;
    const listed_part& part_;
    function_ref<void(const listed_matrix&)> visit_;
};

} // namespace detail

TOKENWORKS_FUNCTION void for_each_matrix(const model_config& config, const listed_part& part,
                                         function_ref<void(const listed_matrix&)> visit) {
    detail::matrix_lister{config, part, visit}.run();
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::models
