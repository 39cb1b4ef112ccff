// Copying views: contiguous against memcpy, slices and transposes against raw loops and Eigen.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <benchmark/benchmark.h>

#include <tokenworks/core/eigen.hpp>
#include <tokenworks/core/tensor.hpp>

namespace tw = tokenworks;
using tw::dyn;

namespace {

constexpr std::size_t rows = 512;
constexpr std::size_t columns = 576; // the width of SmolLM2-135M

struct matrices {
    tw::tensor_of<float, dyn, dyn> from{rows, columns};
    tw::tensor_of<float, dyn, dyn> to{rows, columns};
    tw::tensor_of<float, dyn, dyn> turned{columns, rows};

    matrices() {
        float next = 0;
        for(float& x: from.as_span()) {
            x = next++;
        }
    }
};

template <class Copy, class Check>
void measure(benchmark::State& state, Copy copy, Check check, std::size_t elements = rows * columns) {
    matrices m;
    copy(m);
    for(std::size_t i = 0; i < rows; ++i) {
        for(std::size_t j = 0; j < columns; ++j) {
            if(!check(m, i, j)) {
                state.SkipWithError("copied wrong");
                return;
            }
        }
    }
    for(auto _: state) {
        copy(m);
        benchmark::ClobberMemory();
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(2 * elements * sizeof(float)));
}

const auto same = [](const matrices& m, std::size_t i, std::size_t j) { return m.to(i, j) == m.from(i, j); };
const auto half = [](const matrices& m, std::size_t i, std::size_t j) {
    return m.to(i, j) == (j < columns / 2 ? 0 : m.from(i, j - columns / 2));
};
const auto turned = [](const matrices& m, std::size_t i, std::size_t j) { return m.turned(j, i) == m.from(i, j); };

} // namespace

BENCHMARK_CAPTURE(
    measure, memcpy, [](matrices& m) { std::memcpy(m.to.data(), m.from.data(), m.from.size() * sizeof(float)); }, same);
BENCHMARK_CAPTURE(
    measure, contiguous, [](matrices& m) { tw::copy(m.from.cview(), m.to.view()); }, same);
BENCHMARK_CAPTURE(
    measure, half_of_each_row,
    [](matrices& m) {
        tw::copy(m.from.cview().slice<1>(0, columns / 2), m.to.view().slice<1>(columns / 2, columns / 2));
    },
    half, rows* columns / 2);
BENCHMARK_CAPTURE(
    measure, transpose_raw_loop,
    [](matrices& m) {
        for(std::size_t j = 0; j < columns; ++j) {
            for(std::size_t i = 0; i < rows; ++i) {
                m.turned.data()[j * rows + i] = m.from.data()[i * columns + j];
            }
        }
    },
    turned);
BENCHMARK_CAPTURE(
    measure, transpose, [](matrices& m) { tw::copy(m.from.cview().transpose(), m.turned.view()); }, turned);
BENCHMARK_CAPTURE(
    measure, transpose_eigen,
    [](matrices& m) { tw::as_eigen(m.turned.view()).noalias() = tw::as_eigen(m.from.cview()).transpose(); }, turned);
