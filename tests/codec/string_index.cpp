#include <tokenworks/codec/string_index.hpp>

#include <cstdint>
#include <string>
#include <string_view>

#include "support/catch.hpp"

using namespace tokenworks::codec;

TEST_CASE("string_index: every string is found, others are not", "[codec]") {
    string_block block;
    string_index index;
    constexpr std::uint32_t count = 5000;
    block.reserve(count, count * 4);
    index.reserve(count);
    CHECK(index.find(block, "0") == string_index::none);
    for(std::uint32_t i = 0; i < count; ++i) {
        block.push_back(std::to_string(i * 7));
        CHECK(index.insert(block, i) == i);
    }
    CHECK(block.size() == count);
    for(std::uint32_t i = 0; i < count; ++i) {
        CHECK(index.find(block, std::to_string(i * 7)) == i);
    }
    CHECK(index.find(block, "1") == string_index::none);
    CHECK(index.find(block, "") == string_index::none);
    block.push_back("7"); // is there
    CHECK(index.insert(block, count) == 1);
    CHECK(string_index{}.find(block, "7") == string_index::none);
}

TEST_CASE("string_index: a string written at the end of the block", "[codec]") {
    string_block block;
    block.push_back("ab");
    block.tail() += "c";
    block.tail() += "d";
    CHECK(block.size() == 1);
    block.close();
    block.push_back("");
    block.shrink_to_fit();
    CHECK(block.size() == 3);
    CHECK(block.bytes() == 4);
    CHECK(block[0] == "ab");
    CHECK(block[1] == "cd");
    CHECK(block[2].empty());
}

TEST_CASE("string_index: a table that is too full for its strings is refused, not slow", "[codec]") {
    string_block block;
    string_index index;
    index.reserve(1); // 4 slots
    for(std::uint32_t i = 0; i < 4; ++i) {
        block.push_back(std::to_string(i));
        CHECK(index.insert(block, i) == i);
    }
    block.push_back("one too many");
    CHECK_THROWS_AS(index.insert(block, 4), tokenworks::limit_error);
    CHECK(index.find(block, "one too many") == string_index::none);
}
