// Who takes part in a step of an engine, and whose pages give way.
//
// Sequences that run have a rank: priority, then arrival. Each gets its next token; prompts share a budget in that
// order. Who waits is admitted while there is room: of the highest priority, from the client that had least. Where
// pages run out, those of earlier sequences go first, then the last in rank waits again; so the first always advances.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/nn/page_pool.hpp>
#include <tokenworks/runtime/engine_options.hpp>
#include <tokenworks/runtime/engine_sequence.hpp>
#include <tokenworks/runtime/prefix_cache.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime::detail {

/// What a sequence does in a step.
struct step_share {
    engine_sequence* of = nullptr;
    std::size_t count = 0;     ///< tokens
    std::size_t without = 0;   ///< and of its other row, under guidance
    std::size_t first_row = 0; ///< of logits
    std::size_t rows = 0;      ///< of the sequence's own tokens; that of its other row follows them
    bool is_prompt = false;

    [[nodiscard]] std::size_t tokens() const noexcept { return count + without; }
};

/// Of the thread that steps. What it refers to must outlive it.
class engine_schedule {
public:
    engine_schedule(const engine_options& set, const nn::page_pool::shape& shape)
        : options{set}, pool{shape, set.cache_tokens / nn::page_pool::page_tokens, true}, prefixes{pool} {
        running.reserve(set.max_sequences);
        shares.reserve(set.max_sequences);
        waiting.reserve(set.max_waiting + set.max_sequences);
    }

    /// Puts a new sequence at the end of the line.
    void add(std::unique_ptr<engine_sequence> next);
    /// Chooses the shares of the next step, and makes room for them.
    void plan();
    /// Leaves what was computed of a sequence to others, where the options and the sequence let it.
    /// @param whole  only pages that are full
    void keep(const engine_sequence& each, bool whole = false);
    /// A sequence has ended: its client may have left.
    void forget(engine_sequence& each) {
        if(--each.account->samples == 0) {
            clients_.erase(each.what().client);
        }
    }

    const engine_options& options;
    nn::page_pool pool;
    prefix_cache prefixes;
    std::vector<std::unique_ptr<engine_sequence>> waiting{};
    std::vector<std::unique_ptr<engine_sequence>> running{}; ///< in order of rank
    std::vector<step_share> shares{};
    engine_counts counts{};
    bool lacks_pages = false; ///< in the last plan, for the next in line

private:
    void plan_sequence(engine_sequence& each, std::size_t& prompt_budget, bool may_preempt);
    void look_for_prefixes(engine_sequence& each);
    void take_prompt(step_share& next, std::size_t prompt_budget) const;
    [[nodiscard]] bool waits_for_another(const engine_sequence& each) const;
    [[nodiscard]] bool make_room(const step_share& next, bool may_preempt);
    void preempt(std::size_t place);
    void admit(std::size_t& prompt_budget);
    [[nodiscard]] bool has_pages_for(const engine_sequence& each) const;
    [[nodiscard]] std::size_t next_in_line() const;

