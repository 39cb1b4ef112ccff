// Random numbers: a block of Philox, one draw at a position (what a sampling step makes), and std::mt19937 beside it.
#include <cstdint>
#include <random>

#include <benchmark/benchmark.h>

#include <tokenworks/core/random.hpp>

namespace tw = tokenworks;

namespace {

void block(benchmark::State& state) {
    if(tw::philox4x32({0, 0, 0, 0}, {0, 0})[0] != 0x6627e8d5U) {
        state.SkipWithError("differs from the known answer");
        return;
    }
    const tw::philox stream{1};
    std::uint64_t counter = 0;
    for(auto _: state) {
        benchmark::DoNotOptimize(stream.at(counter++));
    }
    state.SetBytesProcessed(state.iterations() * 16);
}
BENCHMARK(block);

void draw(benchmark::State& state) {
    std::uint64_t position = 0;
    for(auto _: state) {
        benchmark::DoNotOptimize(tw::uniform(7, position++));
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(draw);

void draw_mt19937(benchmark::State& state) {
    std::mt19937 generator{7};
    std::uniform_real_distribution<float> uniform;
    for(auto _: state) {
        benchmark::DoNotOptimize(uniform(generator));
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(draw_mt19937);

} // namespace
