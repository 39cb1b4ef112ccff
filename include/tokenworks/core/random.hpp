// Random numbers as a function of (seed, stream, position), never of the order in which they are asked for.
//
// Philox4x32-10: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3",
// SC 2011, section 3.3. Ten rounds of multiply, swap and xor turn a 128-bit counter and a 64-bit key into 128 bits.
// A generator with state would give a sequence other numbers when another sequence joins its batch; this one cannot.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>

#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI {

/// The block function: 128 random bits for a counter under a key.
[[nodiscard]] constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                                std::array<std::uint32_t, 2> key) noexcept {
    for(int round = 0; round < 10; ++round) {
        const std::uint64_t a = std::uint64_t{0xD2511F53U} * counter[0];
        const std::uint64_t b = std::uint64_t{0xCD9E8D57U} * counter[2];
        counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
                   static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
        key[0] += 0x9E3779B9U; // the golden ratio
        key[1] += 0xBB67AE85U; // sqrt(3) - 1
    }
    return counter;
}

/// A stream of random numbers. at(), bits() and uniform() look anywhere in it; operator() walks along it, and makes
/// this a standard UniformRandomBitGenerator.
class philox {
public:
    using result_type = std::uint32_t;

    /// Streams of one seed are independent: one for each sequence, layer, or whatever draws.
    constexpr explicit philox(std::uint64_t seed = 0, std::uint64_t stream = 0) noexcept
        : seed_{seed}, stream_{stream} {}

    /// The 128 bits of block `counter`.
    [[nodiscard]] constexpr std::array<std::uint32_t, 4> at(std::uint64_t counter) const noexcept {
        return philox4x32({low(counter), high(counter), low(stream_), high(stream_)}, {low(seed_), high(seed_)});
    }

    /// 32 random bits; position counts words, four to a block.
    [[nodiscard]] constexpr std::uint32_t bits(std::uint64_t position) const noexcept {
        return at(position / 4)[position % 4];
    }

    /// Uniform in [0, 1), a multiple of 2^-24 for float (position counts words) and of 2^-53 for double (position
    /// counts pairs of words).
    template <std::floating_point F = float>
    [[nodiscard]] constexpr F uniform(std::uint64_t position) const noexcept {
        static_assert(std::same_as<F, float> || std::same_as<F, double>, "tokenworks: uniform gives float or double");
        if constexpr(std::same_as<F, float>) {
            return static_cast<float>(bits(position) >> 8) * 0x1p-24F;
        } else {
            const auto words = at(position / 2);
            const std::size_t first = position % 2 * 2;
            const std::uint64_t both = std::uint64_t{words[first]} << 32 | words[first + 1];
            return static_cast<double>(both >> 11) * 0x1p-53;
        }
    }

    /// The bits at position(), which then moves on by one.
    constexpr result_type operator()() noexcept { return bits(position_++); }

    [[nodiscard]] static constexpr result_type min() noexcept { return 0; }
    [[nodiscard]] static constexpr result_type max() noexcept { return std::numeric_limits<result_type>::max(); }

    [[nodiscard]] constexpr std::uint64_t position() const noexcept { return position_; }
    constexpr void seek(std::uint64_t position) noexcept { position_ = position; }

    [[nodiscard]] friend constexpr bool operator==(const philox&, const philox&) noexcept = default;

private:
    static constexpr std::uint32_t low(std::uint64_t value) noexcept { return static_cast<std::uint32_t>(value); }
    static constexpr std::uint32_t high(std::uint64_t value) noexcept {
        return static_cast<std::uint32_t>(value >> 32);
    }

    std::uint64_t seed_;
    std::uint64_t stream_;
    std::uint64_t position_ = 0;
};

/// One number of stream 0 of a seed.
template <std::floating_point F = float>
[[nodiscard]] constexpr F uniform(std::uint64_t seed, std::uint64_t position) noexcept {
    return philox{seed}.uniform<F>(position);
}

} // namespace tokenworks::inline TOKENWORKS_ABI
