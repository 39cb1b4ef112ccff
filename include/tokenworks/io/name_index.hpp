// Looking things up by name: sorted order, not a hash table, because the names come from a file, which could choose
// a million of them that collide.
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string_view>
#include <vector>

#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io::detail {

/// Indices of items in the order of their names; equal names keep their order.
template <class Items, class Name>
[[nodiscard]] std::vector<std::size_t> sort_by_name(const Items& items, Name&& name) {
    std::vector<std::size_t> order(items.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        const int compared = std::string_view{name(items[a])}.compare(name(items[b]));
        return compared != 0 ? compared < 0 : a < b;
    });
    return order;
}

/// The item of that name, or null.
template <class Items, class Name>
[[nodiscard]] auto find_by_name(const Items& items, const std::vector<std::size_t>& order, std::string_view wanted,
                                Name&& name) noexcept -> const typename Items::value_type* {
    const auto at = std::lower_bound(order.begin(), order.end(), wanted, [&](std::size_t i, std::string_view text) {
        return std::string_view{name(items[i])} < text;
    });
    return at != order.end() && name(items[*at]) == wanted ? &items[*at] : nullptr;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::io::detail
