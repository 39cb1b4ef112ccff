#include <tokenworks/core/clip.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "support/catch.hpp"

namespace tw = tokenworks;

TEST_CASE("clip: frames one behind the other, of one size", "[core]") {
    tw::clip film{.width = 2, .height = 1, .channels = 3};
    CHECK(film.frames() == 0);
    CHECK_NOTHROW(film.check());
    film.add(std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6});
    film.add(std::vector<std::uint8_t>{6, 5, 4, 3, 2, 1});
    REQUIRE(film.frames() == 2);
    CHECK(film.frame(1)[0] == 6);
    CHECK_THROWS_AS(film.add(std::vector<std::uint8_t>(5)), tw::argument_error);
    CHECK(film.frames() == 2);
    CHECK(tw::clip{}.frames() == 0);
    CHECK_THROWS_AS(tw::clip{}.check(), tw::argument_error);
    film.bytes.pop_back();
    CHECK_THROWS_WITH(film.check(), Catch::Contains("11 bytes"));
    CHECK_THROWS_AS((tw::clip{.width = ~std::size_t{0}, .height = 2}.check()), tw::argument_error);
    CHECK_THROWS_AS((tw::clip{.width = 2, .height = 2, .channels = 2}.check()), tw::argument_error);
}

TEST_CASE("clip: enlarged, each pixel is a square", "[core]") {
    const tw::clip film{.width = 2, .height = 1, .channels = 1, .bytes = {1, 2, 3, 4}};
    const tw::clip large = film.enlarged(2);
    CHECK(large ==
          tw::clip{.width = 4, .height = 2, .channels = 1, .bytes = {1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4}});
    CHECK(film.enlarged(1) == film);
    const tw::clip colours{.width = 1, .height = 1, .channels = 3, .bytes = {7, 8, 9}};
    CHECK(colours.enlarged(3).bytes.size() == 27);
    CHECK(colours.enlarged(3).bytes[26] == 9);
    CHECK_THROWS_AS(film.enlarged(0), tw::argument_error);
    CHECK_THROWS_AS(film.enlarged(std::size_t{1} << 30U), tw::limit_error);
    CHECK_THROWS_AS(film.enlarged(~std::size_t{0}), tw::limit_error);
}
