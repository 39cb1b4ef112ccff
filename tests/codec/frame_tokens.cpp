#include <tokenworks/codec/frame_tokens.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "support/catch.hpp"

namespace tw = tokenworks;

namespace {

std::vector<std::uint8_t> random_bytes(std::size_t count, std::uint32_t state) {
    std::vector<std::uint8_t> out(count);
    for(auto& byte: out) {
        state = state * 1664525U + 1013904223U;
        byte = static_cast<std::uint8_t>(state >> 24U);
    }
    return out;
}

/// 2 rows of 3 patches of 2 x 2 grey pixels; the codes are four shades and one with a bright corner.
const tw::codec::frame_tokens shades{
    {.rows = 2,
     .columns = 3,
     .patch = 2,
     .channels = 1,
     .classes = {"up", "down"},
     .codebook = {0, 0, 0, 0, 80, 80, 80, 80, 160, 160, 160, 160, 240, 240, 240, 240, 0, 0, 0, 240}}};

} // namespace

TEST_CASE("frame tokens: patches row by row, each the nearest of the codes", "[codec]") {
    CHECK(shades.vocab_size() == 7);
    CHECK(shades.codes() == 5);
    CHECK(shades.class_token("down") == 6);
    CHECK(shades.is_code(4));
    CHECK_FALSE(shades.is_code(5));
    CHECK_FALSE(shades.is_code(-1));
    CHECK_THROWS_WITH(shades.class_token("cat"), Catch::Contains("up, down"));
    // clang-format off
    const tw::clip film{.width = 6, .height = 4, .channels = 1, .bytes = {
        9, 1,  70, 90,  200, 199,
        0, 3,  81, 80,  201, 200,
        0, 0,  40, 40,  150, 170,
        0, 200, 40, 40, 160, 160}};
    // clang-format on
    // Halfway between two codes it is the first.
    const std::vector<std::int32_t> expected{0, 1, 2, 4, 0, 2};
    CHECK(shades.encode(film) == expected);
    const tw::clip back = shades.decode(expected);
    CHECK(back.frames() == 1);
    CHECK(back.bytes[3 * 6 + 1] == 240); // the corner, at the bottom of its patch
    CHECK(back.bytes[3 * 6 + 0] == 0);
    CHECK(shades.encode(back) == expected);
}

TEST_CASE("frame tokens: every sequence of codes is frames that encode to it", "[codec]") {
    for(const std::size_t channels: {std::size_t{1}, std::size_t{3}}) {
        for(const std::size_t patch: {std::size_t{1}, std::size_t{3}}) {
            const std::size_t codes = patch == 1 && channels == 1 ? 1 : 50;
            const tw::codec::frame_tokens space{{.rows = 2,
                                                 .columns = 5,
                                                 .patch = patch,
                                                 .channels = channels,
                                                 .codebook = random_bytes(codes * patch * patch * channels, 3)}};
            std::vector<std::int32_t> ids;
            for(const std::uint8_t each: random_bytes(4 * space.cells(), 5)) {
                ids.push_back(static_cast<std::int32_t>(each % codes));
            }
            const tw::clip film = space.decode(ids);
            CHECK(film.frames() == 4);
            CHECK(film.width == 5 * patch);
            CHECK(space.encode(film) == ids);
        }
    }
}

TEST_CASE("frame tokens: what does not fit is refused", "[codec]") {
    using ids = std::vector<std::int32_t>;
    CHECK_THROWS_WITH(shades.decode(ids{0, 1, 2}), Catch::Contains("no whole frames of 6"));
    CHECK_THROWS_WITH(shades.decode(ids{0, 1, 2, 3, 4, 7}), Catch::Contains("id 7 at place 5"));
    CHECK_THROWS_AS(shades.decode(ids{0, 1, 2, 3, 4, -1}), tw::argument_error);
    CHECK(shades.decode(ids{6, 0, 1, 2, 3, 4, 0}).frames() == 1); // a class, then a frame
    CHECK(shades.decode(ids{}).frames() == 0);
    const tw::clip other{.width = 4, .height = 6, .channels = 1, .bytes = std::vector<std::uint8_t>(24)};
    CHECK_THROWS_WITH(shades.encode(other), Catch::Contains("4 x 6") && Catch::Contains("6 x 4"));
    tw::clip broken{.width = 6, .height = 4, .channels = 1, .bytes = std::vector<std::uint8_t>(25)};
    CHECK_THROWS_AS(shades.encode(broken), tw::argument_error);
    using tw::codec::frame_tokens;
    CHECK_THROWS_AS((frame_tokens{{.rows = 0, .columns = 1, .patch = 1, .codebook = {1, 2, 3}}}), tw::argument_error);
    CHECK_THROWS_AS((frame_tokens{{.rows = 1, .columns = 1, .patch = 1, .codebook = {1, 2}}}), tw::argument_error);
    CHECK_THROWS_AS((frame_tokens{{.rows = 1, .columns = 1, .patch = 1, .codebook = {}}}), tw::argument_error);
    CHECK_THROWS_AS((frame_tokens{{.rows = 1, .columns = 5000, .patch = 1, .codebook = {1, 2, 3}}}),
                    tw::argument_error);
    CHECK_THROWS_AS((frame_tokens{{.rows = 1, .columns = 1, .patch = 1, .channels = 4, .codebook = {1, 2, 3, 4}}}),
                    tw::argument_error);
}
