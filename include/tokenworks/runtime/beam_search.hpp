// Beam search: the likeliest continuations as a whole, not token by token.
//
//   const auto found = tokenworks::beam_search(c, decoder, prompt, {.beams = 4, .max_tokens = 64, .ends = {2}});
//   found.front().ids
//
// In every step each of up to `beams` unfinished sequences is run one token further, all in one batch, and the
// likeliest sequences that are one token longer go on; those that end are kept by their score. Scores, order and the
// end of the search are those of transformers 5.24, generation/utils.py, _beam_search, for a batch of one. The result
// does not depend on the number of threads.
//
// Sequences that go on twice share nothing but time: each has a cache of its own, and takes over from another one what
// the two do not have in common (nn::kv_cache::copy_from), mostly the last few tokens.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <stop_token>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/models/decoder.hpp>
#include <tokenworks/models/encoder_decoder.hpp>
#include <tokenworks/nn/adapter.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/kv_cache.hpp>
#include <tokenworks/runtime/timings.hpp>
#include <tokenworks/sampling/no_repeat_ngram.hpp>
#include <tokenworks/sampling/penalties.hpp>
#include <tokenworks/sampling/step.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

using sampling::token_id;

/// When to stop looking, once there are as many finished sequences as beams.
enum class beam_stop {
    unlikely, ///< when the best unfinished one, with its present length, would not beat the worst of them
    at_once,  ///< at once
    never,    ///< when it could not beat it at any length, if length is a gain
};

struct beam_options {
    static constexpr std::size_t most_beams = 1024;

    std::size_t beams = 4;       ///< sequences that go on from step to step; 1 … most_beams
    std::size_t max_tokens = 64; ///< to be made at most
    std::size_t min_tokens = 0;  ///< before an end is allowed
    float length_penalty = 1;    ///< scores are sums / tokens^this
    beam_stop stop = beam_stop::unlikely;
    std::size_t no_repeat_ngram = 0; ///< no run of so many tokens occurs twice; 0: off
    /// Of tokens that came, prompt included: of their log-probabilities where there are several beams, and of one
    /// beam's logits, as transformers has it.
    sampling::penalty_options penalties{.last_n = -1};
    std::size_t results = 1;                                          ///< sequences returned at most, up to `beams`
    std::size_t vocabulary = std::numeric_limits<std::size_t>::max(); ///< ids from this one on are never made
    std::vector<token_id> ends{};                                     ///< each ends a sequence
    std::optional<token_id> first_token{};                            ///< the first one is this
    std::vector<token_id> last_tokens{};        ///< the one that reaches max_tokens is one of these, if there are any
    dtype cache_type = dtype::f16;              ///< of keys and values
    std::vector<const nn::adapter*> adapters{}; ///< of a decoder alone (models/lora.hpp); every beam gets them
    std::size_t prefill_chunk = 512;            ///< prompt tokens a step, 0: all at once; no effect on the result
    std::stop_token cancel{};                   ///< looked at before every step
    runtime::timings* timings = nullptr;        ///< filled where set; tokens are counted once a step
};

/// A sequence that was found.
struct beam_result {
    std::vector<token_id> ids{}; ///< without the prompt; the token that ended it is the last
    float score = 0;             ///< sum of log-probabilities / tokens^length_penalty
};

/// Continues the tokens of a prompt.
/// @param prompt  ids, at least one
/// @param memory  for a decoder that attends to an encoder, what decoder::remember has made
/// @return        the best sequences, best first: at least one, unless the options allow none
/// @throws argument_error for an empty prompt, an id outside of the vocabulary, an option out of range, a logit that is
///         NaN or +infinity, adapters with a memory; capacity_error where learned positions end; cancelled_error
[[nodiscard]] std::vector<beam_result> beam_search(nn::context& c, const models::decoder& network,
                                                   std::span<const token_id> prompt, const beam_options& options,
                                                   const nn::kv_cache* memory = nullptr);

/// The same for a text that an encoder reads first.
/// @param source  ids that the encoder reads
/// @param prompt  ids that the decoder begins with, at least one
[[nodiscard]] inline std::vector<beam_result> beam_search(nn::context& c, const models::encoder_decoder& network,
                                                          std::span<const token_id> source,
                                                          std::span<const token_id> prompt,
                                                          const beam_options& options) {
    const nn::kv_cache memory = network.encode(c, source, options.cache_type);
    return beam_search(c, network.decoder(), prompt, options, &memory);
}

namespace detail {

/// One search.
class beam_searcher {
public:
    beam_searcher(nn::context& c, const models::decoder& network, std::span<const token_id> prompt,
                  const beam_options& options, const nn::kv_cache* memory);

    [[nodiscard]] std::vector<beam_result> run();

private:
    /// A sequence that goes on. Its cache holds the prompt and all ids but the last.
    struct beam {
        std::vector<token_id> ids;
        float sum = 0;
        std::size_t cache = 0; // index into caches_
    };
    /// A beam and a token behind it.
    struct successor {
        std::size_t of = 0;
        token_id token = 0;
        float sum = 0;
        bool ends = false;
    };

    void check() const;
    [[nodiscard]] bool is_end(token_id id) const { return std::ranges::find(options_.ends, id) != options_.ends.end(); }

    void run_prompt();
    void run_beams();
    /// Logits to log-probabilities. @return false where one is NaN or +infinity, or none is finite
    static bool log_softmax(std::span<float> row) noexcept;
    /// Makes less likely what came before.
    void penalise(std::size_t of);
    /// What the options forbid or force.
    void constrain(std::size_t of);
    [[nodiscard]] std::span<float> row_of(std::size_t of) { return std::span{scores_}.subspan(of * vocab_, vocab_); }
    void force(std::span<float> row, std::span<const token_id> tokens);
    /// The best successors of all beams, best first; of equal ones that of the earlier beam, then the lower id.
    [[nodiscard]] std::vector<successor> best_successors() const;
    void keep_finished(std::span<const successor> found);
    /// Makes the successors that go on the beams.
    void go_on(std::span<const successor> found);
    void move_caches(std::vector<beam>& next);
    [[nodiscard]] bool is_done() const;

    [[nodiscard]] float penalised(float sum, std::size_t length) const {
        return sum /
               static_cast<float>(std::pow(static_cast<double>(length), static_cast<double>(options_.length_penalty)));
    }

