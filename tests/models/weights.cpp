#include <tokenworks/models/weights.hpp>

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "support/catch.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;

namespace {

/// Extents of a tensor "w" that a source has, and what require says of others.
std::string refusal(std::vector<std::size_t> have, std::vector<std::size_t> want) {
    std::size_t count = 1;
    for(const std::size_t extent: have) {
        count *= extent;
    }
    memory_weights source;
    source.add("w", std::move(have), std::vector<float>(count));
    try {
        static_cast<void>(require(source, "w", want));
    } catch(const tw::format_error& problem) {
        CHECK(problem.field() == "tensor w");
        return problem.what();
    }
    return "accepted";
}

} // namespace

TEST_CASE("weights: memory holds copies, and views where it is told so", "[models]") {
    memory_weights source;
    CHECK(source.label() == "<memory>");
    CHECK_FALSE(source.find("w"));
    source.add("w", {2, 3}, {1, 2, 3, 4, 5, 6});
    source.add("w", {3}, {7, 8, 9}); // replaces it
    const auto found = source.find("w");
    REQUIRE(found);
    CHECK(found->name == "w");
    CHECK(found->type == tw::dtype::f32);
    CHECK(found->extents == std::vector<std::size_t>{3});
    CHECK(found->offset == tw::format_error::no_offset);
    CHECK(load_vector(source, "w", 3) == std::vector<float>{7, 8, 9});
    const std::array<std::byte, 4> bytes{};
    source.add("half", tw::dtype::f16, {2}, bytes);
    CHECK(source.find("half")->bytes.data() == bytes.data());
    source.release(*found); // nothing happens
    CHECK(load_vector(source, "half", 2) == std::vector<float>{0, 0});
}

TEST_CASE("weights: require wants these extents, but for leading ones", "[models]") {
    CHECK(refusal({2, 3}, {2, 3}) == "accepted");
    CHECK(refusal({1, 1, 2, 3}, {2, 3}) == "accepted");
    CHECK(refusal({3}, {1, 3}) == "accepted");
    CHECK(refusal({1, 3}, {3}) == "accepted");
    CHECK(refusal({1}, {1, 1}) == "accepted");
    CHECK(refusal({3, 2}, {2, 3}) == "<memory>: tensor w: extents [3,2], expected [2,3]"); // transposed
    CHECK(refusal({6}, {2, 3}) == "<memory>: tensor w: extents [6], expected [2,3]");
    CHECK(refusal({3, 1}, {3}) == "<memory>: tensor w: extents [3,1], expected [3]"); // a trailing one is none of these
    CHECK(refusal({2, 2, 3}, {2, 3}) == "<memory>: tensor w: extents [2,2,3], expected [2,3]");
    CHECK(refusal({1}, {2}) == "<memory>: tensor w: extents [1], expected [2]");
    const memory_weights empty;
    CHECK_THROWS_WITH(require(empty, "w", std::array<std::size_t, 2>{4, 5}),
                      ContainsSubstring("<memory>: tensor w: missing; expected extents [4,5]"));
    CHECK_THROWS_AS(require(empty, "w", std::array<std::size_t, 1>{1}), tw::format_error);
}

TEST_CASE("weights: integers are no weights", "[models]") {
    memory_weights source;
    const std::array<std::byte, 64> bytes{};
    for(const tw::dtype type:
        {tw::dtype::i8, tw::dtype::i16, tw::dtype::i32, tw::dtype::i64, tw::dtype::u8, tw::dtype::boolean}) {
        source.add("w", type, {4}, std::span{bytes}.first(4 * tw::info(type).block_bytes));
        CHECK_THROWS_WITH(load_vector(source, "w", 4), ContainsSubstring("<memory>: tensor w: ") &&
                                                           ContainsSubstring(std::string{tw::info(type).name}));
        CHECK_THROWS_AS(load_vector(source, "w", 4), tw::unsupported_error);
    }
    source.add("w", tw::dtype::f64, {4}, std::span{bytes}.first(32));
    CHECK(load_vector(source, "w", 4) == std::vector<float>(4));
    // Bytes that are not what the extents say are the caller's mistake.
    source.add("w", tw::dtype::f32, {4}, std::span{bytes}.first(12));
    CHECK_THROWS_AS(load_vector(source, "w", 4), tw::shape_error);
}

TEST_CASE("weights: extents as text", "[models]") {
    CHECK(extents_text(std::vector<std::size_t>{}) == "[]");
    CHECK(extents_text(std::vector<std::size_t>{5, 1, 7}) == "[5,1,7]");
}
