// The functions that attention calls, as tables of one instruction set: inner loops, and readers of what is stored.
//
// What walks over tiles and blocks (attention_tile.hpp) is compiled once and finds everything that depends on the
// instruction set or on the storage here.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>

#include <tokenworks/config.hpp>
#include <tokenworks/core/cpu.hpp>
#include <tokenworks/core/float16.hpp>
#include <tokenworks/core/simd.hpp>
#include <tokenworks/kernels/attention_rows.hpp>
#include <tokenworks/kernels/attention_source.hpp>
#include <tokenworks/kernels/attention_weights.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail {

using score_function = void (*)(const attention_row* rows, std::size_t first, const key_stretch* stretch);
using value_function = void (*)(const attention_row* rows, std::size_t first, const value_stretch* stretch,
                                std::size_t from, std::size_t to);
using weigh_function = void (*)(const attention_numbers* task, attention_row* rows, std::size_t count,
                                std::size_t begin, std::size_t end, float* scores, float* sums);
using finish_function = void (*)(const attention_numbers* task, const attention_row* rows, std::size_t count,
                                 const float* sums);

/// Numbers of rows that there are loops for, the largest first: rows are cut into groups of these.
inline constexpr std::array<std::size_t, 3> group_sizes{6, 3, 1};

/// The loops over elements of one type, by the place of their number of rows in group_sizes.
struct element_loops {
    std::array<score_function, 3> score;
    std::array<value_function, 3> add;
};

/// What a block may be read as without making floats of it first.
enum class in_place : std::uint8_t { none, f32, f16 };

/// Everything of one instruction set.
struct attention_loops {
    element_loops f32;
    element_loops f16;
    weigh_function weigh;
    finish_function finish;
    std::size_t largest_group; ///< where in group_sizes to begin
    std::size_t f16_rows;      ///< up to so many rows read f16 in place; more make a block into floats first
};

/// @pre is_supported(set)
[[nodiscard]] TOKENWORKS_FUNCTION const attention_loops& attention_loops_for(isa set) noexcept;

#if TOKENWORKS_DEFINITIONS

template <class Isa>
inline constexpr bool is_portable = false;
template <class Architecture>
inline constexpr bool is_portable<simd::portable<Architecture>> = true;

template <class Isa, class Element, std::size_t Rows>
[[nodiscard]] constexpr score_function score_entry() {
    return simd::entry<Isa, score_rows<Isa, Element, Rows>, const attention_row*, std::size_t, const key_stretch*>();
}

template <class Isa, class Element, std::size_t Rows>
[[nodiscard]] constexpr value_function value_entry() {
    return simd::entry<Isa, value_rows<Isa, Element, Rows>, const attention_row*, std::size_t, const value_stretch*,
                       std::size_t, std::size_t>();
}

template <class Isa, class Element>
[[nodiscard]] constexpr element_loops element_loops_on() {
    if constexpr(is_portable<Isa>) { // too few registers for six rows
        return {{nullptr, score_entry<Isa, Element, 3>(), score_entry<Isa, Element, 1>()},
                {nullptr, value_entry<Isa, Element, 3>(), value_entry<Isa, Element, 1>()}};
    } else {
        return {{score_entry<Isa, Element, 6>(), score_entry<Isa, Element, 3>(), score_entry<Isa, Element, 1>()},
                {value_entry<Isa, Element, 6>(), value_entry<Isa, Element, 3>(), value_entry<Isa, Element, 1>()}};
    }
}

template <class Isa>
[[nodiscard]] constexpr attention_loops attention_loops_on() {
    attention_loops loops{};
    loops.f32 = element_loops_on<Isa, float>();
    if constexpr(simd::shuffles<Isa>) {
        loops.f16 = element_loops_on<Isa, tokenworks::f16>();
        loops.f16_rows = 6;
    }
    loops.weigh = simd::entry<Isa, weigh_rows<Isa>, const attention_numbers*, attention_row*, std::size_t, std::size_t,
                              std::size_t, float*, float*>();
    loops.finish =
        simd::entry<Isa, finish_rows<Isa>, const attention_numbers*, const attention_row*, std::size_t, const float*>();
    loops.largest_group = is_portable<Isa> ? 1 : 0;
    return loops;
}

