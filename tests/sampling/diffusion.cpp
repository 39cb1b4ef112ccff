#include <tokenworks/sampling/diffusion.hpp>

#include <cmath>
#include <cstddef>
#include <vector>

#include "support/catch.hpp"

namespace tw = tokenworks;
using tw::sampling::ddim;

TEST_CASE("diffusion: the times of some steps, from the noisiest", "[sampling]") {
    const ddim five{5};
    REQUIRE(five.size() == 5);
    CHECK(five.time(0) == 800);
    CHECK(five.time(4) == 0);
    CHECK(ddim{1000}.time(0) == 999);
    CHECK(ddim{1}.size() == 1);
    CHECK_THROWS_AS(ddim{0}, tw::argument_error);
    CHECK_THROWS_AS(ddim{1001}, tw::argument_error);
    CHECK_THROWS_AS((ddim{5, {.first = 0}}), tw::argument_error);
}

TEST_CASE("diffusion: a model that knows the noise leads back to the picture", "[sampling]") {
    const std::vector<float> clean{0.5F, -1, 0.25F};
    const std::vector<float> noise{1, 0.5F, -2};
    const ddim steps{50};
    double kept = 1;
    for(std::size_t t = 0; t <= static_cast<std::size_t>(steps.time(0)); ++t) {
        kept *= 1 - (1e-4 + (0.02 - 1e-4) * static_cast<double>(t) / 999);
    }
    std::vector<float> x(3);
    for(std::size_t i = 0; i < 3; ++i) {
        x[i] = static_cast<float>(std::sqrt(kept) * static_cast<double>(clean[i]) +
                                  std::sqrt(1 - kept) * static_cast<double>(noise[i]));
    }
    for(std::size_t i = 0; i < steps.size(); ++i) {
        steps.advance(i, noise, x);
    }
    for(std::size_t i = 0; i < 3; ++i) {
        CHECK(x[i] == Approx(clean[i]).margin(1e-3)); // the first step divides by a root of 4e-5
    }
    CHECK_THROWS_AS(steps.advance(50, noise, x), tw::argument_error);
    CHECK_THROWS_AS(steps.advance(0, std::vector<float>(2), x), tw::shape_error);
}

TEST_CASE("diffusion: Euler's steps along a straight flow arrive, whatever their number", "[sampling]") {
    for(const std::size_t count: {1U, 3U, 64U}) {
        const tw::sampling::flow steps{count};
        std::vector<float> x{1, 0.5F};
        const std::vector<float> velocity{-2, 0.25F}; // picture less noise
        for(std::size_t i = 0; i < steps.size(); ++i) {
            CHECK(steps.time(i) == Approx(static_cast<double>(i) / static_cast<double>(count)));
            steps.advance(i, velocity, x);
        }
        CHECK(x[0] == Approx(-1));
        CHECK(x[1] == Approx(0.75));
    }
    CHECK_THROWS_AS(tw::sampling::flow{0}, tw::argument_error);
}
