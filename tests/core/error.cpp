#include <tokenworks/core/error.hpp>

#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>

#include "support/catch.hpp"

namespace tw = tokenworks;

TEST_CASE("error: every type is a tokenworks::error and a std::runtime_error") {
    STATIC_REQUIRE(std::is_base_of_v<std::runtime_error, tw::error>);
    STATIC_REQUIRE(std::is_base_of_v<tw::error, tw::shape_error>);
    STATIC_REQUIRE(std::is_base_of_v<tw::error, tw::argument_error>);
    STATIC_REQUIRE(std::is_base_of_v<tw::error, tw::unsupported_error>);
    STATIC_REQUIRE(std::is_base_of_v<tw::error, tw::limit_error>);
    STATIC_REQUIRE(std::is_base_of_v<tw::error, tw::capacity_error>);
    STATIC_REQUIRE(std::is_base_of_v<tw::error, tw::cancelled_error>);
    STATIC_REQUIRE(std::is_base_of_v<tw::error, tw::io_error>);
    STATIC_REQUIRE(std::is_base_of_v<tw::error, tw::format_error>);
}

TEST_CASE("error: raise throws the type with its arguments") {
    CHECK_THROWS_AS(tw::detail::raise<tw::shape_error>("x"), tw::shape_error);
    try {
        tw::detail::raise<tw::format_error>("model.gguf", "version", 4U, "is 9");
    } catch(const tw::error& caught) {
        CHECK(std::string{caught.what()} == "model.gguf: version at offset 4: is 9");
    }
}

TEST_CASE("error: a message is its parts, numbers as std::to_string writes them") {
    using tw::detail::escaped;
    using tw::detail::message;
    STATIC_REQUIRE(std::is_trivially_copyable_v<tw::detail::message_part>);
    STATIC_REQUIRE_FALSE(std::is_constructible_v<tw::detail::message_part, bool>);
    STATIC_REQUIRE_FALSE(std::is_constructible_v<tw::detail::message_part, char>);
    STATIC_REQUIRE_FALSE(std::is_constructible_v<tw::detail::message_part, std::nullptr_t>);
    STATIC_REQUIRE_FALSE(std::is_constructible_v<tw::detail::message_part, const void*>);
    CHECK(message({}).empty());
    CHECK(message({"a", std::string_view{"bcd"}.substr(0, 2), std::string{"\0e", 2}}) == std::string{"abc\0e", 5});
    CHECK(message({"x has K=", std::size_t{7}, ", w has K=", 12, ""}) == "x has K=7, w has K=12");
    CHECK(message({escaped("\x1b["), escaped(std::string(81, 'a'))}) == "\\x1b[" + std::string(80, 'a') + "...");
    const auto same = [](auto value) { CHECK(message({value}) == std::to_string(value)); };
    const auto same_ends = [&]<class T>(T) {
        same(std::numeric_limits<T>::lowest());
        same(T{0});
        same(std::numeric_limits<T>::max());
    };
    same_ends(static_cast<signed char>(0));
    same_ends(static_cast<unsigned char>(0));
    same_ends(short{});
    same_ends(0);
    same_ends(0U);
    same_ends(0L);
    same_ends(0UL);
    same_ends(0LL);
    same_ends(0ULL);
    same_ends(0.0F);
    same_ends(0.0);
    same(0.1F);
    same(-1e-7);
    same(std::numeric_limits<double>::infinity());
    same(std::numeric_limits<float>::quiet_NaN());
}

TEST_CASE("error: raise puts a message together") {
    const std::string name = "w";
    try {
        tw::detail::raise<tw::limit_error>({name, " has ", 3U, " rows"});
    } catch(const tw::limit_error& caught) {
        CHECK(std::string{caught.what()} == "w has 3 rows");
    }
    CHECK_THROWS_AS(tw::detail::raise<tw::capacity_error>({name}), tw::capacity_error);
    CHECK_THROWS_AS(tw::detail::raise<tw::argument_error>({"x"}), tw::argument_error);
    try {
        tw::detail::raise_format("a.gguf", {"tensor '", tw::detail::escaped("\n"), "'"}, 8, {"has ", 9, " axes"});
    } catch(const tw::format_error& caught) {
        CHECK(caught.file() == "a.gguf");
        CHECK(caught.field() == "tensor '\\x0a'");
        CHECK(caught.offset() == 8);
        CHECK(std::string{caught.what()} == "a.gguf: tensor '\\x0a' at offset 8: has 9 axes");
    }
    try {
        tw::detail::raise_io("a.gguf", {"has ", 2, " bytes"});
    } catch(const tw::io_error& caught) {
        CHECK(caught.file() == "a.gguf");
        CHECK(std::string{caught.what()} == "a.gguf: has 2 bytes");
    }
}

TEST_CASE("error: a format error names file, field and offset, each where it is known") {
    const tw::format_error full{"a.gguf", "tensor_count", 8, "is too large"};
    CHECK(full.file() == "a.gguf");
    CHECK(full.field() == "tensor_count");
    CHECK(full.offset() == 8);
    CHECK(std::string{full.what()} == "a.gguf: tensor_count at offset 8: is too large");
    const tw::format_error bare{"", "", tw::format_error::no_offset, "is empty"};
    CHECK(std::string{bare.what()} == "<memory>: is empty");
    const tw::format_error somewhere{"", "key", tw::format_error::no_offset, "is missing"};
    CHECK(std::string{somewhere.what()} == "<memory>: key: is missing");
}

TEST_CASE("error: an io error names the file") {
    const tw::io_error caught{"a.gguf", "no such file"};
    CHECK(caught.file() == "a.gguf");
    CHECK(std::string{caught.what()} == "a.gguf: no such file");
}

TEST_CASE("error: printable text cannot control a terminal, and is cut") {
    CHECK(tw::printable("plain text ~") == "plain text ~");
    CHECK(tw::printable("") == "");
    CHECK(tw::printable("\x1b[31m\n\t") == "\\x1b[31m\\x0a\\x09");
    CHECK(tw::printable("\x7f\x80\xff") == "\\x7f\\x80\\xff");
    CHECK(tw::printable(std::string_view{"\0", 1}) == "\\x00");
    CHECK(tw::printable(std::string(80, 'a')) == std::string(80, 'a'));
    CHECK(tw::printable(std::string(81, 'a')) == std::string(80, 'a') + "...");
    CHECK(tw::printable("abcdef", 3) == "abc...");
}
