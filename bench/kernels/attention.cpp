// Attention with SmolLM2's heads (9 queries, 3 keys, width 64): a prompt of 512 tokens, and one token after 512 and
// 4096. A plain loop, Eigen (scores as a matrix, head by head), and ours for every storage of keys and values. Reports
// floating-point operations a second for the prompt, and bytes of keys and values a second for the token.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <tokenworks/core/eigen.hpp>
#include <tokenworks/kernels/attention.hpp>
#include <tokenworks/kernels/key_blocks.hpp>
#include <tokenworks/quant/encode_legacy.hpp>

#include "../operands.hpp"

namespace tw = tokenworks;
using tw::dyn;
using tw::f16;
using tw::kernels::key_blocks;
using tw::quant::q4_0;
using tw::quant::q8_0;

namespace {

constexpr std::size_t heads = 9;
constexpr std::size_t groups = 3;
constexpr std::size_t width = 64;

/// Keys and values lie head by head, [G][S][D], as a cache has them.
template <class T>
struct storage {
    static constexpr std::size_t each = key_blocks<T>::values_each;
    std::size_t keys;
    std::vector<T> k;
    std::vector<T> v;
    std::vector<typename key_blocks<T>::plain_storage> blocks;

    storage(std::size_t count, const std::vector<float>& wide_k, const std::vector<float>& wide_v)
        : keys{count}, k{narrow(wide_k)}, v{narrow(wide_v)}, blocks(key_blocks<T>::storage_size(groups, count, width)) {
        tw::kernels::store_keys(tw::strided_view<const float, dyn, dyn, dyn>{wide_k.data(),
                                                                             tw::dims<3>{count, groups, width},
                                                                             {width, count * width, 1}},
                                0, key_blocks<T>{blocks.data(), groups, count, width});
    }
    static std::vector<T> narrow(const std::vector<float>& wide) {
        std::vector<T> out(wide.size() / each);
        for(std::size_t i = 0; i < out.size(); ++i) {
            if constexpr(each != 1) {
                tw::quant::encode(wide.data() + i * each, out[i]);
            } else {
                out[i] = T(wide[i]);
            }
        }
        return out;
    }
    [[nodiscard]] tw::strided_view<const T, dyn, dyn, dyn> rows(const std::vector<T>& of) const {
        return {of.data(), tw::dims<3>{keys, groups, width / each}, {width / each, keys * width / each, 1}};
    }
    [[nodiscard]] key_blocks<const T> turned() const { return {blocks.data(), groups, keys, width}; }
};

struct data {
    std::size_t queries;
    std::size_t keys;
    std::vector<float> q = bench::numbers(queries * heads * width, 1);
    std::vector<float> k = bench::numbers(keys * groups * width, 2);
    std::vector<float> v = bench::numbers(keys * groups * width, 3);
    std::vector<float> out = std::vector<float>(q.size());

