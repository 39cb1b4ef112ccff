// Memory for the keys and values of many sequences, in pages of 64 tokens that sequences may share.
//
//   nn::page_pool pool{{layers, kv_heads, key_width, value_width}, 1000};
//   nn::kv_cache cache{pool, context};            // takes pages as it grows, gives them back when it goes
//
// A page holds 64 tokens in all layers: what attention takes at a time (kernels/attention_tile.hpp), so that a cache in
// pages gives the same bits as one in one piece. Pages count their users: sequences that begin alike keep what is alike
// once, and who wants to write into a page that others read gets a copy. Kwon et al., "Efficient Memory Management for
// Large Language Model Serving with PagedAttention", 2023.
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
    using page = std::uint32_t;
    static constexpr std::size_t page_tokens = kernels::page_tokens;

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

    /// @throws argument_error where the sizes overflow; std::bad_alloc
    page_pool(const shape& of, std::size_t pages) : shape_{of} {
        const auto elements = checked_mul(of.kv_heads * page_tokens, std::uint64_t{of.key_width + of.value_width});
        const auto layer =
            elements ? checked_mul(*elements / info(of.type).block_size, info(of.type).block_bytes) : std::nullopt;
        const auto bytes = layer ? checked_mul(*layer, std::uint64_t{of.layers}) : std::nullopt;
        const auto total = bytes ? checked_mul(*bytes, std::uint64_t{pages}) : std::nullopt;
        const auto size = total ? checked_size(*total) : std::nullopt;
        if(!size || pages > std::numeric_limits<page>::max()) {
            tokenworks::detail::raise<argument_error>({"page_pool: ", pages, " pages are too many"});
        }
        page_bytes_ = static_cast<std::size_t>(*bytes);
        memory_ = huge_buffer{*size};
        users_.assign(pages, 0);
        free_.reserve(pages);
        for(std::size_t i = pages; i > 0; --i) {
            free_.push_back(static_cast<page>(i - 1));
        }
    }

    [[nodiscard]] const shape& shape_of_token() const noexcept { return shape_; }
    [[nodiscard]] std::size_t pages() const noexcept { return users_.size(); }
    [[nodiscard]] std::size_t free_pages() const noexcept { return free_.size(); }
    [[nodiscard]] std::size_t page_bytes() const noexcept { return page_bytes_; }

    /// Bytes of a layer in a page: its keys [G][D][64], then its values [G][64][Dv].
    [[nodiscard]] std::size_t key_bytes() const noexcept { return row_bytes(shape_.key_width); }
    [[nodiscard]] std::size_t value_bytes() const noexcept { return row_bytes(shape_.value_width); }
    [[nodiscard]] std::size_t layer_bytes() const noexcept { return key_bytes() + value_bytes(); }

    [[nodiscard]] std::byte* data(page which) noexcept { return memory_.data() + which * page_bytes_; }
    [[nodiscard]] const std::byte* data(page which) const noexcept { return memory_.data() + which * page_bytes_; }

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
    /// One user more.
    void share(page which) noexcept { ++users_[which]; }
    /// One user less; without any the page is free.
    void release(page which) noexcept {
        if(--users_[which] == 0) {
            free_.push_back(which); // has room for all
        }
    }
    [[nodiscard]] std::uint32_t users(page which) const noexcept { return users_[which]; }

private:
    [[nodiscard]] std::size_t row_bytes(std::size_t width) const noexcept {
        return shape_.kv_heads * page_tokens * (width / info(shape_.type).block_size) * info(shape_.type).block_bytes;
    }

    shape shape_;
    std::size_t page_bytes_ = 0;
    huge_buffer memory_;
    std::vector<std::uint32_t> users_;
    std::vector<page> free_;
};

/// The pages of one sequence, in order. Counts as a user of each.
class page_list {
public:
    using page = page_pool::page;

    page_list() = default;
    /// @param most  pages that it makes room for, so that it does not allocate later
    page_list(page_pool& of, std::size_t most) : pool_{&of} {
        pages_.reserve(most);
        data_.reserve(most);
    }
    page_list(page_list&& other) noexcept
        : pool_{std::exchange(other.pool_, nullptr)},
          pages_{std::exchange(other.pages_, {})},
          data_{std::exchange(other.data_, {})} {}
    page_list& operator=(page_list&& other) noexcept {
        std::swap(pool_, other.pool_);
        std::swap(pages_, other.pages_);
        std::swap(data_, other.data_);
        return *this;
    }
    page_list(const page_list&) = delete;
    page_list& operator=(const page_list&) = delete;
    ~page_list() { shrink(0); }

    [[nodiscard]] page_pool* pool() const noexcept { return pool_; }
    [[nodiscard]] std::size_t size() const noexcept { return pages_.size(); }
    [[nodiscard]] std::span<const page> pages() const noexcept { return pages_; }
    /// Where each page lies.
    [[nodiscard]] std::span<const std::byte* const> data() const noexcept { return data_; }

    /// Takes a free page. @throws capacity_error
    void grow() { append(pool_->take()); }
    /// Becomes a user of a page behind the others.
    void share(page which) {
        append(which);
        pool_->share(which);
    }
    /// Gives back all but the first n pages.
    void shrink(std::size_t n) noexcept {
        while(pages_.size() > n) {
            pool_->release(pages_.back());
            pages_.pop_back();
            data_.pop_back();
        }
    }
    /// Makes the last page one that nobody else reads: itself, or a copy. @throws capacity_error
    void own_last() {
        const page last = pages_.back();
        if(pool_->users(last) > 1) {
            const page copy = pool_->take();
            std::memcpy(pool_->data(copy), pool_->data(last), pool_->page_bytes());
            pool_->release(last);
            pages_.back() = copy;
            data_.back() = pool_->data(copy);
        }
    }
    /// Whether own_last would take a page.
    [[nodiscard]] bool shares_last() const noexcept { return !pages_.empty() && pool_->users(pages_.back()) > 1; }

private:
    void append(page which) {
        data_.push_back(pool_->data(which));
        pages_.push_back(which);
    }

    page_pool* pool_ = nullptr;
    std::vector<page> pages_{};
    std::vector<const std::byte*> data_{};
};

} // namespace tokenworks::inline TOKENWORKS_ABI::nn
