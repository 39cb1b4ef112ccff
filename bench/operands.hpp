// What the benches of kernels and blocks share: operands, every way to run, and the check that comes before the timing.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <tokenworks/core/cpu.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/thread_team.hpp>

namespace bench {

/// Numbers that look normal, the same in every run.
inline std::vector<float> numbers(std::size_t count, std::uint32_t seed) {
    std::vector<float> out(count);
    for(float& value: out) { // the sum of four uniform numbers
        value = 0.0F;
        for(int i = 0; i < 4; ++i) {
            seed = seed * 1664525U + 1013904223U;
            value += static_cast<float>(static_cast<std::int32_t>(seed)) * 0x1p-31F;
        }
    }
    return out;
}

/// Stops the bench where two results differ by more than rounding: sum((a-b)^2) > 1e-9 * sum(a^2).
inline bool agree(benchmark::State& state, const std::vector<float>& expected, const std::vector<float>& actual) {
    double error = 0;
    double norm = 0;
    for(std::size_t i = 0; i < expected.size(); ++i) {
        error += std::pow(static_cast<double>(expected[i]) - static_cast<double>(actual[i]), 2);
        norm += std::pow(static_cast<double>(expected[i]), 2);
    }
    if(!(error <= 1e-9 * norm)) {
        state.SkipWithError("the result differs from the plain loop's");
        return false;
    }
    return true;
}

/// Registers body(state, execution) for every instruction set on one thread, and for the best one on two.
template <class Body>
void for_each_execution(const std::string& name, Body body) {
    for(const tokenworks::isa set: tokenworks::all_isas) {
        if(tokenworks::is_supported(set)) {
            benchmark::RegisterBenchmark((name + "/" + std::string{tokenworks::name(set)}).c_str(),
                                         [=](benchmark::State& state) {
                                             body(state, tokenworks::execution{set, nullptr});
                                         });
        }
    }
    benchmark::RegisterBenchmark(
        (name + "/" + std::string{tokenworks::name(tokenworks::best_isa())} + "/2_threads").c_str(),
        [=](benchmark::State& state) {
            tokenworks::thread_team threads{2};
            body(state, tokenworks::execution{tokenworks::best_isa(), &threads});
        })
        ->UseRealTime();
}

/// Work of one iteration, reported a second.
inline void report(benchmark::State& state, const char* unit, double amount) {
    state.counters[unit] =
        benchmark::Counter(amount, benchmark::Counter::kIsIterationInvariantRate, benchmark::Counter::kIs1000);
}

/// Times body(data), once it has agreed with plain(data). `make` makes the data, the same for both, with a result
/// `out`.
template <class Make, class Plain, class Body>
void time_checked(benchmark::State& state, const char* unit, double amount, Make make, Plain plain, Body body) {
    auto expected = make();
    auto actual = make();
    plain(expected);
    body(actual);
    if(!agree(state, expected.out, actual.out)) {
        return;
    }
    for(auto _: state) {
        body(actual);
        benchmark::DoNotOptimize(actual.out.data());
        benchmark::ClobberMemory();
    }
    report(state, unit, amount);
}

} // namespace bench