    [[nodiscard]] tw::kernels::attention_options options() const { return {.causal = true, .start = keys - queries}; }
    [[nodiscard]] tw::view<const float, dyn, dyn, dyn> from() const {
        return {q.data(), tw::dims<3>{queries, heads, width}};
    }
    [[nodiscard]] tw::view<float, dyn, dyn, dyn> to() { return {out.data(), tw::dims<3>{queries, heads, width}}; }
    [[nodiscard]] double operations() const {
        const auto seen =
            static_cast<double>(queries) * (static_cast<double>(keys) - (static_cast<double>(queries) - 1) / 2);
        return seen * heads * width * 4;
    }
};

void plain(data& d) {
    std::vector<float> scores(d.keys);
    const float scale = 1.0F / std::sqrt(static_cast<float>(width));
    for(std::size_t t = 0; t < d.queries; ++t) {
        for(std::size_t h = 0; h < heads; ++h) {
            const std::size_t g = h / (heads / groups);
            const float* q = d.q.data() + (t * heads + h) * width;
            const std::size_t seen = d.keys - d.queries + t + 1;
            float most = -INFINITY;
            for(std::size_t s = 0; s < seen; ++s) {
                scores[s] = 0;
                for(std::size_t i = 0; i < width; ++i) {
                    scores[s] += q[i] * d.k[(g * d.keys + s) * width + i];
                }
                scores[s] *= scale;
                most = std::max(most, scores[s]);
            }
            float* out = d.out.data() + (t * heads + h) * width;
            std::fill_n(out, width, 0.0F);
            float sum = 0;
            for(std::size_t s = 0; s < seen; ++s) {
                const float weight = std::exp(scores[s] - most);
                sum += weight;
                for(std::size_t i = 0; i < width; ++i) {
                    out[i] += weight * d.v[(g * d.keys + s) * width + i];
                }
            }
            for(std::size_t i = 0; i < width; ++i) {
                out[i] /= sum;
            }
        }
    }
}

void eigen(data& d) {
    using matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    using rows_of_heads = Eigen::Map<const matrix, 0, Eigen::OuterStride<>>;
    const auto count = static_cast<Eigen::Index>(d.queries);
    const auto seen = static_cast<Eigen::Index>(d.keys);
    const float scale = 1.0F / std::sqrt(static_cast<float>(width));
    for(std::size_t h = 0; h < heads; ++h) {
        const std::size_t g = h / (heads / groups);
        const rows_of_heads q{d.q.data() + h * width, count, width, Eigen::OuterStride<>{heads * width}};
        const Eigen::Map<const matrix> k{d.k.data() + g * d.keys * width, seen, width};
        const Eigen::Map<const matrix> v{d.v.data() + g * d.keys * width, seen, width};
        matrix scores = q * k.transpose() * scale;
        for(Eigen::Index t = 0; t < count; ++t) {
            auto row = scores.row(t);
            row.tail(count - 1 - t).setConstant(-INFINITY);
            row = (row.array() - row.maxCoeff()).exp().matrix();
            row /= row.sum();
        }
        Eigen::Map<matrix, 0, Eigen::OuterStride<>> out{d.out.data() + h * width, count, width,
                                                        Eigen::OuterStride<>{heads * width}};
        out.noalias() = scores * v;
    }
}

/// @param tolerated  the result may differ, as keys and values are rounded
template <class Body>
void time(benchmark::State& state, data& actual, bool tolerated, double bytes, Body body) {
    data expected{actual.queries, actual.keys};
    plain(expected);
    body(actual);
    if(!tolerated && !bench::agree(state, expected.out, actual.out)) {
        return;
    }
    for(auto _: state) {
        body(actual);
        benchmark::DoNotOptimize(actual.out.data());
        benchmark::ClobberMemory();
    }
    bench::report(state, "flop/s", actual.operations());
    if(actual.queries == 1) {
        bench::report(state, "bytes/s", bytes);
    }
}

template <class T>
void add(const std::string& shape, const std::string& type, std::size_t queries, std::size_t keys) {
    const auto run = [=](benchmark::State& state, const tw::execution& how, bool turned) {
        data d{queries, keys};
        const storage<T> memory{keys, d.k, d.v};
        const double bytes = 2.0 * static_cast<double>(memory.k.size() * sizeof(T));
        time(state, d, !std::is_same_v<T, float>, bytes, [&](data& of) {
            if(turned) {
                tw::kernels::attention(of.from(), memory.turned(), memory.rows(memory.v), of.options(), of.to(), how);
            } else {
                tw::kernels::attention(of.from(), memory.rows(memory.k), memory.rows(memory.v), of.options(), of.to(),
                                       how);
            }
        });
    };
    for(const bool turned: {false, true}) {
        bench::for_each_execution(shape + "/" + type + (turned ? "_blocks" : "_rows"),
                                  [=](benchmark::State& s, const tw::execution& how) { run(s, how, turned); });
    }
}

} // namespace

int main(int argc, char** argv) {
    struct shape {
        const char* name;
        std::size_t queries;
        std::size_t keys;
    };
    for(const shape& of: {shape{"prompt_512", 512, 512}, {"token_512", 1, 512}, {"token_4096", 1, 4096}}) {
        const std::string name = of.name;
        const std::size_t queries = of.queries;
        const std::size_t keys = of.keys;
        const auto baseline = [=](void (*body)(data&)) {
            return [=](benchmark::State& state) {
                data d{queries, keys};
                time(state, d, false, 2.0 * sizeof(float) * groups * width * static_cast<double>(keys), body);
            };
        };
        benchmark::RegisterBenchmark((name + "/plain").c_str(), baseline(plain));
        benchmark::RegisterBenchmark((name + "/eigen").c_str(), baseline(eigen));
        add<float>(name, "f32", queries, keys);
        add<f16>(name, "f16", queries, keys);
        add<q8_0>(name, "q8_0", queries, keys);
        add<q4_0>(name, "q4_0", queries, keys);
    }
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
}
