#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <tokenworks/core/dtype_of.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/quant/convert.hpp>

#include "support/catch.hpp"

using namespace tokenworks;

namespace {

/// The values as bytes of T, at an odd address.
template <class T>
struct odd_bytes {
    explicit odd_bytes(const std::vector<T>& values) : bytes(values.size() * sizeof(T) + 1) {
        std::memcpy(bytes.data() + 1, values.data(), values.size() * sizeof(T));
    }
    [[nodiscard]] std::span<const std::byte> span() const { return std::span{bytes}.subspan(1); }
    std::vector<std::byte> bytes;
};

template <class T>
std::vector<float> decode_all(const std::vector<T>& values) {
    std::vector<float> out(values.size());
    quant::decode(dtype_of<T>, odd_bytes<T>{values}.span(), out);
    return out;
}

template <class T>
std::vector<T> encode_all(const std::vector<float>& values) {
    std::vector<std::byte> bytes(values.size() * sizeof(T) + 1);
    quant::encode(dtype_of<T>, values, std::span{bytes}.subspan(1));
    std::vector<T> out(values.size());
    std::memcpy(out.data(), bytes.data() + 1, out.size() * sizeof(T));
    return out;
}

} // namespace

TEMPLATE_TEST_CASE("integers decode to the nearest float", "", std::int8_t, std::int16_t, std::int32_t, std::int64_t,
                   std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t) {
    using limits = std::numeric_limits<TestType>;
    const std::vector<TestType> values{0, 1, limits::min(), limits::max(), static_cast<TestType>(-3), 100};
    const std::vector<float> out = decode_all(values);
    for(std::size_t i = 0; i < values.size(); ++i) {
        CHECK(out[i] == static_cast<float>(values[i]));
    }
    CHECK_FALSE(quant::can_encode(dtype_of<TestType>));
}

TEST_CASE("floats decode and encode") {
    constexpr float inf = std::numeric_limits<float>::infinity();
    const std::vector<float> values{0.0F, -0.0F, 1.0F, -2.5F, 448.0F, 0x1p-9F, 1.0F / 3.0F, 1e6F, inf, -inf};
    const auto same = [](const std::vector<float>& a, const std::vector<float>& b) {
        return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
    };
    CHECK(same(decode_all(values), values));
    CHECK(same(encode_all<float>(values), values));
    CHECK(same(decode_all(encode_all<double>(values)), values));
    const auto by_type = [&]<class T>(T) {
        std::vector<float> expected;
        for(const float value: values) {
            expected.push_back(T{value});
        }
        CHECK(same(decode_all(encode_all<T>(values)), expected));
    };
    by_type(f16{});
    by_type(bf16{});
    by_type(f8_e4m3{});
    by_type(f8_e5m2{});
    // NaN is a value of float types, not an error.
    CHECK(std::isnan(static_cast<float>(encode_all<f16>({std::nanf("")})[0])));
    CHECK(std::isnan(decode_all(std::vector<double>{std::nan("")})[0]));
    CHECK(decode_all(std::vector<double>{1e300, 1.0 + 0x1p-24})[1] == 1.0F);
}

TEST_CASE("booleans decode to 0 and 1") {
    const std::vector<std::byte> bytes{std::byte{0}, std::byte{1}, std::byte{255}};
    std::array<float, 3> out;
    quant::decode(dtype::boolean, bytes, out);
    CHECK(out == std::array{0.0F, 1.0F, 1.0F});
}

TEST_CASE("every type decodes, zero elements too") {
    for(const dtype_info& row: dtype_table) {
        INFO(row.name);
        std::vector<std::byte> bytes(std::size_t{row.block_bytes} * 3);
        std::vector<float> out(std::size_t{row.block_size} * 3, -1.0F);
        quant::decode(row.type, bytes, out);
        quant::decode(row.type, {}, {});
        if(quant::can_encode(row.type)) {
            quant::encode(row.type, out, bytes);
            quant::encode(row.type, {}, {});
        } else {
            REQUIRE_THROWS_WITH(quant::encode(row.type, out, bytes),
                                ContainsSubstring("no encoder for " + std::string{row.name}));
            REQUIRE_THROWS_AS(quant::encode(row.type, out, bytes), unsupported_error);
        }
    }
}

