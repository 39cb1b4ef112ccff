// Memory for the keys and values of many sequences, in pages of 64 tokens that sequences may share.
//
//   nn::page_pool pool{{layers, kv_heads, key_width, value_width}, 1000};
//   nn::kv_cache cache{pool, context};            // takes pages as it grows, gives them back when it goes
//
// A page holds 64 tokens in all layers: what attention takes at a time (kernels/attention_tile.hpp), so that a cache in
// pages gives the same bits as one in one piece. Pages count their users: sequences that begin alike keep what is alike
// once, and who wants to write into a page that others read gets a copy. Kwon et al., "Efficient Memory Management for
// Large Language Model Serving with PagedAttention", 2023.
//
// The last page of a sequence is half empty on average, which is a lot of a short one. Smaller pages would cost the
// kernel more; so a pool may hand out halves of pages, for the up to 32 tokens behind a sequence's full pages. A half
// has the places 0 to 31 or 32 to 63 of the page's own layout, and what reads it begins at its first place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/allocator.hpp>
#include <tokenworks/core/checked.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/kernels/paged_rows.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::nn {

/// Pages of one shape. Memory is reserved at once, and touched as pages are used. Not for several threads at once; must
/// outlive every list of its pages.
class page_pool {
public:
    using page = std::uint32_t; ///< 0 … pages() - 1; numbers beyond these are halves
    static constexpr std::size_t page_tokens = kernels::page_tokens;
    static constexpr std::size_t half_tokens = page_tokens / 2;

    /// Pages that so many tokens take.
    [[nodiscard]] static constexpr std::size_t pages_for(std::size_t tokens) noexcept {
        return tokens / page_tokens + (tokens % page_tokens != 0 ? 1 : 0);
    }

    /// Keys and values of one token in every layer.
    struct shape {
        std::size_t layers = 0;
        std::size_t kv_heads = 0;    ///< G
        std::size_t key_width = 0;   ///< D
        std::size_t value_width = 0; ///< Dv
        dtype type = dtype::f16;     ///< one of kv_cache::types; blocks fit the widths

        [[nodiscard]] bool operator==(const shape&) const = default;
    };

    /// @param halves  whether the ends of sequences take halves of pages; those of 8 and 4 bits do not
    /// @throws argument_error where the sizes overflow; std::bad_alloc
    page_pool(const shape& of, std::size_t pages, bool halves = false)
        : shape_{of}, halves_{halves && info(of.type).block_size == 1} {
        const auto elements = checked_mul(of.kv_heads * page_tokens, std::uint64_t{of.key_width + of.value_width});
        const auto layer =
            elements ? checked_mul(*elements / info(of.type).block_size, info(of.type).block_bytes) : std::nullopt;
        const auto bytes = layer ? checked_mul(*layer, std::uint64_t{of.layers}) : std::nullopt;
        const auto total = bytes ? checked_mul(*bytes, std::uint64_t{pages}) : std::nullopt;
        const auto size = total ? checked_size(*total) : std::nullopt;
        if(!size || pages > std::numeric_limits<page>::max() / 3) {
            tokenworks::detail::raise<argument_error>({"page_pool: ", pages, " pages are too many"});
        }
        page_bytes_ = static_cast<std::size_t>(*bytes);
        memory_ = huge_buffer{*size};
        users_.assign(3 * pages, 0);
        free_.reserve(pages);
        free_halves_.reserve(pages);
        for(std::size_t i = pages; i > 0; --i) {
            free_.push_back(static_cast<page>(i - 1));
        }
    }

    [[nodiscard]] const shape& shape_of_token() const noexcept { return shape_; }
    [[nodiscard]] std::size_t pages() const noexcept { return users_.size() / 3; }
    [[nodiscard]] std::size_t free_pages() const noexcept { return free_.size(); }
    /// Those whose other half is in use.
    [[nodiscard]] std::size_t free_halves() const noexcept { return free_halves_.size(); }
    [[nodiscard]] std::size_t used_tokens() const noexcept {
        return (pages() - free_.size()) * page_tokens - free_halves_.size() * half_tokens;
    }
    /// Whether there are halves.
    [[nodiscard]] bool splits() const noexcept { return halves_; }
    [[nodiscard]] std::size_t page_bytes() const noexcept { return page_bytes_; }

    /// Bytes of a layer in a page: its keys [G][D][64], then its values [G][64][Dv].
    [[nodiscard]] std::size_t key_bytes() const noexcept { return row_bytes(shape_.key_width); }
    [[nodiscard]] std::size_t value_bytes() const noexcept { return row_bytes(shape_.value_width); }
    [[nodiscard]] std::size_t layer_bytes() const noexcept { return key_bytes() + value_bytes(); }

