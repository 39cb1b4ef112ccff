#include <tokenworks/runtime/log_sum_exp.hpp>

#include <cmath>
#include <limits>
#include <vector>

#include "support/catch.hpp"

using tokenworks::runtime::log_sum_exp;

TEST_CASE("log_sum_exp: probabilities add up to one, also of logits that are large", "[runtime]") {
    for(const float shift: {0.0F, 1e4F, -1e4F}) {
        std::vector<float> logits;
        for(int i = 0; i < 300; ++i) {
            logits.push_back(shift + static_cast<float>(i * 37 % 101) * 0.125F);
        }
        const double total = log_sum_exp(logits);
        double sum = 0;
        for(const float each: logits) {
            sum += std::exp(static_cast<double>(each) - total);
        }
        CHECK(sum == Approx(1).epsilon(1e-12));
    }
    const float lowest = -std::numeric_limits<float>::infinity();
    CHECK(log_sum_exp(std::vector{lowest, 2.0F, lowest}) == 2);
    CHECK(log_sum_exp(std::vector{1.0F, 1.0F}) == Approx(1 + std::log(2.0)).epsilon(1e-15));
}
