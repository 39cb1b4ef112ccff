#include <tokenworks/runtime/log_likelihoods.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <tokenworks/runtime/load_text_model.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/family_golden.hpp"

namespace tw = tokenworks;

TEST_CASE("log-likelihoods: those of the reference's logits", "[runtime]") {
    const support::family_golden golden{"video", "videos"};
    const files::temporary_folder folder;
    golden.write_to(folder.string(), tw::dtype::f32);
    const tw::text_model model = tw::load_text_model(folder.string(), {.threads = 1});
    const std::vector<float> found = tw::runtime::log_likelihoods(model, golden.ids);
    REQUIRE(found.size() == golden.ids.size() - 1);
    for(std::size_t t = 0; t < found.size(); ++t) {
        const std::span<const float> row = std::span{golden.logits}.subspan(t * 22, 22);
        double sum = 0;
        for(const float logit: row) {
            sum += std::exp(static_cast<double>(logit));
        }
        const double expected = static_cast<double>(row[static_cast<std::size_t>(golden.ids[t + 1])]) - std::log(sum);
        // Keys and values are kept in f16, to 2^-11 of each.
        CHECK(static_cast<double>(found[t]) == Approx(expected).margin(0.01));
    }
    CHECK(tw::runtime::log_likelihoods(model, std::span{golden.ids}.first(1)).empty());
    CHECK_THROWS_AS(tw::runtime::log_likelihoods(model, {}), tw::argument_error);
    const std::vector<std::int32_t> many(21, 3);
    CHECK_THROWS_WITH(tw::runtime::log_likelihoods(model, many), Catch::Contains("the context takes 19"));
}
