// Sixteen floats as one value, and the way a kernel gets compiled for each instruction set.
//
// A kernel is written once, as `template <class Isa> struct kernel { static TOKENWORKS_INLINE void run(...); }` in
// terms of f32x16<Isa>, and simd::dispatch<kernel>(set, ...) calls it through one entry point per instruction set,
// which carries the target attribute. The compiler's vector extensions are legal in code without that attribute,
// intrinsics are not: so the body needs no attribute and there is one body, not four. Where a kernel needs an
// instruction that the extensions cannot say (the int8 dot product), it specialises the struct for that tag and puts
// the attribute on run().
//
// The number of lanes is 16 on every instruction set, so sums have the same order everywhere; the portable form
// is carried by xsimd. fma() rounds once on avx2, avx512 and neon, and twice where the machine has no such instruction.
// A product that is added to something is always written with fma(): GCC may or may not contract `a * b + c`.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include <xsimd/xsimd.hpp>

#include <tokenworks/config.hpp>
#include <tokenworks/core/cpu.hpp>
#include <tokenworks/core/float16.hpp>
#include <tokenworks/core/simd_native.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::simd {

inline constexpr std::size_t lanes = 16;

// Tags. The portable one names the architecture that xsimd was compiled for, so that translation units built with
// different flags do not share its code.
struct avx512 {
    static constexpr int width = 16;
};
struct avx2 {
    static constexpr int width = 8;
};
struct neon {
    static constexpr int width = 4;
};
template <class Architecture = xsimd::default_arch>
struct portable {};

/// Sixteen float lanes on one instruction set. Everything is inlined; pass by const reference.
template <class Isa>
struct f32x16 {
    static constexpr int width = Isa::width;
    static constexpr int parts = 16 / width;
    using native = detail::native<width>;
    using vector = typename native::f32;

    vector v[static_cast<std::size_t>(parts)];

    static TOKENWORKS_INLINE f32x16 zero() {
        f32x16 r;
        for(int i = 0; i < parts; ++i) {
            r.v[i] = vector{};
        }
        return r;
    }
    static TOKENWORKS_INLINE f32x16 broadcast(float x) {
        f32x16 r;
        for(int i = 0; i < parts; ++i) {
            detail::spread<width>(x, r.v[i]);
        }
        return r;
    }
    static TOKENWORKS_INLINE f32x16 load(const float* from) {
        f32x16 r;
        for(int i = 0; i < parts; ++i) {
            r.v[i] = *reinterpret_cast<const typename native::f32_unaligned*>(from + i * width);
        }
        return r;
    }
    static TOKENWORKS_INLINE f32x16 load(const f16* from) {
        f32x16 r;
        for(int i = 0; i < parts; ++i) {
            detail::widen_f16<width>(from + i * width, r.v[i]);
        }
        return r;
    }
    static TOKENWORKS_INLINE f32x16 load(const bf16* from) {
        f32x16 r;
        for(int i = 0; i < parts; ++i) {
            typename native::u32 bits;
            detail::widen_u16<width>(from + i * width, bits);
            bits <<= 16;
            std::memcpy(&r.v[i], &bits, sizeof bits);
        }
        return r;
    }
    static TOKENWORKS_INLINE f32x16 load(const std::int8_t* from) {
        f32x16 r;
        for(int i = 0; i < parts; ++i) {
            typename native::i32 whole;
            detail::widen_i8<width>(from + i * width, whole);
            r.v[i] = __builtin_convertvector(whole, vector);
        }
        return r;
    }
    /// The low nibbles of 16 bytes, or the high ones, less 8.
    template <bool High>
    static TOKENWORKS_INLINE f32x16 load_nibbles(const std::uint8_t* from) {
        f32x16 r;
        for(int i = 0; i < parts; ++i) {
            typename native::i32 whole;
            detail::widen_i8<width>(from + i * width, whole);
            detail::nibbles<width, High>(whole, r.v[i]);
        }
        return r;
    }
    TOKENWORKS_INLINE void store(float* to) const {
        for(int i = 0; i < parts; ++i) {
            *reinterpret_cast<typename native::f32_unaligned*>(to + i * width) = v[i];
        }
    }
    TOKENWORKS_INLINE void store(f16* to) const {
        for(int i = 0; i < parts; ++i) {
            detail::narrow_f16<width>(v[i], to + i * width);
        }
    }

