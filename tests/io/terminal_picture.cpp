#include <tokenworks/io/terminal_picture.hpp>

#include <algorithm>
#include <string>

#include "support/catch.hpp"

namespace tw = tokenworks;
using tw::io::picture;

TEST_CASE("terminal_picture: a character is two pixels, one above the other", "[io]") {
    picture one{2, 3};
    one.at(0, 0)[0] = 255;
    one.at(0, 1)[1] = 7;
    const std::string text = tw::io::to_blocks(one);
    CHECK(text.starts_with("\x1b[38;2;255;0;0m\x1b[48;2;0;7;0m▀\x1b[38;2;0;0;0m\x1b[48;2;0;0;0m▀\x1b[0m\n"));
    CHECK(text.ends_with("\x1b[49m▀\x1b[0m\n")); // nothing lies below the last row
    CHECK(std::ranges::count(text, '\n') == 2);
    CHECK_THROWS_AS(tw::io::to_blocks(picture{}), tw::argument_error);
}

TEST_CASE("terminal_picture: what is wide is made smaller by means", "[io]") {
    picture one{5, 4, 1};
    one.bytes = {10, 20, 0, 0, 9, 30, 40, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    const std::string text = tw::io::to_blocks(one, 3);
    CHECK(text == "\x1b[38;2;25;25;25m\x1b[48;2;0;0;0m▀\x1b[38;2;0;0;0m\x1b[48;2;0;0;0m▀"
                  "\x1b[38;2;9;9;9m\x1b[48;2;0;0;0m▀\x1b[0m\n");
}
