// One sampling step over a vocabulary of 262144 (Gemma's), by processor and for whole chains, beside what a sort costs.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include <tokenworks/sampling/options.hpp>

namespace ts = tokenworks::sampling;

namespace {

constexpr std::size_t vocab = 262144;

// As a language model's: most tokens far below a few likely ones.
std::vector<float> logits_like_text() {
    std::mt19937 random{1};
    std::normal_distribution<float> normal{-8.0F, 3.0F};
    std::vector<float> logits(vocab);
    for(float& x: logits) {
        x = normal(random);
    }
    for(std::size_t i = 0; i < 20; ++i) {
        logits[random() % vocab] = 12.0F - static_cast<float>(i) * 0.7F;
    }
    return logits;
}

const std::vector<float> logits = logits_like_text();

void run(benchmark::State& state, ts::chain chain) {
    ts::candidates work;
    std::vector<ts::token_id> history(64);
    for(std::size_t i = 0; i < history.size(); ++i) {
        history[i] = static_cast<ts::token_id>(i * 3917 % vocab);
    }
    std::uint64_t position = 0;
    for(auto _: state) {
        benchmark::DoNotOptimize(chain(logits, {history, position++}, work));
    }
}

void baseline_sort(benchmark::State& state) {
    std::vector<std::pair<float, int>> all(vocab);
    for(auto _: state) {
        for(std::size_t i = 0; i < vocab; ++i) {
            all[i] = {-logits[i], static_cast<int>(i)};
        }
        std::sort(all.begin(), all.end());
        benchmark::DoNotOptimize(all.data());
    }
}

void baseline_copy(benchmark::State& state) {
    std::vector<float> copy(vocab);
    for(auto _: state) {
        std::copy(logits.begin(), logits.end(), copy.begin());
        benchmark::DoNotOptimize(copy.data());
        benchmark::ClobberMemory();
    }
}

BENCHMARK(baseline_copy)->Unit(benchmark::kMicrosecond);
BENCHMARK(baseline_sort)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(run, greedy, ts::chain{})->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(run, draw, ts::chain{ts::draw{1}})->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(run, temperature, ts::chain{ts::temperature{0.7F}})->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(run, penalties, ts::chain{ts::penalties{{.repeat = 1.1F}}})->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(run, top_k_40, ts::chain{ts::top_k{40}})->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(run, top_k_10000, ts::chain{ts::top_k{10000}})->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(run, top_p, ts::chain{ts::top_p{0.95F}})->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(run, min_p, ts::chain{ts::min_p{0.05F}})->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(run, typical, ts::chain{ts::typical{0.95F}})->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(run, default_chain, ts::make_chain({}))->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(run, without_top_k, ts::make_chain({.top_k = 0}))->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(run, flat_top_p, ts::chain{ts::temperature{100.0F}, ts::top_p{0.95F}})->Unit(benchmark::kMicrosecond);

} // namespace

BENCHMARK_MAIN();
