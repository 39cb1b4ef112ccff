#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include <tokenworks/core/simd.hpp>
#include <tokenworks/core/simd_shuffle.hpp>

#include "support/catch.hpp"
#include "support/kernels.hpp"

using namespace tokenworks;
using simd::f32x16;
using simd::lanes;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float none = std::numeric_limits<float>::quiet_NaN();

/// Three operands in, one result out, so that each operation is one kernel.
struct operands {
    const float* a;
    const float* b;
    const float* c;
    float* out;
};

template <class Op>
struct on_lanes {
    template <class Isa>
    struct kernel {
        static TOKENWORKS_INLINE void run(operands x) {
            using vector = f32x16<Isa>;
            Op::template apply<Isa>(vector::load(x.a), vector::load(x.b), vector::load(x.c)).store(x.out);
        }
    };
};

template <class Op>
std::vector<float> apply(isa set, const std::vector<float>& a, const std::vector<float>& b,
                         const std::vector<float>& c) {
    std::vector<float> out(lanes);
    simd::dispatch<on_lanes<Op>::template kernel>(set, operands{a.data(), b.data(), c.data(), out.data()});
    return out;
}

#define TEST_LANE_OP(name, expression)                                                                                 \
    struct name {                                                                                                      \
        template <class Isa>                                                                                           \
        static TOKENWORKS_INLINE f32x16<Isa> apply([[maybe_unused]] const f32x16<Isa>& a,                              \
                                                   [[maybe_unused]] const f32x16<Isa>& b,                              \
                                                   [[maybe_unused]] const f32x16<Isa>& c) {                            \
            return expression;                                                                                         \
        }                                                                                                              \
    }

TEST_LANE_OP(op_add, a + b);
TEST_LANE_OP(op_subtract, a - b);
TEST_LANE_OP(op_multiply, a* b);
TEST_LANE_OP(op_divide, a / b);
TEST_LANE_OP(op_scale, a * 3.0F);
TEST_LANE_OP(op_fma, fma(a, b, c));
TEST_LANE_OP(op_fma_number, fma(a, 3.0F, c));
TEST_LANE_OP(op_max, max(a, b));
TEST_LANE_OP(op_min, min(a, b));
TEST_LANE_OP(op_abs, abs(a));
TEST_LANE_OP(op_round, round(a));
TEST_LANE_OP(op_select, select_less(a, b, a, c));
TEST_LANE_OP(op_power, scale_by_power_of_two(a, round(b)));
TEST_LANE_OP(op_exp, simd::exp(a));
TEST_LANE_OP(op_zero, f32x16<Isa>::zero());
TEST_LANE_OP(op_broadcast, f32x16<Isa>::broadcast(-0.0F));
// A product and a sum that must not be merged into one rounding, next to one that must be.
TEST_LANE_OP(op_product_used_twice, fma(a, b, c) - a * b);

template <class Op, class Exact>
void check(const std::vector<float>& a, const std::vector<float>& b, const std::vector<float>& c, Exact exact) {
    support::for_each_isa([&](execution how) {
        const auto out = apply<Op>(how.set, a, b, c);
        for(std::size_t i = 0; i < lanes; ++i) {
            CAPTURE(name(how.set), i, a[i], b[i], c[i]);
            const float expected = exact(how.set, a[i], b[i], c[i]);
            CHECK(std::bit_cast<std::uint32_t>(out[i]) == std::bit_cast<std::uint32_t>(expected));
        }
    });
}

} // namespace

