#include <tokenworks/codec/value_bins.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/series_golden.hpp"

namespace tw = tokenworks;
using support::family_golden;
using tokenworks::codec::value_bins;

namespace {

const value_bins small{{.low = -4, .high = 4, .bins = 27, .special = 2}};

} // namespace

TEST_CASE("value_bins: ids, scales and values of chronos-forecasting", "[codec]") {
    const family_golden golden{"bins", support::forecasters};
    const std::vector<std::vector<float>> series = support::series_of(golden);
    for(std::size_t i = 0; i < series.size(); ++i) {
        INFO("series " << i);
        // The last 24 values count there.
        const std::span<const float> seen = std::span{series[i]}.last(std::min<std::size_t>(24, series[i].size()));
        const tw::codec::scaled_bins space{small, seen};
        CHECK(space.scale() == Approx(golden.more["scales"][i].get<float>()).epsilon(1e-6));
        std::vector<std::int32_t> ids = space.encode(seen);
        ids.push_back(1);
        CHECK(ids == golden.more["series_ids"][i].get<std::vector<std::int32_t>>());
        std::vector<std::int32_t> all(space.vocab_size());
        for(std::size_t id = 0; id < all.size(); ++id) {
            all[id] = static_cast<std::int32_t>(id);
        }
        const auto expected = golden.more["values"][i].get<std::vector<float>>();
        CHECK(support::worst_of_spread(space.decode(all), expected) < 1e-6);
    }
}

TEST_CASE("value_bins: the bins of the published models", "[codec]") {
    const value_bins published{{.low = -15, .high = 15, .bins = 4093, .special = 2}};
    CHECK(published.vocab_size() == 4096);
    CHECK(published.encode(0.0F, 1) == 2049); // chronos-forecasting 2.3
    CHECK(published.encode(1.0F, 1) == 2185);
    CHECK(published.encode(-20.0F, 1) == 3);
    CHECK(published.encode(1e30F, 1) == 4095);
    CHECK(published.encode(std::numeric_limits<float>::quiet_NaN(), 1) == 0);
    for(std::int32_t id = 3; id < 4096; ++id) {
        if(published.encode(published.decode(id, 1), 1) != id) {
            FAIL("id " << id);
        }
        CHECK(published.is_value(id));
    }
    for(const std::int32_t id: {-1, 0, 1, 2, 4096}) {
        CHECK_FALSE(published.is_value(id));
    }
    CHECK(published.decode(0, 2) == -30);
    CHECK(published.decode(1 << 30, 2) == 30);
}

TEST_CASE("value_bins: scales of series that are zero, unknown, or nothing", "[codec]") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    CHECK(value_bins::scale_of({}) == 1);
    CHECK(value_bins::scale_of(std::vector<float>{0, 0}) == 1);
    CHECK(value_bins::scale_of(std::vector<float>{nan}) == 1);
    CHECK(value_bins::scale_of(std::vector<float>{-2, nan, 4}) == 3);
}

TEST_CASE("value_bins: options that make no bins", "[codec]") {
    using options = tw::codec::value_bins_options;
    for(const options& wrong:
        {options{.bins = 1, .special = 1}, options{.low = 1, .high = 1, .bins = 9, .special = 1},
         options{.low = 0, .high = std::numeric_limits<float>::infinity(), .bins = 9, .special = 1},
         options{.bins = 9, .special = 0}, options{.bins = 9, .special = 2, .missing = 2},
         options{.bins = 9, .special = 2, .missing = -1}, options{.bins = std::size_t{1} << 40, .special = 1}}) {
        CHECK_THROWS_AS(value_bins{wrong}, tw::argument_error);
    }
}
