// Products of the shapes of small language models: a plain loop, Eigen, ours for each type of weights.
//
// "int8 peak" and "read" time the machine itself: a product of many tokens compares with the first, of one token (which
// reads every weight once, from memory: the matrices together exceed the caches) with the second.
// Reports operations a second (two per weight and token) and bytes of weights a second.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <tokenworks/core/eigen.hpp>
#include <tokenworks/kernels/matmul.hpp>
#include <tokenworks/quant/convert.hpp>

#include "../operands.hpp"

namespace tw = tokenworks;

namespace {

struct shape {
    std::size_t outputs;
    std::size_t columns;
};
constexpr shape shapes[] = {{576, 576}, {1536, 576}, {49152, 576}, {2048, 5632}};
constexpr std::size_t token_counts[] = {1, 8, 64, 512};
constexpr tw::dtype types[] = {tw::dtype::q4_0, tw::dtype::q4_1, tw::dtype::q4_k, tw::dtype::q5_0, tw::dtype::q8_0,
                               tw::dtype::q6_k, tw::dtype::f32,  tw::dtype::f16,  tw::dtype::bf16};
constexpr std::size_t beyond_caches = std::size_t{128} << 20;

/// Random weights as a file of that type has them. Encoding some rows and repeating them is quick and does no harm.
std::vector<std::byte> weights(tw::dtype type, const shape& s) {
    const tw::dtype_info format = tw::info(type);
    const std::size_t row_bytes = s.columns / format.block_size * format.block_bytes;
    const std::size_t distinct = std::min<std::size_t>(s.outputs, 64);
    std::vector<std::byte> out(s.outputs * row_bytes);
    tw::quant::encode(type, bench::numbers(distinct * s.columns, 1), std::span{out}.first(distinct * row_bytes));
    for(std::size_t n = distinct; n < s.outputs; ++n) {
        std::copy_n(out.data() + n % distinct * row_bytes, row_bytes, out.data() + n * row_bytes);
    }
    return out;
}

std::vector<float> plain(const std::vector<float>& x, const std::vector<float>& w, std::size_t tokens, const shape& s) {
    std::vector<float> out(tokens * s.outputs);
    for(std::size_t t = 0; t < tokens; ++t) {
        for(std::size_t n = 0; n < s.outputs; ++n) {
            float sum = 0;
            for(std::size_t k = 0; k < s.columns; ++k) {
                sum += x[t * s.columns + k] * w[n * s.columns + k];
            }
            out[t * s.outputs + n] = sum;
        }
    }
    return out;
}

void report_product(benchmark::State& state, std::size_t tokens, const shape& s, std::size_t bytes) {
    bench::report(state, "op/s", 2.0 * static_cast<double>(tokens * s.outputs * s.columns));
    bench::report(state, "bytes/s", static_cast<double>(bytes));
}

void time_plain(benchmark::State& state, std::size_t tokens, const shape& s) {
    const auto x = bench::numbers(tokens * s.columns, 2);
    const auto w = bench::numbers(s.outputs * s.columns, 1);
    for(auto _: state) {
        benchmark::DoNotOptimize(plain(x, w, tokens, s));
    }
    report_product(state, tokens, s, w.size() * sizeof(float));
}

void time_eigen(benchmark::State& state, std::size_t tokens, const shape& s) {
    using matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const auto x = bench::numbers(tokens * s.columns, 2);
    const auto w = bench::numbers(s.outputs * s.columns, 1);
    const auto rows = static_cast<Eigen::Index>(tokens);
    const auto outputs = static_cast<Eigen::Index>(s.outputs);
    const auto columns = static_cast<Eigen::Index>(s.columns);
    matrix out(rows, outputs);
    for(auto _: state) {
        out.noalias() = Eigen::Map<const matrix>{x.data(), rows, columns} *
                        Eigen::Map<const matrix>{w.data(), outputs, columns}.transpose();
        benchmark::DoNotOptimize(out.data());
        benchmark::ClobberMemory();
    }
    report_product(state, tokens, s, w.size() * sizeof(float));
}

void time_ours(benchmark::State& state, const tw::execution& how, tw::dtype type, std::size_t tokens, const shape& s) {
    const auto bytes = weights(type, s);
    std::vector<tw::kernels::packed_matrix> matrices;
    do {
        matrices.push_back(tw::kernels::pack(type, bytes, s.outputs, s.columns, how));
    } while(tokens <= 8 && matrices.size() * matrices[0].bytes() < beyond_caches);
    const auto x = bench::numbers(tokens * s.columns, 2);
    std::vector<float> out(tokens * s.outputs);
    std::vector<std::byte> memory(tw::kernels::quantized_rows::bytes(tokens, s.columns));
    const tw::view<const float, tw::dyn, tw::dyn> from{x, tokens, s.columns};
    const tw::view<float, tw::dyn, tw::dyn> to{out, tokens, s.outputs};
    const auto quantized = tw::kernels::quantize_rows(from, memory, how);
    const auto run = [&](const tw::kernels::packed_matrix& w) {
        if(w.needs_quantized_activations()) {
            tw::kernels::matmul(quantized, w, to, {}, how);
        } else {
            tw::kernels::matmul(from, w, to, {}, how);
        }
    };

    // The first columns of out against the plain loop, with the rounded activations where those are multiplied.
    const shape few{16, s.columns};
    std::vector<float> some(16 * s.columns);
    tw::quant::decode(type, std::span{bytes}.first(bytes.size() / s.outputs * 16), some);
    std::vector<float> seen = x;
    for(std::size_t i = 0; matrices[0].needs_quantized_activations() && i < seen.size(); ++i) {
        const auto& block = quantized.block(i / s.columns, i % s.columns / 32);
        seen[i] = block.scale * static_cast<float>(block.codes[i % s.columns % 32]);
    }
    run(matrices[0]);
    std::vector<float> head;
    for(std::size_t t = 0; t < tokens; ++t) {
        head.insert(head.end(), out.begin() + static_cast<std::ptrdiff_t>(t * s.outputs),
                    out.begin() + static_cast<std::ptrdiff_t>(t * s.outputs + 16));
    }
    if(!bench::agree(state, plain(seen, some, tokens, few), head)) {
        return;
    }
    std::size_t next = 0;
    for(auto _: state) {
        run(matrices[next++ % matrices.size()]);
        benchmark::DoNotOptimize(out.data());
        benchmark::ClobberMemory();
    }
    report_product(state, tokens, s, matrices[0].bytes());
}

void time_pack(benchmark::State& state, const tw::execution& how, tw::dtype type) {
    const shape s{576, 1536};
    const auto bytes = weights(type, s);
    for(auto _: state) {
        benchmark::DoNotOptimize(tw::kernels::pack(type, bytes, s.outputs, s.columns, how));
    }
    bench::report(state, "weights/s", static_cast<double>(s.outputs * s.columns));
}

void time_quantize(benchmark::State& state, const tw::execution& how) {
    constexpr std::size_t tokens = 64;
    constexpr std::size_t columns = 576;
    const auto x = bench::numbers(tokens * columns, 2);
    std::vector<std::byte> memory(tw::kernels::quantized_rows::bytes(tokens, columns));
    for(auto _: state) {
        const tw::view<const float, tw::dyn, tw::dyn> rows{x, tokens, columns};
        benchmark::DoNotOptimize(tw::kernels::quantize_rows(rows, memory, how));
        benchmark::ClobberMemory();
    }
    bench::report(state, "values/s", static_cast<double>(tokens * columns));
}

/// Sums a buffer that no cache holds.
struct reader {
    template <class Isa>
    struct kernel {
        static TOKENWORKS_INLINE float run(const float* from, std::size_t count) noexcept {
            using vector = tw::simd::f32x16<Isa>;
            vector sum[4] = {vector::zero(), vector::zero(), vector::zero(), vector::zero()};
            for(std::size_t i = 0; i + 64 <= count; i += 64) {
                TOKENWORKS_UNROLL(4)
                for(std::size_t j = 0; j < 4; ++j) {
                    sum[j] = sum[j] + vector::load(from + i + 16 * j);
                }
            }
            return tw::simd::reduce_add((sum[0] + sum[1]) + (sum[2] + sum[3]));
        }
    };
};

void time_read(benchmark::State& state, const tw::execution& how) {
    const std::vector<float> values(2 * beyond_caches / sizeof(float), 1.0F);
    for(auto _: state) {
        tw::parallel_for(how, values.size(), 1024, [&](tw::work_range part) {
            benchmark::DoNotOptimize(
                tw::simd::dispatch<reader::kernel>(how.set, values.data() + part.begin, part.end - part.begin));
        });
    }
    bench::report(state, "bytes/s", static_cast<double>(values.size() * sizeof(float)));
}

#if TOKENWORKS_X86
/// The dot product instruction alone, on eight chains.
TOKENWORKS_TARGET_AVX512 TOKENWORKS_NOINLINE void multiply_only(std::size_t rounds) {
    __m512i sums[8];
    for(__m512i& sum: sums) {
        sum = _mm512_setzero_si512();
    }
    const __m512i one = _mm512_set1_epi8(1);
    for(std::size_t i = 0; i < rounds; ++i) {
        __asm__ volatile("vpdpbusd %8, %8, %0\n\tvpdpbusd %8, %8, %1\n\tvpdpbusd %8, %8, %2\n\tvpdpbusd %8, %8, %3\n\t"
                         "vpdpbusd %8, %8, %4\n\tvpdpbusd %8, %8, %5\n\tvpdpbusd %8, %8, %6\n\tvpdpbusd %8, %8, %7"
                         : "+v"(sums[0]), "+v"(sums[1]), "+v"(sums[2]), "+v"(sums[3]), "+v"(sums[4]), "+v"(sums[5]),
                           "+v"(sums[6]), "+v"(sums[7])
                         : "v"(one));
    }
}

void time_peak(benchmark::State& state, const tw::execution& how) {
    constexpr std::size_t rounds = 100000;
    for(auto _: state) {
        tw::parallel_for(how, how.workers(), 1, [](tw::work_range) { multiply_only(rounds); });
    }
    bench::report(state, "op/s", 128.0 * 8 * rounds * how.workers());
}
#endif

} // namespace

