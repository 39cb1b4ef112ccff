// Classes that tokens stand for, by their names.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

/// The place of a name among others.
/// @throws argument_error naming those that there are
[[nodiscard]] inline std::size_t class_of(std::span<const std::string> names, std::string_view name) {
    const auto found = std::ranges::find(names, name);
    if(found == names.end()) {
        std::string known;
        for(const std::string& each: names) {
            known += (known.empty() ? "" : ", ") + each;
        }
        tokenworks::detail::raise<argument_error>(
            {"there is no class '", tokenworks::detail::escaped(name), "'; known are ", known});
    }
    return static_cast<std::size_t>(found - names.begin());
}

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
