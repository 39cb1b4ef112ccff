// So many ids, of which some are given beforehand: what fills gaps.
#pragma once

#include <concepts>
#include <cstddef>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/sampling/candidates.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::sampling {

/// A constraint: the id that is given for a place, or any of a set where none is.
template <std::predicate<token_id> Set>
class forced {
public:
    static constexpr token_id free = -1; ///< stands where no id is given

    forced(std::vector<token_id> ids, Set set) : ids_{std::move(ids)}, set_{std::move(set)} {}

    [[nodiscard]] bool allows(token_id id) const { return !done() && (ids_[at_] == free ? set_(id) : ids_[at_] == id); }
    /// @throws argument_error for an id that was not allowed
    void accept(token_id id) {
        if(!allows(id)) {
            tokenworks::detail::raise<argument_error>({"constraint: token ", id, " is not allowed at place ", at_});
        }
        ++at_;
    }
    [[nodiscard]] bool done() const noexcept { return at_ == ids_.size(); }

private:
    std::vector<token_id> ids_;
    Set set_;
    std::size_t at_ = 0;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::sampling