    friend TOKENWORKS_INLINE f32x16 operator+(const f32x16& a, const f32x16& b) {
        f32x16 r;
        for(int i = 0; i < parts; ++i) {
            r.v[i] = a.v[i] + b.v[i];
        }
        return r;
    }
    friend TOKENWORKS_INLINE f32x16 operator-(const f32x16& a, const f32x16& b) {
        f32x16 r;
        for(int i = 0; i < parts; ++i) {
            r.v[i] = a.v[i] - b.v[i];
        }
        return r;
    }
    friend TOKENWORKS_INLINE f32x16 operator*(const f32x16& a, const f32x16& b) {
        f32x16 r;
        for(int i = 0; i < parts; ++i) {
            r.v[i] = a.v[i] * b.v[i];
        }
        return r;
    }
    friend TOKENWORKS_INLINE f32x16 operator*(const f32x16& a, float b) {
        f32x16 r;
        for(int i = 0; i < parts; ++i) {
            vector all;
            detail::spread<width>(b, all);
            r.v[i] = a.v[i] * all;
        }
        return r;
    }
    friend TOKENWORKS_INLINE f32x16 operator/(const f32x16& a, const f32x16& b) {
        f32x16 r;
        for(int i = 0; i < parts; ++i) {
            r.v[i] = a.v[i] / b.v[i];
        }
        return r;
    }
    /// a * b + c
    friend TOKENWORKS_INLINE f32x16 fma(const f32x16& a, const f32x16& b, const f32x16& c) {
        f32x16 r = c;
        for(int i = 0; i < parts; ++i) {
            detail::fuse<width>(a.v[i], b.v[i], r.v[i]);
        }
        return r;
    }
    /// a * b + c with one b for all lanes; the broadcast folds into the instruction where there is such a form
    friend TOKENWORKS_INLINE f32x16 fma(const f32x16& a, float b, const f32x16& c) {
        f32x16 r = c;
        for(int i = 0; i < parts; ++i) {
            vector all;
            detail::spread<width>(b, all);
            detail::fuse<width>(a.v[i], all, r.v[i]);
        }
        return r;
    }
    /// The larger of each pair; a where b is not a number
    friend TOKENWORKS_INLINE f32x16 max(const f32x16& a, const f32x16& b) {
        f32x16 r;
        for(int i = 0; i < parts; ++i) {
            detail::larger<width>(a.v[i], b.v[i], r.v[i]);
        }
        return r;
    }
    /// The smaller of each pair; a where b is not a number
    friend TOKENWORKS_INLINE f32x16 min(const f32x16& a, const f32x16& b) {
        f32x16 r;
        for(int i = 0; i < parts; ++i) {
            detail::smaller<width>(a.v[i], b.v[i], r.v[i]);
        }
        return r;
    }
    friend TOKENWORKS_INLINE f32x16 abs(const f32x16& a) {
        f32x16 r;
        for(int i = 0; i < parts; ++i) {
            typename native::u32 bits;
            std::memcpy(&bits, &a.v[i], sizeof bits);
            bits &= 0x7fffffffU;
            std::memcpy(&r.v[i], &bits, sizeof bits);
        }
        return r;
    }
    /// less where a < b, otherwise
    friend TOKENWORKS_INLINE f32x16 select_less(const f32x16& a, const f32x16& b, const f32x16& less,
                                                const f32x16& otherwise) {
        f32x16 r;
        for(int i = 0; i < parts; ++i) {
            detail::pick_less<width>(a.v[i], b.v[i], less.v[i], otherwise.v[i], r.v[i]);
        }
        return r;
    }
    /// To the nearest whole number, ties to even; |a| must be below 2^22. -0 may become 0.
    friend TOKENWORKS_INLINE f32x16 round(const f32x16& a) {
        f32x16 r;
        for(int i = 0; i < parts; ++i) {
            vector magic;
            detail::spread<width>(12582912.0F, magic); // 1.5 * 2^23
            const vector shifted = a.v[i] + magic;
            r.v[i] = shifted - magic;
        }
        return r;
    }
    /// a * 2^n for whole n in [-126, 127]
    friend TOKENWORKS_INLINE f32x16 scale_by_power_of_two(const f32x16& a, const f32x16& n) {
        f32x16 r;
        for(int i = 0; i < parts; ++i) {
            detail::scale<width>(a.v[i], n.v[i], r.v[i]);
        }
        return r;
    }
};

