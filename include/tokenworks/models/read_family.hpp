// Which family reads a file, and its configuration, checked as a whole.
#pragma once

#include <string>
#include <string_view>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/kernels/rope_table.hpp>
#include <tokenworks/models/families.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models::detail {

/// @param format  which of a family's names to compare
/// @param file    what errors call it   @param key  what errors call the name
/// @throws unsupported_error naming the families that are known
[[nodiscard]] TOKENWORKS_FUNCTION const family& find_family(std::string_view family::*format, std::string_view name,
                                                            const std::string& file, std::string_view key);

/// The configuration that a file describes, its parts checked against each other.
/// @throws format_error naming the key, or what does not fit together; unsupported_error
[[nodiscard]] TOKENWORKS_FUNCTION model_config read_config(model_config (*configure)(const hyperparameters&),
                                                           const hyperparameters& from);

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION const family& find_family(std::string_view family::*format, std::string_view name,
                                              const std::string& file, std::string_view key) {
    std::string known;
    for(const family& each: families()) {
        if(!name.empty() && each.*format == name) {
            return each;
        }
        if(!(each.*format).empty()) {
            known += known.empty() ? "" : ", ";
            known += each.*format;
        }
    }
    tokenworks::detail::raise<unsupported_error>(
        {file, ": ", key, " '", tokenworks::detail::escaped(name), "'; known are ", known});
}

TOKENWORKS_FUNCTION model_config read_config(model_config (*configure)(const hyperparameters&),
                                             const hyperparameters& from) {
    model_config config = configure(from);
    try {
        config.validate();
        for(const kernels::rope_config& rope: config.rope_configs) {
            static_cast<void>(kernels::rope_table{rope, config.context_length});
        }
    } catch(const argument_error& problem) { // what a caller would have got wrong, a file has
        tokenworks::detail::raise_format(from.label(), {""}, format_error::no_offset, {problem.what()});
    }
    return config;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::models::detail
