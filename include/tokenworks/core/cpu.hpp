// Which instruction sets this processor and its operating system offer, and the choice among our kernels.
//
// The choice is made at run time: a program compiled without any -march flag uses the best kernels of the machine it
// runs on. It is a value that callers pass on (core/execution.hpp), never a global that somebody may change.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

#if TOKENWORKS_X86
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#elif TOKENWORKS_ARM64 && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace tokenworks::inline TOKENWORKS_ABI {

/// The instruction sets that kernels are written for. `portable` runs everywhere.
enum class isa : std::uint8_t { portable, avx2, avx512, amx, neon };

inline constexpr std::array all_isas{isa::portable, isa::avx2, isa::avx512, isa::amx, isa::neon};

[[nodiscard]] constexpr std::string_view name(isa set) noexcept {
    switch(set) {
    case isa::avx2:
        return "avx2";
    case isa::avx512:
        return "avx512";
    case isa::amx:
        return "amx";
    case isa::neon:
        return "neon";
    case isa::portable:
        break;
    }
    return "portable";
}

namespace detail {

struct processor {
    bool avx2 = false;        ///< AVX2, FMA, F16C, BMI2, and the system saves ymm registers
    bool avx512 = false;      ///< AVX-512 F, BW, VL, DQ, VNNI, and the system saves zmm registers
    bool avx512_bf16 = false; ///< AVX512-BF16 besides: products of bf16 are faster, their bits the same
    bool amx = false;         ///< AMX tiles of bytes and of bf16, GFNI, AVX512-BF16 besides, and the system keeps tiles
    bool avx_vnni = false;    ///< AVX-VNNI besides AVX2: products of codes are faster, their bits the same
    bool neon = false;        ///< Advanced SIMD with the dot product instructions
};

#if TOKENWORKS_X86
/// Asks the system for the tile registers, which it gives a process only on request.
[[nodiscard]] inline bool may_use_tiles() noexcept {
#if defined(__linux__) && defined(SYS_arch_prctl)
    constexpr long request_state = 0x1023; // ARCH_REQ_XCOMP_PERM
    constexpr long tile_data = 18;
    return syscall(SYS_arch_prctl, request_state, tile_data) == 0;
#else
    return false;
#endif
}

inline processor probe_processor() noexcept {
    processor found;
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    if(__get_cpuid(1, &a, &b, &c, &d) == 0) {
        return found;
    }
    constexpr unsigned fma = 1U << 12;
    constexpr unsigned popcnt = 1U << 23;
    constexpr unsigned osxsave = 1U << 27;
    constexpr unsigned avx = 1U << 28;
    constexpr unsigned f16c = 1U << 29;
    constexpr unsigned wanted = fma | popcnt | osxsave | avx | f16c;
    if((c & wanted) != wanted) {
        return found;
    }
    unsigned low = 0;
    unsigned high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    const bool saves_ymm = (low & 0x06U) == 0x06U;
    const bool saves_zmm = (low & 0xe6U) == 0xe6U;
    if(__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) {
        return found;
    }
    constexpr unsigned avx2 = (1U << 5) | (1U << 3) | (1U << 8);                   // AVX2, BMI, BMI2
    constexpr unsigned avx512 = (1U << 16) | (1U << 17) | (1U << 30) | (1U << 31); // F, DQ, BW, VL
    constexpr unsigned vnni = 1U << 11;
    found.avx2 = saves_ymm && (b & avx2) == avx2;
    found.avx512 = found.avx2 && saves_zmm && (b & avx512) == avx512 && (c & vnni) != 0;
    constexpr unsigned tiles = (1U << 22) | (1U << 24) | (1U << 25); // of bf16, at all, of bytes
    constexpr unsigned gfni = 1U << 8;
    constexpr unsigned tile_state = 0x60000U; // configuration and data
    const bool has_tiles = (d & tiles) == tiles && (c & gfni) != 0 && (low & tile_state) == tile_state;
    constexpr unsigned avx_vnni = 1U << 4;
    constexpr unsigned bf16 = 1U << 5;
    if(__get_cpuid_count(7, 1, &a, &b, &c, &d) != 0) {
        found.avx_vnni = found.avx2 && (a & avx_vnni) != 0;
        found.avx512_bf16 = found.avx512 && (a & bf16) != 0;
    }
    found.amx = found.avx512_bf16 && has_tiles && may_use_tiles();
    return found;
}
#elif TOKENWORKS_ARM64
inline processor probe_processor() noexcept {
    processor found;
#if defined(__linux__)
    constexpr unsigned long dot_product = 1UL << 20; // HWCAP_ASIMDDP
    found.neon = (getauxval(AT_HWCAP) & dot_product) != 0;
#elif defined(__ARM_FEATURE_DOTPROD)
    found.neon = true;
#endif
    return found;
}
#else
inline processor probe_processor() noexcept { return {}; }
#endif

inline const processor& this_processor() noexcept {
    static const processor found = probe_processor();
    return found;
}

} // namespace detail

/// Whether this machine can run kernels of that instruction set.
[[nodiscard]] inline bool is_supported(isa set) noexcept {
    const detail::processor& cpu = detail::this_processor();
    switch(set) {
    case isa::avx2:
        return cpu.avx2;
    case isa::avx512:
        return cpu.avx512;
    case isa::amx:
        return cpu.amx;
    case isa::neon:
        return cpu.neon;
    case isa::portable:
        break;
    }
    return true;
}

/// The fastest instruction set that this machine supports.
[[nodiscard]] inline isa best_isa() noexcept {
    const detail::processor& cpu = detail::this_processor();
    if(cpu.amx) {
        return isa::amx;
    }
    if(cpu.avx512) {
        return isa::avx512;
    }
    if(cpu.avx2) {
        return isa::avx2;
    }
    return cpu.neon ? isa::neon : isa::portable;
}

/// Reads a choice: "auto" is best_isa(), otherwise a name from name(isa).
/// @throws argument_error for another word, unsupported_error where this processor lacks the set
[[nodiscard]] inline isa parse_isa(std::string_view text) {
    if(text == "auto") {
        return best_isa();
    }
    for(const isa set: all_isas) {
        if(text == name(set)) {
            if(!is_supported(set)) {
                detail::raise<unsupported_error>({"instruction set ", text, ": this processor does not have it"});
            }
            return set;
        }
    }
    detail::raise<argument_error>(
        {"instruction set ", detail::escaped(text), ": not one of auto, portable, avx2, avx512, amx, neon"});
}

} // namespace tokenworks::inline TOKENWORKS_ABI
