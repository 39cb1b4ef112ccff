#include <tokenworks/runtime/mesh_model.hpp>

#include <cmath>
#include <string>
#include <vector>

#include "support/catch.hpp"

namespace tw = tokenworks;

namespace {

const std::string shipped = TOKENWORKS_TEST_DATA "/../../models/mesh.gguf";

} // namespace

TEST_CASE("mesh model: the shipped one makes closed surfaces of its classes", "[runtime]") {
    const tw::mesh_model model = tw::mesh_model::load(shipped, {.threads = 2});
    const tw::mesh_model alone = tw::mesh_model::load(shipped, {.threads = 1});
    REQUIRE(model.classes().size() == 10);
    for(const std::string& name: model.classes()) {
        CAPTURE(name);
        const tw::mesh made = model.generate({.name = name, .seed = 11});
        CHECK(made.is_watertight());
        CHECK(made.volume() > 0);
        const auto [low, high] = made.bounds();
        CHECK(std::max({high[0] - low[0], high[1] - low[1], high[2] - low[2]}) == Approx(1));
        CHECK(low[1] == Approx(-high[1]).margin(1e-6));
        CHECK(made == alone.generate({.name = name, .seed = 11}));
    }
    CHECK(model.generate({.name = "box", .seed = 1}) != model.generate({.name = "box", .seed = 2}));
    CHECK_THROWS_AS(model.generate({.name = "cat"}), tw::argument_error);
    CHECK_THROWS_AS(model.generate({.name = "box", .temperature = -1}), tw::argument_error);
}

TEST_CASE("mesh model: a box is likelier as a box than as a torus, and the file checks itself", "[runtime]") {
    const tw::mesh_model model = tw::mesh_model::load(shipped, {.threads = 2});
    const tw::mesh box = tw::mesh_model::check_mesh();
    CHECK(box.is_watertight());
    CHECK(box.volume() == Approx(0.125));
    const auto sum = [&](const char* name) {
        double total = 0;
        for(const float each: model.log_likelihoods(box, name)) {
            CHECK(each <= 0);
            total += static_cast<double>(each);
        }
        return total;
    };
    CHECK(sum("box") > sum("torus") + 20);
    REQUIRE(model.self_check());
    CHECK(*model.self_check() < 0.25);
}

TEST_CASE("mesh model: what makes no meshes is refused, and making is cancelled", "[runtime]") {
    CHECK_THROWS_AS(tw::mesh_model::load(TOKENWORKS_TEST_DATA "/../../models/forecaster.gguf"), tw::unsupported_error);
    std::stop_source stop;
    stop.request_stop();
    const tw::mesh_model model = tw::mesh_model::load(shipped, {.threads = 1});
    CHECK_THROWS_AS(model.generate({.name = "box", .cancel = stop.get_token()}), tw::cancelled_error);
}