/// The same on the instruction set the program was compiled for, whichever that is.
template <class Architecture>
struct f32x16<portable<Architecture>> {
    using batch = xsimd::batch<float, Architecture>;
    static constexpr std::size_t width = batch::size;
    static constexpr std::size_t parts = 16 / width;
    static_assert(16 % width == 0, "a portable vector must divide sixteen lanes");

    batch v[parts];

    static TOKENWORKS_INLINE f32x16 zero() { return broadcast(0.0F); }
    static TOKENWORKS_INLINE f32x16 broadcast(float x) {
        return make([&](std::size_t) { return batch(x); });
    }
    static TOKENWORKS_INLINE f32x16 load(const float* from) {
        return make([&](std::size_t i) { return batch::load_unaligned(from + i * width); });
    }
    template <class T>
    static TOKENWORKS_INLINE f32x16 load(const T* from) {
        float wide[lanes];
        for(std::size_t i = 0; i < lanes; ++i) {
            wide[i] = static_cast<float>(from[i]);
        }
        return load(static_cast<const float*>(wide));
    }
    template <bool High>
    static TOKENWORKS_INLINE f32x16 load_nibbles(const std::uint8_t* from) {
        float wide[lanes];
        for(std::size_t i = 0; i < lanes; ++i) {
            wide[i] = static_cast<float>((High ? from[i] >> 4 : from[i] & 15) - 8);
        }
        return load(static_cast<const float*>(wide));
    }
    TOKENWORKS_INLINE void store(float* to) const {
        TOKENWORKS_UNROLL(16)
        for(std::size_t i = 0; i < parts; ++i) {
            v[i].store_unaligned(to + i * width);
        }
    }
    template <class T>
    TOKENWORKS_INLINE void store(T* to) const {
        float wide[lanes];
        store(static_cast<float*>(wide));
        for(std::size_t i = 0; i < lanes; ++i) {
            to[i] = T(wide[i]);
        }
    }

    friend TOKENWORKS_INLINE f32x16 operator+(const f32x16& a, const f32x16& b) {
        return make([&](std::size_t i) { return a.v[i] + b.v[i]; });
    }
    friend TOKENWORKS_INLINE f32x16 operator-(const f32x16& a, const f32x16& b) {
        return make([&](std::size_t i) { return a.v[i] - b.v[i]; });
    }
    friend TOKENWORKS_INLINE f32x16 operator*(const f32x16& a, const f32x16& b) {
        return make([&](std::size_t i) { return a.v[i] * b.v[i]; });
    }
    friend TOKENWORKS_INLINE f32x16 operator*(const f32x16& a, float b) {
        return make([&](std::size_t i) { return a.v[i] * batch(b); });
    }
    friend TOKENWORKS_INLINE f32x16 operator/(const f32x16& a, const f32x16& b) {
        if constexpr(std::is_base_of_v<xsimd::neon, Architecture>) { // xsimd's quotient is rounded wrongly there
            float x[lanes];
            float y[lanes];
            a.store(static_cast<float*>(x));
            b.store(static_cast<float*>(y));
            for(std::size_t i = 0; i < lanes; ++i) {
                x[i] /= y[i];
            }
            return load(static_cast<const float*>(x));
        } else {
            return make([&](std::size_t i) { return a.v[i] / b.v[i]; });
        }
    }
    friend TOKENWORKS_INLINE f32x16 fma(const f32x16& a, const f32x16& b, const f32x16& c) {
        return make([&](std::size_t i) { return xsimd::fma(a.v[i], b.v[i], c.v[i]); });
    }
    friend TOKENWORKS_INLINE f32x16 fma(const f32x16& a, float b, const f32x16& c) {
        return make([&](std::size_t i) { return xsimd::fma(a.v[i], batch(b), c.v[i]); });
    }
    friend TOKENWORKS_INLINE f32x16 max(const f32x16& a, const f32x16& b) {
        return make([&](std::size_t i) { return xsimd::select(b.v[i] > a.v[i], b.v[i], a.v[i]); });
    }
    friend TOKENWORKS_INLINE f32x16 min(const f32x16& a, const f32x16& b) {
        return make([&](std::size_t i) { return xsimd::select(b.v[i] < a.v[i], b.v[i], a.v[i]); });
    }
    friend TOKENWORKS_INLINE f32x16 abs(const f32x16& a) {
        return make([&](std::size_t i) { return xsimd::abs(a.v[i]); });
    }
    friend TOKENWORKS_INLINE f32x16 select_less(const f32x16& a, const f32x16& b, const f32x16& less,
                                                const f32x16& otherwise) {
        return make([&](std::size_t i) { return xsimd::select(a.v[i] < b.v[i], less.v[i], otherwise.v[i]); });
    }
    friend TOKENWORKS_INLINE f32x16 round(const f32x16& a) {
        return make([&](std::size_t i) { return xsimd::nearbyint(a.v[i]); });
    }
    friend TOKENWORKS_INLINE f32x16 scale_by_power_of_two(const f32x16& a, const f32x16& n) {
        return make([&](std::size_t i) { return xsimd::ldexp(a.v[i], xsimd::to_int(n.v[i])); });
    }

private:
    template <class Part>
    static TOKENWORKS_INLINE f32x16 make(Part part) {
        f32x16 r;
        TOKENWORKS_UNROLL(16)
        for(std::size_t i = 0; i < parts; ++i) {
            r.v[i] = part(i);
        }
        return r;
    }
};

