#include <tokenworks/io/gguf_value.hpp>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "io/files.hpp"
#include "support/catch.hpp"

namespace io = tokenworks::io;
using io::gguf_kind;
using io::gguf_value;

namespace {

template <class T>
gguf_value scalar(gguf_kind kind, T value, files::builder& memory) {
    memory.u8(0).number(value); // at an odd address
    return {"k", kind, kind, 1, memory.bytes().subspan(1), 5};
}

template <class T>
gguf_value array(gguf_kind kind, const std::vector<T>& values, files::builder& memory) {
    memory.u8(0);
    for(const T value: values) {
        memory.number(value);
    }
    return {"k", gguf_kind::array, kind, values.size(), memory.bytes().subspan(1), 5};
}

} // namespace

TEST_CASE("integers of every width convert where the value fits", "[io][gguf_value]") {
    files::builder m1, m2, m3, m4, m5, m6;
    const gguf_value small = scalar(gguf_kind::u8, std::uint8_t{200}, m1);
    CHECK(small.to<std::uint64_t>() == 200);
    CHECK(small.to<int>() == 200);
    CHECK(small.to<std::int8_t>() == std::nullopt);
    const gguf_value negative = scalar(gguf_kind::i64, std::int64_t{-1}, m2);
    CHECK(negative.to<std::int8_t>() == -1);
    CHECK(negative.to<std::uint64_t>() == std::nullopt);
    const gguf_value large = scalar(gguf_kind::u64, ~std::uint64_t{0}, m3);
    CHECK(large.to<std::uint64_t>() == ~std::uint64_t{0});
    CHECK(large.to<std::int64_t>() == std::nullopt);
    CHECK(large.to<std::uint32_t>() == std::nullopt);
    CHECK(scalar(gguf_kind::i8, std::int8_t{-3}, m4).to<long>() == -3);
    CHECK(scalar(gguf_kind::u16, std::uint16_t{60000}, m5).to<unsigned>() == 60000);
    CHECK(scalar(gguf_kind::i32, std::int32_t{-7}, m6).to<std::int64_t>() == -7);
    CHECK(small.is<std::int8_t>());
    CHECK(!small.is<bool>());
    CHECK(!small.is<float>());
    CHECK(small.to<double>() == std::nullopt);
    CHECK(small.to<std::string>() == std::nullopt);
    CHECK(small.to<io::array_view<int>>() == std::nullopt);
}

TEST_CASE("floats convert where they stay finite", "[io][gguf_value]") {
    files::builder m1, m2, m3, m4, m5;
    CHECK(scalar(gguf_kind::f32, 1.5F, m1).to<double>() == 1.5);
    CHECK(scalar(gguf_kind::f64, 0.1, m2).to<float>() == 0.1F);
    const gguf_value huge = scalar(gguf_kind::f64, 1e300, m3);
    CHECK(huge.to<float>() == std::nullopt);
    CHECK(huge.to<double>() == 1e300);
    CHECK(huge.to<int>() == std::nullopt);
    CHECK(std::isnan(scalar(gguf_kind::f32, std::numeric_limits<float>::quiet_NaN(), m4).to<double>().value()));
    CHECK(std::isinf(scalar(gguf_kind::f64, std::numeric_limits<double>::infinity(), m5).to<float>().value()));
}

TEST_CASE("bool is bool alone", "[io][gguf_value]") {
    files::builder m1, m2;
    const gguf_value yes = scalar(gguf_kind::boolean, std::uint8_t{1}, m1);
    CHECK(yes.to<bool>() == true);
    CHECK(yes.to<int>() == std::nullopt);
    CHECK(scalar(gguf_kind::boolean, std::uint8_t{0}, m2).to<bool>() == false);
}

TEST_CASE("texts are whole byte strings", "[io][gguf_value]") {
    const std::string text{"a\0\xFF", 3};
    const gguf_value value{"k", gguf_kind::string, gguf_kind::string, 1, files::bytes_of(text), 5};
    CHECK(value.to<std::string_view>() == text);
    CHECK(value.to<std::string_view>()->data() == text.data());
    CHECK(value.to<std::string>() == text);
    CHECK(value.to<int>() == std::nullopt);
    CHECK(value.to<io::string_array>() == std::nullopt);
    CHECK(value.offset() == 5);
}

