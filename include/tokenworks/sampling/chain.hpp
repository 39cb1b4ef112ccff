// Processors in the order the user gives them, and a picker at the end: logits in, one token out.
//
//   sampling::chain c{sampling::top_k{40}, sampling::temperature{0.7F}, sampling::draw{seed}};
//   sampling::candidates work;                             // memory, used again for every step
//   const auto id = c(logits, {tokens, tokens.size()}, work);
//
// The parts are held type-erased, so that a program can build a chain from flags, and own processors (a lambda will
// do) stand beside the built-in ones. The call through a pointer costs nothing beside a pass over the vocabulary.
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/sampling/greedy.hpp>
#include <tokenworks/sampling/step.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::sampling {

class chain;

/// What a chain is made of. A chain itself is no part: its copies are made by its copy constructor.
template <class P>
concept chain_part = !std::same_as<P, chain> && (logits_processor<P> || token_picker<P>);

/// A chain without parts is greedy. Copies are independent. One thread at a time may call a chain, as a processor may
/// keep state; chains of several sequences may share one working set if they take turns.
class chain {
public:
    chain() = default;

    /// Processors in their order; a picker, if there is one, comes last.
    template <chain_part... Parts>
    explicit chain(Parts... parts) {
        processors_.reserve(sizeof...(parts));
        (append(std::move(parts)), ...);
    }

    /// Adds a processor behind those that are there.
    template <logits_processor P>
    chain& add(P processor) {
        processors_.emplace_back(std::move(processor));
        return *this;
    }

    /// Sets what chooses the token at the end.
    template <token_picker P>
    chain& pick_with(P picker) {
        picker_ = std::move(picker);
        greedy_ = std::same_as<P, greedy>;
        return *this;
    }

    /// Whether it takes the highest logit as it comes, so that a model may find that token by itself.
    [[nodiscard]] bool is_greedy() const noexcept { return greedy_ && processors_.empty(); }

    /// Chooses the next token.
    /// @param logits  [V]; not changed
    /// @param work    memory for the step; allocates at the first use only
    /// @throws argument_error if a logit is NaN or +infinity, if no token is left with a finite one, or if a picker
    ///         returns an id outside of the vocabulary
    token_id operator()(std::span<const float> logits, const step& s, candidates& work);

private:
    template <class Part>
    void append(Part part) {
        if constexpr(token_picker<Part>) {
            pick_with(std::move(part));
        } else {
            add(std::move(part));
        }
    }

    std::vector<std::function<void(candidates&, const step&)>> processors_;
    std::function<token_id(candidates&, const step&)> picker_ = greedy{};
    bool greedy_ = true;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION token_id chain::operator()(std::span<const float> logits, const step& s, candidates& work) {
    work.load(logits);
    for(std::size_t i = 0; i < processors_.size(); ++i) {
        processors_[i](work, s);
        if(!work.valid()) {
            tokenworks::detail::raise<argument_error>({"sampling: processor ", i, " left a logit of NaN or +infinity"});
        }
    }
    const token_id id = picker_(work, s);
    if(id < 0 || static_cast<std::size_t>(id) >= logits.size()) {
        tokenworks::detail::raise<argument_error>(
            {"sampling: the picker returned token ", id, ", the vocabulary has ", logits.size()});
    }
    return id;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::sampling
