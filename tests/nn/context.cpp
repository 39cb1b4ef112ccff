#include <tokenworks/nn/context.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <tokenworks/nn/kv_cache.hpp>

#include "support/allocations.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
namespace nn = tokenworks::nn;

TEST_CASE("context: rows of a step belong to sequences, each at its own positions", "[nn]") {
    nn::context c;
    CHECK(c.step() == 0);
    CHECK(c.positions().empty());
    c.begin_step(5, 2);
    c.add_sequence({nullptr, 0, 3, 7});
    c.add_sequence({nullptr, 3, 2, 0});
    CHECK(c.step() == 1);
    CHECK(c.sequences().size() == 2);
    CHECK(c.sequences()[1].first == 3);
    CHECK(std::vector<std::int32_t>(c.positions().begin(), c.positions().end()) ==
          std::vector<std::int32_t>{7, 8, 9, 0, 1});
    c.begin_step(1, 1);
    CHECK(c.step() == 2);
    CHECK(c.sequences().empty());
    CHECK(c.positions().empty());
}

TEST_CASE("context: angles are computed once a step and table, and follow the positions", "[nn]") {
    const tw::kernels::rope_table table{{.width = 4, .base = 100}};
    const tw::kernels::rope_table other{{.width = 6, .base = 10}};
    nn::context c;
    c.begin_step(2, 1);
    c.add_sequence({nullptr, 0, 2, 3});
    const nn::context::angles first = c.angles_of(table);
    CHECK(first.cosines.extent(0) == 2);
    CHECK(first.cosines.extent(1) == 2);
    CHECK(std::abs(first.cosines(0, 0) - std::cos(3.0F)) < 1e-6F);
    CHECK(std::abs(first.sines(1, 1) - std::sin(0.4F)) < 1e-6F);

    // Written over, the numbers stay: nothing computes them again within the step.
    const_cast<float&>(first.cosines(0, 0)) = 42.0F;
    const auto wide = c.angles_of(other);
    CHECK(wide.cosines.extent(1) == 3);
    CHECK(std::abs(wide.sines(0, 2) - std::sin(3.0F * std::pow(10.0F, -4.0F / 6))) < 1e-6F);
    CHECK(c.angles_of(table).cosines(0, 0) == 42.0F);

    c.begin_step(1, 1);
    c.add_sequence({nullptr, 0, 1, 9});
    const nn::context::angles next = c.angles_of(table);
    CHECK(next.cosines.extent(0) == 1);
    CHECK(std::abs(next.cosines(0, 0) - std::cos(9.0F)) < 1e-6F);
}

TEST_CASE("context: steps of a size seen before allocate nothing", "[nn]") {
    const tw::kernels::rope_table table{{.width = 16}};
    nn::context c;
    const auto step = [&](std::size_t count) {
        const tw::arena::scope scope{c.scratch};
        c.begin_step(count, 1);
        c.add_sequence({nullptr, 0, count, 0});
        static_cast<void>(c.angles_of(table));
        static_cast<void>(c.scratch_rows(count, 1000));
    };
    step(64);
    CHECK(support::allocations_during([&] {
              step(64);
              step(1);
              step(17);
          }) == 0);
}

TEST_CASE("context: observers see name, layer and values; scratch rows end with their scope", "[nn]") {
    nn::context c;
    std::vector<std::string> seen;
    std::vector<float> values{1, 2};
    const nn::const_rows row{values.data(), std::size_t{1}, std::size_t{2}};
    c.observe("nobody listens", row);
    c.on_activation = [&](std::string_view name, std::size_t layer, nn::const_rows x) {
        seen.push_back(std::string{name} + std::to_string(layer) + ":" + std::to_string(x(0, 1)).substr(0, 1));
    };
    c.layer = 4;
    c.observe("attention", row);
    CHECK(seen == std::vector<std::string>{"attention4:2"});

    const float* first = nullptr;
    {
        const tw::arena::scope scope{c.scratch};
        const nn::rows a = c.scratch_rows(3, 5);
        const nn::rows b = c.scratch_rows(3, 5);
        first = a.data();
        CHECK(b.data() >= a.data() + 15);
    }
    CHECK(c.scratch_rows(1, 1).data() == first);
}

TEST_CASE("context: where a block puts its result", "[nn]") {
    std::vector<float> values(2);
    const nn::rows x{values.data(), std::size_t{1}, std::size_t{2}};
    const nn::destination over = x;
    CHECK_FALSE(over.add);
    CHECK(nn::add_to(x).add);
    CHECK(nn::add_to(x).out.data() == values.data());
}
