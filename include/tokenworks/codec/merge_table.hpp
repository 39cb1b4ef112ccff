// Which pairs of tokens merge, in which order, and into what: the trained part of byte-level BPE.
//
// GGUF lists merges as texts, best first. They are resolved to token ids once, so that encoding compares integers: the
// table is open-addressed, 16 bytes a slot. As with string_index, runs of occupied slots are limited.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/codec/string_index.hpp>
#include <tokenworks/codec/vocabulary.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

/// A merge of two neighbours: the lowest rank goes first.
struct merge {
    static constexpr std::uint32_t no_rank = ~std::uint32_t{0};

    std::uint32_t rank = no_rank;
    token_id result = -1;

    [[nodiscard]] explicit operator bool() const noexcept { return rank != no_rank; }
};

class merge_table {
public:
    static constexpr std::size_t most = std::size_t{1} << 28; ///< merges

    /// Merges of nothing: add them.
    merge_table() { reserve(0); }

    /// @throws format_error for a merge without two parts, or whose parts or result are not tokens of text
    /// @throws limit_error when too many merges collide in the table
    merge_table(const vocabulary_data& data, const vocabulary& vocab) {
        if(data.merges.size() > most) {
            tokenworks::detail::raise<limit_error>({data.name, ": tokenizer.ggml.merges: over 2^28 merges"});
        }
        reserve(data.merges.size());
        std::string whole;
        for(std::size_t rank = 0; rank < data.merges.size(); ++rank) {
            const std::string_view text = data.merges[rank];
            const std::size_t blank = text.find(' ', 1);
            if(blank == text.npos || blank + 1 == text.size()) {
                refuse(data, rank, {"has no two parts"});
            }
            const std::string_view left = text.substr(0, blank);
            const std::string_view right = text.substr(blank + 1);
            whole.assign(left).append(right);
            const auto token = [&](std::string_view part) {
                const auto id = vocab.find(part);
                if(!id || !vocab.is_text(*id)) {
                    refuse(data, rank,
                           {"needs \"", tokenworks::detail::escaped(part), "\", which is not a token of text"});
                }
                return *id;
            };
            const token_id a = token(left);
            const token_id b = token(right);
            insert(key_of(a, b), {static_cast<std::uint32_t>(rank), token(whole)});
        }
    }

    /// How two neighbours merge; false if they do not. A negative id merges with nothing.
    [[nodiscard]] merge find(token_id left, token_id right) const noexcept {
        if(left < 0 || right < 0) {
            return {};
        }
        const std::uint64_t key = key_of(left, right);
        for(std::size_t at = detail::mix(key) & mask_;; at = (at + 1) & mask_) {
            if(slots_[at].key == key || !slots_[at].value) {
                return slots_[at].value;
            }
        }
    }

    /// Makes room for `count` merges, and forgets all others.
    void reserve(std::size_t count) {
        slots_.assign(std::bit_ceil(count * 2 + 2), slot{});
        mask_ = slots_.size() - 1;
    }
    /// Adds a merge, or gives a pair that is there its new rank. No more than reserve has made room for.
    /// @throws limit_error when too many merges collide in the table
    void put(token_id left, token_id right, merge value) { insert(key_of(left, right), value, true); }

private:
    struct slot {
        std::uint64_t key = 0;
        merge value;
    };

    [[nodiscard]] static std::uint64_t key_of(token_id left, token_id right) noexcept {
        return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
    }

    void insert(std::uint64_t key, merge value, bool replace = false) {
        std::size_t at = detail::mix(key) & mask_;
        for(std::size_t step = 0; slots_[at].value; at = (at + 1) & mask_) {
            if(slots_[at].key == key) {
                if(replace) {
                    slots_[at].value = value;
                }
                return; // listed twice: the better rank counts, unless asked otherwise
            }
            if(++step == string_index::max_run) {
                tokenworks::detail::raise<limit_error>(
                    {"vocabulary: more than 1024 merges share a place in the hash table"});
            }
        }
        slots_[at] = {key, value};
    }

    [[noreturn]] TOKENWORKS_COLD static void refuse(const vocabulary_data& data, std::size_t rank,
                                                    tokenworks::detail::message_parts what) {
        tokenworks::detail::raise_format(data.name, {"tokenizer.ggml.merges"}, format_error::no_offset,
                                         {"merge ", rank, ", \"", tokenworks::detail::escaped(data.merges[rank]),
                                          "\", ", tokenworks::detail::message(what)});
    }

    std::vector<slot> slots_;
    std::size_t mask_ = 0;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
