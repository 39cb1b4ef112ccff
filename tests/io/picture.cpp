#include <tokenworks/io/picture.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/catch.hpp"

namespace tw = tokenworks;
using tw::io::picture;

TEST_CASE("picture: pixels lie in rows from the top", "[io]") {
    picture one{3, 2};
    CHECK(one.bytes.size() == 18);
    one.at(2, 1)[1] = 9;
    CHECK(one.bytes[(1 * 3 + 2) * 3 + 1] == 9);
    CHECK_NOTHROW(one.check());
    one.bytes.pop_back();
    CHECK_THROWS_AS(one.check(), tw::argument_error);
    CHECK_THROWS_AS(picture{}.check(), tw::argument_error);
    CHECK_THROWS_AS((picture{1, 1, 2}), tw::argument_error);
    CHECK_THROWS_AS((picture{std::numeric_limits<std::size_t>::max(), 2, 1}), tw::limit_error);
}

TEST_CASE("picture: one is put into another, cut where it ends", "[io]") {
    picture sheet{3, 2, 1};
    picture tile{2, 2, 1};
    tile.bytes = {1, 2, 3, 4};
    sheet.put(tile, 2, 0);
    sheet.put(tile, 0, 1);
    sheet.put(tile, 7, 7);
    CHECK(sheet.bytes == std::vector<std::uint8_t>{0, 0, 1, 1, 2, 3});
    CHECK_THROWS_AS(sheet.put(picture{1, 1, 3}, 0, 0), tw::argument_error);
}
