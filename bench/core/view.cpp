// What a view costs over a raw loop: the same sums by index, by rows, over static and dynamic shapes, and through
// Eigen. Every way must give the raw loop's bits before it is timed.
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include <benchmark/benchmark.h>

#include <tokenworks/core/eigen.hpp>
#include <tokenworks/core/view.hpp>

namespace tw = tokenworks;
using tw::dyn;

namespace {

constexpr std::size_t tokens = 512;
constexpr std::size_t heads = 8;
constexpr std::size_t width = 64;

const std::vector<float>& memory() {
    static const std::vector<float> values = [] {
        std::vector<float> out(tokens * heads * width);
        std::iota(out.begin(), out.end(), 1.0F);
        return out;
    }();
    return values;
}

// Each adds up every head on its own and then the heads, so that all have one order of sums. noinline: the shape of a
// dynamic view must stay unknown.

[[gnu::noinline]] float raw_loop(const float* p, std::size_t t_count, std::size_t h_count, std::size_t d_count) {
    float total = 0;
    for(std::size_t t = 0; t < t_count; ++t) {
        for(std::size_t h = 0; h < h_count; ++h) {
            float sum = 0;
            for(std::size_t d = 0; d < d_count; ++d) {
                sum += p[(t * h_count + h) * d_count + d];
            }
            total += sum;
        }
    }
    return total;
}

template <class View>
[[gnu::noinline]] float by_index(View v) {
    float total = 0;
    for(std::size_t t = 0; t < v.extent(0); ++t) {
        for(std::size_t h = 0; h < v.extent(1); ++h) {
            float sum = 0;
            for(std::size_t d = 0; d < v.extent(2); ++d) {
                sum += v(t, h, d);
            }
            total += sum;
        }
    }
    return total;
}

template <class View>
[[gnu::noinline]] float by_rows(View v) {
    float total = 0;
    for(auto token: v.rows()) {
        for(auto head: token.rows()) {
            float sum = 0;
            for(const float x: head.as_span()) {
                sum += x;
            }
            total += sum;
        }
    }
    return total;
}

/// Eigen would add in another order; read by coefficient it keeps ours.
[[gnu::noinline]] float by_eigen(tw::view<const float, dyn, dyn> v) {
    const auto matrix = tw::as_eigen(v);
    float total = 0;
    for(Eigen::Index i = 0; i < matrix.rows(); ++i) {
        float sum = 0;
        for(Eigen::Index j = 0; j < matrix.cols(); ++j) {
            sum += matrix(i, j);
        }
        total += sum;
    }
    return total;
}

const tw::view<const float, dyn, dyn, dyn> dynamic{memory(), tokens, heads, width};

/// Sizes from the view, which the compiler does not know.
float reference() { return raw_loop(dynamic.data(), dynamic.extent(0), dynamic.extent(1), dynamic.extent(2)); }

template <class Sum>
void measure(benchmark::State& state, Sum sum) {
    if(sum() != reference()) {
        state.SkipWithError("differs from the raw loop");
        return;
    }
    for(auto _: state) {
        benchmark::DoNotOptimize(sum());
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(memory().size() * sizeof(float)));
}

const tw::view<const float, dyn, heads, width> fixed{memory(), tokens};
const tw::strided_view<const float, dyn, dyn, dyn> strided = dynamic;

} // namespace

BENCHMARK_CAPTURE(measure, raw_loop, [] { return reference(); });
BENCHMARK_CAPTURE(measure, index_dynamic, [] { return by_index(dynamic); });
BENCHMARK_CAPTURE(measure, index_static, [] { return by_index(fixed); });
BENCHMARK_CAPTURE(measure, index_strided, [] { return by_index(strided); });
BENCHMARK_CAPTURE(measure, rows_dynamic, [] { return by_rows(dynamic); });
BENCHMARK_CAPTURE(measure, rows_static, [] { return by_rows(fixed); });
BENCHMARK_CAPTURE(measure, eigen_coefficients, [] {
    return by_eigen(dynamic.reshape(tw::extents{tokens * heads, width}));
});
