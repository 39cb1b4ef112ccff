// Names for what templates over views ask of their arguments.
#pragma once

#include <cstddef>
#include <type_traits>

#include <tokenworks/config.hpp>
#include <tokenworks/core/view.hpp>

namespace tokenworks::inline TOKENWORKS_ABI {

/// A view of any element, shape and layout.
template <class V>
concept any_view = is_view<std::remove_cvref_t<V>>;

/// A view with that many axes.
template <class V, std::size_t Rank>
concept view_of_rank = any_view<V> && std::remove_cvref_t<V>::rank()
== Rank;

/// A view whose elements may be written.
template <class V>
concept writable_view = any_view<V> && !std::is_const_v<typename std::remove_cvref_t<V>::element_type>;

} // namespace tokenworks::inline TOKENWORKS_ABI
