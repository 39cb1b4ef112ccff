// Embedding lookup of 512 rows from a table of Llama's size: a plain loop, Eigen, ours for each type. Reports values a
// second.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <tokenworks/core/eigen.hpp>
#include <tokenworks/core/float16.hpp>
#include <tokenworks/kernels/embed.hpp>

#include "../operands.hpp"

namespace tw = tokenworks;

namespace {

constexpr std::size_t vocabulary = 32000;
constexpr std::size_t width = 1024;
constexpr std::size_t tokens = 512;

template <class T>
struct data {
    std::vector<T> table;
    std::vector<std::int32_t> ids;
    std::vector<float> out = std::vector<float>(tokens * width);

    data() : table(vocabulary * width), ids(tokens) {
        const std::vector<float> values = bench::numbers(table.size(), 1);
        for(std::size_t i = 0; i < values.size(); ++i) {
            table[i] = T(values[i]);
        }
        for(std::size_t t = 0; t < tokens; ++t) { // scattered over the table
            ids[t] = static_cast<std::int32_t>(t * 7919 % vocabulary);
        }
    }
};

template <class T>
void plain(data<T>& d) {
    for(std::size_t t = 0; t < tokens; ++t) {
        for(std::size_t c = 0; c < width; ++c) {
            d.out[t * width + c] = static_cast<float>(d.table[static_cast<std::size_t>(d.ids[t]) * width + c]);
        }
    }
}

void eigen(data<float>& d) {
    using rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const Eigen::Map<const rows> table{d.table.data(), vocabulary, width};
    Eigen::Map<rows> out{d.out.data(), tokens, width};
    for(std::size_t t = 0; t < tokens; ++t) {
        out.row(static_cast<Eigen::Index>(t)) = table.row(d.ids[t]);
    }
}

template <class T, class Body>
void time(benchmark::State& state, Body body) {
    bench::time_checked(
        state, "values/s", tokens * width, [] { return data<T>{}; }, plain<T>, body);
}

template <class T>
void ours(const std::string& type) {
    benchmark::RegisterBenchmark(("embed/" + type + "/plain").c_str(),
                                 [](benchmark::State& s) { time<T>(s, [](data<T>& d) { plain(d); }); });
    bench::for_each_execution("embed/" + type, [](benchmark::State& s, const tw::execution& how) {
        time<T>(s, [&](data<T>& d) {
            const tw::view<const T, tw::dyn, tw::dyn> table{d.table, vocabulary, width};
            const tw::view<float, tw::dyn, tw::dyn> out{d.out, tokens, width};
            tw::kernels::embed(table, tw::view<const std::int32_t, tw::dyn>{d.ids}, out, 1.0F, how);
        });
    });
}

} // namespace

int main(int argc, char** argv) {
    benchmark::RegisterBenchmark("embed/f32/eigen", [](benchmark::State& s) { time<float>(s, eigen); });
    ours<float>("f32");
    ours<tw::f16>("f16");
    ours<tw::bf16>("bf16");
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
}
