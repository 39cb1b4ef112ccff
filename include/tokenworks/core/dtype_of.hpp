// From a C++ element type to the run-time dtype: dtype_of<float> is dtype::f32.
//
// A type of another header joins by a static member, as the block formats of quant/ do:
//   struct q4_0 { static constexpr dtype type = dtype::q4_0; ... };
#pragma once

#include <concepts>
#include <type_traits>

#include <tokenworks/config.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/core/float16.hpp>
#include <tokenworks/core/float8.hpp>

namespace tokenworks::inline TOKENWORKS_ABI {

namespace detail {

template <class T>
concept names_its_dtype = requires {
    { T::type } -> std::convertible_to<dtype>;
};

template <class T>
concept character = std::same_as<T, char> || std::same_as<T, wchar_t> || std::same_as<T, char8_t> ||
    std::same_as<T, char16_t> || std::same_as<T, char32_t>;

template <class T>
concept plain_integer = std::integral<T> && !character<T> && !std::same_as<T, bool>;

template <plain_integer T>
[[nodiscard]] consteval dtype integer_dtype() {
    constexpr dtype signed_types[] = {dtype::i8, dtype::i16, dtype::i32, dtype::i64};
    constexpr dtype unsigned_types[] = {dtype::u8, dtype::u16, dtype::u32, dtype::u64};
    constexpr int log2_bytes = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
    static_assert(sizeof(T) <= 8, "tokenworks has no integer elements wider than 64 bits");
    return std::is_signed_v<T> ? signed_types[log2_bytes] : unsigned_types[log2_bytes];
}

template <class T>
[[nodiscard]] consteval dtype find_dtype_of() {
    if constexpr(names_its_dtype<T>) {
        return T::type;
    } else if constexpr(std::same_as<T, float>) {
        return dtype::f32;
    } else if constexpr(std::same_as<T, double>) {
        return dtype::f64;
    } else if constexpr(std::same_as<T, f16>) {
        return dtype::f16;
    } else if constexpr(std::same_as<T, bf16>) {
        return dtype::bf16;
    } else if constexpr(std::same_as<T, f8_e4m3>) {
        return dtype::f8_e4m3;
    } else if constexpr(std::same_as<T, f8_e5m2>) {
        return dtype::f8_e5m2;
    } else if constexpr(std::same_as<T, bool>) {
        return dtype::boolean;
    } else {
        return integer_dtype<T>();
    }
}

} // namespace detail

/// A type that can be the element of a tensor: it has a run-time dtype.
template <class T>
concept element = detail::names_its_dtype<T> || detail::plain_integer<T> || std::same_as<T, float> ||
    std::same_as<T, double> || std::same_as<T, f16> || std::same_as<T, bf16> || std::same_as<T, f8_e4m3> ||
    std::same_as<T, f8_e5m2> || std::same_as<T, bool>;

/// The run-time dtype of an element type; const and volatile do not matter.
template <class T>
    requires element<std::remove_cv_t<T>>
inline constexpr dtype dtype_of = detail::find_dtype_of<std::remove_cv_t<T>>();

} // namespace tokenworks::inline TOKENWORKS_ABI
