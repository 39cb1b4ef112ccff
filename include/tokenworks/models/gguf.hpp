// GGUF files to models: which function reads the configuration of which architecture.
//
// A program with an architecture of its own does not extend this list; it fills a decoder_config, or composes blocks.
#pragma once

#include <string>
#include <string_view>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/kernels/rope_table.hpp>
#include <tokenworks/models/decoder_config.hpp>
#include <tokenworks/models/gguf_source.hpp>

#if TOKENWORKS_DEFINITIONS
#include <tokenworks/models/gemma3.hpp>
#include <tokenworks/models/llama.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// The configuration that a file describes, its parts checked against each other.
/// @throws format_error naming the key, or what does not fit together; unsupported_error naming the architecture
[[nodiscard]] TOKENWORKS_FUNCTION decoder_config config_of(const io::gguf_file& file);

#if TOKENWORKS_DEFINITIONS

namespace detail {

[[nodiscard]] inline decoder_config unchecked_config_of(const io::gguf_file& file) {
    const std::string_view architecture = file.architecture();
    if(architecture == "llama") {
        return llama_config(file);
    }
    if(architecture == "gemma3") {
        return gemma3_config(file);
    }
    tokenworks::detail::raise<unsupported_error>(
        {file.name(), ": architecture '", tokenworks::detail::escaped(architecture), "'; known are llama, gemma3"});
}

} // namespace detail

TOKENWORKS_FUNCTION decoder_config config_of(const io::gguf_file& file) {
    decoder_config config = detail::unchecked_config_of(file);
    try {
        config.validate();
        for(const kernels::rope_config& rope: config.rope_configs) {
            static_cast<void>(kernels::rope_table{rope, config.context_length});
        }
    } catch(const argument_error& problem) { // what a caller would have got wrong, a file has
        tokenworks::detail::raise_format(file.name(), {""}, format_error::no_offset, {problem.what()});
    }
    return config;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::models
