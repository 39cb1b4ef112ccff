// One step of a small transformer layer with a context of 48 positions: a plain loop, Eigen, ours with shapes that are
// known at run time, and ours with static ones. Width W, 4 heads, hidden 4 W; all on one thread.
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <Eigen/Core>

#include <tokenworks/core/tensor.hpp>
#include <tokenworks/kernels/activation.hpp>
#include <tokenworks/kernels/attention.hpp>
#include <tokenworks/kernels/matmul.hpp>
#include <tokenworks/kernels/rms_norm.hpp>

#include "../operands.hpp"

namespace {

namespace tw = tokenworks;
using tw::dyn;

constexpr std::size_t heads = 4;
constexpr std::size_t context = 48;
constexpr float epsilon = 1e-6F;

struct data {
    std::size_t width;
    std::vector<float> norm; // both norms
    std::vector<float> qkv;
    std::vector<float> output;
    std::vector<float> up;
    std::vector<float> down;
    std::vector<float> keys; // [context][heads][head width]
    std::vector<float> values;
    std::vector<float> x;
    std::vector<float> out;
    std::vector<float> scratch; // of the plain loop and of shapes known at run time

    explicit data(std::size_t w)
        : width{w},
          norm(w, 1.0F),
          qkv(scaled(3 * w * w, 1)),
          output(scaled(w * w, 2)),
          up(scaled(4 * w * w, 3)),
          down(scaled(4 * w * w, 4)),
          keys(bench::numbers(context * w, 5)),
          values(bench::numbers(context * w, 6)),
          x(bench::numbers(w, 7)),
          out(w),
          scratch(16 * w) {}