namespace detail {

struct sum_of_two {
    template <int Width>
    static TOKENWORKS_INLINE void wide(typename native<Width>::f32& a, const typename native<Width>::f32& b) {
        a = a + b;
    }
    static TOKENWORKS_INLINE float one(float a, float b) { return a + b; }
};

/// The first where the second is not a number.
struct larger_of_two {
    template <int Width>
    static TOKENWORKS_INLINE void wide(typename native<Width>::f32& a, const typename native<Width>::f32& b) {
        larger<Width>(a, b, a);
    }
    static TOKENWORKS_INLINE float one(float a, float b) { return b > a ? b : a; }
};

/// All lanes as one, always as the same tree: lane i with lane i + 8, then + 4, + 2, + 1.
template <class Of, class Isa>
TOKENWORKS_INLINE float reduce(const f32x16<Isa>& a) {
    if constexpr(requires { typename f32x16<Isa>::native; }) {
        float x[4];
        if constexpr(f32x16<Isa>::width == 4) {
            auto low = a.v[0];
            auto high = a.v[1];
            Of::template wide<4>(low, a.v[2]);
            Of::template wide<4>(high, a.v[3]);
            Of::template wide<4>(low, high);
            std::memcpy(x, &low, sizeof x);
        } else {
            typename native<8>::f32 eight;
            if constexpr(f32x16<Isa>::width == 8) {
                eight = a.v[0];
                Of::template wide<8>(eight, a.v[1]);
            } else {
                typename native<8>::f32 upper;
                halve<16>(a.v[0], eight, upper);
                Of::template wide<8>(eight, upper);
            }
            typename native<4>::f32 four;
            typename native<4>::f32 upper;
            halve<8>(eight, four, upper);
            for(int i = 0; i < 4; ++i) {
                x[i] = Of::one(four[i], upper[i]);
            }
        }
        return Of::one(Of::one(x[0], x[2]), Of::one(x[1], x[3]));
    } else {
        float x[lanes];
        a.store(static_cast<float*>(x));
        for(std::size_t half_size = lanes / 2; half_size != 0; half_size /= 2) {
            for(std::size_t i = 0; i < half_size; ++i) {
                x[i] = Of::one(x[i], x[i + half_size]);
            }
        }
        return x[0];
    }
}

} // namespace detail

/// Sum of the lanes, always as the same tree.
template <class Isa>
TOKENWORKS_INLINE float reduce_add(const f32x16<Isa>& a) {
    return detail::reduce<detail::sum_of_two>(a);
}

/// Largest lane.
template <class Isa>
TOKENWORKS_INLINE float reduce_max(const f32x16<Isa>& a) {
    return detail::reduce<detail::larger_of_two>(a);
}

/// The first n <= 16 values, the other lanes set to `fill`. Reads nothing behind from[n - 1].
template <class Isa, class T>
TOKENWORKS_INLINE f32x16<Isa> load_partial(const T* from, std::size_t n, float fill = 0.0F) {
    float wide[lanes];
    for(std::size_t i = 0; i < lanes; ++i) {
        wide[i] = i < n ? static_cast<float>(from[i]) : fill;
    }
    return f32x16<Isa>::load(static_cast<const float*>(wide));
}

/// Writes the first n <= 16 lanes and nothing behind them.
template <class Isa, class T>
TOKENWORKS_INLINE void store_partial(const f32x16<Isa>& a, T* to, std::size_t n) {
    float wide[lanes];
    a.store(static_cast<float*>(wide));
    for(std::size_t i = 0; i < n; ++i) {
        to[i] = T(wide[i]);
    }
}