TEST_CASE("lanes: arithmetic is that of float") {
    for(unsigned seed = 0; seed < 20; ++seed) {
        const auto a = support::random_floats(lanes, 3 * seed, 10.0F);
        const auto b = support::random_floats(lanes, 3 * seed + 1, 10.0F);
        const auto c = support::random_floats(lanes, 3 * seed + 2, 10.0F);
        check<op_add>(a, b, c, [](isa, float x, float y, float) { return x + y; });
        check<op_subtract>(a, b, c, [](isa, float x, float y, float) { return x - y; });
        check<op_multiply>(a, b, c, [](isa, float x, float y, float) { return x * y; });
        check<op_divide>(a, b, c, [](isa, float x, float y, float) { return x / y; });
        check<op_scale>(a, b, c, [](isa, float x, float, float) { return x * 3.0F; });
        check<op_max>(a, b, c, [](isa, float x, float y, float) { return std::max(x, y); });
        check<op_min>(a, b, c, [](isa, float x, float y, float) { return std::min(x, y); });
        check<op_abs>(a, b, c, [](isa, float x, float, float) { return std::abs(x); });
        check<op_round>(a, b, c, [](isa set, float x, float, float) { // the sign of zero may be lost
            return set == isa::portable ? std::nearbyint(x) : std::nearbyint(x) + 0.0F;
        });
        check<op_select>(a, b, c, [](isa, float x, float y, float z) { return x < y ? x : z; });
        check<op_power>(
            a, b, c, [](isa, float x, float y, float) { return std::ldexp(x, static_cast<int>(std::nearbyint(y))); });
        check<op_zero>(a, b, c, [](isa, float, float, float) { return 0.0F; });
        check<op_broadcast>(a, b, c, [](isa, float, float, float) { return -0.0F; });
    }
}

TEST_CASE("lanes: fma rounds once where the instruction set has it") {
    for(unsigned seed = 0; seed < 20; ++seed) {
        const auto a = support::random_floats(lanes, seed);
        const auto b = support::random_floats(lanes, seed + 100);
        std::vector<float> c(lanes); // the rounded product's negative: what is left is the rounding error
        for(std::size_t i = 0; i < lanes; ++i) {
            c[i] = -(a[i] * b[i]);
        }
        support::for_each_isa([&](execution how) {
            if(how.set == isa::portable) {
                return; // depends on the flags that this file is compiled with
            }
            const auto whole = apply<op_fma>(how.set, a, b, c);
            const auto number = apply<op_fma_number>(how.set, a, b, c);
            const auto twice = apply<op_product_used_twice>(how.set, a, b, c);
            for(std::size_t i = 0; i < lanes; ++i) {
                CAPTURE(name(how.set), i);
                CHECK(whole[i] == std::fma(a[i], b[i], c[i]));
                CHECK(number[i] == std::fma(a[i], 3.0F, c[i]));
                CHECK(std::abs(twice[i] + a[i] * b[i]) <= std::abs(whole[i]));
            }
        });
    }
}

TEST_CASE("lanes: special values") {
    std::vector<float> a{none, 1.0F, none, infinity, -infinity, infinity, 0.0F, -0.0F};
    std::vector<float> b{1.0F, none, none, 1.0F, 1.0F, -infinity, -0.0F, 0.0F};
    a.resize(lanes, 2.0F);
    b.resize(lanes, 1.5F);
    support::for_each_isa([&](execution how) {
        CAPTURE(name(how.set));
        const auto most = apply<op_max>(how.set, a, b, a);
        const auto least = apply<op_min>(how.set, a, b, a);
        for(const auto& out: {most, least}) {
            CHECK(std::isnan(out[0])); // the first operand, where one is not a number
            CHECK(out[1] == 1.0F);
            CHECK(std::isnan(out[2]));
        }
        CHECK(most[3] == infinity);
        CHECK(least[4] == -infinity);
        CHECK(most[8] == 2.0F);
        const std::vector<float> other(lanes, 9.0F);
        const auto chosen = apply<op_select>(how.set, a, b, other);
        CHECK(chosen[0] == 9.0F); // nothing is less than NaN
        CHECK(chosen[1] == 9.0F);
        CHECK(chosen[4] == -infinity);
        CHECK(chosen[8] == 9.0F);
        CHECK(apply<op_abs>(how.set, a, b, other)[4] == infinity);
    });
}

