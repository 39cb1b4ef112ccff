// Rotary embedding of SmolLM2's queries (9 heads of 64) for 512 tokens, both pairings: a plain loop over the cached
// cosines and sines, ours; and the filling of that cache. Reports values a second.
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <tokenworks/kernels/rope.hpp>

#include "../operands.hpp"

namespace tw = tokenworks;
using tw::dyn;
using tw::kernels::rope_pairing;

namespace {

constexpr std::size_t tokens = 512;
constexpr std::size_t heads = 9;
constexpr std::size_t width = 64;

struct data {
    explicit data(rope_pairing pairing) : table{{.width = width, .pairing = pairing}} {
        std::iota(positions.begin(), positions.end(), 0);
        fill();
    }
    void fill() { tw::kernels::rope_angles(positions, table, angles(cosines), angles(sines)); }
    [[nodiscard]] static tw::view<float, dyn, dyn> angles(std::vector<float>& of) {
        return {of.data(), tw::dims<2>{tokens, width / 2}};
    }

    tw::kernels::rope_table table;
    std::vector<std::int32_t> positions = std::vector<std::int32_t>(tokens);
    std::vector<float> cosines = std::vector<float>(tokens * width / 2);
    std::vector<float> sines = std::vector<float>(tokens * width / 2);
    std::vector<float> x = bench::numbers(tokens * heads * width, 1);
    std::vector<float> out = std::vector<float>(x.size());
};

void plain(data& d) {
    const bool halves = d.table.pairing() == rope_pairing::halves;
    const std::size_t step = halves ? 1 : 2;
    const std::size_t distance = halves ? width / 2 : 1;
    for(std::size_t t = 0; t < tokens; ++t) {
        for(std::size_t h = 0; h < heads; ++h) {
            const float* x = d.x.data() + (t * heads + h) * width;
            float* out = d.out.data() + (t * heads + h) * width;
            for(std::size_t i = 0; i < width / 2; ++i) {
                const float c = d.cosines[t * width / 2 + i];
                const float s = d.sines[t * width / 2 + i];
                const float a = x[i * step];
                const float b = x[i * step + distance];
                out[i * step] = a * c - b * s;
                out[i * step + distance] = b * c + a * s;
            }
        }
    }
}

template <class Body>
void time(benchmark::State& state, rope_pairing pairing, Body body) {
    bench::time_checked(
        state, "values/s", tokens * heads * width, [=] { return data{pairing}; }, plain, body);
}

void time_angles(benchmark::State& state) {
    data d{rope_pairing::halves};
    for(auto _: state) {
        d.fill();
        benchmark::DoNotOptimize(d.cosines.data());
        benchmark::ClobberMemory();
    }
    bench::report(state, "pairs/s", tokens * width / 2);
}

} // namespace

int main(int argc, char** argv) {
    for(const rope_pairing pairing: {rope_pairing::halves, rope_pairing::interleaved}) {
        const std::string name = pairing == rope_pairing::halves ? "rope/halves" : "rope/interleaved";
        benchmark::RegisterBenchmark((name + "/plain").c_str(), [=](benchmark::State& s) { time(s, pairing, plain); });
        bench::for_each_execution(name, [=](benchmark::State& s, const tw::execution& how) {
            time(s, pairing, [&](data& d) {
                const tw::dims<3> shape{tokens, heads, width};
                tw::kernels::rope(tw::view<const float, dyn, dyn, dyn>{d.x.data(), shape}, data::angles(d.cosines),
                                  data::angles(d.sines), pairing, tw::view<float, dyn, dyn, dyn>{d.out.data(), shape},
                                  how);
            });
        });
    }
    benchmark::RegisterBenchmark("rope_angles", time_angles);
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
}