/// e^x in every lane, to 2 units in the last place; 0 below -87.3, finite up to 88.3 and clamped above.
/// Range reduction by ln 2 in two parts, then a polynomial of degree 6 (Cephes, expf).
template <class Isa>
TOKENWORKS_INLINE f32x16<Isa> exp(const f32x16<Isa>& x) {
    using vector = f32x16<Isa>;
    const vector low = vector::broadcast(-87.336544F);
    const vector clamped = min(max(x, low), vector::broadcast(88.376259F));
    const vector magic = vector::broadcast(12582912.0F); // 1.5 * 2^23: adding it rounds to a whole number
    const vector n = fma(clamped, 1.44269504088896341F, magic) - magic;
    vector r = fma(n, -0.693359375F, clamped);
    r = fma(n, 2.12194440e-4F, r);
    vector p = fma(r, 1.9875691500e-4F, vector::broadcast(1.3981999507e-3F));
    p = fma(p, r, vector::broadcast(8.3334519073e-3F));
    p = fma(p, r, vector::broadcast(4.1665795894e-2F));
    p = fma(p, r, vector::broadcast(1.6666665459e-1F));
    p = fma(p, r, vector::broadcast(5.0000001201e-1F));
    p = fma(p, r * r, r) + vector::broadcast(1.0F);
    return select_less(x, low, vector::zero(), scale_by_power_of_two(p, n));
}

namespace detail {

#if TOKENWORKS_X86
template <class Kernel, class... Args>
TOKENWORKS_TARGET_AVX512 TOKENWORKS_NOINLINE inline auto call_avx512(Args... args) {
    return Kernel::run(args...);
}
template <class Kernel, class... Args>
TOKENWORKS_TARGET_AVX2 TOKENWORKS_NOINLINE inline auto call_avx2(Args... args) {
    return Kernel::run(args...);
}
#elif TOKENWORKS_ARM64
template <class Kernel, class... Args>
TOKENWORKS_TARGET_NEON TOKENWORKS_NOINLINE inline auto call_neon(Args... args) {
    return Kernel::run(args...);
}
#endif
template <class Kernel, class... Args>
TOKENWORKS_NOINLINE inline auto call_portable(Args... args) {
    return Kernel::run(args...);
}

} // namespace detail

/// Kernel::run, written for that Isa, as a function that any code may call. Args are the types of its parameters.
template <class Isa, class Kernel, class... Args>
[[nodiscard]] constexpr auto entry() {
#if TOKENWORKS_X86
    if constexpr(std::is_same_v<Isa, avx512>) {
        return &detail::call_avx512<Kernel, Args...>;
    } else if constexpr(std::is_same_v<Isa, avx2>) {
        return &detail::call_avx2<Kernel, Args...>;
    } else {
        return &detail::call_portable<Kernel, Args...>;
    }
#elif TOKENWORKS_ARM64
    if constexpr(std::is_same_v<Isa, neon>) {
        return &detail::call_neon<Kernel, Args...>;
    } else {
        return &detail::call_portable<Kernel, Args...>;
    }
#else
    return &detail::call_portable<Kernel, Args...>;
#endif
}

/// Calls choose.template operator()<Tag>() for the instruction set, and returns what it returns.
/// @pre is_supported(set)
template <class Choose>
TOKENWORKS_INLINE auto with_tag(isa set, Choose&& choose) {
    switch(set) {
#if TOKENWORKS_X86
    case isa::amx: // its tiles are for products alone
    case isa::avx512:
        return choose.template operator()<avx512>();
    case isa::avx2:
        return choose.template operator()<avx2>();
#elif TOKENWORKS_ARM64
    case isa::neon:
        return choose.template operator()<neon>();
#endif
    default:
        return choose.template operator()<portable<>>();
    }
}

/// Calls Kernel<Tag>::run(args...) for the instruction set. Arguments are passed by value: pointers, numbers, small
/// structs.
/// @pre is_supported(set)
template <template <class> class Kernel, class... Args>
auto dispatch(isa set, Args... args) {
    return with_tag(set, [&]<class Isa>() { return entry<Isa, Kernel<Isa>, Args...>()(args...); });
}

} // namespace tokenworks::inline TOKENWORKS_ABI::simd
