// Reads tests/golden/quant (see tools/golden/quant.py for the format) and checks a block format against it.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <tokenworks/core/dtype_of.hpp>
#include <tokenworks/quant/codes.hpp>
#include <tokenworks/quant/convert.hpp>

#include "support/catch.hpp"

namespace golden {

inline std::vector<std::byte> read(const std::string& name) {
    const std::string path = std::string{TOKENWORKS_TEST_DATA} + "/quant/" + name;
    std::ifstream file{path, std::ios::binary};
    if(!file) {
        throw std::runtime_error{path + " is missing; make it with: python tools/golden/quant.py vectors"};
    }
    const std::vector<char> text{std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{}};
    std::vector<std::byte> out(text.size());
    std::memcpy(out.data(), text.data(), text.size());
    return out;
}

inline std::uint32_t load32(const std::byte* at) {
    std::uint32_t out = 0;
    for(int i = 3; i >= 0; --i) {
        out = out << 8 | std::to_integer<std::uint32_t>(at[i]);
    }
    return out;
}

inline std::uint64_t load64(const std::byte* at) {
    return load32(at) | static_cast<std::uint64_t>(load32(at + 4)) << 32;
}

/// A bit pattern in which all NaNs are equal.
inline std::uint32_t pattern(float x) { return std::isnan(x) ? 0x7fc00000U : std::bit_cast<std::uint32_t>(x); }

/// FNV-1a over 32-bit words, as value_hash of the script.
inline std::uint64_t hash(std::span<const float> values) {
    std::uint64_t out = 0xcbf29ce484222325U;
    for(const float value: values) {
        out = (out ^ pattern(value)) * 0x100000001b3U;
    }
    return out;
}

/// All golden blocks decode to the reference's bits: typed, at run time from an unaligned address, and by the formula
/// of codes.hpp.
template <class Block>
void check_decode() {
    using namespace tokenworks;
    const std::string name{info(Block::type).name};
    const std::vector<std::byte> file = read("decode_" + name + ".bin");
    const std::size_t count = load32(file.data());
    REQUIRE(count >= 96);
    REQUIRE(file.size() == 4 + count * (sizeof(Block) + 8));
    std::array<float, Block::size> values;
    std::array<float, Block::size> again;
    for(std::size_t b = 0; b < count; ++b) {
        INFO(name << " block " << b);
        const std::byte* bytes = file.data() + 4 + b * sizeof(Block);
        const auto block = quant::load_block<Block>(bytes);
        quant::decode(block, values.data());
        REQUIRE(hash(values) == load64(file.data() + 4 + count * sizeof(Block) + b * 8));

        std::vector<std::byte> odd(sizeof(Block) + 1);
        std::memcpy(odd.data() + 1, bytes, sizeof(Block));
        quant::decode(Block::type, std::span{odd}.subspan(1), again);
        REQUIRE(hash(again) == hash(values));

        std::array<std::int8_t, Block::size> codes;
        std::array<float, Block::size / 16> scales;
        std::array<float, Block::size / 16> mins;
        quant::decode_codes(Block::type, odd.data() + 1, codes.data(), scales.data(), mins.data());
        for(std::size_t i = 0; i < Block::size; ++i) {
            const float scaled = scales[i / 16] * static_cast<float>(codes[i]);
            REQUIRE(pattern(scaled - mins[i / 16]) == pattern(values[i]));
            const std::size_t first = i / Block::group * Block::group / 16;
            REQUIRE(pattern(scales[i / 16]) == pattern(scales[first]));
            REQUIRE(pattern(mins[i / 16]) == pattern(mins[first]));
            if(!Block::has_min) {
                REQUIRE(pattern(mins[i / 16]) == 0);
            }
        }
    }
    // Elements are in rows: two blocks decode like each alone.
    std::array<float, 2 * Block::size> two;
    quant::decode(Block::type, std::span{file}.subspan(4, 2 * sizeof(Block)), two);
    quant::decode(quant::load_block<Block>(file.data() + 4 + sizeof(Block)), values.data());
    REQUIRE(hash(std::span{two}.last(Block::size)) == hash(values));
    STATIC_REQUIRE(dtype_of<Block> == Block::type);
    STATIC_REQUIRE(quant::block_format<Block>);
    REQUIRE(quant::is_block_format(Block::type));
}

/// The bytes of every golden row equal the reference's, and decoding them is close to the row.
/// @param bound  root mean square error over root mean square, for rows of normal numbers
template <class Block>
void check_encode(double bound) {
    using namespace tokenworks;
    const std::string name{info(Block::type).name};
    const std::vector<std::byte> file = read("encode_" + name + ".bin");
    const std::size_t count = load32(file.data());
    REQUIRE(count > 30);
    REQUIRE(file.size() == 4 + count * (sizeof(Block) + 4 * Block::size));
    std::vector<float> values(count * Block::size);
    for(std::size_t i = 0; i < values.size(); ++i) {
        values[i] = std::bit_cast<float>(load32(file.data() + 4 + 4 * i));
    }
    const std::span expected = std::span{file}.subspan(4 + 4 * values.size());
    std::vector<std::byte> bytes(expected.size() + 1); // at an odd address
    const std::span out = std::span{bytes}.subspan(1);
    quant::encode(Block::type, values, out);
    for(std::size_t i = 0; i < out.size(); ++i) {
        INFO(name << " row " << i / sizeof(Block) << " byte " << i % sizeof(Block));
        REQUIRE(std::to_integer<int>(out[i]) == std::to_integer<int>(expected[i]));
    }
    std::vector<float> decoded(values.size());
    quant::decode(Block::type, out, decoded);
    double error = 0;
    double power = 0;
    for(std::size_t i = 0; i < 10 * Block::size; ++i) { // the first ten rows are normal numbers
        error += std::pow(static_cast<double>(decoded[i]) - static_cast<double>(values[i]), 2);
        power += std::pow(static_cast<double>(values[i]), 2);
    }
    INFO(name << " relative error " << std::sqrt(error / power));
    CHECK(std::sqrt(error / power) < bound);
    CHECK(error > 0);
    REQUIRE(quant::can_encode(Block::type));
}

} // namespace golden
