// The tile registers of AMX: eight of up to sixteen rows of 64 bytes, and what two of them multiplied add to a third.
// Assembly, so that plain code may hold it; the shapes must have been set before, and nothing else keeps tiles.
#pragma once

#include <tokenworks/config.hpp>

#if TOKENWORKS_X86

#include <cstddef>
#include <cstdint>

namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail {

/// What a tile configuration looks like in memory (Intel's manual, LDTILECFG).
class alignas(64) tile_shapes {
public:
    void set(int tile, std::size_t rows, std::size_t bytes) noexcept {
        rows_[tile] = static_cast<std::uint8_t>(rows);
        row_bytes_[tile] = static_cast<std::uint16_t>(bytes);
    }
    /// Shapes the registers, whose contents are lost.
    TOKENWORKS_TARGET_AMX TOKENWORKS_NOINLINE void load() const noexcept {
        __asm__ volatile("ldtilecfg %0" : : "m"(*this));
    }

private:
    [[maybe_unused]] std::uint8_t palette_ = 1;
    [[maybe_unused]] std::uint8_t start_row_ = 0;
    [[maybe_unused]] std::uint8_t reserved_[14] = {};
    std::uint16_t row_bytes_[16] = {};
    std::uint8_t rows_[16] = {};
};
static_assert(sizeof(tile_shapes) == 64);

/// Gives the registers back: threads are switched faster without them.
TOKENWORKS_TARGET_AMX TOKENWORKS_NOINLINE inline void release_tiles() noexcept { __asm__ volatile("tilerelease"); }

template <int Tile>
TOKENWORKS_TARGET_AMX TOKENWORKS_INLINE void load_tile(const void* at, std::size_t stride) noexcept {
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(at), "r"(stride), "i"(Tile) : "memory");
}

/// Rows go 64 bytes apart.
template <int Tile>
TOKENWORKS_TARGET_AMX TOKENWORKS_INLINE void store_tile(void* at) noexcept {
    __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(at), "r"(std::size_t{64}), "i"(Tile) : "memory");
}

template <int Tile>
TOKENWORKS_TARGET_AMX TOKENWORKS_INLINE void clear_tile() noexcept {
    __asm__ volatile("tilezero %%tmm%c0" : : "i"(Tile));
}

/// sums [T][N] += rows [T][4 K] * codes [K][N][4] of signed bytes, into 32-bit integers.
template <int Sums, int Rows, int Codes>
TOKENWORKS_TARGET_AMX TOKENWORKS_INLINE void add_byte_tiles() noexcept {
    __asm__ volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(Sums), "i"(Rows), "i"(Codes));
}

/// sums [T][N] += rows [T][2 K] * pairs [K][N][2] of bf16, into floats: of the first of each pair and of the second one
/// sum each, from zero on, each step rounded once; then the sum of both is added.
template <int Sums, int Rows, int Pairs>
TOKENWORKS_TARGET_AMX TOKENWORKS_INLINE void add_bf16_tiles() noexcept {
    __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(Sums), "i"(Rows), "i"(Pairs));
}

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail

#endif
