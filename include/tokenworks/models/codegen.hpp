// CodeGen, and ProGen2, the same for proteins: GPT-J, but for queries, values and keys in one tensor, in as many parts
// as the authors had cores to train on, 4 and 8. Nijkamp et al., "CodeGen", 2023, and "ProGen2: Exploring the
// boundaries of protein language models", 2023; transformers 5.24, modeling_codegen.py.
#pragma once

#include <cstddef>
#include <string>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/gptj.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

namespace detail {

/// @throws format_error where heads do not go evenly into parts
[[nodiscard]] inline model_config parted_gptj_config(const hyperparameters& from, const char* architecture,
                                                     std::size_t parts) {
    model_config config = gptj_config(from);
    config.architecture = architecture;
    if(config.heads % parts != 0) {
        tokenworks::detail::raise_format(from.label(), {from.key("attention.head_count")}, format_error::no_offset,
                                         {config.heads, " heads do not go evenly into ", parts, " parts"});
    }
    return config;
}

[[nodiscard]] inline tensor_names parted_gptj_names(const hyperparameters& from, const model_config& config,
                                                    std::size_t parts) {
    const std::size_t rows = config.heads / parts * config.key_width;
    const std::string stored = "transformer.h.#.attn.qkv_proj";
    tensor_names names = gptj_names(from, config);
    set_names(names, {{"blk.#.attn_q", stored, {.rows = {3 * rows, 0, rows}}},
                      {"blk.#.attn_v", stored, {.rows = {3 * rows, rows, rows}}},
                      {"blk.#.attn_k", stored, {.rows = {3 * rows, 2 * rows, rows}}}});
    return names;
}

} // namespace detail

/// @throws format_error naming the key
[[nodiscard]] inline model_config codegen_config(const hyperparameters& from) {
    return detail::parted_gptj_config(from, "codegen", 4);
}
[[nodiscard]] inline tensor_names codegen_names(const hyperparameters& from, const model_config& config) {
    return detail::parted_gptj_names(from, config, 4);
}

/// @throws format_error naming the key
[[nodiscard]] inline model_config progen_config(const hyperparameters& from) {
    return detail::parted_gptj_config(from, "progen", 8);
}
[[nodiscard]] inline tensor_names progen_names(const hyperparameters& from, const model_config& config) {
    return detail::parted_gptj_names(from, config, 8);
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
