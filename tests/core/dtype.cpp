#include <tokenworks/core/dtype.hpp>

#include <set>
#include <string>

#include "support/catch.hpp"

namespace tw = tokenworks;

TEST_CASE("dtype: every row is found by its number and by its name") {
    for(const tw::dtype_info& row: tw::dtype_table) {
        REQUIRE(tw::find_dtype(static_cast<std::uint32_t>(row.type)).has_value());
        CHECK(tw::find_dtype(static_cast<std::uint32_t>(row.type))->name == row.name);
        REQUIRE(tw::find_dtype(row.name).has_value());
        CHECK(tw::find_dtype(row.name)->type == row.type);
        CHECK(tw::info(row.type).block_bytes == row.block_bytes);
    }
}

TEST_CASE("dtype: names and numbers are unique, blocks are not empty") {
    std::set<std::string> names;
    std::set<std::uint32_t> numbers;
    for(const tw::dtype_info& row: tw::dtype_table) {
        names.insert(std::string{row.name});
        numbers.insert(static_cast<std::uint32_t>(row.type));
        CHECK(row.block_size > 0);
        CHECK(row.block_bytes > 0);
    }
    CHECK(names.size() == tw::dtype_table.size());
    CHECK(numbers.size() == tw::dtype_table.size());
}

TEST_CASE("dtype: numbers that GGUF removed or never gave are unknown") {
    // 4, 5: Q4_2, Q4_3; 31-33, 36-38: repacked forms that files never hold.
    for(const std::uint32_t id: {4U, 5U, 31U, 32U, 33U, 36U, 37U, 38U, 43U, 255U, 1000U, 0xFFFFFFFFU}) {
        CHECK_FALSE(tw::find_dtype(id).has_value());
    }
    CHECK_FALSE(tw::find_dtype("q4_2").has_value());
    CHECK_FALSE(tw::find_dtype("F32").has_value());
    CHECK_FALSE(tw::find_dtype("").has_value());
    CHECK(tw::info(static_cast<tw::dtype>(4)).name == "unknown");
}

TEST_CASE("dtype: sizes of blocks, from the fields that they hold") {
    const auto bytes = [](tw::dtype type) { return tw::info(type).block_bytes; };
    CHECK(bytes(tw::dtype::q4_0) == 2 + 32 / 2);
    CHECK(bytes(tw::dtype::q4_1) == 2 + 2 + 32 / 2);
    CHECK(bytes(tw::dtype::q5_0) == 2 + 4 + 32 / 2);
    CHECK(bytes(tw::dtype::q8_0) == 2 + 32);
    CHECK(bytes(tw::dtype::q2_k) == 256 / 16 + 256 / 4 + 2 + 2);
    CHECK(bytes(tw::dtype::q3_k) == 256 / 8 + 256 / 4 + 12 + 2);
    CHECK(bytes(tw::dtype::q4_k) == 2 + 2 + 12 + 256 / 2);
    CHECK(bytes(tw::dtype::q5_k) == 2 + 2 + 12 + 256 / 8 + 256 / 2);
    CHECK(bytes(tw::dtype::q6_k) == 256 / 2 + 256 / 4 + 256 / 16 + 2);
    CHECK(bytes(tw::dtype::mxfp4) == 1 + 32 / 2);
    CHECK(bytes(tw::dtype::nvfp4) == 4 + 64 / 2);
}