int main(int argc, char** argv) {
    bench::for_each_execution("read", time_read);
    bench::for_each_execution("quantize_rows", time_quantize);
#if TOKENWORKS_X86
    if(tw::is_supported(tw::isa::avx512)) {
        const tw::execution how{tw::isa::avx512, nullptr};
        benchmark::RegisterBenchmark("int8_peak", time_peak, how);
        benchmark::RegisterBenchmark("int8_peak/2_threads", [](benchmark::State& state) {
            tw::thread_team threads{2};
            time_peak(state, tw::execution{tw::isa::avx512, &threads});
        })->UseRealTime();
    }
#endif
    for(const tw::dtype type: types) {
        benchmark::RegisterBenchmark(("pack/" + std::string{tw::info(type).name}).c_str(), time_pack, tw::execution{},
                                     type);
    }
    for(const shape& s: shapes) {
        for(const std::size_t tokens: token_counts) {
            const std::string name = "matmul/" + std::to_string(s.outputs) + "x" + std::to_string(s.columns) +
                                     "/T=" + std::to_string(tokens);
            if(tokens * s.outputs * s.columns <= 30'000'000) {
                benchmark::RegisterBenchmark((name + "/plain").c_str(), time_plain, tokens, s);
            }
            benchmark::RegisterBenchmark((name + "/eigen").c_str(), time_eigen, tokens, s);
            for(const tw::dtype type: types) {
                if(s.columns % tw::info(type).block_size == 0) {
                    bench::for_each_execution(name + "/" + std::string{tw::info(type).name},
                                              [=](benchmark::State& state, const tw::execution& how) {
                                                  time_ours(state, how, type, tokens, s);
                                              });
                }
            }
        }
    }
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
}