    std::map<std::string, client_account> clients_{}; // those that are here
    std::uint64_t arrivals_ = 0;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION void engine_schedule::add(std::unique_ptr<engine_sequence> next) {
    const auto [at, is_new] = clients_.try_emplace(next->what().client);
    if(is_new) { // neither before those that are here, nor behind them
        const auto least = std::ranges::min_element(clients_, {}, [&](const auto& of) {
            return of.second.samples == 0 ? std::numeric_limits<double>::infinity() : of.second.tokens;
        });
        at->second.tokens = least->second.samples == 0 ? 0 : least->second.tokens;
    }
    ++at->second.samples;
    next->account = &at->second;
    next->order = arrivals_++;
    waiting.push_back(std::move(next));
}

TOKENWORKS_FUNCTION void engine_schedule::plan() {
    shares.clear();
    lacks_pages = false;
    const bool continues = std::ranges::any_of(running, [](const auto& each) { return each->is_continued(); });
    std::size_t prompt_budget = continues ? options.step_tokens_beside : options.step_tokens;
    for(std::size_t i = 0; i < running.size(); ++i) {
        plan_sequence(*running[i], prompt_budget, true);
    }
    admit(prompt_budget);
}

/// Makes a sequence take part in the step, with as many tokens as may be.
TOKENWORKS_FUNCTION void engine_schedule::plan_sequence(engine_sequence& each, std::size_t& prompt_budget,
                                                        bool may_preempt) {
    look_for_prefixes(each);
    step_share next{.of = &each, .count = 1, .without = each.without ? 1U : 0U, .is_prompt = each.is_in_prompt()};
    const bool is_long = !each.is_continued();
    if(is_long) {
        take_prompt(next, prompt_budget);
        if(next.tokens() == 0 || waits_for_another(each)) {
            return;
        }
    }
    if(!make_room(next, may_preempt)) {
        return;
    }
    shares.push_back(next);
    if(is_long) {
        prompt_budget -= std::min(prompt_budget, next.tokens());
    }
}

/// Takes over what others have computed of a sequence's tokens since it last looked.
TOKENWORKS_FUNCTION void engine_schedule::look_for_prefixes(engine_sequence& each) {
    if(each.is_continued() || !each.shares_prefixes() || each.seen_version == prefixes.version()) {
        return;
    }
    each.seen_version = prefixes.version();
    each.for_each_row([&](engine_row& row) {
        const std::size_t held = row.cache.size();
        if(row.remaining() == 1) {
            return;
        }
        prefixes.restore(each.key, std::span{row.tokens}.first(row.tokens.size() - 1), row.cache);
        if(row.computed == 0 && row.cache.size() > held) {
            const std::size_t found = row.cache.size() - held;
            each.record->cost.cached_tokens += &row == &each ? found : 0;
            counts.cached_tokens += found;
        }
    });
}

/// As many tokens of a prompt as the step has room for. Under guidance both rows keep their last token until there is
/// room for all the others; these two do not count, as the tokens of those that are continued do not.
TOKENWORKS_FUNCTION void engine_schedule::take_prompt(step_share& next, std::size_t prompt_budget) const {
    constexpr std::size_t most_scored = 32; // rows of logits
    const engine_sequence& each = *next.of;
    const std::size_t most = each.what().prompt_logprobs ? std::min(most_scored, prompt_budget) : prompt_budget;
    if(!each.without) {
        next.count = std::min(each.remaining(), most);
        return;
    }
    const std::size_t before = each.remaining() - 1;
    const std::size_t before_other = each.without->remaining() - 1;
    next.count = std::min(before, most);
    next.without = std::min(before_other, prompt_budget - next.count);
    if(prompt_budget != 0 && next.count == before && next.without == before_other) {
        ++next.count;
        ++next.without;
    }
}

/// Whether what it would compute is being computed in this step for another: then the next step finds it.
TOKENWORKS_FUNCTION bool engine_schedule::waits_for_another(const engine_sequence& each) const {
    if(!options.keep_prefixes || !each.shares_prefixes()) {
        return false;
    }
    constexpr std::size_t page = prefix_cache::page_tokens;
    const auto finds = [](const engine_row& mine, const engine_row& theirs, std::size_t count) {
        if(count <= 1) {
            return false;
        }
        const auto [at, other] = std::ranges::mismatch(mine.tokens, theirs.tokens);
        const auto common = static_cast<std::size_t>(at - mine.tokens.begin());
        // What engine::deliver keeps of it.
        const std::size_t useful = common == theirs.tokens.size() ? common : common / page * page;
        return std::min(useful, mine.tokens.size() - 1) > mine.cache.size();
    };
    bool waits = false;
    for(const step_share& other: shares) {
        const engine_sequence& first = *other.of;
        if(waits || !first.shares_prefixes() || first.key != each.key) {
            continue;
        }
        each.for_each_row([&](const engine_row& mine) {
            waits = waits || finds(mine, first, other.count) ||
                    (first.without && finds(mine, *first.without, other.without));
        });
    }
    return waits;
}

/// Takes the pages that so many more tokens of a sequence need: free ones, then those of earlier sequences, then those
/// of the sequences that rank last. The first in rank always gets its own.
TOKENWORKS_FUNCTION bool engine_schedule::make_room(const step_share& next, bool may_preempt) {
    engine_sequence& each = *next.of;
    const auto make = [&](engine_row& row, std::size_t count) {
        while(row.cache.pages_needed(count) > pool.free_pages()) {
            if(prefixes.give_up()) {
                continue;
            }
            if(!may_preempt) {
                return false;
            }
            const bool is_last = running.back().get() == &each;
            preempt(running.size() - 1);
            if(is_last) {
                return false;
            }
        }
        row.cache.make_room(count);
        return true;
    };
    return make(each, next.count) && (!each.without || make(*each.without, next.without));
}

TOKENWORKS_FUNCTION void engine_schedule::preempt(std::size_t place) {
    std::unique_ptr<engine_sequence> victim = std::move(running[place]);
    running.erase(running.begin() + static_cast<std::ptrdiff_t>(place));
    keep(*victim); // so that little of it is lost, if others leave soon
    victim->for_each_row([](engine_row& row) {
        row.computed = std::max(row.computed, row.cache.size());
        row.cache.truncate(0);
    });
    victim->seen_version = std::numeric_limits<std::uint64_t>::max();
    ++victim->record->cost.preemptions;
    ++counts.preemptions;
    waiting.push_back(std::move(victim));
}

TOKENWORKS_FUNCTION void engine_schedule::admit(std::size_t& prompt_budget) {
    while(!waiting.empty() && running.size() < options.max_sequences && prompt_budget != 0) {
        const std::size_t place = next_in_line();
        lacks_pages = !running.empty() && !has_pages_for(*waiting[place]);
        if(lacks_pages) {
            return;
        }
        std::unique_ptr<engine_sequence> next = std::move(waiting[place]);
        waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(place));
        engine_sequence& each = *next;
        if(!each.admitted) {
            each.admitted = std::chrono::steady_clock::now();
            each.record->cost.queue_seconds =
                std::max(each.record->cost.queue_seconds,
                         std::chrono::duration<double>(*each.admitted - each.record->submitted).count());
            each.record->cost.prompt_tokens = each.prompt();
            counts.prompt_tokens += each.prompt() + (each.without ? each.without->tokens.size() : 0);
        }
        const auto rank = std::ranges::find_if(running, [&](const auto& other) { return each.comes_before(*other); });
        running.insert(rank, std::move(next));
        plan_sequence(each, prompt_budget, false);
    }
}

