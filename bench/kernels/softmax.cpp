// Softmax over SmolLM2's vocabulary: a plain loop with std::exp, Eigen, ours. Reports values a second.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include <benchmark/benchmark.h>

#include <tokenworks/core/eigen.hpp>
#include <tokenworks/kernels/reduce.hpp>
#include <tokenworks/kernels/softmax.hpp>

#include "../operands.hpp"

namespace tw = tokenworks;

namespace {

constexpr std::size_t vocabulary = 49152;

struct data {
    std::vector<float> x = bench::numbers(vocabulary, 1);
    std::vector<float> out = std::vector<float>(vocabulary);
};

void plain(data& d) {
    const float most = *std::max_element(d.x.begin(), d.x.end());
    float sum = 0;
    for(std::size_t i = 0; i < vocabulary; ++i) {
        d.out[i] = std::exp(d.x[i] - most);
        sum += d.out[i];
    }
    for(float& value: d.out) {
        value /= sum;
    }
}

void eigen(data& d) {
    const Eigen::Map<const Eigen::ArrayXf> x{d.x.data(), vocabulary};
    Eigen::Map<Eigen::ArrayXf> out{d.out.data(), vocabulary};
    out = (x - x.maxCoeff()).exp();
    out /= out.sum();
}

template <class Body>
void time(benchmark::State& state, Body body) {
    bench::time_checked(
        state, "values/s", vocabulary, [] { return data{}; }, plain, body);
}

void time_argmax(benchmark::State& state, const tw::execution& how) {
    const data d;
    const auto expected = static_cast<std::size_t>(std::max_element(d.x.begin(), d.x.end()) - d.x.begin());
    if(tw::kernels::argmax(d.x, how) != expected) {
        state.SkipWithError("another index than the plain loop's");
        return;
    }
    for(auto _: state) {
        benchmark::DoNotOptimize(tw::kernels::argmax(d.x, how));
    }
    bench::report(state, "values/s", vocabulary);
}

} // namespace

int main(int argc, char** argv) {
    benchmark::RegisterBenchmark("softmax/plain", [](benchmark::State& s) { time(s, plain); });
    benchmark::RegisterBenchmark("softmax/eigen", [](benchmark::State& s) { time(s, eigen); });
    for(const tw::isa set: tw::all_isas) {
        if(tw::is_supported(set)) {
            const std::string name{tw::name(set)};
            const tw::execution how{set, nullptr};
            benchmark::RegisterBenchmark(("softmax/" + name).c_str(), [=](benchmark::State& s) {
                time(s, [&](data& d) { tw::kernels::softmax(d.x, d.out, how); });
            });
            benchmark::RegisterBenchmark(("argmax/" + name).c_str(), time_argmax, how);
        }
    }
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
}
