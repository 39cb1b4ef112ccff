// The functions that attention calls, as tables of one instruction set: inner loops, and readers of what is stored.
//
// What walks over tiles and blocks (attention_tile.hpp) is compiled once and finds everything that depends on the
// instruction set or on the storage here.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include <tokenworks/config.hpp>
#include <tokenworks/core/cpu.hpp>
#include <tokenworks/core/float16.hpp>
#include <tokenworks/core/simd.hpp>
#include <tokenworks/kernels/attention_rows.hpp>
#include <tokenworks/kernels/attention_source.hpp>
#include <tokenworks/kernels/attention_weights.hpp>
#include <tokenworks/kernels/key_blocks.hpp>
#include <tokenworks/kernels/paged_rows.hpp>
#include <tokenworks/quant/legacy.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail {

using score_function = void (*)(const attention_row* rows, std::size_t first, const key_stretch* stretch);
using value_function = void (*)(const attention_row* rows, std::size_t first, const value_stretch* stretch,
                                std::size_t from, std::size_t to);
using weigh_function = void (*)(const attention_numbers* task, attention_row* rows, std::size_t count,
                                std::size_t begin, std::size_t end, float* scores, float* sums);
using finish_function = void (*)(const attention_numbers* task, const attention_row* rows, std::size_t count,
                                 const float* sums);

using merge_function = void (*)(const attention_sum* next, attention_sum* total, std::size_t width);

/// Numbers of rows that there are loops for: rows are cut into groups of these.
inline constexpr std::array<std::size_t, 4> group_sizes{6, 4, 3, 1};

/// The place in group_sizes of the next group, of so many rows that are left: as few groups as can be.
/// @param largest  place of the largest group that there are loops for
[[nodiscard]] constexpr std::size_t next_group(std::size_t rows, std::size_t largest) noexcept {
    std::size_t place = largest;
    while(group_sizes[place] > rows) {
        ++place;
    }
    return place == 0 && (rows == 7 || rows == 8) ? 1 : place;
}

/// The loops over elements of one type, by the place of their number of rows in group_sizes.
struct element_loops {
    std::size_t largest; ///< where in group_sizes to begin
    std::array<score_function, group_sizes.size()> score;
    std::array<value_function, group_sizes.size()> add;
};

/// What a block is read as without making floats of it first.
enum class in_place : std::uint8_t { f32, f16, bf16, q8, q4, none };

/// Everything of one instruction set.
struct attention_loops {
    std::array<element_loops, 5> of; ///< by in_place
    weigh_function weigh;
    merge_function merge;
    finish_function finish;
    std::size_t narrow_rows; ///< up to so many rows read what is not float in place; more make floats of it first

    [[nodiscard]] const element_loops& floats() const noexcept { return of.front(); }
    [[nodiscard]] const element_loops& loops(in_place element) const noexcept {
        return of[static_cast<std::size_t>(element)];
    }
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

/// @tparam Keys, Values  how they are stored   @tparam Largest  the first place in group_sizes that there are loops for
template <class Isa, class Keys, class Values, std::size_t Largest>
[[nodiscard]] constexpr element_loops element_loops_on() {
    element_loops loops{.largest = Largest, .score = {}, .add = {}};
    [&]<std::size_t... I>(std::index_sequence<I...>) {
        ((loops.score[Largest + I] = score_entry<Isa, Keys, group_sizes[Largest + I]>()), ...);
        ((loops.add[Largest + I] = value_entry<Isa, Values, group_sizes[Largest + I]>()), ...);
    }
    (std::make_index_sequence<group_sizes.size() - Largest>{});
    return loops;
}

template <class Isa>
[[nodiscard]] constexpr attention_loops attention_loops_on() {
    attention_loops loops{};
    if constexpr(is_portable<Isa>) { // too few registers for more than three rows
        loops.of[0] = element_loops_on<Isa, float, float, 2>();
    } else {
        loops.of[0] = element_loops_on<Isa, float, float, 0>();
    }
    if constexpr(simd::shuffles<Isa>) {
        loops.of[1] = element_loops_on<Isa, tokenworks::f16, tokenworks::f16, 0>();
        loops.of[2] = element_loops_on<Isa, tokenworks::bf16, tokenworks::bf16, 1>();
        loops.of[3] = element_loops_on<Isa, q8_keys, quant::q8_0, 1>();
        loops.of[4] = element_loops_on<Isa, q4_keys, quant::q4_0, 1>();
        loops.narrow_rows = 8;
    }
    loops.weigh = simd::entry<Isa, weigh_rows<Isa>, const attention_numbers*, attention_row*, std::size_t, std::size_t,
                              std::size_t, float*, float*>();
    loops.merge = simd::entry<Isa, merge_sums<Isa>, const attention_sum*, attention_sum*, std::size_t>();
    loops.finish =
        simd::entry<Isa, finish_rows<Isa>, const attention_numbers*, const attention_row*, std::size_t, const float*>();
    return loops;
}

template <class Isa>
inline constexpr attention_loops attention_loops_of = attention_loops_on<Isa>();

TOKENWORKS_FUNCTION const attention_loops& attention_loops_for(isa set) noexcept {
    return *simd::with_tag(set, []<class Isa>() { return &attention_loops_of<Isa>; });
}

#endif

using turn_function = void (*)(const void* source, const std::byte* data, std::size_t group, std::size_t key,
                               std::size_t key_count, std::size_t column, std::size_t columns, float* to);
using widen_function = void (*)(const void* source, const std::byte* data, std::size_t group, std::size_t begin,
                                std::size_t end, std::size_t column, std::size_t columns, float* to,
                                std::size_t stride);

/// A source, or a page of it, whose elements lie at `data`.
template <class Source>
[[nodiscard]] TOKENWORKS_INLINE Source placed(const void* source, const std::byte* data) {
    Source here = *static_cast<const Source*>(source);
    here.data = reinterpret_cast<const typename Source::element*>(data);
    return here;
}

template <class Source, class Isa>
struct turn_keys {
    static TOKENWORKS_INLINE void run(const void* source, const std::byte* data, std::size_t group, std::size_t key,
                                      std::size_t key_count, std::size_t column, std::size_t columns, float* to) {
        placed<Source>(source, data).template turn<Isa>(group, key, key_count, column, columns, to);
    }
};

template <class Source, class Isa>
struct widen_values {
    static TOKENWORKS_INLINE void run(const void* source, const std::byte* data, std::size_t group, std::size_t begin,
                                      std::size_t end, std::size_t column, std::size_t columns, float* to,
                                      std::size_t stride) {
        placed<Source>(source, data).template widen<Isa>(group, begin, end, column, columns, to, stride);
    }
};

/// What is stored in a source and where, without its type. The source must outlive it.
struct stored_rows {
    const void* source;
    in_place element;
    const std::byte* data;         ///< not looked at where there are pages
    const std::byte* const* pages; ///< of 64 keys each, or null
    std::size_t offset;            ///< in every page
    std::size_t group_bytes;       ///< from one head to the next
    std::size_t key_bytes;

