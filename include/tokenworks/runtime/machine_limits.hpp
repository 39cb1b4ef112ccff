// What this machine can do at most, measured: how fast it reads memory, multiplies bytes and floats, and how long its
// threads take to meet.
//
// Every speed the library reports is put beside these. They are measured when asked for, beside the run they judge,
// since machines are shared and drift. Nothing here is a kernel that anything else uses.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/allocator.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/simd.hpp>
#include <tokenworks/kernels/tile_registers.hpp>

#if TOKENWORKS_X86
#include <immintrin.h>
#elif TOKENWORKS_ARM64
#include <arm_neon.h>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

struct machine_limits {
    double read_bytes_per_second = 0;            ///< all members of the team reading memory that no cache holds
    double read_bytes_per_second_one_thread = 0; ///< the caller alone
    double int8_operations_per_second = 0;       ///< multiplications and additions of 8-bit products, all members
    double float_operations_per_second = 0;      ///< of fused products and sums of floats, all members
    double barrier_seconds = 0;                  ///< a task without work, from the call to the return
};

namespace detail {

/// Sums what it reads, so that the reads happen.
template <class Isa>
struct read_loop {
    static TOKENWORKS_INLINE float run(const float* data, std::size_t count) {
        using vector = simd::f32x16<Isa>;
        vector a = vector::zero();
        vector b = vector::zero();
        vector c = vector::zero();
        vector d = vector::zero();
        for(std::size_t i = 0; i + 64 <= count; i += 64) {
            a = a + vector::load(data + i);
            b = b + vector::load(data + i + 16);
            c = c + vector::load(data + i + 32);
            d = d + vector::load(data + i + 48);
        }
        return reduce_add((a + b) + (c + d));
    }
};

inline constexpr int chains = 12; ///< independent sums, enough to hide the latency of one

/// The densest byte products the instruction set has; returns the operations done by `rounds` rounds.
template <class Isa>
struct byte_products {
    static TOKENWORKS_INLINE double run(std::size_t rounds, std::uint32_t* sink) {
        std::uint32_t sums[chains] = {};
        for(std::size_t i = 0; i < rounds; ++i) {
            for(std::uint32_t j = 0; j < chains; ++j) {
                sums[j] += static_cast<std::uint32_t>(i & 127U) * j;
            }
        }
        for(const std::uint32_t sum: sums) {
            *sink += sum;
        }
        return static_cast<double>(rounds) * chains * 2;
    }
};

#if TOKENWORKS_X86
template <>
struct byte_products<simd::avx512> {
    TOKENWORKS_TARGET_AVX512 static double run(std::size_t rounds, std::uint32_t* sink) {
        __m512i sums[chains];
        const __m512i x = _mm512_set1_epi8(3);
        for(__m512i& sum: sums) {
            sum = _mm512_set1_epi32(static_cast<int>(*sink));
        }
        for(std::size_t i = 0; i < rounds; ++i) {
            TOKENWORKS_UNROLL(12)
            for(int j = 0; j < chains; ++j) {
                sums[j] = _mm512_dpbusd_epi32(sums[j], x, x);
            }
        }
        for(const __m512i& sum: sums) {
            std::uint32_t first = 0;
            std::memcpy(&first, &sum, sizeof first);
            *sink += first;
        }
        return static_cast<double>(rounds) * chains * 128;
    }
};

template <>
struct byte_products<simd::avx2> {
    TOKENWORKS_TARGET_AVX2 static double run(std::size_t rounds, std::uint32_t* sink) {
        __m256i sums[chains];
        __m256i x = _mm256_set1_epi8(static_cast<char>(*sink | 3));
        const __m256i ones = _mm256_set1_epi16(1);
        for(__m256i& sum: sums) {
            sum = _mm256_set1_epi32(static_cast<int>(*sink));
        }
        for(std::size_t i = 0; i < rounds; ++i) {
            TOKENWORKS_UNROLL(12)
            for(int j = 0; j < chains; ++j) {
                const __m256i pairs = _mm256_maddubs_epi16(x, _mm256_xor_si256(x, sums[j]));
                sums[j] = _mm256_add_epi32(sums[j], _mm256_madd_epi16(pairs, ones));
            }
        }
        for(const __m256i& sum: sums) {
            *sink += static_cast<std::uint32_t>(_mm_cvtsi128_si32(_mm256_castsi256_si128(sum)));
        }
        return static_cast<double>(rounds) * chains * 64;
    }
};
#elif TOKENWORKS_ARM64
template <>
struct byte_products<simd::neon> {
    TOKENWORKS_TARGET_NEON static double run(std::size_t rounds, std::uint32_t* sink) {
        int32x4_t sums[chains];
        const int8x16_t x = vdupq_n_s8(3);
        for(int32x4_t& sum: sums) {
            sum = vdupq_n_s32(static_cast<std::int32_t>(*sink));
        }
        for(std::size_t i = 0; i < rounds; ++i) {
            for(int j = 0; j < chains; ++j) {
                sums[j] = vdotq_s32(sums[j], x, x);
            }
        }
        for(const int32x4_t& sum: sums) {
            *sink += static_cast<std::uint32_t>(vaddvq_s32(sum));
        }
        return static_cast<double>(rounds) * chains * 32;
    }
};
#endif

#if TOKENWORKS_X86
/// The same for AMX: full tiles of bytes.
TOKENWORKS_TARGET_AMX inline double byte_tile_products(std::size_t rounds, std::uint32_t* sink) noexcept {
    using namespace kernels::detail;
    alignas(64) std::uint32_t values[16 * 16];
    std::fill_n(static_cast<std::uint32_t*>(values), 16 * 16, *sink | 3U);
    tile_shapes shapes;
    for(int tile = 0; tile < 8; ++tile) {
        shapes.set(tile, 16, 64);
    }
    shapes.load();
    load_tile<4>(values, 64);
    load_tile<5>(values, 64);
    for(std::size_t i = 0; i < rounds; ++i) {
        add_byte_tiles<0, 4, 5>();
        add_byte_tiles<1, 4, 5>();
        add_byte_tiles<2, 4, 5>();
        add_byte_tiles<3, 4, 5>();
    }
    store_tile<0>(values);
    *sink += values[0];
    release_tiles();
    return static_cast<double>(rounds) * 4 * 2 * 16 * 16 * 64;
}
#endif

/// Fused products and sums of floats, in as many chains as there are registers for; returns the operations done.
template <class Isa>
struct float_products {
    using vector = simd::f32x16<Isa>;
    static constexpr std::size_t float_chains = 12 / vector::parts;

