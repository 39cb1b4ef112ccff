#include <cmath>
#include <cstddef>
#include <numbers>
#include <vector>

#include <tokenworks/kernels/rope_table.hpp>

#include "reference/rope.hpp"
#include "support/catch.hpp"

using namespace tokenworks;
using kernels::rope_config;
using kernels::rope_scaling_kind;
using kernels::rope_table;

namespace {

void check_frequencies(const rope_table& table, const std::vector<double>& expected) {
    REQUIRE(table.frequencies().size() == expected.size());
    for(std::size_t i = 0; i < expected.size(); ++i) {
        CAPTURE(i);
        CHECK(table.frequencies()[i] == Approx(expected[i]).epsilon(1e-12));
    }
}

rope_config scaled(rope_scaling_kind kind, double factor, std::size_t original) {
    rope_config config{.width = 64, .base = 500000};
    config.scaling.kind = kind;
    config.scaling.factor = factor;
    config.scaling.original_context = original;
    return config;
}

std::string refusal(const rope_config& config) {
    try {
        const rope_table table{config};
    } catch(const argument_error& error) {
        return error.what();
    }
    return "";
}

} // namespace

TEST_CASE("rope frequencies: plain, linear, ntk") {
    check_frequencies(rope_table{{.width = 64}}, reference::plain_frequencies(64, 10000));
    check_frequencies(rope_table{rope_config{}}, {});

    auto linear = reference::plain_frequencies(64, 500000);
    for(double& f: linear) {
        f /= 8;
    }
    check_frequencies(rope_table{scaled(rope_scaling_kind::linear, 8, 0)}, linear);

    check_frequencies(rope_table{scaled(rope_scaling_kind::ntk, 8, 0)},
                      reference::plain_frequencies(64, 500000 * std::pow(8.0, 64.0 / 62.0)));
}

TEST_CASE("rope frequencies: dynamic ntk depends on the context of the table") {
    const rope_config config = scaled(rope_scaling_kind::dynamic_ntk, 2, 2048);
    check_frequencies(rope_table{config}, reference::plain_frequencies(64, 500000));
    check_frequencies(rope_table(config, 2048), reference::plain_frequencies(64, 500000));
    const double stretch = 2.0 * 8192 / 2048 - 1;
    check_frequencies(rope_table(config, 8192),
                      reference::plain_frequencies(64, 500000 * std::pow(stretch, 64.0 / 62.0)));
}

TEST_CASE("rope frequencies: yarn") {
    rope_config config = scaled(rope_scaling_kind::yarn, 4, 32768);
    check_frequencies(rope_table{config}, reference::yarn_frequencies(64, 500000, 4, 32768, 32, 1));
    CHECK(rope_table{config}.magnitude() == Approx(0.1 * std::log(4.0) + 1));
    config.scaling.attention_factor = 1.25;
    CHECK(rope_table{config}.magnitude() == 1.25);
    config.scaling.attention_factor = 0;
    config.scaling.mscale = 0.707;
    config.scaling.mscale_all_dim = 0.5;
    CHECK(rope_table{config}.magnitude() == Approx((0.0707 * std::log(4.0) + 1) / (0.05 * std::log(4.0) + 1)));
    config.scaling.beta_fast = 1.01 * 32768 / (2 * std::numbers::pi); // both bounds at pair 0: only that one is kept
    config.scaling.beta_slow = config.scaling.beta_fast;
    const rope_table table{config};
    CHECK(table.frequencies()[0] == Approx(1.0));
    CHECK(table.frequencies()[1] == Approx(reference::plain_frequencies(64, 500000)[1] / 4));
}

TEST_CASE("rope frequencies: llama3") {
    const rope_config config = scaled(rope_scaling_kind::llama3, 8, 8192);
    const auto expected = reference::llama3_frequencies(64, 500000, 8, 8192, 1, 4);
    check_frequencies(rope_table{config}, expected);
    const auto plain = reference::plain_frequencies(64, 500000);
    CHECK(expected.front() == plain.front());   // fast pairs are left alone
    CHECK(expected.back() == plain.back() / 8); // slow ones are not
    CHECK(rope_table{config}.magnitude() == 1);
}

TEST_CASE("rope frequencies: longrope, and factors of a file") {
    rope_config config = scaled(rope_scaling_kind::longrope, 32, 4096);
    config.scaling.short_factors.assign(32, 2);
    config.scaling.long_factors.assign(32, 16);
    auto near = reference::plain_frequencies(64, 500000);
    auto far = near;
    for(std::size_t i = 0; i < 32; ++i) {
        near[i] /= 2;
        far[i] /= 16;
    }
    check_frequencies(rope_table{config}, near);
    check_frequencies(rope_table(config, 4096), near);
    check_frequencies(rope_table(config, 4097), far);
    CHECK(rope_table{config}.magnitude() == Approx(std::sqrt(1 + std::log(32.0) / std::log(4096.0))));

    rope_config plain{.width = 8};
    plain.factors = {1, 2, 4, 8};
    auto expected = reference::plain_frequencies(8, 10000);
    for(std::size_t i = 0; i < 4; ++i) {
        expected[i] /= std::exp2(static_cast<double>(i));
    }
    check_frequencies(rope_table{plain}, expected);
}

