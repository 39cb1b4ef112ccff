#include <tokenworks/io/png.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <sys/resource.h>

#include "files.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
using tw::io::picture;

namespace {

picture pattern(std::size_t width, std::size_t height, std::size_t channels) {
    picture out{width, height, channels};
    std::uint32_t state = 7;
    for(auto& byte: out.bytes) {
        state = state * 1664525U + 1013904223U;
        byte = static_cast<std::uint8_t>(state >> 24U);
    }
    return out;
}

std::uint32_t crc(std::span<const unsigned char> bytes) {
    std::uint32_t value = 0xFFFFFFFFU;
    for(const unsigned char byte: bytes) {
        value ^= byte;
        for(int bit = 0; bit < 8; ++bit) {
            value = (value >> 1U) ^ ((value & 1U) != 0 ? 0xEDB88320U : 0U);
        }
    }
    return ~value;
}

/// The signature and an IHDR of that size, no more.
std::vector<std::byte> header_alone(std::uint32_t width, std::uint32_t height) {
    std::vector<unsigned char> bytes{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n', 0, 0, 0, 13, 'I', 'H', 'D', 'R'};
    const auto number = [&](std::uint32_t value) {
        for(int shift = 24; shift >= 0; shift -= 8) {
            bytes.push_back(static_cast<unsigned char>(value >> shift));
        }
    };
    number(width);
    number(height);
    for(const int value: {8, 2, 0, 0, 0}) {
        bytes.push_back(static_cast<unsigned char>(value));
    }
    number(crc(std::span{bytes}.subspan(12)));
    number(0);
    for(const char c: {'I', 'D', 'A', 'T'}) {
        bytes.push_back(static_cast<unsigned char>(c));
    }
    const auto raw = std::as_bytes(std::span{bytes});
    return {raw.begin(), raw.end()};
}

} // namespace

TEST_CASE("png: what was written is read back to the byte, whatever its channels", "[io]") {
    for(const std::size_t channels: {1U, 3U, 4U}) {
        for(const auto& [width, height]: {std::pair{1U, 1U}, std::pair{7U, 3U}, std::pair{64U, 65U}}) {
            const picture one = pattern(width, height, channels);
            CHECK(tw::io::from_png(tw::io::to_png(one), "t.png") == one);
        }
    }
    const files::temporary_folder folder;
    const picture one = pattern(5, 4, 3);
    tw::io::write_png(folder / "a.png", one);
    CHECK(tw::io::read_png(folder / "a.png") == one);
    CHECK(folder.names() == std::vector<std::string>{"a.png"});
}

TEST_CASE("png: fewer channels drop opacity and take the luma, more are filled", "[io]") {
    picture one{2, 1, 4};
    one.bytes = {255, 0, 0, 10, 0, 255, 0, 255};
    const auto bytes = tw::io::to_png(one);
    CHECK(tw::io::from_png(bytes, "t", {.channels = 3}).bytes == std::vector<std::uint8_t>{255, 0, 0, 0, 255, 0});
    CHECK(tw::io::from_png(bytes, "t", {.channels = 1}).bytes == std::vector<std::uint8_t>{76, 150}); // as PIL says
    picture grey{2, 1, 1};
    grey.bytes = {3, 200};
    const auto grey_bytes = tw::io::to_png(grey);
    CHECK(tw::io::from_png(grey_bytes, "t", {.channels = 4}).bytes ==
          std::vector<std::uint8_t>{3, 3, 3, 255, 200, 200, 200, 255});
    CHECK_THROWS_AS(tw::io::from_png(grey_bytes, "t", {.channels = 2}), tw::argument_error);
}

TEST_CASE("png: a file that is none, is cut or changed is refused with its name", "[io]") {
    const auto good = tw::io::to_png(pattern(16, 16, 3));
    for(std::size_t size = 0; size < good.size() - 12; ++size) { // the end chunk alone may be missing
        CHECK_THROWS_AS(tw::io::from_png(std::span{good}.first(size), "cut.png"), tw::format_error);
    }
    for(const std::size_t at: {0U, 18U, 30U, 60U, 400U}) {
        auto bad = good;
        bad[at] ^= std::byte{0x20};
        CHECK_THROWS_WITH(tw::io::from_png(bad, "bad.png"), ContainsSubstring("bad.png: PNG"));
    }
    CHECK_THROWS_AS(tw::io::from_png({}, "none.png"), tw::format_error);
    CHECK_THROWS_AS(tw::io::read_png("/nowhere/none.png"), tw::io_error);
}

TEST_CASE("png: sizes are bounded before memory is taken", "[io]") {
    CHECK_THROWS_AS(tw::io::from_png(header_alone(65535, 65535), "t.png"), tw::limit_error);
    CHECK_THROWS_WITH(tw::io::from_png(header_alone(8000, 8000), "t.png"),
                      ContainsSubstring("cannot hold 8000 x 8000 pixels"));
    CHECK_THROWS_AS(tw::io::from_png(tw::io::to_png(pattern(8, 8, 1)), "t.png", {.most_pixels = 63}), tw::limit_error);
    CHECK_THROWS_AS(tw::io::to_png(picture{}), tw::argument_error);
    CHECK_THROWS_AS(tw::io::to_png(picture{1'000'001, 1, 1}), tw::limit_error);
}

TEST_CASE("png: where the disk is full the old file stays", "[io]") {
    const files::temporary_folder folder;
    const picture small = pattern(2, 2, 3);
    tw::io::write_png(folder / "a.png", small);
    struct rlimit old {};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &old) == 0);
    const struct rlimit tight { 1000, old.rlim_max };
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &tight) == 0);
    CHECK_THROWS_WITH(tw::io::write_png(folder / "a.png", pattern(64, 64, 3)), ContainsSubstring("a.png"));
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &old) == 0);
    CHECK(tw::io::read_png(folder / "a.png") == small);
    CHECK(folder.names() == std::vector<std::string>{"a.png"});
}