    /// @param key  of turned keys, and of pages, a multiple of 64
    [[nodiscard]] const std::byte* at(std::size_t group, std::size_t key) const noexcept {
        if(pages != nullptr) {
            return pages[key / page_tokens] + offset + group * group_bytes;
        }
        return data + group * group_bytes + key * key_bytes;
    }

    /// Says that the source is a page, whose elements begin at `first` in each of these.
    void put_in_pages(std::span<const std::byte* const> in, std::size_t first) noexcept {
        pages = in.data();
        offset = first;
    }

protected:
    /// Where the elements begin among which a key is found, and its place among these.
    [[nodiscard]] const std::byte* piece_of(std::size_t key) const noexcept {
        return pages != nullptr ? pages[key / page_tokens] + offset : data;
    }
    [[nodiscard]] std::size_t place_of(std::size_t key) const noexcept {
        return pages != nullptr ? key % page_tokens : key;
    }
};

struct stored_keys: stored_rows {
    turn_function turns;

    /// As the source's.
    void turn(std::size_t group, std::size_t key, std::size_t key_count, std::size_t column, std::size_t columns,
              float* to) const {
        turns(source, piece_of(key), group, place_of(key), pages != nullptr ? page_tokens : key_count, column, columns,
              to);
    }
};

struct stored_values: stored_rows {
    widen_function widens;
    std::size_t element_bytes;
    std::size_t values_each; ///< of an element

    /// As the source's. @pre keys in pages are all of one page
    void widen(std::size_t group, std::size_t begin, std::size_t end, std::size_t column, std::size_t columns,
               float* to, std::size_t stride) const {
        widens(source, piece_of(begin), group, place_of(begin), place_of(begin) + (end - begin), column, columns, to,
               stride);
    }
};

template <class Element>
inline constexpr in_place in_place_as = in_place::none;
template <>
inline constexpr in_place in_place_as<float> = in_place::f32;
template <>
inline constexpr in_place in_place_as<tokenworks::f16> = in_place::f16;
template <>
inline constexpr in_place in_place_as<tokenworks::bf16> = in_place::bf16;
template <>
inline constexpr in_place in_place_as<q8_keys> = in_place::q8;
template <>
inline constexpr in_place in_place_as<quant::q8_0> = in_place::q8;
template <>
inline constexpr in_place in_place_as<q4_keys> = in_place::q4;
template <>
inline constexpr in_place in_place_as<quant::q4_0> = in_place::q4;

/// @pre is_supported(set)
template <class Source>
[[nodiscard]] stored_keys keys_in(const Source& source, isa set) noexcept {
    using element = typename Source::element;
    stored_keys keys{};
    keys.source = &source;
    keys.element = in_place::none;
    keys.data = reinterpret_cast<const std::byte*>(source.data);
    if constexpr(Source::is_turned) {
        keys.element = in_place_as<element>;
        keys.group_bytes = source.group_stride * sizeof(element);
        keys.key_bytes = source.key_bytes();
    }
    keys.turns = simd::with_tag(set, []<class Isa>() -> turn_function {
        return simd::entry<Isa, turn_keys<Source, Isa>, const void*, const std::byte*, std::size_t, std::size_t,
                           std::size_t, std::size_t, std::size_t, float*>();
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
    values.values_each = key_storage<element>::values_each;
    values.widens = simd::with_tag(set, []<class Isa>() -> widen_function {
        return simd::entry<Isa, widen_values<Source, Isa>, const void*, const std::byte*, std::size_t, std::size_t,
                           std::size_t, std::size_t, std::size_t, float*, std::size_t>();
    });
    return values;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail
