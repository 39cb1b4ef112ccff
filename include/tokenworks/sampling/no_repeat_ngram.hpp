// Bans the tokens that would repeat a run of tokens: no run of n occurs twice.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/sampling/step.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::sampling {

/// The tokens that have followed on the last n - 1 before, in a history of at least n: ascending, each once.
/// @param n       at least 1
/// @param banned  replaced
inline void tokens_ending_repeats(std::span<const token_id> history, std::size_t n, std::vector<token_id>& banned) {
    banned.clear();
    if(history.size() < n) {
        return;
    }
    const std::span<const token_id> last = history.last(n - 1);
    for(std::size_t i = 0; i + n <= history.size(); ++i) {
        if(std::equal(last.begin(), last.end(), history.begin() + static_cast<std::ptrdiff_t>(i))) {
            banned.push_back(history[i + n - 1]);
        }
    }
    std::sort(banned.begin(), banned.end());
    banned.erase(std::unique(banned.begin(), banned.end()), banned.end());
}

/// Over the whole history, prompt included. Paulus et al., "A Deep Reinforced Model for Abstractive Summarization",
/// 2017, section 2.5; `no_repeat_ngram_size` of transformers.
class no_repeat_ngram {
public:
    /// @throws argument_error for a length of 0
    explicit no_repeat_ngram(std::size_t length) : length_{length} {
        if(length == 0) {
            tokenworks::detail::raise<argument_error>({"no_repeat_ngram: a length of 0"});
        }
    }

    /// Tokens of the history that are not in the vocabulary are passed over.
    void operator()(candidates& c, const step& s) const {
        std::vector<token_id>& banned = c.scratch();
        tokens_ending_repeats(s.history, length_, banned);
        std::erase_if(banned, [&](token_id id) { return id < 0 || static_cast<std::size_t>(id) >= c.vocab_size(); });
        c.transform_only(banned, [](std::size_t, float) { return -detail::infinity; });
    }

private:
    std::size_t length_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::sampling
