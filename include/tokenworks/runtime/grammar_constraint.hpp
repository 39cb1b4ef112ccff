// Grammars as what a generation is bound to: options.constraint.
//
//   const auto digits = runtime::bind(codec::parse_regex_grammar("[0-9]+"), model.tokenizer());
//   for(std::string_view piece: model.generate("6 * 7 = ", {.constraint = digits})) std::cout << piece;
//
// Bind a grammar once and use it for many texts: what was found out for one is kept for the others. A text_model keeps
// the walk through its vocabulary too (text_model::bind).
#pragma once

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <tokenworks/codec/bound_grammar.hpp>
#include <tokenworks/codec/grammar.hpp>
#include <tokenworks/codec/token_walk.hpp>
#include <tokenworks/codec/tokenizer.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/sampling/constraint.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

class grammar_constraint: public sampling::constraint_source {
public:
    explicit grammar_constraint(std::shared_ptr<const codec::bound_grammar> rules) : rules_{std::move(rules)} {}

    [[nodiscard]] const codec::bound_grammar& rules() const noexcept { return *rules_; }
    [[nodiscard]] std::unique_ptr<sampling::token_constraint>
    start(std::span<const sampling::token_id> ends) const override {
        return std::make_unique<follower>(codec::grammar_matcher{rules_, {ends.begin(), ends.end()}});
    }

private:
    class follower: public sampling::token_constraint {
    public:
        explicit follower(codec::grammar_matcher match) : match_{std::move(match)} {}
        void restrict(std::span<float> logits) override { match_.restrict(logits); }
        void accept(sampling::token_id id) override { match_.accept(id); }
        [[nodiscard]] bool done() const override { return match_.done(); }

    private:
        codec::grammar_matcher match_;
    };

    std::shared_ptr<const codec::bound_grammar> rules_;
};

/// @param tokens  of codec::walk_of
[[nodiscard]] inline std::shared_ptr<const grammar_constraint> bind(codec::grammar rules,
                                                                    std::shared_ptr<const codec::token_walk> tokens) {
    return std::make_shared<const grammar_constraint>(std::make_shared<const codec::bound_grammar>(
        std::make_shared<const codec::grammar>(std::move(rules)), std::move(tokens)));
}

/// @throws limit_error for a vocabulary that is too large
[[nodiscard]] inline std::shared_ptr<const grammar_constraint> bind(codec::grammar rules,
                                                                    const codec::tokenizer& tokens) {
    return bind(std::move(rules), std::make_shared<const codec::token_walk>(codec::walk_of(tokens)));
}

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