TEST_CASE("rope refuses what makes no frequencies") {
    using enum rope_scaling_kind;
    CHECK_THAT(refusal({.width = 3}), ContainsSubstring("width 3 is odd"));
    CHECK_THAT(refusal({.width = 1 << 20}), ContainsSubstring("above 65536"));
    CHECK_THAT(refusal({.width = 4, .base = 0}), ContainsSubstring("base"));
    CHECK_THAT(refusal({.width = 4, .base = std::nan("")}), ContainsSubstring("base"));
    rope_config factors{.width = 8};
    factors.factors = {1, 2};
    CHECK_THAT(refusal(factors), ContainsSubstring("factors are 2 for width 8"));
    factors.factors = {1, 2, 0, 4};
    CHECK_THAT(refusal(factors), ContainsSubstring("not above 0"));
    CHECK_THAT(refusal(scaled(linear, 0, 0)), ContainsSubstring("factor"));
    CHECK_THAT(refusal(scaled(linear, std::nan(""), 0)), ContainsSubstring("factor"));
    CHECK_THAT(refusal(scaled(dynamic_ntk, 0.5, 10)), ContainsSubstring("at least 1"));
    for(const auto kind: {dynamic_ntk, yarn, llama3, longrope}) {
        CHECK_THAT(refusal(scaled(kind, 2, 0)), ContainsSubstring("original_context"));
    }
    CHECK_THAT(refusal(scaled(longrope, 2, 10)), ContainsSubstring("short_factors has 0 values for 32 pairs"));
    rope_config narrow = scaled(ntk, 2, 0);
    narrow.width = 2;
    CHECK_THAT(refusal(narrow), ContainsSubstring("width above 2"));
    rope_config bands = scaled(llama3, 2, 10);
    bands.scaling.high_freq_factor = 1;
    CHECK_THAT(refusal(bands), ContainsSubstring("high_freq_factor"));
    rope_config ramp = scaled(yarn, 2, 10);
    ramp.scaling.beta_slow = 0;
    CHECK_THAT(refusal(ramp), ContainsSubstring("beta_slow"));
    rope_config attention = scaled(yarn, 2, 10);
    attention.scaling.attention_factor = -1;
    CHECK_THAT(refusal(attention), ContainsSubstring("attention_factor"));
}

TEST_CASE("rope_table: tokens on a grid turn by row and column, those before it are nulled") {
    const rope_table table{rope_config{.width = 8, .base = 100, .grid = 3, .before_grid = 1}};
    REQUIRE(table.frequencies().size() == 4);
    CHECK(table.frequencies()[0] == Approx(1));
    CHECK(table.frequencies()[1] == Approx(0.1)); // of a head of width 4
    CHECK(table.frequencies()[2] == Approx(1));
    CHECK(table.frequencies()[3] == Approx(0.1));
    CHECK(table.place_of(0).is_null);
    const auto seventh = table.place_of(6); // the sixth cell
    CHECK(seventh.along[table.axis_of(1)] == 1);
    CHECK(seventh.along[table.axis_of(2)] == 2);
    const rope_table line{rope_config{.width = 8}};
    CHECK(line.place_of(5).along[line.axis_of(0)] == 5);
    CHECK(line.place_of(5).along[line.axis_of(3)] == 5);
    CHECK_THROWS_WITH((rope_table{rope_config{.width = 6, .grid = 3}}), ContainsSubstring("a grid needs a width"));
}

TEST_CASE("rope_table: tokens of frames turn by frame, row and column") {
    const rope_config config{
        .width = 12, .base = 64, .grid = 3, .before_grid = 1, .grid_rows = 2, .sections = {1, 2, 3}};
    const rope_table table{config};
    const std::vector<double> expected{1, 1, 1.0 / 8, 1, 1.0 / 4, 1.0 / 16};
    for(std::size_t i = 0; i < expected.size(); ++i) {
        CHECK(table.frequencies()[i] == Approx(expected[i]));
    }
    CHECK(table.place_of(0).is_null);
    for(int frame = 0; frame < 4; ++frame) {
        for(int row = 0; row < 2; ++row) {
            for(int column = 0; column < 3; ++column) {
                const auto place = table.place_of(1 + (frame * 2 + row) * 3 + column);
                CHECK_FALSE(place.is_null);
                CHECK(place.along[table.axis_of(0)] == frame);
                CHECK(place.along[table.axis_of(1)] == row);
                CHECK(place.along[table.axis_of(2)] == row);
                CHECK(place.along[table.axis_of(3)] == column);
                CHECK(place.along[table.axis_of(5)] == column);
            }
        }
    }
    rope_config wrong = config;
    wrong.sections = {1, 2, 2};
    CHECK_THROWS_WITH(rope_table{wrong}, ContainsSubstring("sections that are 6 pairs"));
    wrong.sections = {~std::size_t{0}, 4, 3};
    CHECK_THROWS_WITH(rope_table{wrong}, ContainsSubstring("sections that are 6 pairs"));
    wrong = config;
    wrong.grid = 0;
    CHECK_THROWS_WITH(rope_table{wrong}, ContainsSubstring("frames need a grid"));
}

TEST_CASE("rope_table: a section of no pairs leaves its axis out") {
    const rope_table table{rope_config{.width = 8, .base = 64, .grid = 3, .grid_rows = 2, .sections = {0, 0, 4}}};
    CHECK(table.axis_of(0) == 2);
    CHECK(table.axis_of(3) == 2);
    CHECK(table.frequencies()[0] == Approx(1));
    CHECK(table.frequencies()[2] == Approx(1.0 / 8));
}
