#include <tokenworks/codec/merge_table.hpp>

#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"

using namespace tokenworks::codec;

namespace {

vocabulary_data letters() {
    vocabulary_data d;
    d.name = "letters.gguf";
    d.model = "gpt2";
    d.tokens = {"a", "b", "ab", "aba", "<x>", "\xC4\xA0"};
    d.types = {1, 1, 1, 1, 3, 1};
    return d;
}

merge_table made(const std::vector<std::string_view>& merges) {
    vocabulary_data d = letters();
    d.merges = merges;
    return merge_table{d, vocabulary{d}};
}

} // namespace

TEST_CASE("merge_table: pairs with their rank and what they become", "[codec]") {
    const merge_table merges = made({"a b", "ab a", "a b"});
    CHECK(merges.find(0, 1).rank == 0); // listed twice: the better one counts
    CHECK(merges.find(0, 1).result == 2);
    CHECK(merges.find(2, 0).rank == 1);
    CHECK(merges.find(2, 0).result == 3);
    CHECK_FALSE(merges.find(1, 0));
    CHECK_FALSE(merges.find(0, -1));
    CHECK_FALSE(merges.find(-1, -1));
    CHECK_FALSE(merge_table{}.find(0, 1));
}

TEST_CASE("merge_table: merges that are put in", "[codec]") {
    merge_table merges;
    merges.reserve(1000);
    for(token_id i = 0; i < 1000; ++i) {
        merges.put(i, 2 * i, {static_cast<std::uint32_t>(i), 5000 + i});
    }
    merges.put(7, 14, {2000, 1}); // the later one counts
    for(token_id i = 0; i < 1000; ++i) {
        CHECK(merges.find(i, 2 * i).result == (i == 7 ? 1 : 5000 + i));
        CHECK_FALSE(merges.find(i, 2 * i + 1));
    }
    CHECK(merges.find(7, 14).rank == 2000);
    merges.reserve(1);
    CHECK_FALSE(merges.find(7, 14));
}

TEST_CASE("merge_table: what is refused, with its place", "[codec]") {
    const auto refused = [](std::string_view merge, const std::string& why) {
        CHECK_THROWS_AS(made({"a b", merge}), tokenworks::format_error);
        CHECK_THROWS_WITH(made({"a b", merge}),
                          "letters.gguf: tokenizer.ggml.merges: merge 1, \"" + std::string{merge} + "\", " + why);
    };
    refused("ab", "has no two parts");
    refused("a ", "has no two parts");
    refused("", "has no two parts");
    refused("a c", "needs \"c\", which is not a token of text");
    refused("b a", "needs \"ba\", which is not a token of text");
    refused("a <x>", "needs \"<x>\", which is not a token of text"); // a control token
}
