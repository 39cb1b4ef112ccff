#include <tokenworks/models/relative_bias.hpp>

#include <cstddef>
#include <vector>

#include "support/catch.hpp"

using namespace tokenworks::models;

TEST_CASE("relative_bias: small distances a bucket each, larger ones in growing steps", "[models]") {
    // Computed with transformers 5.24, T5Attention._relative_position_bucket(d, bidirectional, 8, 20), d = -25 … 25.
    const relative_bias_config config{8, 20};
    const std::vector<std::size_t> both{3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 1, 0,
                                        5, 6, 6, 6, 6, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7};
    for(std::ptrdiff_t d = -25; d <= 25; ++d) {
        CHECK(relative_bucket(config, d, false) == both[static_cast<std::size_t>(d + 25)]);
    }
    const std::vector<std::size_t> before{0, 1, 2, 3, 4, 4, 5, 5, 5, 6, 6, 6, 6, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7};
    for(std::ptrdiff_t d = 0; d <= 25; ++d) {
        CHECK(relative_bucket(config, -d, true) == before[static_cast<std::size_t>(d)]);
        CHECK(relative_bucket(config, d, true) == 0);
    }
}

TEST_CASE("relative_bias: a table of heads and distances", "[models]") {
    const relative_bias_config config{8, 20};
    std::vector<float> table;
    for(int i = 0; i < 24; ++i) {
        table.push_back(static_cast<float>(i)); // of bucket i / 3 and head i % 3
    }
    const auto biases = relative_bias(config, table, 3, false);
    REQUIRE(biases->size() == 3 * 41);
    for(std::size_t h = 0; h < 3; ++h) {
        for(std::size_t i = 0; i < 41; ++i) {
            const std::size_t bucket = relative_bucket(config, static_cast<std::ptrdiff_t>(i) - 20, false);
            CHECK((*biases)[h * 41 + i] == static_cast<float>(3 * bucket + h));
        }
    }
}
