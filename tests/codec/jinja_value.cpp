#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <tokenworks/codec/jinja_value.hpp>
#include <tokenworks/core/error.hpp>

#include "support/catch.hpp"

using namespace tokenworks::codec::jinja;

TEST_CASE("value: kinds, trust and copies", "[codec]") {
    CHECK(value{}.is(kind::none));
    CHECK(value{nullptr}.is(kind::none));
    CHECK(value{true}.boolean());
    CHECK(value{7}.integer() == 7);
    CHECK(value{std::int64_t{-7}}.integer() == -7);
    CHECK(value{2.5}.real() == 2.5);
    CHECK(value{7}.tainted()); // numbers too come from outside, unless it is said
    CHECK_FALSE(value{7}.with_taint(false).tainted());
    const value untrusted{"a\xc3\xa4"};
    CHECK(untrusted.view() == "a\xc3\xa4");
    CHECK(untrusted.string().characters == 2);
    CHECK_FALSE(untrusted.string().ascii());
    CHECK_FALSE(untrusted.string().content.trusted());
    CHECK(value::trusted("<s>").string().content.trusted());
    value copy = untrusted;
    CHECK(copy.shared() == untrusted.shared());
    const value moved = std::move(copy);
    CHECK(moved.view() == "a\xc3\xa4");
    CHECK(copy.is(kind::none)); // NOLINT(bugprone-use-after-move): what a moved value is
    copy = moved;
    CHECK(copy.view() == moved.view());
    const value list = value::list({value{1}, untrusted, {}});
    CHECK(list.items().size() == 3);
    CHECK(list.how() == flavour::list);
    CHECK(list.depth() == 1);
    CHECK(value::list({list}).depth() == 2);
}

TEST_CASE("value: of equal keys the last one counts, at the place of the first", "[codec]") {
    const value dict =
        value::dict({{"b", value{1}}, {"a", value{2}}, {"b", value{3}}, {"c", value{4}}, {"b", value{5}}});
    REQUIRE(dict.entries().size() == 3);
    CHECK(dict.entries()[0].first.view() == "b");
    CHECK(dict.entries()[0].second.integer() == 5);
    CHECK(dict.entries()[1].first.view() == "a");
    CHECK(dict.entries()[2].first.view() == "c");
    CHECK(value::dict({}).entries().empty());
}

TEST_CASE("value: nesting is bounded", "[codec]") {
    value nested = value::list({});
    for(std::size_t i = 1; i < value::most_depth; ++i) {
        nested = i % 2 == 0 ? value::list({nested}) : value::dict({{"k", nested}});
    }
    CHECK(nested.depth() == value::most_depth);
    CHECK_THROWS_AS(value::list({nested}), tokenworks::limit_error);
    CHECK_THROWS_WITH(value::dict({{"k", nested}}), ContainsSubstring("deeper than the limit of 128"));
}

TEST_CASE("value: copies may be made on several threads", "[codec]") {
    const value shared = value::list({value{"text"}, value{1}});
    std::vector<std::thread> threads;
    for(int i = 0; i < 4; ++i) {
        threads.emplace_back([shared] {
            for(int n = 0; n < 1000; ++n) {
                const value copy = shared;
                (void)copy;
            }
        });
    }
    for(std::thread& each: threads) {
        each.join();
    }
    CHECK(shared.items()[0].view() == "text");
}

TEST_CASE("sorted_places: in order, and bounded whatever is answered", "[codec]") {
    const std::vector<int> numbers{5, 1, 4, 1, 3, 9, 2};
    const auto places =
        detail::sorted_places(numbers.size(), [&](std::size_t a, std::size_t b) { return numbers[a] < numbers[b]; });
    CHECK(places == std::vector<std::size_t>{1, 3, 6, 4, 2, 0, 5});
    CHECK(detail::sorted_places(0, [](std::size_t, std::size_t) { return true; }).empty());
    auto all = detail::sorted_places(50, [](std::size_t, std::size_t) { return true; });
    CHECK(all.size() == 50);
}