/// Whether all that a waiting sequence has, and all that those that run have yet to compute of theirs, finds room.
TOKENWORKS_FUNCTION bool engine_schedule::has_pages_for(const engine_sequence& each) const {
    std::size_t needed = 0;
    // Pages that are found in the cache are idle ones too, which it will use.
    each.for_each_row([&](const engine_row& row) { needed += nn::page_pool::pages_for(row.tokens.size() + 1); });
    for(const std::unique_ptr<engine_sequence>& other: running) {
        other->for_each_row([&](const engine_row& row) { needed += row.cache.pages_needed(row.remaining()); });
    }
    return needed <= pool.free_pages() + prefixes.idle_pages();
}

/// Of those of the highest priority, the client's that had least; of one client, what came first.
TOKENWORKS_FUNCTION std::size_t engine_schedule::next_in_line() const {
    const auto next = std::ranges::min_element(waiting, [](const auto& a, const auto& b) {
        if(a->what().priority != b->what().priority) {
            return a->what().priority > b->what().priority;
        }
        if(a->account != b->account && a->account->tokens != b->account->tokens) {
            return a->account->tokens < b->account->tokens;
        }
        return a->order < b->order;
    });
    return static_cast<std::size_t>(next - waiting.begin());
}

TOKENWORKS_FUNCTION void engine_schedule::keep(const engine_sequence& each, bool whole) {
    if(!options.keep_prefixes || !each.shares_prefixes()) {
        return;
    }
    constexpr std::size_t page = prefix_cache::page_tokens;
    each.for_each_row([&](const engine_row& row) {
        const std::size_t count = whole ? row.cache.size() / page * page : row.cache.size();
        prefixes.keep(each.key, std::span{row.tokens}.first(count), row.cache);
    });
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime::detail