    /// Where the page lies, or the one that a half is of.
    [[nodiscard]] std::byte* data(page which) noexcept { return memory_.data() + whole_of(which) * page_bytes_; }
    [[nodiscard]] const std::byte* data(page which) const noexcept {
        return memory_.data() + whole_of(which) * page_bytes_;
    }
    [[nodiscard]] bool is_half(page which) const noexcept { return which >= pages(); }
    /// Tokens that it has room for.
    [[nodiscard]] std::size_t room(page which) const noexcept { return is_half(which) ? half_tokens : page_tokens; }
    /// Of its tokens, in the page's layout: 0 or 32.
    [[nodiscard]] std::size_t first_place(page which) const noexcept {
        return is_half(which) && (which - pages()) % 2 != 0 ? half_tokens : 0;
    }
    /// Where whoever reads keys, or values, finds place 0 of a page whose place 0 is this one's first.
    [[nodiscard]] const std::byte* keys(page which) const noexcept {
        return data(which) + first_place(which) * element_bytes();
    }
    [[nodiscard]] const std::byte* values(page which) const noexcept {
        return data(which) + first_place(which) * shape_.value_width * element_bytes();
    }

    /// A page with one user. What is in it is of no meaning.
    /// @throws capacity_error where none is free
    [[nodiscard]] page take() {
        if(free_.empty()) {
            tokenworks::detail::raise<capacity_error>({"page_pool: all ", pages(), " pages are in use"});
        }
        const page taken = free_.back();
        free_.pop_back();
        users_[taken] = 1;
        return taken;
    }
    /// Half a page with one user, of a page whose other half is used where there is one.
    /// @pre splits()
    /// @throws capacity_error where none is free
    [[nodiscard]] page take_half() {
        if(free_halves_.empty()) {
            const page whole = take();
            users_[whole] = 0;
            free_halves_.push_back(half_of(whole, 1)); // has room for all
            users_[half_of(whole, 0)] = 1;
            return half_of(whole, 0);
        }
        const page taken = free_halves_.back();
        free_halves_.pop_back();
        users_[taken] = 1;
        return taken;
    }
    /// Whether a half can become its whole page with its tokens where they are: it is the first one, nobody else uses
    /// it, and the other is free.
    [[nodiscard]] bool can_widen(page which) const noexcept {
        return is_half(which) && first_place(which) == 0 && users_[which] == 1 && users_[which + 1] == 0;
    }
    /// @pre can_widen(which)
    [[nodiscard]] page widen(page which) noexcept {
        std::erase(free_halves_, which + 1);
        const page whole = whole_of(which);
        users_[which] = 0;
        users_[whole] = 1;
        return whole;
    }
    /// Copies the first tokens of one to another.
    void copy(page from, page to, std::size_t count) noexcept {
        copy_places(data(from), first_place(from), data(to), first_place(to), count);
    }
    /// Copies all to memory of a page, page_bytes() of it, from its place 0 on.
    void read(page from, std::byte* to) const noexcept {
        copy_places(data(from), first_place(from), to, 0, room(from));
    }
    /// One user more.
    void share(page which) noexcept { ++users_[which]; }
    /// One user less; without any the page is free.
    void release(page which) noexcept {
        if(--users_[which] != 0) {
            return;
        }
        if(!is_half(which)) {
            free_.push_back(which); // has room for all
            return;
        }
        const page other = (which - static_cast<page>(pages())) % 2 == 0 ? which + 1 : which - 1;
        if(users_[other] != 0) {
            free_halves_.push_back(which);
        } else {
            std::erase(free_halves_, other);
            free_.push_back(whole_of(which));
        }
    }
    [[nodiscard]] std::uint32_t users(page which) const noexcept { return users_[which]; }

private:
    [[nodiscard]] page whole_of(page which) const noexcept {
        return is_half(which) ? (which - static_cast<page>(pages())) / 2 : which;
    }
    [[nodiscard]] page half_of(page whole, page which) const noexcept {
        return static_cast<page>(pages()) + 2 * whole + which;
    }
    /// Of a pool with halves.
    [[nodiscard]] std::size_t element_bytes() const noexcept { return info(shape_.type).block_bytes; }

    void copy_places(const std::byte* from, std::size_t from_place, std::byte* to, std::size_t to_place,
                     std::size_t count) const noexcept {
        if(count == page_tokens || !halves_) {
            std::memcpy(to, from, page_bytes_);
            return;
        }
        const std::size_t each = element_bytes();
        const auto copy_rows = [&](std::size_t count_of_rows, std::size_t row_elements, std::size_t place_elements) {
            for(std::size_t i = 0; i < count_of_rows; ++i, from += row_elements * each, to += row_elements * each) {
                std::memcpy(to + to_place * place_elements * each, from + from_place * place_elements * each,
                            count * place_elements * each);
            }
        };
        for(std::size_t layer = 0; layer < shape_.layers; ++layer) {
            copy_rows(shape_.kv_heads * shape_.key_width, page_tokens, 1);
            copy_rows(shape_.kv_heads, page_tokens * shape_.value_width, shape_.value_width);
        }
    }

