// What a kind of output is made of, first of three: a token space, how data become ids and back. The others are a
// constraint (sampling/constraint.hpp), which ids may come next, and a sink (runtime/sink.hpp), what is written as they
// come. runtime/make_tokens.hpp puts the three together.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

/// `S::data` is what it makes ids of: a series of numbers, a text, a picture.
template <class S>
concept token_space = requires(const S& space, const typename S::data& data, std::span<const std::int32_t> ids) {
    { space.vocab_size() } -> std::convertible_to<std::size_t>;
    { space.encode(data) } -> std::convertible_to<std::vector<std::int32_t>>;
    { space.decode(ids) } -> std::convertible_to<typename S::data>;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
