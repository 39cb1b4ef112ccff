// BERT and what follows it closely: RoBERTa, XLM-RoBERTa, DistilBERT. Learned positions, norms of the sums, and a head
// that tells masked tokens or classes of texts. Devlin et al., 2018; Liu et al., 2019; Sanh et al., 2019;
// transformers 5.24, modeling_bert.py, modeling_roberta.py, modeling_distilbert.py. GGUF: llama.cpp, architecture
// "bert" for all of them, without the head for masked tokens; the table of positions begins with the first that is
// used.
#pragma once

#include <cstddef>
#include <string>

#include <tokenworks/config.hpp>
#include <tokenworks/models/classifier.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

namespace detail {

[[nodiscard]] inline std::string bert_prefix(const hyperparameters& from, const std::string& body = "bert") {
    return body_prefix(from, body, "embeddings.word_embeddings.weight");
}

} // namespace detail

/// @throws format_error naming the key
[[nodiscard]] inline model_config bert_config(const hyperparameters& from) {
    model_config config = common_config(from, "bert");
    config.causal = false;
    use_layer_norm(from, config, 1e-12F);
    use_activation(from, config, kernels::activation_kind::gelu);
    config.mlp = feed_forward_kind::plain;
    config.position = position_kind::learned;
    if(!from.is_gguf() || from.has_tensor("token_types.weight")) {
        config.token_types = from.count_or("tokenizer.ggml.token_type_count", 2);
    }
    config.embedding_norm = true;
    config.pre_norm = false;
    config.norm_sums = true;
    config.final_norm = false;
    config.tied_embeddings = true;
    if(from.is_gguf()) {
        from.require_unset("attention.causal");
        use_classifier(from, config, "cls", "cls.output", kernels::activation_kind::tanh);
        return config;
    }
    config.head_transform = head_transform_config{config.activation};
    use_classifier(from, config, detail::bert_prefix(from) + "pooler.dense", "classifier",
                   kernels::activation_kind::tanh);
    return config;
}

/// Positions count from behind the padding's.
[[nodiscard]] inline model_config roberta_config(const hyperparameters& from) {
    model_config config = bert_config(from);
    config.architecture = "roberta";
    use_classifier(from, config, "classifier.dense", "classifier.out_proj", kernels::activation_kind::tanh);
    config.first_position = static_cast<std::size_t>(from.whole_or("pad_token_id", 1)) + 1;
    if(config.first_position >= config.context_length) {
        from.refuse("pad_token_id", {"is not below max_position_embeddings"});
    }
    config.context_length -= config.first_position;
    return config;
}

[[nodiscard]] inline model_config distilbert_config(const hyperparameters& from) {
    model_config config = bert_config(from);
    config.architecture = "distilbert";
    config.token_types = 0;
    use_classifier(from, config, "pre_classifier", "classifier", kernels::activation_kind::relu);
    return config;
}

/// GGUF files, which hold all of these, have the blocks' names, and may have queries, keys and values in one.
[[nodiscard]] inline tensor_names bert_names(const hyperparameters& from, const model_config& config) {
    if(from.is_gguf()) {
        return from.has_tensor("blk.0.attn_qkv.weight") ? fused_qkv_names(config, "blk.#.attn_qkv") : tensor_names{};
    }
    const bool is_roberta = config.architecture == "roberta";
    const std::string model = detail::bert_prefix(from, is_roberta ? "roberta" : "bert");
    const std::string layer = model + "encoder.layer.#.";
    const std::string head = is_roberta ? "lm_head." : "cls.predictions.transform.";
    return {{"token_embd", model + "embeddings.word_embeddings"},
            {"position_embd", model + "embeddings.position_embeddings"},
            {"token_types", model + "embeddings.token_type_embeddings"},
            {"token_embd_norm", model + "embeddings.LayerNorm"},
            {"blk.#.attn_q", layer + "attention.self.query"},
            {"blk.#.attn_k", layer + "attention.self.key"},
            {"blk.#.attn_v", layer + "attention.self.value"},
            {"blk.#.attn_output", layer + "attention.output.dense"},
            {"blk.#.attn_output_norm", layer + "attention.output.LayerNorm"},
            {"blk.#.ffn_up", layer + "intermediate.dense"},
            {"blk.#.ffn_down", layer + "output.dense"},
            {"blk.#.layer_output_norm", layer + "output.LayerNorm"},
            {"output_transform", head + "dense"},
            {"output_transform_norm", head + (is_roberta ? "layer_norm" : "LayerNorm")},
            {"output", is_roberta ? "lm_head" : "cls.predictions"},
            {"cls", is_roberta ? "classifier.dense" : model + "pooler.dense"},
            {"cls.output", is_roberta ? "classifier.out_proj" : "classifier"}};
}

[[nodiscard]] inline tensor_names distilbert_names(const hyperparameters& from, const model_config&) {
    const std::string model = detail::bert_prefix(from, "distilbert");
    const std::string layer = model + "transformer.layer.#.";
    return {{"token_embd", model + "embeddings.word_embeddings"},
            {"position_embd", model + "embeddings.position_embeddings"},
            {"token_embd_norm", model + "embeddings.LayerNorm"},
            {"blk.#.attn_q", layer + "attention.q_lin"},
            {"blk.#.attn_k", layer + "attention.k_lin"},
            {"blk.#.attn_v", layer + "attention.v_lin"},
            {"blk.#.attn_output", layer + "attention.out_lin"},
            {"blk.#.attn_output_norm", layer + "sa_layer_norm"},
            {"blk.#.ffn_up", layer + "ffn.lin1"},
            {"blk.#.ffn_down", layer + "ffn.lin2"},
            {"blk.#.layer_output_norm", layer + "output_layer_norm"},
            {"output_transform", "vocab_transform"},
            {"output_transform_norm", "vocab_layer_norm"},
            {"output", "vocab_projector"},
            {"cls", "pre_classifier"},
            {"cls.output", "classifier"}};
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
