#include <tokenworks/runtime/mesh_constraint.hpp>

#include <cstdint>
#include <random>
#include <vector>

#include "support/catch.hpp"

namespace tw = tokenworks;

TEST_CASE("mesh constraint: whatever is drawn becomes a mesh, in the room that there is", "[runtime]") {
    for(const std::size_t levels: {2U, 3U, 16U}) {
        const tw::codec::mesh_tokens space{{.levels = levels, .most_vertices = 12, .classes = {"a"}}};
        for(std::uint32_t seed = 0; seed < 150; ++seed) {
            CAPTURE(levels, seed);
            std::mt19937 dice{seed};
            const std::size_t room = tw::runtime::mesh_constraint::least_tokens + seed % 90;
            tw::runtime::mesh_constraint rule{space, room};
            std::vector<std::int32_t> ids;
            while(!rule.done()) {
                std::vector<std::int32_t> allowed;
                for(std::int32_t id = -1; id <= static_cast<std::int32_t>(space.vocab_size()); ++id) {
                    if(rule.allows(id)) {
                        allowed.push_back(id);
                    }
                }
                REQUIRE_FALSE(allowed.empty());
                // The highest levels early leave the least room for what follows.
                ids.push_back(seed % 3 == 0 ? allowed.back() : allowed[dice() % allowed.size()]);
                rule.accept(ids.back());
                REQUIRE(ids.size() <= room);
            }
            const tw::mesh made = space.decode(ids);
            CHECK_NOTHROW(made.check());
            CHECK(made.triangles.size() >= 1);
        }
    }
}

TEST_CASE("mesh constraint: the tokens of a closed surface are allowed, and nothing out of order", "[runtime]") {
    const tw::codec::mesh_tokens space{{.levels = 5, .most_vertices = 8, .classes = {}}};
    const tw::mesh solid{.vertices = {{0, 4, 0}, {0, 0, 0}, {0, 0, -2}, {2, 0, 0}},
                         .triangles = {{1, 2, 3}, {0, 1, 3}, {3, 2, 0}, {2, 1, 0}}};
    const auto ids = space.encode(solid);
    tw::runtime::mesh_constraint rule{space, ids.size()};
    for(const std::int32_t id: ids) {
        REQUIRE(rule.allows(id));
        rule.accept(id);
    }
    CHECK(rule.done());
    CHECK_FALSE(rule.allows(space.end));
    tw::runtime::mesh_constraint other{space, 100};
    CHECK_THROWS_AS(other.accept(space.end), tw::argument_error);
    CHECK_THROWS_AS(other.accept(space.first_vertex()), tw::argument_error);
    CHECK_THROWS_AS((tw::runtime::mesh_constraint{space, 16}), tw::argument_error);
}
