// The compiler's vector types, and the operations on them that need help.
//
// Code without a target attribute may use vector extensions, and is compiled for an instruction set where it is inlined
// (see simd.hpp). Clang does that for everything. GCC 12 decides some things too early, as if the wide instructions did
// not exist: it takes comparisons, shuffles and conversions apart lane by lane. There such operations are builtins or
// single instructions, whose vector types the warning about ABI changes does not concern, for all of it is inlined.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::simd {

#if defined(__clang__) || TOKENWORKS_ARM64
using half = __fp16;
#endif

namespace detail {

template <int Width>
struct native {
    typedef float f32 __attribute__((vector_size(Width * 4)));
    typedef float f32_unaligned __attribute__((vector_size(Width * 4), aligned(4)));
    typedef std::int32_t i32 __attribute__((vector_size(Width * 4)));
    typedef std::uint32_t u32 __attribute__((vector_size(Width * 4)));
    typedef std::int8_t i8 __attribute__((vector_size(Width), aligned(1)));
    typedef std::uint16_t u16 __attribute__((vector_size(Width * 2), aligned(2)));
#if defined(__clang__) || TOKENWORKS_ARM64
    typedef half f16 __attribute__((vector_size(Width * 2), aligned(2)));
#endif
    struct bytes {
        std::byte data[static_cast<std::size_t>(Width)];
    };
    struct halves {
        std::byte data[static_cast<std::size_t>(2 * Width)];
    };
};

/// a * 2^n for whole n in [-126, 127]
template <int Width>
TOKENWORKS_INLINE void scale(const typename native<Width>::f32& a, const typename native<Width>::f32& n,
                             typename native<Width>::f32& to) {
#if TOKENWORKS_ANY_X86_ASSEMBLY
    if constexpr(Width == 16) {
        __asm__("vscalefps %2, %1, %0" : "=v"(to) : "v"(a), "v"(n));
        return;
    }
#endif
    const typename native<Width>::i32 bits = (__builtin_convertvector(n, typename native<Width>::i32) + 127) << 23;
    typename native<Width>::f32 power;
    std::memcpy(&power, &bits, sizeof bits);
    to = a * power;
}

/// The first and the second half of a vector's lanes.
template <int Width>
TOKENWORKS_INLINE void halve(const typename native<Width>::f32& a, typename native<Width / 2>::f32& low,
                             typename native<Width / 2>::f32& high) {
    std::memcpy(&low, &a, sizeof low);
#if TOKENWORKS_ANY_X86_ASSEMBLY
    if constexpr(Width == 16) {
        __asm__("vextractf64x4 $1, %1, %0" : "=v"(high) : "v"(a));
    } else {
        __asm__("vextractf128 $1, %1, %0" : "=x"(high) : "x"(a));
    }
#else
    std::memcpy(&high, reinterpret_cast<const char*>(&a) + sizeof low, sizeof high);
#endif
}

/// The number that four bits of each lane stand for, bits 4 to 7 if High, less 8.
template <int Width, bool High>
TOKENWORKS_INLINE void nibbles(const typename native<Width>::i32& from, typename native<Width>::f32& to) {
    const typename native<Width>::i32 code = High ? from >> 4 : from;
#if TOKENWORKS_ANY_X86_ASSEMBLY
    if constexpr(Width == 16) { // looked up: the instruction reads the low four bits of a lane
        const typename native<Width>::f32 table = {-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7};
        __asm__("vpermps %2, %1, %0" : "=v"(to) : "v"(code), "v"(table));
        return;
    }
#endif
    to = __builtin_convertvector((code & 15) - 8, typename native<Width>::f32);
}

// Widening moves. GCC 12 takes vector conversions between element sizes apart, so there it is told the instruction.
#if defined(__clang__) || TOKENWORKS_ARM64
template <int Width>
TOKENWORKS_INLINE void widen_f16(const void* from, typename native<Width>::f32& to) {
    to = __builtin_convertvector(*static_cast<const typename native<Width>::f16*>(from), typename native<Width>::f32);
}
template <int Width>
TOKENWORKS_INLINE void narrow_f16(const typename native<Width>::f32& from, void* to) {
    *static_cast<typename native<Width>::f16*>(to) = __builtin_convertvector(from, typename native<Width>::f16);
}
template <int Width>
TOKENWORKS_INLINE void widen_u16(const void* from, typename native<Width>::u32& to) {
    to = __builtin_convertvector(*static_cast<const typename native<Width>::u16*>(from), typename native<Width>::u32);
}
template <int Width>
TOKENWORKS_INLINE void widen_i8(const void* from, typename native<Width>::i32& to) {
    to = __builtin_convertvector(*static_cast<const typename native<Width>::i8*>(from), typename native<Width>::i32);
}
#else
template <int Width>
TOKENWORKS_INLINE void widen_f16(const void* from, typename native<Width>::f32& to) {
    __asm__("vcvtph2ps %1, %0" : "=v"(to) : "m"(*static_cast<const typename native<Width>::halves*>(from)));
}
template <int Width>
TOKENWORKS_INLINE void narrow_f16(const typename native<Width>::f32& from, void* to) {
    __asm__("vcvtps2ph $0, %1, %0" : "=m"(*static_cast<typename native<Width>::halves*>(to)) : "v"(from));
}
template <int Width>
TOKENWORKS_INLINE void widen_u16(const void* from, typename native<Width>::u32& to) {
    __asm__("vpmovzxwd %1, %0" : "=v"(to) : "m"(*static_cast<const typename native<Width>::halves*>(from)));
}
template <int Width>
TOKENWORKS_INLINE void widen_i8(const void* from, typename native<Width>::i32& to) {
    __asm__("vpmovsxbd %1, %0" : "=v"(to) : "m"(*static_cast<const typename native<Width>::bytes*>(from)));
}
#endif

#if TOKENWORKS_ANY_X86_ASSEMBLY

// Makes the compiler declare the builtins below, which it does at the first function that may use them.
TOKENWORKS_TARGET_AVX512 void declare_avx512_builtins();
TOKENWORKS_TARGET_AVX2 void declare_avx2_builtins();

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpsabi"

inline constexpr int rounding_as_set = 4;
inline constexpr short all_lanes = -1;
inline constexpr int less_than = 0x11; // ordered, quiet

/// The same number in every lane.
template <int Width>
TOKENWORKS_INLINE void spread(float x, typename native<Width>::f32& out) {
    const typename native<4>::f32 first = {x, 0, 0, 0};
    if constexpr(Width == 16) {
        out = __builtin_ia32_broadcastss512(first, typename native<16>::f32{}, static_cast<unsigned short>(all_lanes));
    } else {
        out = __builtin_ia32_vbroadcastss_ps256(first);
    }
}

/// c = a * b + c, rounded once. Left to itself, GCC contracts a product only where every use of it is a sum, and with
/// -mtune=znver4 not even always: the same code could then round differently in two places that must agree.
template <int Width>
TOKENWORKS_INLINE void fuse(const typename native<Width>::f32& a, const typename native<Width>::f32& b,
                            typename native<Width>::f32& c) {
    if constexpr(Width == 16) {
        c = __builtin_ia32_vfmaddps512_mask(a, b, c, all_lanes, rounding_as_set);
    } else {
        c = __builtin_ia32_vfmaddps256(a, b, c);
    }
}

/// The larger of each pair; a where b is not a number.
template <int Width>
TOKENWORKS_INLINE void larger(const typename native<Width>::f32& a, const typename native<Width>::f32& b,
                              typename native<Width>::f32& out) {
    if constexpr(Width == 16) {
        out = __builtin_ia32_maxps512_mask(b, a, a, all_lanes, rounding_as_set);
    } else {
        out = __builtin_ia32_maxps256(b, a);
    }
}

/// The smaller of each pair; a where b is not a number.
template <int Width>
TOKENWORKS_INLINE void smaller(const typename native<Width>::f32& a, const typename native<Width>::f32& b,
                               typename native<Width>::f32& out) {
    if constexpr(Width == 16) {
        out = __builtin_ia32_minps512_mask(b, a, a, all_lanes, rounding_as_set);
    } else {
        out = __builtin_ia32_minps256(b, a);
    }
}

/// less where a < b, otherwise.
template <int Width>
TOKENWORKS_INLINE void pick_less(const typename native<Width>::f32& a, const typename native<Width>::f32& b,
                                 const typename native<Width>::f32& less, const typename native<Width>::f32& otherwise,
                                 typename native<Width>::f32& out) {
    if constexpr(Width == 16) {
        const auto mask =
            __builtin_ia32_cmpps512_mask(a, b, less_than, static_cast<unsigned short>(all_lanes), rounding_as_set);
        out = __builtin_ia32_blendmps_512_mask(otherwise, less, mask);
    } else {
        out = __builtin_ia32_blendvps256(otherwise, less, __builtin_ia32_cmpps256(a, b, less_than));
    }
}

#pragma GCC diagnostic pop

#else

/// The same number in every lane.
template <int Width>
TOKENWORKS_INLINE void spread(float x, typename native<Width>::f32& out) {
    out = x - typename native<Width>::f32{}; // not +, which is not exact for -0
}

/// c = a * b + c, rounded once where the instruction set has such an operation.
template <int Width>
TOKENWORKS_INLINE void fuse(const typename native<Width>::f32& a, const typename native<Width>::f32& b,
                            typename native<Width>::f32& c) {
#if defined(__clang__) && __has_builtin(__builtin_elementwise_fma)
    c = __builtin_elementwise_fma(a, b, c);
#elif TOKENWORKS_ARM64 && !defined(__clang__)
    __asm__("fmla %0.4s, %1.4s, %2.4s" : "+w"(c) : "w"(a), "w"(b));
#else
    c = a * b + c;
#endif
}

/// The larger of each pair; a where b is not a number.
template <int Width>
TOKENWORKS_INLINE void larger(const typename native<Width>::f32& a, const typename native<Width>::f32& b,
                              typename native<Width>::f32& out) {
    out = b > a ? b : a;
}

/// The smaller of each pair; a where b is not a number.
template <int Width>
TOKENWORKS_INLINE void smaller(const typename native<Width>::f32& a, const typename native<Width>::f32& b,
                               typename native<Width>::f32& out) {
    out = b < a ? b : a;
}

/// less where a < b, otherwise.
template <int Width>
TOKENWORKS_INLINE void pick_less(const typename native<Width>::f32& a, const typename native<Width>::f32& b,
                                 const typename native<Width>::f32& less, const typename native<Width>::f32& otherwise,
                                 typename native<Width>::f32& out) {
    out = a < b ? less : otherwise;
}

#endif

} // namespace detail

} // namespace tokenworks::inline TOKENWORKS_ABI::simd
