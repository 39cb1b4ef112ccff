// Which ids may come next, and when nothing may: what makes an output well-formed, whatever a model says.
#pragma once

#include <concepts>
#include <cstddef>
#include <limits>
#include <memory>
#include <span>
#include <utility>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/sampling/candidates.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::sampling {

/// allows(id): it may come next; accept(id): it has come; done(): the output is complete, and nothing follows.
template <class C>
concept constraint = requires(C& c, const C& held, token_id id) {
    { held.allows(id) } -> std::convertible_to<bool>;
    c.accept(id);
    { held.done() } -> std::convertible_to<bool>;
};

/// Sets the logits [V] of all ids that may not come next to -infinity. @return whether any may
template <constraint C>
bool leave_allowed(const C& what, std::span<float> logits) {
    bool any = false;
    for(std::size_t i = 0; i < logits.size(); ++i) {
        if(what.allows(static_cast<token_id>(i))) {
            any = true;
        } else {
            logits[i] = -std::numeric_limits<float>::infinity();
        }
    }
    return any;
}

/// A constraint on one sequence, for loops that do not know its type.
class token_constraint {
public:
    token_constraint() = default;
    token_constraint(const token_constraint&) = delete;
    token_constraint& operator=(const token_constraint&) = delete;
    virtual ~token_constraint() = default;

    /// Sets the logits [V] of all ids that may not come next to -infinity.
    /// @throws argument_error where none may
    virtual void restrict(std::span<float> logits) = 0;
    /// @throws argument_error for an id that is not allowed
    virtual void accept(token_id id) = 0;
    [[nodiscard]] virtual bool done() const = 0;
};

/// Makes one for each sequence. Read-only: sequences on several threads may share it.
class constraint_source {
public:
    constraint_source() = default;
    constraint_source(const constraint_source&) = delete;
    constraint_source& operator=(const constraint_source&) = delete;
    virtual ~constraint_source() = default;

    /// @param ends  ids that end the sequence, beside those that the constraint knows of
    [[nodiscard]] virtual std::unique_ptr<token_constraint> start(std::span<const token_id> ends) const = 0;
};

/// So many ids, each of a set.
template <std::predicate<token_id> Set>
class exactly {
public:
    exactly(std::size_t count, Set set) : left_{count}, set_{std::move(set)} {}

    [[nodiscard]] bool allows(token_id id) const { return left_ != 0 && set_(id); }
    /// @throws argument_error for an id that was not allowed
    void accept(token_id id) {
        if(!allows(id)) {
            tokenworks::detail::raise<argument_error>({"constraint: token ", id, " is not allowed here"});
        }
        --left_;
    }
    [[nodiscard]] bool done() const noexcept { return left_ == 0; }

private:
    std::size_t left_;
    Set set_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::sampling