    [[nodiscard]] std::vector<float> scaled(std::size_t count, std::uint32_t seed) const {
        std::vector<float> numbers = bench::numbers(count, seed);
        for(float& value: numbers) {
            value /= std::sqrt(static_cast<float>(width));
        }
        return numbers;
    }
    [[nodiscard]] double operations() const {
        const auto w = static_cast<double>(width);
        return 2 * 12 * w * w + 4 * static_cast<double>(context) * w;
    }
};

void multiply(const float* w, const float* from, std::size_t rows, std::size_t columns, float* to) {
    for(std::size_t n = 0; n < rows; ++n) {
        float sum = 0.0F;
        for(std::size_t k = 0; k < columns; ++k) {
            sum += w[n * columns + k] * from[k];
        }
        to[n] = sum;
    }
}

void normalize(const float* x, const float* weights, std::size_t width, float* to) {
    float squares = 0.0F;
    for(std::size_t i = 0; i < width; ++i) {
        squares += x[i] * x[i];
    }
    const float factor = 1.0F / std::sqrt(squares / static_cast<float>(width) + epsilon);
    for(std::size_t i = 0; i < width; ++i) {
        to[i] = x[i] * factor * weights[i];
    }
}

void plain(data& d) {
    const std::size_t w = d.width;
    const std::size_t head = w / heads;
    float* const normed = d.scratch.data();
    float* const projected = normed + w;
    float* const mixed = projected + 3 * w;
    float* const raised = mixed + w;
    normalize(d.x.data(), d.norm.data(), w, normed);
    multiply(d.qkv.data(), normed, 3 * w, w, projected);
    std::copy_n(projected + w, w, d.keys.data() + (context - 1) * w);
    std::copy_n(projected + 2 * w, w, d.values.data() + (context - 1) * w);
    for(std::size_t h = 0; h < heads; ++h) {
        float score[context];
        float most = -1e30F;
        for(std::size_t s = 0; s < context; ++s) {
            score[s] = 0.0F;
            for(std::size_t i = 0; i < head; ++i) {
                score[s] += projected[h * head + i] * d.keys[s * w + h * head + i];
            }
            score[s] /= std::sqrt(static_cast<float>(head));
            most = std::max(most, score[s]);
        }
        float sum = 0.0F;
        for(float& each: score) {
            each = std::exp(each - most);
            sum += each;
        }
        for(std::size_t i = 0; i < head; ++i) {
            float total = 0.0F;
            for(std::size_t s = 0; s < context; ++s) {
                total += score[s] * d.values[s * w + h * head + i];
            }
            mixed[h * head + i] = total / sum;
        }
    }
    multiply(d.output.data(), mixed, w, w, d.out.data());
    for(std::size_t i = 0; i < w; ++i) {
        d.out[i] += d.x[i];
    }
    normalize(d.out.data(), d.norm.data(), w, normed);
    multiply(d.up.data(), normed, 4 * w, w, raised);
    for(std::size_t i = 0; i < 4 * w; ++i) {
        raised[i] = raised[i] / (1.0F + std::exp(-raised[i]));
    }
    multiply(d.down.data(), raised, w, 4 * w, normed);
    for(std::size_t i = 0; i < w; ++i) {
        d.out[i] += normed[i];
    }
}

void eigen(data& d) {
    using matrix = Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;
    using row = Eigen::Map<Eigen::VectorXf>;
    const auto w = static_cast<Eigen::Index>(d.width);
    const Eigen::Index head = w / static_cast<Eigen::Index>(heads);
    const auto sized = static_cast<Eigen::Index>(context);
    row x{d.x.data(), w};
    row out{d.out.data(), w};
    row normed{d.scratch.data(), w};
    row projected{d.scratch.data() + w, 3 * w};
    row mixed{d.scratch.data() + 4 * w, w};
    row raised{d.scratch.data() + 5 * w, 4 * w};
    const row norm{d.norm.data(), w};
    const auto normalized = [&](const row& from) {
        normed.array() = from.array() / std::sqrt(from.squaredNorm() / static_cast<float>(w) + epsilon) * norm.array();
    };
    normalized(x);
    projected.noalias() = matrix{d.qkv.data(), 3 * w, w} * normed;
    row{d.keys.data() + (sized - 1) * w, w} = projected.segment(w, w);
    row{d.values.data() + (sized - 1) * w, w} = projected.segment(2 * w, w);
    const matrix keys{d.keys.data(), sized, w};
    const matrix values{d.values.data(), sized, w};
    for(Eigen::Index h = 0; h < w; h += head) {
        Eigen::Matrix<float, static_cast<int>(context), 1> score;
        score.noalias() = keys.middleCols(h, head) * projected.segment(h, head);
        score.array() = ((score.array() - score.maxCoeff()) / std::sqrt(static_cast<float>(head))).exp();
        mixed.segment(h, head).noalias() = values.middleCols(h, head).transpose() * score;
        mixed.segment(h, head) /= score.sum();
    }
    out.noalias() = matrix{d.output.data(), w, w} * mixed;
    out += x;
    normalized(out);
    raised.noalias() = matrix{d.up.data(), 4 * w, w} * normed;
    raised.array() = raised.array() / ((-raised.array()).exp() + 1.0F);
    out.noalias() += matrix{d.down.data(), w, 4 * w} * raised;
}

/// The step on views of any extents, static or not.
template <std::size_t W, std::size_t W3, std::size_t W4, std::size_t Head>
void step(data& d, const tw::execution& how, float* normed_at, float* projected_at, float* mixed_at, float* raised_at) {
    using namespace tw::kernels;
    const std::size_t w = d.width;
    const auto matrix = [&]<std::size_t R, std::size_t C>(const std::vector<float>& at, std::size_t r, std::size_t c) {
        if constexpr(W == dyn) {
            return tw::view<const float, dyn, dyn>{at.data(), r, c};
        } else {
            return tw::view<const float, R, C>{at.data()};
        }
    };
    const auto in_heads = [&]<class T, std::size_t T0>(T* at) {
        if constexpr(W == dyn) {
            return tw::view<T, T0, heads, dyn>{at, T0, heads, w / heads};
        } else {
            return tw::view<T, T0, heads, Head>{at};
        }
    };
    const auto row = [&]<std::size_t N>(float* at, std::size_t n) {
        if constexpr(W == dyn) {
            return tw::view<float, 1, dyn>{at, 1, n};
        } else {
            return tw::view<float, 1, N>{at};
        }
    };
    const auto x = row.template operator()<W>(d.x.data(), w);
    const auto out = row.template operator()<W>(d.out.data(), w);
    const auto normed = row.template operator()<W>(normed_at, w);
    const auto mixed = row.template operator()<W>(mixed_at, w);
    const auto projected = row.template operator()<W3>(projected_at, 3 * w);
    const auto raised = row.template operator()<W4>(raised_at, 4 * w);
    rms_norm(x, d.norm, normed, {.epsilon = epsilon}, how);
    matmul(normed, matrix.template operator()<W3, W>(d.qkv, 3 * w, w), projected, {}, how);
    std::copy_n(projected_at + w, w, d.keys.data() + (context - 1) * w);
    std::copy_n(projected_at + 2 * w, w, d.values.data() + (context - 1) * w);
    attention(in_heads.template operator()<const float, 1>(projected_at),
              in_heads.template operator()<const float, context>(d.keys.data()),
              in_heads.template operator()<const float, context>(d.values.data()),
              {.causal = true, .start = context - 1}, in_heads.template operator()<float, 1>(mixed_at), how);
    std::copy_n(d.x.data(), w, d.out.data());
    matmul(mixed, matrix.template operator()<W, W>(d.output, w, w), out, {.add = true}, how);
    rms_norm(out, d.norm, normed, {.epsilon = epsilon}, how);
    matmul(normed, matrix.template operator()<W4, W>(d.up, 4 * w, w), raised, {}, how);
    activate(silu{}, raised, raised, how);
    matmul(raised, matrix.template operator()<W, W4>(d.down, w, 4 * w), out, {.add = true}, how);
}

void with_dynamic_shapes(data& d, const tw::execution& how) {
    const std::size_t w = d.width;
    float* const at = d.scratch.data();
    step<dyn, dyn, dyn, dyn>(d, how, at, at + w, at + 4 * w, at + 5 * w);
}

template <std::size_t W>
void with_static_shapes(data& d, const tw::execution& how) {
    float normed[W];
    float projected[3 * W];
    float mixed[W];
    float raised[4 * W];
    step<W, 3 * W, 4 * W, W / heads>(d, how, normed, projected, mixed, raised);
}

template <std::size_t W>
void add() {
    const std::string name = "layer/W=" + std::to_string(W);
    const auto time = [](auto body) {
        return [body](benchmark::State& state) {
            bench::time_checked(
                state, "op/s", data{W}.operations(), [] { return data{W}; }, plain, body);
        };
    };
    benchmark::RegisterBenchmark((name + "/plain").c_str(), time(plain));
    benchmark::RegisterBenchmark((name + "/eigen").c_str(), time(eigen));
    for(const tw::isa set: tw::all_isas) {
        if(tw::is_supported(set)) {
            const tw::execution how{set, nullptr};
            const std::string isa_name{tw::name(set)};
            benchmark::RegisterBenchmark((name + "/dynamic/" + isa_name).c_str(),
                                         time([how](data& d) { with_dynamic_shapes(d, how); }));
            benchmark::RegisterBenchmark((name + "/static/" + isa_name).c_str(),
                                         time([how](data& d) { with_static_shapes<W>(d, how); }));
        }
    }
}

} // namespace

int main(int argc, char** argv) {
    add<16>();
    add<32>();
    add<64>();
    add<128>();
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
}