    nn::context& context_;
    const models::decoder& network_;
    std::span<const token_id> prompt_;
    const beam_options& options_;
    const nn::kv_cache* memory_;
    std::size_t vocab_;
    std::size_t made_ = 0; // tokens of each beam
    std::vector<nn::kv_cache> caches_;
    std::vector<beam> beams_;
    std::vector<beam_result> finished_; // best first
    std::vector<float> scores_;         // [beams,V]
    std::vector<models::decoder_input> inputs_;
    std::vector<token_id> last_;
    sampling::penalties penalties_;
    std::vector<token_id> came_;
    runtime::timings timings_;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION beam_searcher::beam_searcher(nn::context& c, const models::decoder& network,
                                                 std::span<const token_id> prompt, const beam_options& options,
                                                 const nn::kv_cache* memory)
    : context_{c},
      network_{network},
      prompt_{prompt},
      options_{options},
      memory_{memory},
      vocab_{network.vocab_size()},
      penalties_{options.penalties} {
    check();
}

TOKENWORKS_FUNCTION void beam_searcher::check() const {
    const auto need = [](bool holds, tokenworks::detail::message_parts what) {
        if(!holds) {
            tokenworks::detail::raise<argument_error>({"beam_search: ", tokenworks::detail::message(what)});
        }
    };
    constexpr std::size_t most_tokens = std::size_t{1} << 40;
    need(!prompt_.empty(), {"the prompt has no tokens"});
    need(options_.beams >= 1 && options_.beams <= beam_options::most_beams,
         {"beams is ", options_.beams, ", not in 1..", beam_options::most_beams});
    need(options_.results >= 1 && options_.results <= options_.beams,
         {"results is ", options_.results, ", not in 1..", options_.beams});
    need(options_.max_tokens <= most_tokens, {"max_tokens is ", options_.max_tokens, "; the most is ", most_tokens});
    need(std::isfinite(options_.length_penalty), {"length_penalty is ", options_.length_penalty});
    // The encoder's side of such a decoder's layers would not have them.
    need(options_.adapters.empty() || memory_ == nullptr, {"adapters of a decoder that attends to an encoder"});
    const auto need_ids = [&](std::span<const token_id> ids, const char* field) {
        for(const token_id id: ids) {
            need(id >= 0 && static_cast<std::size_t>(id) < vocab_, {field, " has ", id, ", the vocabulary ", vocab_});
        }
    };
    need_ids(prompt_, "the prompt");
    need_ids(options_.ends, "ends");
    need_ids(options_.last_tokens, "last_tokens");
    if(options_.first_token) {
        need_ids(std::span{&*options_.first_token, 1}, "first_token");
    }
}

TOKENWORKS_FUNCTION std::vector<beam_result> beam_searcher::run() {
    if(options_.max_tokens == 0) {
        return {};
    }
    scores_.resize(options_.beams * vocab_);
    for(bool first = true; first || !is_done(); first = false) {
        if(options_.cancel.stop_requested()) {
            tokenworks::detail::raise<cancelled_error>({"beam_search: cancelled"});
        }
        const stopwatch taken{first ? timings_.prefill_seconds : timings_.decode_seconds};
        first ? run_prompt() : run_beams();
        const bool penalises = penalties_.active();
        if(penalises && options_.beams == 1) {
            penalise(0);
        }
        std::vector<char> is_good(beams_.size());
        parallel_for(context_.how, beams_.size(), 1, [&](work_range range) {
            for(std::size_t i = range.begin; i < range.end; ++i) {
                is_good[i] = log_softmax(row_of(i)) ? 1 : 0;
            }
        });
        for(std::size_t i = 0; i < beams_.size(); ++i) {
            if(is_good[i] == 0) {
                tokenworks::detail::raise<argument_error>(
                    {"beam_search: a logit is NaN or +infinity, or none is finite"});
            }
            if(penalises && options_.beams != 1) {
                penalise(i);
            }
            constrain(i);
        }
        const std::vector<successor> found = best_successors();
        ++made_;
        keep_finished(found);
        go_on(found);
    }
    finished_.resize(std::min(finished_.size(), options_.results));
    timings_.prompt_tokens = prompt_.size();
    timings_.generated_tokens = made_;
    if(options_.timings != nullptr) {
        *options_.timings = timings_;
    }
    return std::move(finished_);
}

TOKENWORKS_FUNCTION void beam_searcher::run_prompt() {
    caches_.push_back(network_.make_cache(prompt_.size() + options_.max_tokens, options_.cache_type));
    beams_.push_back({});
    const std::size_t chunk = options_.prefill_chunk == 0 ? prompt_.size() : options_.prefill_chunk;
    for(std::size_t at = 0; at < prompt_.size(); at += chunk) {
        const std::size_t count = std::min(chunk, prompt_.size() - at);
        const bool last = at + count == prompt_.size();
        using wanted = models::decoder_input::logits;
        const models::decoder_input input{&caches_.front(), prompt_.subspan(at, count),
                                          last ? wanted::last : wanted::none, memory_, options_.adapters};
        network_.forward(context_, std::span{&input, 1}, nn::rows{scores_.data(), last ? 1U : 0U, vocab_});
    }
}

TOKENWORKS_FUNCTION void beam_searcher::run_beams() {
    inputs_.clear();
    last_.clear();
    for(const beam& each: beams_) {
        last_.push_back(each.ids.back());
    }
    for(std::size_t i = 0; i < beams_.size(); ++i) {
        inputs_.push_back({&caches_[beams_[i].cache], std::span{last_}.subspan(i, 1),
                           models::decoder_input::logits::last, memory_, options_.adapters});
    }
    network_.forward(context_, inputs_, nn::rows{scores_.data(), beams_.size(), vocab_});
}

TOKENWORKS_FUNCTION bool beam_searcher::log_softmax(std::span<float> row) noexcept {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    float most = -infinity;
    for(const float logit: row) {
        if(!(logit < infinity)) {
            return false;
        }
        most = std::max(most, logit);
    }
    if(!(most > -infinity)) {
        return false;
    }
    double sum = 0;
    for(const float logit: row) {
        sum += std::exp(static_cast<double>(logit - most));
    }
    const auto log_sum = static_cast<float>(std::log(sum));
    for(float& value: row) {
        value = value - most - log_sum;
    }
    return true;
}

TOKENWORKS_FUNCTION void beam_searcher::penalise(std::size_t of) {
    const std::vector<token_id>& ids = beams_[of].ids;
    const std::size_t total = prompt_.size() + ids.size();
    const std::int64_t last = options_.penalties.last_n;
    const std::size_t window = last < 0 ? total : std::min(total, static_cast<std::size_t>(last));
    const std::size_t of_prompt = window - std::min(window, ids.size());
    came_.assign(prompt_.end() - static_cast<std::ptrdiff_t>(of_prompt), prompt_.end());
    came_.insert(came_.end(), ids.end() - static_cast<std::ptrdiff_t>(window - of_prompt), ids.end());
    std::ranges::sort(came_);
    const std::span<float> row = row_of(of);
    for(std::size_t first = 0; first < came_.size();) {
        std::size_t end = first + 1;
        while(end < came_.size() && came_[end] == came_[first]) {
            ++end;
        }
        float& score = row[static_cast<std::size_t>(came_[first])];
        score = sampling::penalised(score, end - first, options_.penalties);
        first = end;
    }
}

TOKENWORKS_FUNCTION void beam_searcher::constrain(std::size_t of) {
    constexpr float never = -std::numeric_limits<float>::infinity();
    const std::span<float> row = row_of(of);
    std::ranges::fill(row.subspan(std::min(options_.vocabulary, row.size())), never);
    if(options_.no_repeat_ngram != 0) {
        std::vector<token_id> all{prompt_.begin(), prompt_.end()};
        all.insert(all.end(), beams_[of].ids.begin(), beams_[of].ids.end());
        std::vector<token_id> banned;
        sampling::tokens_ending_repeats(all, options_.no_repeat_ngram, banned);
        for(const token_id id: banned) {
            row[static_cast<std::size_t>(id)] = never;
        }
    }
    if(made_ < options_.min_tokens) {
        for(const token_id id: options_.ends) {
            row[static_cast<std::size_t>(id)] = never;
        }
    }
    if(made_ == 0 && options_.first_token) {
        force(row, std::span{&*options_.first_token, 1});
    }
    if(made_ + 1 == options_.max_tokens && !options_.last_tokens.empty()) {
        force(row, options_.last_tokens);
    }
}

/// A forced token costs nothing.
TOKENWORKS_FUNCTION void beam_searcher::force(std::span<float> row, std::span<const token_id> tokens) {
    std::ranges::fill(row, -std::numeric_limits<float>::infinity());
    for(const token_id id: tokens) {
        row[static_cast<std::size_t>(id)] = 0;
    }
}

TOKENWORKS_FUNCTION std::vector<beam_searcher::successor> beam_searcher::best_successors() const {
    // So many that enough of them go on even where every beam's best ones are the ends.
    const std::size_t wanted = std::max<std::size_t>(2, 1 + options_.ends.size()) * options_.beams;
    constexpr float never = -std::numeric_limits<float>::infinity();
    std::vector<successor> heap; // the worst in front
    const auto better = [](const successor& a, const successor& b) {
        return a.sum > b.sum || (!(b.sum > a.sum) && (a.of < b.of || (a.of == b.of && a.token < b.token)));
    };
    for(std::size_t i = 0; i < beams_.size(); ++i) {
        for(std::size_t id = 0; id < vocab_; ++id) {
            const float sum = scores_[i * vocab_ + id] + beams_[i].sum;
            if(!(sum > never) || (heap.size() == wanted && !(sum > heap.front().sum))) {
                continue;
            }
            if(heap.size() == wanted) {
                std::pop_heap(heap.begin(), heap.end(), better);
                heap.pop_back();
            }
            heap.push_back({i, static_cast<token_id>(id), sum, false});
            std::push_heap(heap.begin(), heap.end(), better);
        }
    }
    std::ranges::sort(heap, better);
    for(successor& each: heap) {
        each.ends = made_ + 1 == options_.max_tokens || is_end(each.token);
    }
    return heap;
}

/// Only the first `beams` successors may finish; the others are there so that enough can go on.
TOKENWORKS_FUNCTION void beam_searcher::keep_finished(std::span<const successor> found) {
    for(const successor& each: found.first(std::min(found.size(), options_.beams))) {
        if(!each.ends) {
            continue;
        }
        const float score = penalised(each.sum, made_);
        const auto at = std::ranges::find_if(finished_, [&](const beam_result& other) { return other.score < score; });
        if(at == finished_.end() && finished_.size() == options_.beams) {
            continue;
        }
        beam_result result{beams_[each.of].ids, score};
        result.ids.push_back(each.token);
        finished_.insert(at, std::move(result));
        finished_.resize(std::min(finished_.size(), options_.beams));
    }
}

TOKENWORKS_FUNCTION void beam_searcher::go_on(std::span<const successor> found) {
    std::vector<beam> next;
    for(const successor& each: found) {
        if(!each.ends && next.size() < options_.beams) {
            beam& added = next.emplace_back(beams_[each.of]);
            added.ids.push_back(each.token);
            added.sum = each.sum;
        }
    }
    move_caches(next);
    beams_ = std::move(next);
}

/// The first of those that go on from a beam keeps its cache; each other one gets a cache that is not needed any more,
/// the one that has most in common with what it must hold.
TOKENWORKS_FUNCTION void beam_searcher::move_caches(std::vector<beam>& next) {
    constexpr std::size_t none = std::numeric_limits<std::size_t>::max();
    std::vector<std::size_t> holder(caches_.size(), none); // the beam before the step that a free cache belonged to
    std::vector<bool> is_taken(caches_.size(), false);
    for(std::size_t i = 0; i < beams_.size(); ++i) {
        holder[beams_[i].cache] = i;
    }
    std::vector<std::pair<std::size_t, std::size_t>> copies; // index into next, cache to copy from
    for(std::size_t i = 0; i < next.size(); ++i) {
        if(is_taken[next[i].cache]) {
            copies.push_back({i, next[i].cache});
        }
        is_taken[next[i].cache] = true;
    }
    for(const auto& [i, source]: copies) {
        const std::vector<token_id>& wanted = beams_[holder[source]].ids;
        std::size_t best = none;
        std::size_t most = 0;
        for(std::size_t cache = 0; cache < holder.size(); ++cache) {
            if(is_taken[cache] || holder[cache] == none) {
                continue;
            }
            const std::vector<token_id>& ids = beams_[holder[cache]].ids;
            const auto part = static_cast<std::size_t>(std::ranges::mismatch(ids, wanted).in1 - ids.begin());
            if(best == none || part > most) {
                best = cache;
                most = part;
            }
        }
        std::size_t same = best == none ? 0 : std::min(prompt_.size() + most, caches_[source].size());
        for(std::size_t cache = 0; best == none && cache < holder.size(); ++cache) { // one that lay idle
            best = is_taken[cache] ? none : cache;
        }
        if(best == none) {
            best = caches_.size();
            caches_.push_back(network_.make_cache(caches_.front().capacity(), options_.cache_type));
            is_taken.push_back(false);
        }
        caches_[best].copy_from(caches_[source], same, context_.how);
        is_taken[best] = true;
        next[i].cache = best;
    }
}

TOKENWORKS_FUNCTION bool beam_searcher::is_done() const {
    if(beams_.empty()) {
        return true;
    }
    if(finished_.size() < options_.beams) {
        return false;
    }
    if(options_.stop == beam_stop::at_once) {
        return true;
    }
    const bool hopes = options_.stop == beam_stop::never && options_.length_penalty > 0;
    return !(penalised(beams_.front().sum, hopes ? options_.max_tokens : made_) > finished_.back().score);
}

#endif

} // namespace detail

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION std::vector<beam_result> beam_search(nn::context& c, const models::decoder& network,
                                                         std::span<const token_id> prompt, const beam_options& options,
                                                         const nn::kv_cache* memory) {
    return detail::beam_searcher{c, network, prompt, options, memory}.run();
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime

namespace tokenworks::inline TOKENWORKS_ABI {

using runtime::beam_options;
using runtime::beam_search;

} // namespace tokenworks::inline TOKENWORKS_ABI
