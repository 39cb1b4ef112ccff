#include <tokenworks/codec/token_trie.hpp>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"

using namespace tokenworks::codec;

namespace {

using hits = std::vector<std::pair<std::size_t, token_id>>;

hits at(const token_trie& trie, std::string_view text, std::size_t place) {
    hits found;
    trie.each(text, place, [&](std::size_t length, token_id id) { found.push_back({length, id}); });
    return found;
}

} // namespace

TEST_CASE("token_trie: every token that begins at a place", "[codec]") {
    const token_trie trie{{{"a", 0}, {"abc", 1}, {"ab", 2}, {"b", 3}, {"", 4}, {"\xFF\x00z", 5}}};
    CHECK(at(trie, "abcd", 0) == hits{{1, 0}, {2, 2}, {3, 1}});
    CHECK(at(trie, "abcd", 1) == hits{{1, 3}});
    CHECK(at(trie, "abcd", 2).empty());
    CHECK(at(trie, "ab", 0) == hits{{1, 0}, {2, 2}});
    CHECK(at(token_trie{}, "ab", 0).empty());
    CHECK(token_trie{}.empty());
    CHECK_FALSE(trie.empty());
    CHECK(at(token_trie{{{"a", 1}, {"a", 2}}}, "a", 0) == hits{{1, 2}}); // the last of equals
}

TEST_CASE("token_trie: random tokens, against looking for each", "[codec]") {
    std::uint64_t state = 7;
    const auto next = [&](std::uint64_t below) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        return (state >> 33) % below;
    };
    std::map<std::string, token_id> tokens;
    while(tokens.size() < 500) {
        std::string text;
        for(std::uint64_t n = 1 + next(6); n > 0; --n) {
            text += static_cast<char>("abc\x80\xFF"[next(5)]);
        }
        tokens.emplace(text, static_cast<token_id>(tokens.size()));
    }
    std::vector<token_trie::entry> entries(tokens.begin(), tokens.end());
    const token_trie trie{entries};
    for(int round = 0; round < 300; ++round) {
        std::string text;
        for(std::uint64_t n = next(12); n > 0; --n) {
            text += static_cast<char>("abc\x80\xFF"[next(5)]);
        }
        hits expected;
        for(std::size_t length = 1; length <= text.size(); ++length) {
            if(const auto found = tokens.find(text.substr(0, length)); found != tokens.end()) {
                expected.push_back({length, found->second});
            }
        }
        CHECK(at(trie, text, 0) == expected);
    }
}

TEST_CASE("token_trie: a token that is too long is refused", "[codec]") {
    const std::string longest(token_trie::longest_token, 'a');
    CHECK_NOTHROW(token_trie{{{longest, 0}}});
    CHECK_THROWS_AS((token_trie{{{longest + "a", 0}}}), tokenworks::limit_error);
}
