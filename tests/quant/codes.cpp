#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <tokenworks/core/dtype_of.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/quant/codes.hpp>

#include "support/catch.hpp"

using namespace tokenworks;

TEST_CASE("every block type of the table is visited, with its sizes") {
    int visited = 0;
    for(const dtype_info& row: dtype_table) {
        INFO(row.name);
        if(!quant::is_block_format(row.type)) {
            REQUIRE_THROWS_AS(quant::visit_block(row.type, []<class Block>() {}), unsupported_error);
            continue;
        }
        const bool same = quant::visit_block(row.type, [&]<class Block>() {
            return dtype_of<Block> == row.type && Block::size == row.block_size && sizeof(Block) == row.block_bytes &&
                   quant::block_format<Block> && alignof(Block) == 1;
        });
        REQUIRE(same);
        ++visited;
    }
    CHECK(visited == 25);
}

TEST_CASE("codes of a type that has no blocks are refused") {
    const std::array<std::byte, 4> bytes{};
    std::array<std::int8_t, 256> codes;
    std::array<float, 16> scales;
    std::array<float, 16> mins;
    REQUIRE_THROWS_WITH(quant::decode_codes(dtype::f32, bytes.data(), codes.data(), scales.data(), mins.data()),
                        ContainsSubstring("f32 is not a block format"));
    REQUIRE_THROWS_AS(
        quant::decode_codes(static_cast<dtype>(4), bytes.data(), codes.data(), scales.data(), mins.data()),
        unsupported_error);
}

TEST_CASE("any bytes give codes, and those of a type stay in its range") {
    struct bounds {
        dtype type;
        int least;
        int greatest;
    };
    const auto [type, least, greatest] = GENERATE(values<bounds>(
        {{dtype::q4_0, -8, 7},       {dtype::q4_1, 0, 15},      {dtype::q5_0, -16, 15},    {dtype::q5_1, 0, 31},
         {dtype::q8_0, -128, 127},   {dtype::q8_1, -128, 127},  {dtype::q2_k, 0, 3},       {dtype::q3_k, -4, 3},
         {dtype::q4_k, 0, 15},       {dtype::q5_k, 0, 31},      {dtype::q6_k, -32, 31},    {dtype::q8_k, -128, 127},
         {dtype::iq1_s, -9, 9},      {dtype::iq1_m, -9, 9},     {dtype::iq2_xxs, -43, 43}, {dtype::iq2_xs, -43, 43},
         {dtype::iq2_s, -43, 43},    {dtype::iq3_xxs, -62, 62}, {dtype::iq3_s, -15, 15},   {dtype::iq4_nl, -127, 113},
         {dtype::iq4_xs, -127, 113}, {dtype::tq1_0, -1, 1},     {dtype::tq2_0, -1, 2},     {dtype::mxfp4, -12, 12},
         {dtype::nvfp4, -12, 12}}));
    const dtype_info row = info(type);
    INFO(row.name);
    std::uint32_t state = 1;
    int seen_least = 127;
    int seen_greatest = -128;
    for(int round = 0; round < 100; ++round) {
        std::vector<std::byte> bytes(row.block_bytes);
        for(std::byte& byte: bytes) {
            state = state * 1664525U + 1013904223U;
            byte = static_cast<std::byte>(state >> 24);
        }
        std::vector<std::int8_t> codes(row.block_size);
        std::vector<float> scales(row.block_size / 16);
        std::vector<float> mins(row.block_size / 16);
        quant::decode_codes(type, bytes.data(), codes.data(), scales.data(), mins.data());
        for(const int code: codes) {
            seen_least = code < seen_least ? code : seen_least;
            seen_greatest = code > seen_greatest ? code : seen_greatest;
        }
    }
    CHECK(seen_least == least);
    CHECK(seen_greatest == greatest);
}
