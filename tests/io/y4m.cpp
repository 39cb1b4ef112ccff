#include <tokenworks/io/y4m.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "files.hpp"
#include "films.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;

namespace {

std::string text_of(const std::vector<std::byte>& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

} // namespace

TEST_CASE("y4m: a line for the film, one for each frame, and three planes", "[io]") {
    const tw::clip film{
        .width = 2, .height = 1, .channels = 3, .bytes = {0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0, 255}};
    const std::string text = text_of(tw::io::to_y4m(film, {.frames_per_second = 25}));
    // BT.601: black is 16, white 235; red is 81 90 240, blue 41 240 110.
    CHECK(text == "YUV4MPEG2 W2 H1 F25:1 Ip A1:1 C444\n"
                  "FRAME\n\x10\xEB\x80\x80\x80\x80"
                  "FRAME\n\x51\x29\x5A\xF0\xF0\x6E");
    const tw::clip grey{.width = 2, .height = 1, .channels = 1, .bytes = {0, 255}};
    CHECK(text_of(tw::io::to_y4m(grey)).ends_with("FRAME\n\x10\xEB\x80\x80\x80\x80"));
}

TEST_CASE("y4m: colours come back to within 2", "[io]") {
    const tw::clip film = films::noise(32, 32, 3, 1, 1U << 16U);
    const std::vector<std::byte> bytes = tw::io::to_y4m(film);
    const std::size_t count = 32 * 32;
    const std::size_t begin = bytes.size() - 3 * count;
    double worst = 0;
    for(std::size_t i = 0; i < count; ++i) {
        const auto plane = [&](std::size_t which) { return static_cast<double>(bytes[begin + which * count + i]); };
        const double y = (plane(0) - 16) / 219;
        const double b = (plane(1) - 128) / 224 * 1.772;
        const double r = (plane(2) - 128) / 224 * 1.402;
        const double colours[] = {y + r, y - (0.114 * b + 0.299 * r) / 0.587, y + b};
        for(std::size_t c = 0; c < 3; ++c) {
            worst = std::max(worst, std::abs(255 * colours[c] - static_cast<double>(film.bytes[3 * i + c])));
        }
    }
    CHECK(worst < 2);
}

TEST_CASE("y4m: no frames make no file", "[io]") {
    const files::temporary_folder folder;
    CHECK_THROWS_AS(tw::io::write_y4m(folder / "a.y4m", {.width = 2, .height = 2}), tw::argument_error);
    CHECK(folder.names().empty());
    tw::io::write_y4m(folder / "a.y4m", films::noise(3, 2, 1, 4, 2));
    CHECK(folder.names() == std::vector<std::string>{"a.y4m"});
}
