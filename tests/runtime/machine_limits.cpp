#include <tokenworks/runtime/machine_limits.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "support/catch.hpp"
#include "support/kernels.hpp"

namespace tw = tokenworks;
namespace rt = tokenworks::runtime;

TEST_CASE("machine_limits: rates that a machine of this century can have, on every number of threads", "[runtime]") {
    tw::thread_team two{2};
    for(tw::team* threads: {static_cast<tw::team*>(nullptr), static_cast<tw::team*>(&two)}) {
        const rt::machine_limits limits = rt::measure_machine({.threads = threads});
        CHECK(limits.read_bytes_per_second > 1e8);
        CHECK(limits.read_bytes_per_second < 1e13);
        CHECK(limits.int8_operations_per_second > 1e8);
        CHECK(limits.int8_operations_per_second < 1e16);
        CHECK(limits.read_bytes_per_second_one_thread > 1e8);
        CHECK(limits.read_bytes_per_second_one_thread < 1e13);
        CHECK(limits.float_operations_per_second > 1e7);
        CHECK(limits.float_operations_per_second < 1e15);
        CHECK((limits.barrier_seconds > 0) == (threads != nullptr));
        CHECK(limits.barrier_seconds < 0.1);
    }
}

TEST_CASE("machine_limits: every instruction set counts its operations, and its sums may wrap", "[runtime]") {
    support::for_each_isa([](const tw::execution& how) {
        std::uint32_t sink = 0xffffff00U;
        const double a_thousand = tw::simd::dispatch<rt::detail::byte_products>(how.set, std::size_t{1000}, &sink);
        const double two_thousand = tw::simd::dispatch<rt::detail::byte_products>(how.set, std::size_t{2000}, &sink);
        INFO(tw::name(how.set));
        CHECK(a_thousand > 0);
        CHECK(two_thousand == 2 * a_thousand);
        float products[] = {3.0F, 2.0F};
        const double operations = tw::simd::dispatch<rt::detail::float_products>(how.set, std::size_t{10}, products);
        const double chains = operations / (10 * 16 * 2);
        const double starts = 16 * chains * (chains - 1) / 2;
        CHECK(products[0] == static_cast<float>(operations / 2 * 6 + starts)); // 3 * 2 for every product and sum
        std::vector<float> ones(1000, 1.0F);
        // Whole rounds of 64 floats: 15 of them.
        CHECK(tw::simd::dispatch<rt::detail::read_loop>(how.set, static_cast<const float*>(ones.data()), ones.size()) ==
              960.0F);
    });
}

TEST_CASE("machine_limits: the best of several slices counts all members' work", "[runtime]") {
    tw::thread_team three{3};
    int slices = 0;
    const double rate = rt::detail::best_rate({.threads = &three}, 4, [&](unsigned worker) {
        if(worker == 0) { // the only one to write it
            ++slices;
        }
        return 1e6;
    });
    CHECK(slices == 4);
    CHECK(rate > 0);
    CHECK(std::isfinite(rate));
}
