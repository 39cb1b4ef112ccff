#include <tokenworks/runtime/quantiles.hpp>

#include <vector>

#include "support/catch.hpp"

namespace runtime = tokenworks::runtime;

TEST_CASE("quantiles: of values, as numpy has them", "[runtime]") {
    const std::vector<float> values{1, 2, 4, 8};
    CHECK(runtime::sorted_quantile(values, 0) == 1);
    CHECK(runtime::sorted_quantile(values, 1) == 8);
    CHECK(runtime::sorted_quantile(values, 0.5F) == 3);
    CHECK(runtime::sorted_quantile(values, 0.9F) == Approx(6.8)); // numpy.quantile([1, 2, 4, 8], 0.9)
    CHECK(runtime::sorted_quantile(std::vector<float>{7}, 0.3F) == 7);
}

TEST_CASE("quantiles: values between levels", "[runtime]") {
    const std::vector<float> levels{0.1F, 0.5F, 0.9F};
    const std::vector<float> values{10, 20, 60};
    CHECK(runtime::value_at_level(levels, values, 0.1F) == 10);
    CHECK(runtime::value_at_level(levels, values, 0.5F) == 20);
    CHECK(runtime::value_at_level(levels, values, 0.9F) == 60);
    CHECK(runtime::value_at_level(levels, values, 0.3F) == Approx(15));
    CHECK(runtime::value_at_level(levels, values, 0.8F) == Approx(50));
    CHECK(runtime::value_at_level(levels, values, 0.01F) == 10);
    CHECK(runtime::value_at_level(levels, values, 0.99F) == 60);
}
