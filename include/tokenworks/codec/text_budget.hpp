// How much a text may grow while it is normalized. Steps come from files; a chain of replacements that each double a
// text would fill the memory.
#pragma once

#include <cstddef>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

class text_budget {
public:
    /// For a text of so many bytes as it came.
    explicit text_budget(std::size_t bytes) noexcept : most_{(std::size_t{1} << 20) + 64 * bytes} {}

    /// @throws limit_error for a text that has grown to more bytes
    void check(std::size_t bytes) const {
        if(bytes > most_) {
            tokenworks::detail::raise<limit_error>(
                {"tokenizer: a text grows over ", most_, " bytes while it is normalized"});
        }
    }

private:
    std::size_t most_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