    static TOKENWORKS_INLINE double run(std::size_t rounds, float* sink) {
        vector sums[float_chains];
        const vector x = vector::broadcast(sink[0]);
        const vector y = vector::broadcast(sink[1]);
        TOKENWORKS_UNROLL(12)
        for(std::size_t j = 0; j < float_chains; ++j) {
            sums[j] = vector::broadcast(static_cast<float>(j)); // all the same, they would be computed once
        }
        for(std::size_t i = 0; i < rounds; ++i) {
            TOKENWORKS_UNROLL(12)
            for(std::size_t j = 0; j < float_chains; ++j) {
                sums[j] = fma(x, y, sums[j]);
            }
        }
        vector sum = vector::zero();
        TOKENWORKS_UNROLL(12)
        for(std::size_t j = 0; j < float_chains; ++j) {
            sum = sum + sums[j];
        }
        sink[0] = reduce_add(sum);
        return static_cast<double>(rounds) * static_cast<double>(float_chains * simd::lanes * 2);
    }
};

/// The best rate of several short slices, each of them all members at once.
template <class Slice>
double best_rate(const execution& how, int slices, Slice slice) {
    double best = 0;
    for(int i = 0; i < slices; ++i) {
        std::vector<double> amount(how.workers());
        const auto start = std::chrono::steady_clock::now();
        const auto body = [&](unsigned worker) { amount[worker] = slice(worker); };
        if(how.threads != nullptr) {
            how.threads->run(body);
        } else {
            body(0);
        }
        const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
        double sum = 0;
        for(const double one: amount) {
            sum += one;
        }
        best = std::max(best, sum / spent.count());
    }
    return best;
}

} // namespace detail

/// Reads 256 MB and multiplies for some milliseconds; takes about a third of a second and that much memory.
/// @throws std::bad_alloc
[[nodiscard]] inline machine_limits measure_machine(const execution& how) {
    constexpr std::size_t floats = std::size_t{64} << 20;
    huge_buffer buffer{floats * sizeof(float)};
    const std::span<float> data = buffer.as<float>();
    const std::size_t share = floats / how.workers();
    std::vector<float> kept(how.workers());
    const auto mine = [&](unsigned worker) { return data.subspan(worker * share, share); };
    static_cast<void>(detail::best_rate(how, 1, [&](unsigned worker) {
        std::ranges::fill(mine(worker), 1.0F);
        return 0.0;
    }));
    machine_limits limits;
    const auto read = [&](unsigned worker) {
        const std::span<float> part = mine(worker);
        kept[worker] += simd::dispatch<detail::read_loop>(how.set, static_cast<const float*>(part.data()), part.size());
        return static_cast<double>(part.size_bytes());
    };
    limits.read_bytes_per_second = detail::best_rate(how, 5, read);
    limits.read_bytes_per_second_one_thread = detail::best_rate({.set = how.set}, 3, read);
    std::vector<std::uint32_t> sink(how.workers());
    limits.int8_operations_per_second = detail::best_rate(how, 7, [&](unsigned worker) {
        std::uint32_t own = sink[worker];
        double done = 0;
#if TOKENWORKS_X86
        if(how.set == isa::amx) {
            done = detail::byte_tile_products(std::size_t{50'000}, &own);
        } else
#endif
        {
            done = simd::dispatch<detail::byte_products>(how.set, std::size_t{200'000}, &own);
        }
        sink[worker] = own;
        return done;
    });
    limits.float_operations_per_second = detail::best_rate(how, 7, [&](unsigned worker) {
        float own[] = {1.0F, 1e-9F};
        const double done = simd::dispatch<detail::float_products>(how.set, std::size_t{200'000}, own);
        kept[worker] += own[0];
        return done;
    });
    if(how.threads != nullptr) {
        constexpr int meetings = 200;
        limits.barrier_seconds = 1 / detail::best_rate({.set = how.set}, 10, [&](unsigned) {
                                     for(int i = 0; i < meetings; ++i) {
                                         how.threads->run([](unsigned) {});
                                     }
                                     return static_cast<double>(meetings);
                                 });
    }
    return limits;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
