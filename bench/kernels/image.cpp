// The kernels of image networks at the size of VQ-16's middle: a 3 x 3 convolution of 32 x 32 pixels with 256 channels,
// and a group norm of them. Plain loops, ours. Reports FLOP/s, and bytes read and written.
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include <benchmark/benchmark.h>

#include <tokenworks/kernels/convolution.hpp>
#include <tokenworks/kernels/group_norm.hpp>

#include "../operands.hpp"

namespace tw = tokenworks;
using tw::dyn;

namespace {

constexpr std::size_t side = 32;
constexpr std::size_t channels = 256;
constexpr std::size_t pixels = side * side;
constexpr std::size_t length = 9 * channels;
constexpr std::size_t groups = 32;
constexpr double operations = 2.0 * pixels * channels * length;
constexpr double bytes = 2.0 * pixels * channels * sizeof(float);
constexpr std::size_t patch_rows = 113; // about a megabyte of windows

struct data {
    std::vector<float> x = bench::numbers(pixels * channels, 1);
    std::vector<float> w = bench::numbers(channels * length, 2);
    std::vector<float> weight = bench::numbers(channels, 3);
    tw::kernels::packed_matrix packed =
        tw::kernels::pack(tw::dtype::f32, std::as_bytes(std::span{w}), channels, length);
    std::vector<float> patches = std::vector<float>(patch_rows * length);
    std::vector<float> scratch = std::vector<float>(tw::kernels::group_norm_scratch_size(pixels, channels));
    std::vector<float> out = std::vector<float>(pixels * channels);
};

void plain_convolution(data& d) {
    for(std::size_t y = 0; y < side; ++y) {
        for(std::size_t x = 0; x < side; ++x) {
            float* const out = d.out.data() + (y * side + x) * channels;
            for(std::size_t n = 0; n < channels; ++n) {
                float sum = 0;
                for(std::size_t i = 0; i < 3; ++i) {
                    for(std::size_t j = 0; j < 3; ++j) {
                        if(y + i < 1 || y + i > side || x + j < 1 || x + j > side) {
                            continue;
                        }
                        const float* const from = d.x.data() + ((y + i - 1) * side + x + j - 1) * channels;
                        const float* const w = d.w.data() + n * length + (i * 3 + j) * channels;
                        for(std::size_t c = 0; c < channels; ++c) {
                            sum += from[c] * w[c];
                        }
                    }
                }
                out[n] = sum;
            }
        }
    }
}

void own_convolution(data& d, const tw::execution& how) {
    tw::kernels::convolution(tw::kernels::const_pixel_view{d.x.data(), side, side, channels}, d.packed,
                             {.height = 3, .width = 3, .top = 1, .left = 1, .bottom = 1, .right = 1},
                             tw::view<float, dyn, dyn>{d.patches.data(), patch_rows, length},
                             tw::kernels::pixel_view{d.out.data(), side, side, channels}, {}, how);
}

void plain_group_norm(data& d) {
    constexpr std::size_t width = channels / groups;
    for(std::size_t g = 0; g < groups; ++g) {
        double mean = 0;
        double squares = 0;
        for(std::size_t p = 0; p < pixels; ++p) {
            for(std::size_t c = g * width; c < (g + 1) * width; ++c) {
                mean += static_cast<double>(d.x[p * channels + c]);
            }
        }
        mean /= pixels * width;
        for(std::size_t p = 0; p < pixels; ++p) {
            for(std::size_t c = g * width; c < (g + 1) * width; ++c) {
                squares += std::pow(static_cast<double>(d.x[p * channels + c]) - mean, 2);
            }
        }
        const double scale = 1 / std::sqrt(squares / (pixels * width) + 1e-6);
        for(std::size_t p = 0; p < pixels; ++p) {
            for(std::size_t c = g * width; c < (g + 1) * width; ++c) {
                const double unit = (static_cast<double>(d.x[p * channels + c]) - mean) * scale;
                d.out[p * channels + c] =
                    static_cast<float>(unit * static_cast<double>(d.weight[c]) + static_cast<double>(d.weight[c]));
            }
        }
    }
}

void own_group_norm(data& d, const tw::execution& how) {
    const tw::view<const float, dyn> weight{d.weight};
    tw::kernels::group_norm(tw::view<const float, dyn, dyn>{d.x.data(), pixels, channels}, weight, weight, d.scratch,
                            tw::view<float, dyn, dyn>{d.out.data(), pixels, channels}, {.groups = groups}, how);
}

template <class Body>
void time(benchmark::State& state, const char* unit, double amount, void (*plain)(data&), Body body) {
    bench::time_checked(
        state, unit, amount, [] { return data{}; }, plain, body);
}

} // namespace

int main(int argc, char** argv) {
    benchmark::RegisterBenchmark("convolution/plain", [](benchmark::State& s) {
        time(s, "FLOP/s", operations, plain_convolution, plain_convolution);
    });
    bench::for_each_execution("convolution", [](benchmark::State& s, const tw::execution& how) {
        time(s, "FLOP/s", operations, plain_convolution, [&](data& d) { own_convolution(d, how); });
    });
    benchmark::RegisterBenchmark(
        "group_norm/plain", [](benchmark::State& s) { time(s, "bytes/s", bytes, plain_group_norm, plain_group_norm); });
    bench::for_each_execution("group_norm", [](benchmark::State& s, const tw::execution& how) {
        time(s, "bytes/s", bytes, plain_group_norm, [&](data& d) { own_group_norm(d, how); });
    });
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
}
