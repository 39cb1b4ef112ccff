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
    std::size_t first_row = 0; ///< of logits
    std::size_t rows = 0;
    bool is_prompt = false;
};

/// Of the thread that steps. What it refers to must outlive it.
class engine_schedule {
public:
    engine_schedule(const engine_options& set, const nn::page_pool::shape& shape)
        : options{set}, pool{shape, set.cache_tokens / nn::page_pool::page_tokens}, prefixes{pool} {
        running.reserve(set.max_sequences);
        shares.reserve(set.max_sequences);
        waiting.reserve(set.max_waiting + set.max_sequences);
    }

    /// Puts a new sequence at the end of the line.
    void add(std::unique_ptr<engine_sequence> next);
    /// Chooses the shares of the next step, and makes room for them.
    void plan();
    /// Leaves what was computed of a sequence's first tokens to others, where the options and the sequence let it.
    void keep(const engine_sequence& each, std::size_t tokens);
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

private:
    void plan_sequence(engine_sequence& each, std::size_t& prompt_budget, bool may_preempt);
    [[nodiscard]] bool waits_for_another(const engine_sequence& each) const;
    [[nodiscard]] bool make_room(engine_sequence& each, std::size_t tokens, bool may_preempt);
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
    const bool continues = std::ranges::any_of(running, [](const auto& each) { return each->remaining() == 1; });
    std::size_t prompt_budget = continues ? options.step_tokens_beside : options.step_tokens;
    for(std::size_t i = 0; i < running.size(); ++i) {
        plan_sequence(*running[i], prompt_budget, true);
    }
    admit(prompt_budget);
}

/// Makes a sequence take part in the step, with as many tokens as may be.
TOKENWORKS_FUNCTION void engine_schedule::plan_sequence(engine_sequence& each, std::size_t& prompt_budget,
                                                        bool may_preempt) {
    if(each.remaining() > 1 && each.shares_prefixes() && each.seen_version != prefixes.version()) {
        each.seen_version = prefixes.version();
        const std::size_t held = each.cache.size();
        prefixes.restore(each.key, std::span{each.tokens}.first(each.tokens.size() - 1), each.cache);
        if(each.computed == 0 && each.cache.size() > held) {
            const std::size_t found = each.cache.size() - held;
            each.record->cost.cached_tokens += found;
            counts.cached_tokens += found;
        }
    }
    const bool is_long = each.remaining() > 1;
    std::size_t count = 1;
    if(is_long) {
        constexpr std::size_t most_scored = 32; // rows of logits
        count =
            std::min({each.remaining(), prompt_budget, each.what().prompt_logprobs ? most_scored : each.remaining()});
        if(count == 0 || waits_for_another(each)) {
            return;
        }
    }
    if(!make_room(each, count, may_preempt)) {
        return;
    }
    shares.push_back({.of = &each, .count = count, .is_prompt = each.is_in_prompt()});
    if(is_long) {
        prompt_budget -= count;
    }
}

/// Whether what it would compute is being computed in this step for another: then the next step finds it.
TOKENWORKS_FUNCTION bool engine_schedule::waits_for_another(const engine_sequence& each) const {
    if(!options.keep_prefixes || !each.shares_prefixes()) {
        return false;
    }
    constexpr std::size_t page = prefix_cache::page_tokens;
    return std::ranges::any_of(shares, [&](const step_share& other) {
        const engine_sequence& first = *other.of;
        if(other.count == 1 || !first.shares_prefixes() || first.key != each.key) {
            return false;
        }
        const auto [mine, theirs] = std::ranges::mismatch(each.tokens, first.tokens);
        const auto common = static_cast<std::size_t>(mine - each.tokens.begin());
        // What engine::deliver keeps of it.
        const std::size_t useful = common == first.tokens.size() ? common : common / page * page;
        return std::min(useful, each.tokens.size() - 1) > each.cache.size();
    });
}

/// Takes the pages that so many more tokens of a sequence need: free ones, then those of earlier sequences, then those
/// of the sequences that rank last. The first in rank always gets its own.
TOKENWORKS_FUNCTION bool engine_schedule::make_room(engine_sequence& each, std::size_t tokens, bool may_preempt) {
    while(each.cache.pages_needed(tokens) > pool.free_pages()) {
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
    each.cache.make_room(tokens);
    return true;
}

TOKENWORKS_FUNCTION void engine_schedule::preempt(std::size_t place) {
    std::unique_ptr<engine_sequence> victim = std::move(running[place]);
    running.erase(running.begin() + static_cast<std::ptrdiff_t>(place));
    victim->computed = std::max(victim->computed, victim->cache.size());
    keep(*victim, victim->cache.size()); // so that little of it is lost, if others leave soon
    victim->cache.truncate(0);
    victim->seen_version = std::numeric_limits<std::uint64_t>::max();
    ++victim->record->cost.preemptions;
    ++counts.preemptions;
    waiting.push_back(std::move(victim));
}

TOKENWORKS_FUNCTION void engine_schedule::admit(std::size_t& prompt_budget) {
    while(!waiting.empty() && running.size() < options.max_sequences && prompt_budget != 0) {
        const std::size_t place = next_in_line();
        if(!running.empty() && !has_pages_for(*waiting[place])) {
            return;
        }
        std::unique_ptr<engine_sequence> next = std::move(waiting[place]);
        waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(place));
        engine_sequence& each = *next;
        if(!each.was_admitted) {
            each.was_admitted = true;
            each.record->cost.queue_seconds = std::max(
                each.record->cost.queue_seconds,
                std::chrono::duration<double>(std::chrono::steady_clock::now() - each.record->submitted).count());
            each.record->cost.prompt_tokens = each.prompt();
            counts.prompt_tokens += each.prompt();
        }
        const auto rank = std::ranges::find_if(running, [&](const auto& other) { return each.comes_before(*other); });
        running.insert(rank, std::move(next));
        plan_sequence(each, prompt_budget, false);
    }
}

/// Whether all that a waiting sequence has, and all that those that run have yet to compute of theirs, finds room.
TOKENWORKS_FUNCTION bool engine_schedule::has_pages_for(const engine_sequence& each) const {
    constexpr std::size_t page = nn::page_pool::page_tokens;
    const std::span<const token_id> tokens{each.tokens};
    const std::size_t found = each.shares_prefixes() ? prefixes.find(each.key, tokens.first(tokens.size() - 1)) : 0;
    std::size_t needed = nn::page_pool::pages_for(tokens.size() + 1) - found / page;
    for(const std::unique_ptr<engine_sequence>& other: running) {
        needed += other->cache.pages_needed(other->remaining());
    }
    // Pages that are found are idle ones too, which it will use.
    return needed + found / page <= pool.free_pages() + prefixes.idle_pages();
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

TOKENWORKS_FUNCTION void engine_schedule::keep(const engine_sequence& each, std::size_t tokens) {
    if(options.keep_prefixes && each.shares_prefixes()) {
        prefixes.keep(each.key, std::span{each.tokens}.first(tokens), each.cache);
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime::detail