TEST_CASE("arrays of numbers convert element by element", "[io][gguf_value]") {
    files::builder m1, m2, m3, m4;
    const gguf_value value = array<std::int16_t>(gguf_kind::i16, {5, -300, 7}, m1);
    const auto view = value.to<io::array_view<std::int64_t>>().value();
    STATIC_REQUIRE(std::random_access_iterator<decltype(view.begin())>);
    CHECK(view.size() == 3);
    CHECK(!view.empty());
    CHECK(view[1] == -300);
    CHECK(view.to_vector() == std::vector<std::int64_t>{5, -300, 7});
    CHECK(std::ranges::max(view) == 7);
    CHECK(view.end() - view.begin() == 3);
    CHECK(view.begin()[2] == 7);
    CHECK(*(2 + view.begin()) == 7);
    CHECK(*(view.end() - 3) == 5);
    auto at = view.end();
    CHECK(*--at == 7);
    CHECK(*at-- == 7);
    CHECK(*at == -300);
    CHECK(at < view.end());
    CHECK(value.to<io::array_view<std::uint16_t>>() == std::nullopt);
    CHECK(value.to<std::vector<int>>() == std::vector{5, -300, 7});
    CHECK(value.to<std::vector<float>>() == std::nullopt);
    CHECK(value.to<int>() == std::nullopt);
    CHECK(value.to<std::string>() == std::nullopt);
    CHECK(array<double>(gguf_kind::f64, {0.5, 2}, m2).to<std::vector<float>>() == std::vector{0.5F, 2.0F});
    CHECK(array<std::uint8_t>(gguf_kind::boolean, {0, 1}, m3).to<std::vector<bool>>() == std::vector{false, true});
    CHECK(array<float>(gguf_kind::f32, {}, m4).to<io::array_view<float>>()->empty());
}

TEST_CASE("an iterator may outlive its view", "[io][gguf_value]") {
    files::builder memory;
    const gguf_value value = array<std::uint32_t>(gguf_kind::u32, {5, 6}, memory);
    auto at = value.to<io::array_view<int>>()->begin();
    CHECK(*++at == 6);
    CHECK(*at++ == 6);
}

TEST_CASE("arrays of texts are walked and indexed", "[io][gguf_value]") {
    for(const std::size_t count: {0U, 1U, 31U, 32U, 33U, 64U, 100U}) {
        std::vector<std::string> texts;
        files::builder memory;
        memory.u8(0);
        for(std::size_t i = 0; i < count; ++i) {
            texts.push_back(std::string(i % 5, 'x') + std::to_string(i));
            memory.text(texts.back());
        }
        const gguf_value value{"k", gguf_kind::array, gguf_kind::string, count, memory.bytes().subspan(1), 0};
        const auto view = value.to<io::string_array>().value();
        STATIC_REQUIRE(std::forward_iterator<io::string_array::iterator>);
        CHECK(view.size() == count);
        CHECK(view.empty() == (count == 0));
        CHECK(std::equal(view.begin(), view.end(), texts.begin()));
        for(std::size_t i = 0; i < count; ++i) {
            REQUIRE(view[i] == texts[i]);
        }
        CHECK(value.to<std::vector<std::string>>() == texts);
        CHECK(value.to<std::string>() == std::nullopt);
    }
    files::builder memory;
    memory.text("a").text("b");
    const io::string_array two{memory.bytes().data(), 2};
    auto at = two.begin();
    CHECK(*at++ == "a");
    CHECK(*at++ == "b");
    CHECK(at == two.end());
    CHECK(io::string_array{}.begin() == io::string_array{}.end());
}

TEST_CASE("types have names", "[io][gguf_value]") {
    files::builder m1, m2;
    CHECK(scalar(gguf_kind::u32, 1U, m1).type_name() == "u32");
    CHECK(array<float>(gguf_kind::f32, {1}, m2).type_name() == "array of f32");
    CHECK(io::wanted_name<std::uint32_t>() == "u32");
    CHECK(io::wanted_name<std::int64_t>() == "i64");
    CHECK(io::wanted_name<bool>() == "bool");
    CHECK(io::wanted_name<float>() == "f32");
    CHECK(io::wanted_name<std::string_view>() == "string");
    CHECK(io::wanted_name<io::string_array>() == "array of string");
    CHECK(io::wanted_name<std::vector<double>>() == "array of f64");
    CHECK(io::wanted_name<io::array_view<std::int8_t>>() == "array of i8");
}