    [[nodiscard]] std::size_t row_bytes(std::size_t width) const noexcept {
        return shape_.kv_heads * page_tokens * (width / info(shape_.type).block_size) * info(shape_.type).block_bytes;
    }

    shape shape_;
    std::size_t page_bytes_ = 0;
    huge_buffer memory_;
    std::vector<std::uint32_t> users_; // of pages, then of both halves of each
    std::vector<page> free_;
    std::vector<page> free_halves_{};
    bool halves_;
};

/// The pages of one sequence, in order; the last may be a half. Counts as a user of each.
///
/// Whoever took a page from the pool may write on in it, though others read what was there before: they do not look
/// further than they did. All others get a copy.
class page_list {
public:
    using page = page_pool::page;

    page_list() = default;
    /// @param most  pages that it makes room for, so that it does not allocate later
    page_list(page_pool& of, std::size_t most) : pool_{&of} {
        pages_.reserve(most);
        keys_.reserve(most);
        values_.reserve(most);
    }
    page_list(page_list&& other) noexcept
        : pool_{std::exchange(other.pool_, nullptr)},
          pages_{std::exchange(other.pages_, {})},
          keys_{std::exchange(other.keys_, {})},
          values_{std::exchange(other.values_, {})},
          may_write_{std::exchange(other.may_write_, false)} {}
    page_list& operator=(page_list&& other) noexcept {
        std::swap(pool_, other.pool_);
        std::swap(pages_, other.pages_);
        std::swap(keys_, other.keys_);
        std::swap(values_, other.values_);
        std::swap(may_write_, other.may_write_);
        return *this;
    }
    page_list(const page_list&) = delete;
    page_list& operator=(const page_list&) = delete;
    ~page_list() { shrink(0); }

    [[nodiscard]] page_pool* pool() const noexcept { return pool_; }
    [[nodiscard]] std::size_t size() const noexcept { return pages_.size(); }
    [[nodiscard]] std::span<const page> pages() const noexcept { return pages_; }
    /// Tokens that there is room for.
    [[nodiscard]] std::size_t room() const noexcept {
        return pages_.empty() ? 0 : (pages_.size() - 1) * page_pool::page_tokens + pool_->room(pages_.back());
    }
    /// Where the keys of each page begin, and the values.
    [[nodiscard]] std::span<const std::byte* const> keys() const noexcept { return keys_; }
    [[nodiscard]] std::span<const std::byte* const> values() const noexcept { return values_; }

    /// Takes a free page, or half of one. @throws capacity_error
    void grow(bool half = false) {
        append(half ? pool_->take_half() : pool_->take());
        may_write_ = true;
    }
    /// Becomes a user of a page behind the others.
    void share(page which) {
        append(which);
        pool_->share(which);
        may_write_ = false;
    }
    /// Gives back all but the first n pages. It may not write into the last of them without asking, even if nothing is
    /// given back: what others read of it may be forgotten here.
    void shrink(std::size_t n) noexcept {
        may_write_ = false;
        while(pages_.size() > n) {
            pool_->release(pages_.back());
            pages_.pop_back();
            keys_.pop_back();
            values_.pop_back();
        }
    }
    /// Whether own_last must come before one writes behind what is in the last page.
    [[nodiscard]] bool shares_last() const noexcept {
        return !may_write_ && !pages_.empty() && pool_->users(pages_.back()) > 1;
    }
    /// Puts a copy of the last page in its place. @param count  tokens in it @throws capacity_error
    void own_last(std::size_t count, bool half = false) {
        const page last = pages_.back();
        const page copy = half ? pool_->take_half() : pool_->take();
        pool_->copy(last, copy, count);
        pool_->release(last);
        replace_last(copy);
    }
    /// Makes the last half a page. @pre pool().can_widen of it
    void widen_last() noexcept { replace_last(pool_->widen(pages_.back())); }

private:
    void append(page which) {
        keys_.push_back(pool_->keys(which));
        values_.push_back(pool_->values(which));
        pages_.push_back(which);
    }
    void replace_last(page by) noexcept {
        pages_.back() = by;
        keys_.back() = pool_->keys(by);
        values_.back() = pool_->values(by);
        may_write_ = true;
    }

    page_pool* pool_ = nullptr;
    std::vector<page> pages_{};
    std::vector<const std::byte*> keys_{};
    std::vector<const std::byte*> values_{};
    bool may_write_ = false; // into the last page
};

} // namespace tokenworks::inline TOKENWORKS_ABI::nn
