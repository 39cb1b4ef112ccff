// RMS and layer normalisation of 512 rows of SmolLM2's width: a plain loop, Eigen, ours. Reports bytes read and
// written.
#include <cmath>
#include <cstddef>
#include <vector>

#include <benchmark/benchmark.h>

#include <tokenworks/core/eigen.hpp>
#include <tokenworks/kernels/layer_norm.hpp>
#include <tokenworks/kernels/rms_norm.hpp>

#include "../operands.hpp"

namespace tw = tokenworks;
using tw::dyn;

namespace {

constexpr std::size_t rows = 512;
constexpr std::size_t width = 576;
constexpr float epsilon = 1e-5F;
constexpr double bytes = 2.0 * rows * width * sizeof(float);

struct data {
    std::vector<float> x = bench::numbers(rows * width, 1);
    std::vector<float> weight = bench::numbers(width, 2);
    std::vector<float> bias = bench::numbers(width, 3);
    std::vector<float> out = std::vector<float>(rows * width);

    [[nodiscard]] tw::view<const float, dyn, dyn> from() const { return {x.data(), tw::dims<2>{rows, width}}; }
    [[nodiscard]] tw::view<float, dyn, dyn> to() { return {out.data(), tw::dims<2>{rows, width}}; }
};

void plain_rms(data& d) {
    for(std::size_t t = 0; t < rows; ++t) {
        const float* x = d.x.data() + t * width;
        float sum = 0;
        for(std::size_t c = 0; c < width; ++c) {
            sum += x[c] * x[c];
        }
        const float scale = 1.0F / std::sqrt(sum / static_cast<float>(width) + epsilon);
        for(std::size_t c = 0; c < width; ++c) {
            d.out[t * width + c] = x[c] * scale * d.weight[c];
        }
    }
}

void plain_layer(data& d) {
    for(std::size_t t = 0; t < rows; ++t) {
        const float* x = d.x.data() + t * width;
        float mean = 0;
        for(std::size_t c = 0; c < width; ++c) {
            mean += x[c];
        }
        mean /= static_cast<float>(width);
        float variance = 0;
        for(std::size_t c = 0; c < width; ++c) {
            variance += (x[c] - mean) * (x[c] - mean);
        }
        const float scale = 1.0F / std::sqrt(variance / static_cast<float>(width) + epsilon);
        for(std::size_t c = 0; c < width; ++c) {
            d.out[t * width + c] = (x[c] - mean) * scale * d.weight[c] + d.bias[c];
        }
    }
}

template <class Body>
void time(benchmark::State& state, void (*plain)(data&), Body body) {
    bench::time_checked(
        state, "bytes/s", bytes, [] { return data{}; }, plain, body);
}

void eigen_rms(data& d) {
    using matrix = Eigen::Array<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const Eigen::Map<const matrix> x{d.x.data(), rows, width};
    const Eigen::Map<const Eigen::Array<float, 1, Eigen::Dynamic>> weight{d.weight.data(), width};
    Eigen::Map<matrix> out{d.out.data(), rows, width};
    for(Eigen::Index t = 0; t < x.rows(); ++t) {
        const float scale = 1.0F / std::sqrt(x.row(t).square().mean() + epsilon);
        out.row(t) = x.row(t) * scale * weight;
    }
}

} // namespace

int main(int argc, char** argv) {
    benchmark::RegisterBenchmark("rms_norm/plain", [](benchmark::State& s) { time(s, plain_rms, plain_rms); });
    benchmark::RegisterBenchmark("rms_norm/eigen", [](benchmark::State& s) { time(s, plain_rms, eigen_rms); });
    bench::for_each_execution("rms_norm", [](benchmark::State& s, const tw::execution& how) {
        time(s, plain_rms,
             [&](data& d) { tw::kernels::rms_norm(d.from(), d.weight, d.to(), {.epsilon = epsilon}, how); });
    });
    benchmark::RegisterBenchmark("layer_norm/plain", [](benchmark::State& s) { time(s, plain_layer, plain_layer); });
    bench::for_each_execution("layer_norm", [](benchmark::State& s, const tw::execution& how) {
        time(s, plain_layer,
             [&](data& d) { tw::kernels::layer_norm(d.from(), d.weight, d.bias, d.to(), {.epsilon = epsilon}, how); });
    });
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
}
