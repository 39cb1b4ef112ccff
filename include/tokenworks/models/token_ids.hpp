// What every model asks of the ids it is given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models::detail {

/// @param operation  what errors call the caller
/// @throws argument_error for no ids, and naming one that is not in 0 … V-1
inline void require_ids(const char* operation, std::span<const std::int32_t> ids, std::size_t vocab_size) {
    if(ids.empty()) {
        tokenworks::detail::raise<argument_error>({operation, ": an input without tokens"});
    }
    for(const std::int32_t id: ids) {
        if(id < 0 || static_cast<std::size_t>(id) >= vocab_size) {
            tokenworks::detail::raise<argument_error>({operation, ": token id ", id, " is not in 0..", vocab_size - 1});
        }
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models::detail
