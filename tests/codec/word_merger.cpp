#include <tokenworks/codec/word_merger.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "support/catch.hpp"

using namespace tokenworks::codec;

namespace {

using ids = std::vector<token_id>;

ids merged(word_merger& merger, const merge_table& merges, const ids& word) {
    merger.symbols() = word;
    merger.run(merges);
    return merger.symbols();
}

/// The definition, step by step: of all neighbours that merge the best-ranked, of equals the leftmost.
ids by_definition(const merge_table& merges, ids word) {
    while(true) {
        merge best;
        std::size_t at = 0;
        for(std::size_t i = 0; i + 1 < word.size(); ++i) {
            if(const merge m = merges.find(word[i], word[i + 1]); m && (!best || m.rank < best.rank)) {
                best = m;
                at = i;
            }
        }
        if(!best) {
            return word;
        }
        word[at] = best.result;
        word.erase(word.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    }
}

} // namespace

TEST_CASE("word_merger: rank before place, and what merges with nothing", "[codec]") {
    merge_table merges;
    merges.reserve(3);
    merges.put(1, 2, {0, 10});
    merges.put(0, 1, {1, 11});
    merges.put(10, 3, {2, 12});
    word_merger merger;
    CHECK(merged(merger, merges, {}) == ids{});
    CHECK(merged(merger, merges, {1}) == ids{1});
    CHECK(merged(merger, merges, {0, 1, 2}) == ids{0, 10}); // not 11 2
    CHECK(merged(merger, merges, {0, 1, 2, 3}) == ids{0, 12});
    CHECK(merged(merger, merges, {0, 1, 0, 1}) == ids{11, 11});
    CHECK(merged(merger, merges, {1, -1, 2}) == ids{1, -1, 2});
    CHECK(merged(merger, merges, {-1, 1, 2, -1}) == ids{-1, 10, -1});
    CHECK(merged(merger, merge_table{}, {1, 2}) == ids{1, 2});
}

TEST_CASE("word_merger: words of every length on both sides of the heap's border", "[codec]") {
    std::uint64_t state = 7;
    const auto next = [&](std::uint64_t below) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        return static_cast<std::uint32_t>((state >> 33) % below);
    };
    word_merger merger; // one for all: what a word leaves behind does no harm
    for(int round = 0; round < 30; ++round) {
        merge_table merges;
        constexpr std::uint32_t rules = 24;
        merges.reserve(rules);
        for(std::uint32_t rank = 0; rank < rules; ++rank) {
            merges.put(static_cast<token_id>(next(10)), static_cast<token_id>(next(10)),
                       {rank, static_cast<token_id>(next(12))});
        }
        for(const std::size_t length: {2U, 3U, 31U, 32U, 33U, 34U, 65U, 200U}) {
            ids word(length);
            for(token_id& id: word) {
                id = static_cast<token_id>(next(11)) - 1;
            }
            CHECK(merged(merger, merges, word) == by_definition(merges, word));
        }
    }
}
