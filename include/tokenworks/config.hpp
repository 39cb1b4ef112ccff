// Every macro and compiler probe of the library, all prefixed TOKENWORKS_.
//
// All code lives in the inline namespace TOKENWORKS_ABI, so that two versions of the library can be linked into one
// program. Headers open it as `namespace tokenworks::inline TOKENWORKS_ABI::kernels {`.
#pragma once

#include <tokenworks/version.hpp>

#if defined(_MSVC_LANG) || !(defined(__GNUC__) || defined(__clang__))
#error "tokenworks needs GCC 12 or newer, or Clang 14 or newer"
#endif
#if __cplusplus < 202002L
#error "tokenworks needs C++20: compile with -std=c++20"
#endif

#define TOKENWORKS_ABI v0_1

// Whether this translation unit sees the bodies of the large functions, and what stands before them.
//   nothing defined        header-only: every unit compiles what it uses
//   TOKENWORKS_SEPARATE    defined by the user, for the whole program or for single units: the headers only declare
//                          these functions, and one unit of the program includes tokenworks/separate.hpp to define them
// Names, types and bodies are the same in both cases, so both kinds of units may meet in one program.
#if defined(TOKENWORKS_SEPARATE_SOURCE) // set by separate.hpp alone
#define TOKENWORKS_DEFINITIONS 1
#define TOKENWORKS_INSTANCES 1 // of templates whose bodies the other units do not see
#define TOKENWORKS_FUNCTION
#elif defined(TOKENWORKS_SEPARATE)
#define TOKENWORKS_DEFINITIONS 0
#define TOKENWORKS_INSTANCES 0
#define TOKENWORKS_FUNCTION
#else
#define TOKENWORKS_DEFINITIONS 1
#define TOKENWORKS_INSTANCES 0
#define TOKENWORKS_FUNCTION inline
#endif

// Kernel bodies are written once, without a target attribute, and inlined into one entry point per instruction set.
#define TOKENWORKS_INLINE __attribute__((always_inline)) inline
#define TOKENWORKS_NOINLINE __attribute__((noinline))
#define TOKENWORKS_COLD __attribute__((noinline, cold)) // for what only happens at errors
#define TOKENWORKS_RESTRICT __restrict__

// Hot loops with constant trip counts must be unrolled at -O2 also.
#define TOKENWORKS_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define TOKENWORKS_UNROLL(n) TOKENWORKS_PRAGMA(clang loop unroll_count(n))
#else
#define TOKENWORKS_UNROLL(n) TOKENWORKS_PRAGMA(GCC unroll n)
#endif

#if defined(__x86_64__)
#define TOKENWORKS_X86 1
#define TOKENWORKS_TARGET_AVX2 __attribute__((target("avx2,fma,f16c,bmi,bmi2,popcnt")))
#define TOKENWORKS_TARGET_AVX512                                                                                       \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c,bmi,bmi2,popcnt")))
#define TOKENWORKS_TARGET_AMX                                                                                          \
    __attribute__((target("amx-tile,amx-int8,amx-bf16,gfni,avx512bf16,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,"  \
                          "avx2,fma,f16c,bmi,bmi2,popcnt")))
#else
#define TOKENWORKS_X86 0
#endif

// Whether a function may hold assembly of instructions that its target attribute does not name. Clang refuses it.
#if TOKENWORKS_X86 && !defined(__clang__)
#define TOKENWORKS_ANY_X86_ASSEMBLY 1
#else
#define TOKENWORKS_ANY_X86_ASSEMBLY 0
#endif

#if defined(__aarch64__)
#define TOKENWORKS_ARM64 1
#if defined(__clang__)
#define TOKENWORKS_TARGET_NEON __attribute__((target("dotprod")))
#else
#define TOKENWORKS_TARGET_NEON __attribute__((target("arch=armv8.2-a+dotprod")))
#endif
#else
#define TOKENWORKS_ARM64 0
#endif

// Whether the unit is compiled with its assertions on: what is checked at some cost is checked by default.
#if defined(NDEBUG)
#define TOKENWORKS_DEBUG 0
#else
#define TOKENWORKS_DEBUG 1
#endif

#if defined(__cpp_exceptions)
#define TOKENWORKS_EXCEPTIONS 1
#else
#define TOKENWORKS_EXCEPTIONS 0
#endif