template <class Isa>
inline constexpr attention_loops attention_loops_of = attention_loops_on<Isa>();

TOKENWORKS_FUNCTION const attention_loops& attention_loops_for(isa set) noexcept {
    return *simd::with_tag(set, []<class Isa>() { return &attention_loops_of<Isa>; });
}

#endif

using turn_function = void (*)(const void* source, std::size_t group, std::size_t key, std::size_t key_count,
                               std::size_t column, std::size_t columns, float* to);
using widen_function = void (*)(const void* source, std::size_t group, std::size_t begin, std::size_t end,
                                std::size_t column, std::size_t columns, float* to, std::size_t stride);

template <class Source, class Isa>
struct turn_keys {
    static TOKENWORKS_INLINE void run(const void* source, std::size_t group, std::size_t key, std::size_t key_count,
                                      std::size_t column, std::size_t columns, float* to) {
        static_cast<const Source*>(source)->template turn<Isa>(group, key, key_count, column, columns, to);
    }
};

template <class Source, class Isa>
struct widen_values {
    static TOKENWORKS_INLINE void run(const void* source, std::size_t group, std::size_t begin, std::size_t end,
                                      std::size_t column, std::size_t columns, float* to, std::size_t stride) {
        static_cast<const Source*>(source)->template widen<Isa>(group, begin, end, column, columns, to, stride);
    }
};

/// What is stored in a source and where, without its type. The source must outlive it.
struct stored_rows {
    const void* source;
    in_place element;
    const std::byte* data;
    std::size_t group_bytes; ///< from one head to the next
    std::size_t key_bytes;

    [[nodiscard]] const std::byte* at(std::size_t group, std::size_t key) const noexcept {
        return data + group * group_bytes + key * key_bytes;
    }
};

struct stored_keys: stored_rows {
    turn_function turn;
    std::size_t vector_stride; ///< elements from sixteen keys to the next sixteen; in place only
};

struct stored_values: stored_rows {
    widen_function widen;
    std::size_t element_bytes;
};

template <class Element>
inline constexpr in_place in_place_as = std::same_as<Element, float>             ? in_place::f32
                                        : std::same_as<Element, tokenworks::f16> ? in_place::f16
                                                                                 : in_place::none;

/// @pre is_supported(set)
template <class Source>
[[nodiscard]] stored_keys keys_in(const Source& source, isa set) noexcept {
    using element = typename Source::element;
    stored_keys keys{};
    keys.source = &source;
    if constexpr(Source::is_turned) {
        keys.element = in_place_as<element>;
        keys.data = reinterpret_cast<const std::byte*>(source.data);
        keys.group_bytes = source.group_stride * sizeof(element);
        keys.key_bytes = source.key_width * sizeof(element);
        keys.vector_stride = source.vector_stride();
    }
    keys.turn = simd::with_tag(set, []<class Isa>() -> turn_function {
        return simd::entry<Isa, turn_keys<Source, Isa>, const void*, std::size_t, std::size_t, std::size_t, std::size_t,
                           std::size_t, float*>();
    });
    return keys;
}

/// @pre is_supported(set)
template <class Source>
[[nodiscard]] stored_values values_in(const Source& source, isa set) noexcept {
    using element = typename Source::element;
    stored_values values{};
    values.source = &source;
    values.element = in_place_as<element>;
    values.data = reinterpret_cast<const std::byte*>(source.data);
    values.group_bytes = source.group_stride * sizeof(element);
    values.key_bytes = source.key_stride * sizeof(element);
    values.element_bytes = sizeof(element);
    values.widen = simd::with_tag(set, []<class Isa>() -> widen_function {
        return simd::entry<Isa, widen_values<Source, Isa>, const void*, std::size_t, std::size_t, std::size_t,
                           std::size_t, std::size_t, float*, std::size_t>();
    });
    return values;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail
