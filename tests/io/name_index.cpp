#include <tokenworks/io/name_index.hpp>

#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"

namespace detail = tokenworks::io::detail;

TEST_CASE("items are found by their whole name, whatever their order", "[io][name_index]") {
    const auto self = [](const std::string& name) -> const std::string& { return name; };
    const std::vector<std::string> items{"b", "a", "", "ab", std::string{"a\0b", 3}, "b"};
    const std::vector<std::size_t> order = detail::sort_by_name(items, self);
    CHECK(order == std::vector<std::size_t>{2, 1, 4, 3, 0, 5}); // equal names in their own order
    for(const std::string& item: items) {
        const std::string* const found = detail::find_by_name(items, order, item, self);
        REQUIRE(found != nullptr);
        CHECK(*found == item);
    }
    CHECK(detail::find_by_name(items, order, "c", self) == nullptr);
    CHECK(detail::find_by_name(items, order, "abc", self) == nullptr);
    CHECK(detail::find_by_name(std::vector<std::string>{}, {}, "a", self) == nullptr);
}
