// Scratch memory for kernels and blocks: take what is needed, give everything back at the end of a scope.
//
// A bump allocator over a list of blocks that grows on first use. When it is rewound to empty, several blocks are
// replaced by one of their total size. So after one step at the largest shape, later steps, also smaller and
// differently ordered ones, allocate nothing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/allocator.hpp>
#include <tokenworks/core/view.hpp>

namespace tokenworks::inline TOKENWORKS_ABI {

/// One arena serves one thread at a time.
class arena {
public:
    /// A place to rewind to.
    struct position {
        std::size_t block = 0;
        std::size_t offset = 0; ///< bytes into that block
    };

    /// Gives back, when it ends, whatever was taken since it began. Scopes nest.
    class [[nodiscard]] scope {
    public:
        explicit scope(arena& owner) noexcept : owner_{owner}, start_{owner.mark()} {}
        scope(const scope&) = delete;
        scope& operator=(const scope&) = delete;
        ~scope() { owner_.rewind(start_); }

    private:
        arena& owner_;
        position start_;
    };

    arena() noexcept = default;

    /// With room for that many bytes.
    /// @throws std::bad_alloc
    explicit arena(std::size_t bytes) { reserve(bytes); }

    arena(arena&& other) noexcept
        : blocks_{std::exchange(other.blocks_, {})},
          now_{std::exchange(other.now_, {})},
          reserved_{std::exchange(other.reserved_, 0)} {}
    arena& operator=(arena&& other) noexcept {
        std::swap(blocks_, other.blocks_);
        std::swap(now_, other.now_);
        std::swap(reserved_, other.reserved_);
        return *this;
    }
    arena(const arena&) = delete;
    arena& operator=(const arena&) = delete;
    ~arena() = default;

    /// Uninitialised memory for `count` elements, 64-byte aligned, until the arena is rewound.
    /// @throws std::bad_alloc
    template <class T>
    [[nodiscard]] std::span<T> take(std::size_t count) {
        static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T> &&
                          alignof(T) <= default_alignment,
                      "tokenworks: an arena holds trivial types of common alignment only");
        return {static_cast<T*>(take_bytes(detail::padded_bytes<T>(count))), count};
    }

    /// The same as a contiguous view: `take<float>(extents<dyn, 64>{rows})`.
    template <class T, std::size_t... E>
    [[nodiscard]] view<T, E...> take(const extents<E...>& shape) {
        return view<T, E...>{take<T>(shape.size()).data(), shape};
    }

    /// Makes sure that `bytes` more fit in one block.
    /// @throws std::bad_alloc
    void reserve(std::size_t bytes) {
        const position start = now_;
        static_cast<void>(take_bytes(detail::padded_bytes<std::byte>(bytes)));
        now_ = start;
    }

    [[nodiscard]] position mark() const noexcept { return now_; }

    /// Ends the use of everything taken after `to` was marked. Positions marked later become void.
    void rewind(position to) noexcept {
        now_ = to;
        if(to.block == 0 && to.offset == 0 && blocks_.size() > 1) {
            merge();
        }
    }

    /// Memory held, in bytes, in use or not.
    [[nodiscard]] std::size_t bytes_reserved() const noexcept { return reserved_; }

private:
    static constexpr std::size_t least_block = std::size_t{64} << 10;

    struct release {
        void operator()(std::byte* data) const noexcept {
            ::operator delete(data, std::align_val_t{default_alignment});
        }
    };
    struct block {
        std::unique_ptr<std::byte, release> data;
        std::size_t size = 0;
    };

    void* take_bytes(std::size_t bytes) {
        while(now_.block < blocks_.size() && blocks_[now_.block].size - now_.offset < bytes) {
            ++now_.block;
            now_.offset = 0;
        }
        if(now_.block == blocks_.size()) {
            grow(bytes);
        }
        void* const place = blocks_[now_.block].data.get() + now_.offset;
        now_.offset += bytes;
        return place;
    }

    void grow(std::size_t bytes) {
        const std::size_t size = std::max({bytes, least_block, blocks_.empty() ? 0 : 2 * blocks_.back().size});
        blocks_.reserve(blocks_.size() + 1);
        blocks_.push_back({allocate(size), size});
        reserved_ += size;
    }

    void merge() noexcept {
        const std::size_t size = reserved_;
        blocks_.clear(); // keeps its capacity
        reserved_ = 0;
        void* const memory = ::operator new(size, std::align_val_t{default_alignment}, std::nothrow);
        if(memory != nullptr) { // otherwise the next take starts anew
            blocks_.push_back({std::unique_ptr<std::byte, release>{static_cast<std::byte*>(memory)}, size});
            reserved_ = size;
        }
    }

    static std::unique_ptr<std::byte, release> allocate(std::size_t size) {
        return std::unique_ptr<std::byte, release>{
            static_cast<std::byte*>(::operator new(size, std::align_val_t{default_alignment}))};
    }

    std::vector<block> blocks_;
    position now_;
    std::size_t reserved_ = 0;
};

} // namespace tokenworks::inline TOKENWORKS_ABI
