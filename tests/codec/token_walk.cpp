#include <tokenworks/codec/token_walk.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"

namespace tw = tokenworks;
using namespace tokenworks::codec;

namespace {

token_walk walk_of_texts(const std::vector<std::string>& texts, std::vector<token_id> ends = {}) {
    return token_walk{texts.size(), [&](token_id id) { return std::string_view{texts[static_cast<std::size_t>(id)]}; },
                      std::move(ends)};
}

} // namespace

TEST_CASE("token_walk: every token stands once, below the tokens that it begins with") {
    const std::vector<std::string> texts{"b", "ab", "", "a", "abc", "ab", "\xFF", "ba", "end"};
    const token_walk walk = walk_of_texts(texts, {8});
    CHECK(walk.vocab_size() == 9);
    CHECK(walk.longest() == 3);
    CHECK(walk.ends() == std::vector<token_id>{8});
    CHECK(walk.is_end(8));
    CHECK_FALSE(walk.is_end(0));
    std::vector<int> seen(texts.size());
    std::string path;
    for(std::size_t i = 0; i < walk.size(); ++i) {
        const token_walk::node& n = walk[i];
        REQUIRE(n.depth <= path.size() + 1);
        path.resize(n.depth - std::size_t{1});
        path += static_cast<char>(n.byte);
        for(const token_id id: walk.tokens(i)) {
            CHECK(texts[static_cast<std::size_t>(id)] == path);
            ++seen[static_cast<std::size_t>(id)];
        }
        REQUIRE(n.behind > i);
        REQUIRE(n.behind <= walk.size());
        for(std::size_t below = i + 1; below < n.behind; ++below) {
            CHECK(walk[below].depth > n.depth);
        }
        CHECK((n.behind == walk.size() || walk[n.behind].depth <= n.depth));
    }
    CHECK(seen == std::vector<int>{1, 1, 0, 1, 1, 1, 1, 1, 0}); // neither the empty one nor the end
}

TEST_CASE("token_walk: the bytes of each token, and none of what ends a text") {
    const std::vector<std::string> texts{"b", "", "long token", "</s>", "b"};
    const token_walk walk = walk_of_texts(texts, {3});
    for(const token_id id: {0, 1, 2, 4}) {
        CHECK(walk.bytes(id) == texts[static_cast<std::size_t>(id)]);
    }
    CHECK(walk.bytes(3).empty());
}

TEST_CASE("token_walk: no tokens, and tokens that are too long") {
    const token_walk none = walk_of_texts({});
    CHECK(none.size() == 0);
    CHECK(none.longest() == 0);
    CHECK(walk_of_texts({std::string(65535, 'x')}).size() == 65535);
    CHECK_THROWS_AS(walk_of_texts({std::string(65536, 'x')}), tw::limit_error);
}
