// The gated unit between SmolLM2's feed-forward matrices, 64 rows of 1536: a plain loop with std::exp, Eigen, ours;
// then every activation. Reports values a second.
#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include <tokenworks/core/eigen.hpp>
#include <tokenworks/kernels/activation.hpp>

#include "../operands.hpp"

namespace tw = tokenworks;
using tw::dyn;
using kind = tw::kernels::activation_kind;

namespace {

constexpr std::size_t rows = 64;
constexpr std::size_t width = 1536;

struct data {
    std::vector<float> gate = bench::numbers(rows * width, 1);
    std::vector<float> up = bench::numbers(rows * width, 2);
    std::vector<float> out = std::vector<float>(rows * width);

    [[nodiscard]] static tw::dims<2> shape() { return tw::dims<2>{rows, width}; }
};

void plain(data& d) {
    for(std::size_t i = 0; i < rows * width; ++i) {
        d.out[i] = d.gate[i] / (1.0F + std::exp(-d.gate[i])) * d.up[i];
    }
}

void eigen(data& d) {
    const Eigen::Map<const Eigen::ArrayXf> gate{d.gate.data(), rows * width};
    const Eigen::Map<const Eigen::ArrayXf> up{d.up.data(), rows * width};
    Eigen::Map<Eigen::ArrayXf> out{d.out.data(), rows * width};
    out = gate / (1.0F + (-gate).exp()) * up;
}

template <class Body>
void time(benchmark::State& state, Body body) {
    bench::time_checked(
        state, "values/s", rows * width, [] { return data{}; }, plain, body);
}

/// Checked in tests/kernels/activation.cpp.
void time_alone(benchmark::State& state, kind which) {
    data d;
    for(auto _: state) {
        tw::kernels::activate(tw::kernels::any_activation{which}, d.gate, d.out);
        benchmark::DoNotOptimize(d.out.data());
        benchmark::ClobberMemory();
    }
    bench::report(state, "values/s", rows * width);
}

constexpr std::array<std::pair<const char*, kind>, 7> alone{{{"silu", kind::silu},
                                                             {"gelu", kind::gelu},
                                                             {"gelu_tanh", kind::gelu_tanh},
                                                             {"relu", kind::relu},
                                                             {"relu_squared", kind::relu_squared},
                                                             {"sigmoid", kind::sigmoid},
                                                             {"tanh", kind::tanh}}};

} // namespace

int main(int argc, char** argv) {
    benchmark::RegisterBenchmark("swiglu/plain", [](benchmark::State& s) { time(s, plain); });
    benchmark::RegisterBenchmark("swiglu/eigen", [](benchmark::State& s) { time(s, eigen); });
    bench::for_each_execution("swiglu", [](benchmark::State& s, const tw::execution& how) {
        time(s, [&](data& d) {
            tw::kernels::glu(tw::kernels::silu{}, tw::view<const float, dyn, dyn>{d.gate.data(), data::shape()},
                             tw::view<const float, dyn, dyn>{d.up.data(), data::shape()},
                             tw::view<float, dyn, dyn>{d.out.data(), data::shape()}, how);
        });
    });
    for(const auto& one: alone) {
        benchmark::RegisterBenchmark((std::string{"activate/"} + one.first).c_str(), time_alone, one.second);
    }
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
}
