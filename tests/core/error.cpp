#include <tokenworks/core/error.hpp>

#include <string>
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
