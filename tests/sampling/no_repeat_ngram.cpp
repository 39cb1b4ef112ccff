#include <tokenworks/sampling/no_repeat_ngram.hpp>

#include <cstddef>
#include <limits>
#include <vector>

#include <tokenworks/sampling/chain.hpp>
#include <tokenworks/sampling/options.hpp>

#include "reference/sampling.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
namespace ts = tokenworks::sampling;

namespace {

std::vector<ts::token_id> banned(const std::vector<ts::token_id>& history, std::size_t n) {
    std::vector<ts::token_id> out{77};
    ts::tokens_ending_repeats(history, n, out);
    return out;
}

using ids = std::vector<ts::token_id>;

} // namespace

TEST_CASE("no_repeat_ngram: what has followed on the last tokens before is banned") {
    CHECK(banned({}, 1) == ids{});
    CHECK(banned({3, 1, 3}, 1) == ids{1, 3});
    CHECK(banned({5, 6, 5}, 2) == ids{6});
    CHECK(banned({5, 6, 5, 2, 5}, 2) == ids{2, 6});
    CHECK(banned({5, 6, 7, 5}, 2) == ids{6});
    CHECK(banned({5, 5}, 2) == ids{5});
    CHECK(banned({5, 6, 7, 5, 6}, 3) == ids{7});
    CHECK(banned({5, 6, 7, 5, 6}, 4) == ids{});
    CHECK(banned({5, 6}, 3) == ids{});
}

TEST_CASE("no_repeat_ngram: a chain with it never repeats a run") {
    CHECK_THROWS_AS(ts::no_repeat_ngram{0}, tw::argument_error);
    const std::vector<float> logits{0, 3, 2, 1};
    for(const std::size_t n: {1U, 2U, 3U}) {
        ts::sampler_options options;
        options.temperature = 0;
        options.no_repeat_ngram = n;
        ts::chain chain = ts::make_chain(options);
        CHECK_FALSE(chain.is_greedy());
        ts::candidates work;
        ids history{-5, 1000};
        const std::size_t runs = n == 1 ? 4 : 6; // a token has four successors
        for(std::size_t i = 0; i < runs; ++i) {
            history.push_back(chain(logits, {history, history.size()}, work));
            for(std::size_t j = 0; j + n < history.size(); ++j) {
                CHECK_FALSE(std::equal(history.end() - static_cast<std::ptrdiff_t>(n), history.end(),
                                       history.begin() + static_cast<std::ptrdiff_t>(j)));
            }
        }
        if(n == 1) { // all are used up
            CHECK_THROWS_AS(chain(logits, {history, history.size()}, work), tw::argument_error);
        }
    }
}