TEST_CASE("what can be encoded is what there is an encoder for") {
    for(const dtype_info& row: dtype_table) {
        if(quant::is_block_format(row.type)) {
            INFO(row.name);
            const bool encodable =
                quant::visit_block(row.type, []<class Block>() { return quant::detail::encodable<Block>; });
            CHECK(encodable == quant::can_encode(row.type));
        }
    }
}

TEST_CASE("sizes that do not fit are refused") {
    std::vector<std::byte> bytes(18);
    std::vector<float> values(32);
    REQUIRE_THROWS_WITH(quant::decode(dtype::q4_0, bytes, std::span{values}.first(31)),
                        ContainsSubstring("decode q4_0: 31 elements are not a multiple of the block size 32"));
    REQUIRE_THROWS_WITH(quant::decode(dtype::q4_0, std::span{bytes}.first(17), values),
                        ContainsSubstring("decode q4_0: 32 elements take 18 bytes, not 17"));
    REQUIRE_THROWS_AS(quant::decode(dtype::f32, bytes, values), shape_error);
    REQUIRE_THROWS_AS(quant::encode(dtype::q4_0, std::span{values}.first(16), bytes), shape_error);
    REQUIRE_THROWS_WITH(quant::encode(dtype::q8_0, values, bytes),
                        ContainsSubstring("encode q8_0: 32 elements take 34 bytes, not 18"));
    REQUIRE_THROWS_AS(quant::decode(dtype::q4_0, bytes, {}), shape_error);
}

TEST_CASE("numbers that name no type are refused") {
    std::vector<std::byte> bytes(4);
    std::vector<float> values(4);
    for(const std::uint32_t number: {4U, 5U, 31U, 33U, 36U, 38U, 99U, 1000U, 0xffffffffU}) {
        REQUIRE_THROWS_AS(quant::decode(static_cast<dtype>(number), bytes, values), unsupported_error);
        REQUIRE_THROWS_AS(quant::encode(static_cast<dtype>(number), values, bytes), unsupported_error);
        CHECK_FALSE(quant::can_encode(static_cast<dtype>(number)));
    }
    REQUIRE_THROWS_WITH(quant::decode(static_cast<dtype>(4), bytes, values),
                        ContainsSubstring("no element type has the number 4"));
}

TEST_CASE("blocks refuse what a scale cannot hold") {
    const dtype type = GENERATE(dtype::q8_0, dtype::q4_0, dtype::q4_1, dtype::q5_0, dtype::q5_1, dtype::q4_k,
                                dtype::q5_k, dtype::q6_k, dtype::iq4_nl);
    const dtype_info row = info(type);
    INFO(row.name);
    std::vector<float> values(std::size_t{row.block_size} * 2, 0.25F);
    std::vector<std::byte> bytes(std::size_t{row.block_bytes} * 2);
    const float bad = GENERATE(std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                               std::numeric_limits<float>::quiet_NaN());
    const std::size_t place = GENERATE(0U, 17U, 31U);
    values[row.block_size + place] = bad;
    REQUIRE_THROWS_AS(quant::encode(type, values, bytes), argument_error);
    REQUIRE_THROWS_WITH(quant::encode(type, values, bytes),
                        ContainsSubstring("encode " + std::string{row.name} + ": a value in elements " +
                                          std::to_string(row.block_size) + " to " +
                                          std::to_string(2 * row.block_size - 1) + " is infinite or NaN"));
    for(const float large: {3e8F, -4e9F, 1e12F, -1e30F, std::numeric_limits<float>::max()}) {
        values[row.block_size + place] = large;
        REQUIRE_THROWS_WITH(quant::encode(type, values, bytes), ContainsSubstring("too large for the format's half"));
    }
    values[row.block_size + place] = 1000.0F;
    quant::encode(type, values, bytes);
    std::vector<float> decoded(values.size());
    quant::decode(type, bytes, decoded);
    CHECK(std::abs(decoded[row.block_size + place] - 1000.0F) < 70.0F);
}
