// Many short strings in one block, and a hash table that finds them.
//
// Both are for vocabularies: hundreds of thousands of strings of a few bytes, made once, then only read. A slot keeps
// 32 bits of the hash beside the index, so that a miss seldom touches the text. Runs of occupied slots are limited: a
// file whose strings collide on purpose is refused, and a lookup never takes more than max_run steps.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

/// A list of strings, stored end to end. At most 4 GiB together.
class string_block {
public:
    string_block() : ends_(1, 0) {}

    void reserve(std::size_t strings, std::size_t bytes) {
        ends_.reserve(strings + 1);
        bytes_.reserve(bytes);
    }
    /// @throws limit_error when the block would pass 4 GiB
    void push_back(std::string_view text) {
        bytes_ += text;
        close();
    }
    /// The end of the block, where a string may be written; close() then makes it the next element.
    [[nodiscard]] std::string& tail() noexcept { return bytes_; }
    void close() {
        if(bytes_.size() > ~std::uint32_t{0}) {
            tokenworks::detail::raise<limit_error>({"vocabulary: the tokens' texts are over 4 GiB together"});
        }
        ends_.push_back(static_cast<std::uint32_t>(bytes_.size()));
    }

    [[nodiscard]] std::size_t size() const noexcept { return ends_.size() - 1; }
    /// Bytes of all strings together.
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_.size(); }
    [[nodiscard]] std::string_view operator[](std::size_t i) const noexcept {
        return {bytes_.data() + ends_[i], ends_[i + 1] - ends_[i]};
    }
    void shrink_to_fit() {
        bytes_.shrink_to_fit();
        ends_.shrink_to_fit();
    }

private:
    std::string bytes_;
    std::vector<std::uint32_t> ends_;
};

namespace detail {

/// Mixes 64 bits (the finaliser of MurmurHash3, by Austin Appleby, public domain constants).
[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t x) noexcept {
    x = (x ^ x >> 33) * 0xFF51AFD7ED558CCDU;
    x = (x ^ x >> 33) * 0xC4CEB9FE1A85EC53U;
    return x ^ x >> 33;
}

/// Hash of a string, eight bytes a step.
[[nodiscard]] inline std::uint64_t hash_bytes(std::string_view text) noexcept {
    std::uint64_t hash = 0x9E3779B97F4A7C15U ^ text.size();
    const char* p = text.data();
    std::size_t left = text.size();
    std::uint64_t word = 0;
    for(; left >= 8; left -= 8, p += 8) {
        std::memcpy(&word, p, 8);
        hash = mix(hash ^ word);
    }
    if(left != 0) {
        word = 0;
        std::memcpy(&word, p, left);
        hash = mix(hash ^ word);
    }
    return mix(hash);
}

} // namespace detail

/// Finds strings of a string_block by their text.
class string_index {
public:
    static constexpr std::uint32_t none = ~std::uint32_t{0};
    static constexpr std::size_t max_run = 1024; ///< longest search, in slots

    /// Makes room for `count` strings.
    void reserve(std::size_t count) {
        slots_.assign(std::bit_ceil(count * 2 + 2), slot{});
        mask_ = slots_.size() - 1;
    }

    /// Adds block[at]; returns its index, or that of an equal string that is already there.
    /// @throws limit_error when too many strings collide
    std::uint32_t insert(const string_block& block, std::uint32_t at) {
        const std::string_view text = block[at];
        const std::uint64_t hash = detail::hash_bytes(text);
        const auto tag = static_cast<std::uint32_t>(hash >> 32);
        for(std::size_t step = 0; step < max_run; ++step) {
            slot& s = slots_[(hash + step) & mask_];
            if(s.index == none) {
                s = {tag, at};
                return at;
            }
            if(s.tag == tag && block[s.index] == text) {
                return s.index;
            }
        }
        tokenworks::detail::raise<limit_error>({"vocabulary: more than 1024 tokens share a place in the hash table"});
    }

    /// Index of a string, or none.
    [[nodiscard]] std::uint32_t find(const string_block& block, std::string_view text) const noexcept {
        if(slots_.empty()) {
            return none;
        }
        const std::uint64_t hash = detail::hash_bytes(text);
        const auto tag = static_cast<std::uint32_t>(hash >> 32);
        for(std::size_t step = 0; step < max_run; ++step) {
            const slot& s = slots_[(hash + step) & mask_];
            if(s.index == none || (s.tag == tag && block[s.index] == text)) {
                return s.index;
            }
        }
        return none;
    }

private:
    struct slot {
        std::uint32_t tag = 0;
        std::uint32_t index = none;
    };
    std::vector<slot> slots_;
    std::size_t mask_ = 0;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
