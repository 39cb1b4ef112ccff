// All families, by the names that files call them.
//
// A program with an architecture of its own does not extend this list; it fills a model_config, or composes blocks.
#pragma once

#include <span>

#include <tokenworks/config.hpp>
#include <tokenworks/models/family.hpp>

#if TOKENWORKS_DEFINITIONS
#include <tokenworks/models/bart.hpp>
#include <tokenworks/models/bert.hpp>
#include <tokenworks/models/bloom.hpp>
#include <tokenworks/models/clip.hpp>
#include <tokenworks/models/codegen.hpp>
#include <tokenworks/models/cohere.hpp>
#include <tokenworks/models/deepseek_v3.hpp>
#include <tokenworks/models/esm.hpp>
#include <tokenworks/models/falcon.hpp>
#include <tokenworks/models/gemma.hpp>
#include <tokenworks/models/gemma3.hpp>
#include <tokenworks/models/gpt2.hpp>
#include <tokenworks/models/gpt_neox.hpp>
#include <tokenworks/models/gpt_oss.hpp>
#include <tokenworks/models/gptj.hpp>
#include <tokenworks/models/granite.hpp>
#include <tokenworks/models/llama.hpp>
#include <tokenworks/models/llamagen.hpp>
#include <tokenworks/models/mixtral.hpp>
#include <tokenworks/models/modernbert.hpp>
#include <tokenworks/models/mpt.hpp>
#include <tokenworks/models/olmo.hpp>
#include <tokenworks/models/olmo2.hpp>
#include <tokenworks/models/phi.hpp>
#include <tokenworks/models/phi3.hpp>
#include <tokenworks/models/qwen2.hpp>
#include <tokenworks/models/qwen2_moe.hpp>
#include <tokenworks/models/qwen3.hpp>
#include <tokenworks/models/smollm3.hpp>
#include <tokenworks/models/stablelm.hpp>
#include <tokenworks/models/starcoder2.hpp>
#include <tokenworks/models/t5.hpp>
#include <tokenworks/models/video.hpp>
#include <tokenworks/models/vit.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// The names of one format are unique.
[[nodiscard]] TOKENWORKS_FUNCTION std::span<const family> families() noexcept;

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION std::span<const family> families() noexcept {
    static constexpr family all[] = {
        {"llama", "llama", llama_config, llama_names},
        {"", "mistral", llama_config, llama_names},
        {"qwen2", "qwen2", qwen2_config, llama_names},
        {"qwen3", "qwen3", qwen3_config, llama_names},
        {"gemma", "gemma", gemma_config, gemma_names},
        {"gemma2", "gemma2", gemma2_config, gemma_names},
        {"gemma3", "gemma3_text", gemma3_config, gemma_names},
        {"phi2", "phi", phi_config, phi_names},
        {"phi3", "phi3", phi3_config, phi3_names},
        {"gpt2", "gpt2", gpt2_config, gpt2_names},
        {"", "gptj", gptj_config, gptj_names},
        {"", "codegen", codegen_config, codegen_names},
        {"", "progen", progen_config, progen_names},
        {"gptneox", "gpt_neox", gpt_neox_config, gpt_neox_names},
        {"falcon", "falcon", falcon_config, falcon_names},
        {"bloom", "bloom", bloom_config, bloom_names},
        {"mpt", "mpt", mpt_config, mpt_names},
        {"stablelm", "stablelm", stablelm_config, stablelm_names},
        {"olmo", "olmo", olmo_config, llama_names},
        {"olmo2", "olmo2", olmo2_config, olmo2_names},
        {"", "olmo3", olmo2_config, olmo2_names},
        {"command-r", "cohere", cohere_config, cohere_names},
        {"cohere2", "cohere2", cohere2_config, cohere_names},
        {"starcoder2", "starcoder2", starcoder2_config, starcoder2_names},
        {"", "mixtral", mixtral_config, mixtral_names},
        {"qwen2moe", "qwen2_moe", qwen2_moe_config, qwen_moe_names},
        {"qwen3moe", "qwen3_moe", qwen3_moe_config, qwen_moe_names},
        {"gpt-oss", "gpt_oss", gpt_oss_config, gpt_oss_names},
        {"deepseek2", "deepseek_v3", deepseek_v3_config, deepseek_v3_names},
        {"", "deepseek_v2", deepseek_v2_config, deepseek_v3_names},
        {"granite", "granite", granite_config, llama_names},
        {"smollm3", "smollm3", smollm3_config, llama_names},
        {"bert", "bert", bert_config, bert_names},
        {"", "roberta", roberta_config, bert_names},
        {"", "xlm-roberta", roberta_config, bert_names},
        {"", "distilbert", distilbert_config, distilbert_names},
        {"modern-bert", "modernbert", modernbert_config, modernbert_names},
        {"", "esm", esm_config, esm_names},
        {"t5", "t5", t5_config, t5_names, t5_encoder_config},
        {"chronos-bolt", "", t5_config, series_gguf_names, t5_encoder_config},
        {"llamagen", "llamagen", llamagen_config, llamagen_names},
        {"tokenworks-video", "tokenworks_video", video_model_config, video_names},
        {"t5encoder", "", t5_encoder_config, t5_encoder_names},
        {"", "bart", bart_config, bart_names, bart_encoder_config},
        {"", "mbart", mbart_config, bart_names, mbart_encoder_config},
        {"", "vit", vit_config, vit_names},
        {"", "clip", clip_config, clip_names, clip_image_config},
    };
    return all;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::models
