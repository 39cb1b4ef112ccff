// Which experts of a mixture see a token, and how much each counts.
//
// Scores of a token are computed from its row alone, in double, and ties go to the expert of the lower number: so the
// choice does not depend on the batch.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::nn {

struct routing_options {
    enum class score_kind : std::uint8_t {
        softmax, ///< over all experts
        sigmoid, ///< each by itself
    };

    std::size_t experts = 0; ///< E, up to most_experts
    std::size_t used = 0;    ///< experts a token sees
    score_kind score = score_kind::softmax;
    bool normalize = true;  ///< weights of a token sum to 1, before the scale
    float scale = 1;        ///< of the weights
    std::size_t groups = 1; ///< of experts side by side, of which the best are looked at
    std::size_t groups_used = 1;
    std::size_t group_best = 2; ///< a group is as good as its best expert (1), or its two best together (2)

    static constexpr std::size_t most_experts = 4096;

    /// @throws argument_error naming what does not fit together
    void validate() const {
        const auto need = [](bool holds, tokenworks::detail::message_parts what) {
            if(!holds) {
                tokenworks::detail::raise<argument_error>({"mixture: ", tokenworks::detail::message(what)});
            }
        };
        need(experts > 0 && experts <= most_experts, {experts, " experts, not in 1..", most_experts});
        need(used > 0 && used <= experts, {used, " experts used of ", experts});
        need(groups > 0 && experts % groups == 0, {groups, " groups of ", experts, " experts"});
        need(groups_used > 0 && groups_used <= groups, {groups_used, " groups used of ", groups});
        need(group_best == 1 || group_best == 2, {"groups compared by ", group_best, " experts, not by 1 or 2"});
        need(used <= experts / groups * groups_used, {used, " experts used of ", groups_used, " groups"});
        need(std::isfinite(scale), {"the scale of weights is not finite"});
    }
    friend bool operator==(const routing_options&, const routing_options&) = default;
};

/// An expert of a token.
struct routed {
    std::size_t expert;
    float weight;
};

/// Chooses the experts of one token.
/// @param logits   [E]
/// @param bias     [E], added to the scores when choosing and not to the weights; or empty
/// @param scores   [2 E] of scratch
/// @param out      [used], in the order of the experts' numbers
/// @pre            the options are valid
inline void route(const routing_options& options, std::span<const float> logits, std::span<const float> bias,
                  std::span<double> scores, std::span<routed> out) {
    const std::span<double> own = scores.first(options.experts);                       // what weights are made of
    const std::span<double> ranked = scores.subspan(options.experts, options.experts); // what is compared
    constexpr double never = -1e300;
    if(options.score == routing_options::score_kind::softmax) {
        const double most = static_cast<double>(*std::ranges::max_element(logits));
        double sum = 0;
        for(std::size_t e = 0; e < own.size(); ++e) {
            own[e] = std::exp(static_cast<double>(logits[e]) - most);
            sum += own[e];
        }
        for(double& score: own) {
            score /= sum;
        }
    } else {
        for(std::size_t e = 0; e < own.size(); ++e) {
            own[e] = 1 / (1 + std::exp(-static_cast<double>(logits[e])));
        }
    }
    for(std::size_t e = 0; e < own.size(); ++e) {
        ranked[e] = own[e] + (bias.empty() ? 0.0 : static_cast<double>(bias[e]));
    }
    const auto best_of = [&](std::size_t begin, std::size_t end) { // NaN is never better
        std::size_t best = begin;
        for(std::size_t e = begin + 1; e < end; ++e) {
            best = ranked[e] > ranked[best] ? e : best;
        }
        return best;
    };
    if(options.groups > 1) {
        // Groups that are not among the best are struck out, one after the other, the worst first.
        const std::size_t size = options.experts / options.groups;
        const auto worth = [&](std::size_t g) {
            double first = never;
            double second = never;
            for(std::size_t e = g * size; e < (g + 1) * size; ++e) {
                second = std::max(second, std::min(first, ranked[e]));
                first = std::max(first, ranked[e]);
            }
            return size > 1 && options.group_best == 2 ? first + second : first;
        };
        const auto is_struck = [&](std::size_t g) { return ranked[g * size] == never; };
        for(std::size_t left = options.groups; left > options.groups_used; --left) {
            std::size_t worst = options.groups;
            double least = 0;
            for(std::size_t g = options.groups; g-- > 0;) {
                if(!is_struck(g) && (worst == options.groups || worth(g) < least)) {
                    worst = g;
                    least = worth(g);
                }
            }
            std::ranges::fill(ranked.subspan(worst * size, size), never);
        }
    }
    double sum = 0;
    for(routed& one: out) {
        one.expert = best_of(0, options.experts);
        sum += own[one.expert];
        ranked[one.expert] = 2 * never; // below what is struck out
    }
    std::ranges::sort(out, {}, &routed::expert);
    for(routed& one: out) {
        const double share = options.normalize && sum > 0 ? own[one.expert] / sum : own[one.expert];
        one.weight = static_cast<float>(share * static_cast<double>(options.scale));
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI::nn