TEST_CASE("lanes: exp to two units in the last place") {
    std::vector<float> x;
    for(int i = -88000; i <= 89000; i += 7) {
        x.push_back(static_cast<float>(i) * 1e-3F);
    }
    for(int i = -1000; i <= 1000; ++i) {
        x.push_back(static_cast<float>(i) * 1e-5F);
    }
    x.resize(x.size() / lanes * lanes);
    support::for_each_isa([&](execution how) {
        double worst = 0;
        for(std::size_t i = 0; i < x.size(); i += lanes) {
            const std::vector<float> part(x.begin() + static_cast<std::ptrdiff_t>(i),
                                          x.begin() + static_cast<std::ptrdiff_t>(i + lanes));
            const auto out = apply<op_exp>(how.set, part, part, part);
            for(std::size_t j = 0; j < lanes; ++j) {
                if(part[j] >= -87.3F && part[j] <= 88.3F) {
                    worst = std::max(worst, support::ulps(std::exp(static_cast<double>(part[j])), out[j]));
                } else if(part[j] < -87.34F) {
                    CHECK(out[j] == 0.0F);
                }
            }
        }
        CAPTURE(name(how.set));
        CHECK(worst <= 2.0);
        std::vector<float> special{0.0F, -0.0F, -infinity, infinity, none, 1e4F, -1e4F};
        special.resize(lanes, 1.0F);
        const auto out = apply<op_exp>(how.set, special, special, special);
        CHECK(out[0] == 1.0F);
        CHECK(out[1] == 1.0F);
        CHECK(out[2] == 0.0F);
        CHECK(out[3] > 2e38F);
        CHECK(std::isfinite(out[3]));
        CHECK(std::isnan(out[4]));
        CHECK(std::isfinite(out[5]));
        CHECK(out[6] == 0.0F);
    });
}

namespace {

template <class T>
struct load_all {
    template <class Isa>
    struct kernel {
        static TOKENWORKS_INLINE void run(const T* from, std::size_t count, float* to, float* part) {
            f32x16<Isa>::load(from).store(to);
            simd::load_partial<Isa>(from, count, -5.0F).store(part);
        }
    };
};

template <class T>
void check_load(const std::vector<T>& values) {
    support::for_each_isa([&](execution how) {
        for(std::size_t first = 0; first + lanes <= values.size(); ++first) {
            const std::size_t count = first % (lanes + 1);
            std::vector<float> whole(lanes);
            std::vector<float> part(lanes);
            simd::dispatch<load_all<T>::template kernel>(how.set, values.data() + first, count, whole.data(),
                                                         part.data());
            bool right = true;
            for(std::size_t i = 0; i < lanes; ++i) {
                const auto expected = static_cast<float>(values[first + i]);
                right = right && (whole[i] == expected || (std::isnan(whole[i]) && std::isnan(expected)));
                right = right && (part[i] == (i < count ? expected : -5.0F) || std::isnan(expected));
            }
            CAPTURE(name(how.set), first, sizeof(T));
            CHECK(right);
        }
    });
}

} // namespace

TEST_CASE("lanes: loads of every element type, from any address") {
    std::vector<float> floats = support::random_floats(64, 1);
    check_load(floats);
    std::vector<f16> halves;
    std::vector<bf16> brains;
    std::vector<std::int8_t> bytes;
    for(unsigned i = 0; i < 512; ++i) {
        halves.push_back(f16::from_bits(static_cast<std::uint16_t>(i * 131)));
        brains.push_back(bf16::from_bits(static_cast<std::uint16_t>(i * 131)));
        bytes.push_back(static_cast<std::int8_t>(i));
    }
    check_load(halves);
    check_load(brains);
    check_load(bytes);
}

namespace {

template <class Isa>
struct store_and_reduce {
    static TOKENWORKS_INLINE void run(const float* from, f16* half, float* part, std::size_t count, float* sums) {
        const auto x = f32x16<Isa>::load(from);
        x.store(half);
        simd::store_partial(x, part, count);
        sums[0] = simd::reduce_add(x);
        sums[1] = simd::reduce_max(x);
    }
};

} // namespace

