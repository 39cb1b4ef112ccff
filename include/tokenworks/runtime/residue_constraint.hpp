// Which tokens may come in a sequence of residues: standard ones, and then its end.
//
//   runtime::residue_constraint legal{space, {.end = format.end, .least = 1, .most = 300}};
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include <tokenworks/codec/residues.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/sampling/candidates.hpp>
#include <tokenworks/sampling/constraint.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

struct residue_bounds {
    sampling::token_id end = 0;                     ///< what ends a sequence
    std::size_t least = 1;                          ///< residues before it may
    std::size_t most = 0;                           ///< residues with which the sequence is over anyway
    std::optional<sampling::token_id> line_break{}; ///< may stand behind residues
};

/// So many residues and no more, whatever the model says; never none.
class residue_constraint {
public:
    /// @param space  must outlive it
    /// @throws argument_error where `least` is above `most`, or `most` is 0
    residue_constraint(const codec::residues& space, const residue_bounds& bounds) : space_{&space}, bounds_{bounds} {
        if(bounds.most == 0 || bounds.least > bounds.most) {
            tokenworks::detail::raise<argument_error>(
                {"residues: at least ", bounds.least, " and at most ", bounds.most, " of them"});
        }
    }

    [[nodiscard]] bool allows(sampling::token_id id) const noexcept {
        if(done()) {
            return false;
        }
        if(id == bounds_.end) {
            return count_ >= bounds_.least && count_ != 0;
        }
        if(bounds_.line_break == id) {
            return count_ != 0 && !broken_;
        }
        return space_->makes(id) && count_ + space_->text_of(id).size() <= bounds_.most;
    }
    /// @throws argument_error for an id that was not allowed
    void accept(sampling::token_id id) {
        if(!allows(id)) {
            tokenworks::detail::raise<argument_error>({"constraint: token ", id, " is not allowed here"});
        }
        ended_ = id == bounds_.end;
        broken_ = bounds_.line_break == id;
        count_ += ended_ ? std::size_t{0} : space_->text_of(id).size();
    }
    [[nodiscard]] bool done() const noexcept { return ended_ || count_ >= bounds_.most; }
    /// Residues that came.
    [[nodiscard]] std::size_t count() const noexcept { return count_; }

private:
    const codec::residues* space_;
    residue_bounds bounds_;
    std::size_t count_ = 0;
    bool ended_ = false;
    bool broken_ = false;
};

static_assert(sampling::constraint<residue_constraint>);

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
