#include <tokenworks/codec/class_names.hpp>

#include <string>
#include <vector>

#include "support/catch.hpp"

TEST_CASE("class names: a place for each, and those that there are in what refuses another", "[codec]") {
    const std::vector<std::string> names{"fall", "orbit"};
    CHECK(tokenworks::codec::class_of(names, "fall") == 0);
    CHECK(tokenworks::codec::class_of(names, "orbit") == 1);
    CHECK_THROWS_AS(tokenworks::codec::class_of(names, "Fall"), tokenworks::argument_error);
    CHECK_THROWS_WITH(tokenworks::codec::class_of(names, "a\nb"),
                      Catch::Contains("fall, orbit") && Catch::Contains("a\\x0ab"));
}