TEST_CASE("lanes: stores, and sums as a tree") {
    for(unsigned seed = 0; seed < 30; ++seed) {
        const auto x = support::random_floats(lanes, seed, 100.0F);
        std::vector<float> tree = x;
        for(std::size_t half = 8; half != 0; half /= 2) {
            for(std::size_t i = 0; i < half; ++i) {
                tree[i] += tree[i + half];
            }
        }
        support::for_each_isa([&](execution how) {
            CAPTURE(name(how.set), seed);
            f16 half[lanes];
            std::vector<float> part(lanes + 1, -5.0F);
            float sums[2];
            const std::size_t count = seed % (lanes + 1);
            simd::dispatch<store_and_reduce>(how.set, x.data(), static_cast<f16*>(half), part.data(), count,
                                             static_cast<float*>(sums));
            bool right = true;
            for(std::size_t i = 0; i < lanes; ++i) {
                right = right && half[i].bits == f16{x[i]}.bits && part[i] == (i < count ? x[i] : -5.0F);
            }
            CHECK(right);
            CHECK(part.back() == -5.0F);
            CHECK(sums[0] == tree[0]);
            CHECK(sums[1] == *std::max_element(x.begin(), x.end()));
        });
    }
}

namespace {

template <class Isa>
struct move_lanes {
    struct rows {
        const float* first;
        TOKENWORKS_INLINE const float* operator()(std::size_t row) const { return first + row * 20; }
    };
    static TOKENWORKS_INLINE void run(const float* from, float* even, float* odd, float* joined, float* turned) {
        f32x16<Isa> a;
        f32x16<Isa> b;
        simd::load_pairs<Isa>(from, a, b);
        a.store(even);
        b.store(odd);
        simd::store_pairs<Isa>(a, b, joined);
        simd::transpose<Isa>(rows{from}, turned);
    }
};

} // namespace

TEST_CASE("lanes: pairs and transposes") {
    std::vector<float> x(400);
    std::iota(x.begin(), x.end(), 0.0F);
    support::for_each_isa([&](execution how) {
        CAPTURE(name(how.set));
        std::vector<float> even(lanes);
        std::vector<float> odd(lanes);
        std::vector<float> joined(2 * lanes);
        std::vector<float> turned(lanes * lanes);
        simd::dispatch<move_lanes>(how.set, x.data(), even.data(), odd.data(), joined.data(), turned.data());
        bool right = true;
        for(std::size_t i = 0; i < lanes; ++i) {
            right = right && even[i] == x[2 * i] && odd[i] == x[2 * i + 1];
            for(std::size_t j = 0; j < lanes; ++j) {
                right = right && turned[j * lanes + i] == x[i * 20 + j];
            }
        }
        CHECK(right);
        CHECK(std::equal(joined.begin(), joined.end(), x.begin()));
    });
}

namespace {

template <class Isa>
struct doubled {
    static TOKENWORKS_INLINE float run(float x) { return x + x; }
};
template <class Isa>
struct calls_another {
    static TOKENWORKS_INLINE float run(float x) { return simd::entry<Isa, doubled<Isa>, float>()(x) + 1.0F; }
};

} // namespace

TEST_CASE("dispatch returns what the kernel returns, and kernels call kernels") {
    support::for_each_isa([](execution how) { CHECK(simd::dispatch<calls_another>(how.set, 20.0F) == 41.0F); });
}

TEST_CASE("a kernel is chosen once and called through a pointer") {
    support::for_each_isa([](execution how) {
        using function = float (*)(float);
        const function twice =
            simd::with_tag(how.set, []<class Isa>() -> function { return simd::entry<Isa, doubled<Isa>, float>(); });
        CHECK(twice(21.0F) == 42.0F);
    });
}
