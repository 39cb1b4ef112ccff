// Merges the symbols of one word: the best-ranked pair of neighbours first and the leftmost of equals, until no pair is
// in the list of merges.
//
// Short words are scanned for the best pair again and again, which is quadratic but fast; long ones use a heap, so that
// 100 kB without a blank take O(n log n). Both give the same ids.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <tokenworks/codec/merge_table.hpp>
#include <tokenworks/codec/vocabulary.hpp>
#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

/// The symbols of a word, and the memory for merging them, which serves for word after word.
class word_merger {
public:
    /// The symbols before merging, then those after it; negative ones merge with nothing.
    [[nodiscard]] std::vector<token_id>& symbols() noexcept { return word_; }

    void run(const merge_table& merges) {
        if(word_.size() <= longest_scanned) {
            merge_by_scanning(merges);
        } else {
            merge_by_heap(merges);
        }
    }

private:
    static constexpr std::size_t longest_scanned = 32; // symbols; from here on the heap is faster
    static constexpr std::uint32_t end_of_word = ~std::uint32_t{0};

    struct chained {
        token_id id;
        std::uint32_t previous, next;
    };
    struct candidate {
        std::uint64_t order; // rank, then place of the left symbol
        token_id left, right;

        friend bool operator<(const candidate& a, const candidate& b) noexcept { return a.order > b.order; }
    };

    void merge_by_scanning(const merge_table& merges);
    void merge_by_heap(const merge_table& merges);

    std::vector<token_id> word_;
    std::vector<chained> chain_;
    std::vector<candidate> heap_;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION void word_merger::merge_by_scanning(const merge_table& merges) {
    std::vector<token_id>& word = word_;
    std::array<merge, longest_scanned> pairs; // pairs[i]: of word[i] and word[i + 1]
    std::size_t count = word.size();
    for(std::size_t i = 0; i + 1 < count; ++i) {
        pairs[i] = merges.find(word[i], word[i + 1]);
    }
    while(count > 1) {
        const auto pair_end = pairs.begin() + static_cast<std::ptrdiff_t>(count - 1);
        const auto best =
            std::min_element(pairs.begin(), pair_end, [](const merge& a, const merge& b) { return a.rank < b.rank; });
        if(!*best) {
            break;
        }
        const auto at = static_cast<std::size_t>(best - pairs.begin());
        word[at] = best->result;
        word.erase(word.begin() + static_cast<std::ptrdiff_t>(at + 1));
        std::copy(best + 1, pair_end, best);
        --count;
        if(at + 1 < count) {
            pairs[at] = merges.find(word[at], word[at + 1]);
        }
        if(at > 0) {
            pairs[at - 1] = merges.find(word[at - 1], word[at]);
        }
    }
}

TOKENWORKS_FUNCTION void word_merger::merge_by_heap(const merge_table& merges) {
    std::vector<chained>& symbols = chain_;
    std::vector<candidate>& heap = heap_;
    symbols.clear();
    heap.clear();
    const auto count = static_cast<std::uint32_t>(word_.size());
    for(std::uint32_t i = 0; i < count; ++i) {
        symbols.push_back({word_[i], i - 1, i + 1 < count ? i + 1 : end_of_word}); // the first has no previous
    }
    const auto consider = [&](std::uint32_t left) {
        const std::uint32_t right = symbols[left].next;
        if(right == end_of_word) {
            return false;
        }
        const merge m = merges.find(symbols[left].id, symbols[right].id);
        if(m) {
            heap.push_back({std::uint64_t{m.rank} << 32 | left, symbols[left].id, symbols[right].id});
        }
        return bool{m};
    };
    for(std::uint32_t i = 0; i < count; ++i) {
        consider(i);
    }
    std::make_heap(heap.begin(), heap.end());
    while(!heap.empty()) {
        std::pop_heap(heap.begin(), heap.end());
        const candidate c = heap.back();
        heap.pop_back();
        const auto at = static_cast<std::uint32_t>(c.order);
        chained& left = symbols[at];
        if(left.id != c.left || left.next == end_of_word || symbols[left.next].id != c.right) {
            continue; // one of the two has merged since
        }
        chained& right = symbols[left.next];
        left.id = merges.find(c.left, c.right).result;
        left.next = right.next;
        right.id = -1; // out of the word: no candidate matches it any more
        if(left.next != end_of_word) {
            symbols[left.next].previous = at;
        }
        if(consider(at)) {
            std::push_heap(heap.begin(), heap.end());
        }
        if(left.previous != end_of_word && consider(left.previous)) {
            std::push_heap(heap.begin(), heap.end());
        }
    }
    word_.clear();
    for(std::uint32_t i = 0; i != end_of_word; i = symbols[i].next) {
        word_.push_back(symbols[i].id);
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
