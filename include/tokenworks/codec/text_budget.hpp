// How much a text may grow while it is normalized, and how long regular expressions may search it. Steps come from
// files: a chain of replacements that each double a text would fill the memory, and an expression that takes all the
// steps of one search for each piece of a text would never end.
#pragma once

#include <cstddef>
#include <cstdint>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

class text_budget {
public:
    /// For a text of so many bytes as it came.
    /// @param regex_steps  what is left to regular expressions (regex::find_all); texts that belong together share it
    text_budget(std::size_t bytes, std::uint64_t& regex_steps) noexcept
        : most_{(std::size_t{1} << 20) + 64 * bytes}, regex_steps_{regex_steps} {}

    /// @throws limit_error for a text that has grown to more bytes
    void check(std::size_t bytes) const {
        if(bytes > most_) {
            tokenworks::detail::raise<limit_error>(
                {"tokenizer: a text grows over ", most_, " bytes while it is normalized"});
        }
    }

    [[nodiscard]] std::uint64_t& regex_steps() const noexcept { return regex_steps_; }

private:
    std::size_t most_;
    std::uint64_t& regex_steps_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
