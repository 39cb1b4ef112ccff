#include <cstddef>
#include <type_traits>
#include <vector>

#include <tokenworks/kernels/attention_loops.hpp>

#include "support/catch.hpp"
#include "support/kernels.hpp"

using namespace tokenworks;
namespace attend = tokenworks::kernels::detail;

TEST_CASE("attention_loops: every instruction set has the loops that its tables promise") {
    CHECK(attend::group_sizes.back() == 1); // so that any number of rows can be cut into groups
    support::for_each_isa([](const execution& how) {
        INFO(name(how.set));
        const attend::attention_loops& loops = attend::attention_loops_for(how.set);
        CHECK(loops.weigh != nullptr);
        CHECK(loops.merge != nullptr);
        CHECK(loops.finish != nullptr);
        CHECK(loops.floats().largest < attend::group_sizes.size());
        for(const attend::element_loops& each: loops.of) {
            if(&each == &loops.floats() || loops.narrow_rows != 0) {
                for(std::size_t size = each.largest; size < attend::group_sizes.size(); ++size) {
                    CHECK(each.score[size] != nullptr);
                    CHECK(each.add[size] != nullptr);
                }
            }
        }
    });
}

TEST_CASE("attention_loops: rows are cut into as few groups as can be") {
    const auto groups = [](std::size_t rows, std::size_t largest) {
        std::vector<std::size_t> sizes;
        while(rows != 0) {
            sizes.push_back(attend::group_sizes[attend::next_group(rows, largest)]);
            rows -= sizes.back();
        }
        return sizes;
    };
    CHECK(groups(3, 0) == std::vector<std::size_t>{3});
    CHECK(groups(7, 0) == std::vector<std::size_t>{4, 3});
    CHECK(groups(8, 0) == std::vector<std::size_t>{4, 4});
    CHECK(groups(15, 0) == std::vector<std::size_t>{6, 6, 3});
    CHECK(groups(8, 2) == std::vector<std::size_t>{3, 3, 1, 1});
}

TEST_CASE("attention_loops: what a source is read as, and where its heads and keys lie") {
    constexpr std::size_t width = 32;
    constexpr std::size_t groups = 2;
    constexpr std::size_t capacity = 64;
    std::vector<float> wide(groups * capacity * width);
    std::vector<f16> narrow(wide.size());
    std::vector<bf16> brain(wide.size());
    const auto rows = [&](const auto& memory) {
        using element = typename std::remove_cvref_t<decltype(memory)>::value_type;
        return attend::row_source<element>{memory.data(), width, capacity * width};
    };
    support::for_each_isa([&](const execution& how) {
        const auto floats = rows(wide);
        const auto halves = rows(narrow);
        const auto brains = rows(brain);
        const attend::stored_values values = attend::values_in(halves, how.set);
        CHECK(values.element == attend::in_place::f16);
        CHECK(values.at(1, 5) == reinterpret_cast<const std::byte*>(&narrow[(capacity + 5) * width]));
        CHECK(attend::values_in(floats, how.set).element == attend::in_place::f32);
        CHECK(attend::values_in(brains, how.set).element == attend::in_place::bf16);
        // Keys in rows are never read in place: they must be turned first.
        CHECK(attend::keys_in(halves, how.set).element == attend::in_place::none);

        const attend::block_source<f16> blocks{narrow.data(), width, capacity * width};
        const attend::stored_keys keys = attend::keys_in(blocks, how.set);
        CHECK(keys.element == attend::in_place::f16);
        CHECK(keys.at(1, 0) == reinterpret_cast<const std::byte*>(&narrow[capacity * width]));
        CHECK(keys.at(0, 64) == reinterpret_cast<const std::byte*>(&narrow[capacity * width]));
    });
}
