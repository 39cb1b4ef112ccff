// One constraint for many sequences: each gets a copy of it.
//
//   sampling::exactly twelve{12, [&](auto id) { return space.is_value(id); }};
//   runtime::request what{.prompt = start, .options = {.constraint = sampling::copies_of(twelve)}};
#pragma once

#include <concepts>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/sampling/candidates.hpp>
#include <tokenworks/sampling/constraint.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::sampling {

/// A constraint behind the interface of loops that do not know its type. What it refers to must outlive it.
template <constraint C>
class erased_constraint final: public token_constraint {
public:
    explicit erased_constraint(C what) : what_{std::move(what)} {}

    void restrict(std::span<float> logits) override {
        if(!leave_allowed(what_, logits)) {
            tokenworks::detail::raise<argument_error>({"constraint: none of the ", logits.size(), " ids may follow"});
        }
    }
    void accept(token_id id) override { what_.accept(id); }
    [[nodiscard]] bool done() const override { return what_.done(); }

private:
    C what_;
};

/// A constraint_source of one constraint as it stands. It knows itself when an output is complete: other ids that end
/// a sequence come where it allows them.
template <constraint C>
    requires std::copy_constructible<C>
class constraint_copies final: public constraint_source {
public:
    explicit constraint_copies(C what) : what_{std::move(what)} {}

    [[nodiscard]] std::unique_ptr<token_constraint> start(std::span<const token_id>) const override {
        return std::make_unique<erased_constraint<C>>(what_);
    }

private:
    C what_;
};

/// @param what  copied for every sequence; what it refers to must outlive them
template <constraint C>
[[nodiscard]] std::shared_ptr<const constraint_source> copies_of(C what) {
    return std::make_shared<constraint_copies<C>>(std::move(what));
}

} // namespace tokenworks::inline TOKENWORKS_ABI::sampling
