// Where memory comes from: aligned_allocator for tensors, huge_buffer and huge_pool for packed weights.
//
// Vector loads want 64-byte alignment, so every block the library owns has it. Weights of many megabytes also want
// 2 MiB pages: a decode step reads all of them once, and with 4 KiB pages the address translation shows. On systems
// where transparent huge pages are opt-in, the advice must come before the memory is first touched.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace tokenworks::inline TOKENWORKS_ABI {

/// The alignment of memory that the library owns, in bytes: a cache line, and the widest vector.
inline constexpr std::size_t default_alignment = 64;

namespace detail {

/// count * sizeof(T), rounded up to a multiple of default_alignment.
/// @throws std::bad_array_new_length where that does not fit
template <class T>
[[nodiscard]] constexpr std::size_t padded_bytes(std::size_t count) {
    constexpr std::size_t most = std::numeric_limits<std::ptrdiff_t>::max() - default_alignment;
    if(count > most / sizeof(T)) {
        raise<std::bad_array_new_length>();
    }
    return (count * sizeof(T) + default_alignment - 1) / default_alignment * default_alignment;
}

} // namespace detail

/// A standard allocator over operator new with a larger alignment.
template <class T, std::size_t Alignment = default_alignment>
class aligned_allocator {
    static_assert(Alignment >= alignof(T) && (Alignment & (Alignment - 1)) == 0,
                  "tokenworks: an alignment is a power of two, and at least the type's own");

public:
    using value_type = T;
    using is_always_equal = std::true_type;
    using propagate_on_container_move_assignment = std::true_type;

    template <class U>
    struct rebind {
        using other = aligned_allocator<U, Alignment>;
    };

    constexpr aligned_allocator() noexcept = default;
    template <class U>
    constexpr aligned_allocator(const aligned_allocator<U, Alignment>&) noexcept {} // NOLINT(*-explicit-*)

    /// @throws std::bad_alloc
    [[nodiscard]] T* allocate(std::size_t count) {
        if(count > static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max()) / sizeof(T)) {
            detail::raise<std::bad_array_new_length>();
        }
        return static_cast<T*>(::operator new(count * sizeof(T), std::align_val_t{Alignment}));
    }

    void deallocate(T* block, std::size_t) noexcept { ::operator delete(block, std::align_val_t{Alignment}); }

    template <class U>
    [[nodiscard]] friend constexpr bool operator==(const aligned_allocator&,
                                                   const aligned_allocator<U, Alignment>&) noexcept {
        return true;
    }
};

/// Whether memory is asked for in 2 MiB pages: fast to read, but touching one byte takes all of a page.
enum class page_size : bool { normal, huge };

/// Owns bytes, not initialised: 64-byte aligned; from 2 MiB on, aligned to that and on huge pages where the system
/// offers them on request.
class huge_buffer {
public:
    static constexpr std::size_t huge_page = std::size_t{2} << 20;

    huge_buffer() noexcept = default;

    /// @throws std::bad_alloc
    explicit huge_buffer(std::size_t bytes, [[maybe_unused]] page_size pages = page_size::huge) : size_{bytes} {
        if(bytes == 0) {
            return;
        }
        data_ = static_cast<std::byte*>(::operator new(detail::padded_bytes<std::byte>(bytes), alignment()));
#if defined(__linux__)
        if(bytes >= huge_page && pages == page_size::huge) {
            // Only advice: where the system declines, the buffer works the same.
            static_cast<void>(::madvise(data_, bytes / huge_page * huge_page, MADV_HUGEPAGE));
        }
#endif
    }

    huge_buffer(huge_buffer&& other) noexcept
        : owner_{std::move(other.owner_)},
          data_{std::exchange(other.data_, nullptr)},
          size_{std::exchange(other.size_, 0)} {}
    huge_buffer& operator=(huge_buffer&& other) noexcept {
        std::swap(owner_, other.owner_);
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    huge_buffer(const huge_buffer&) = delete;
    huge_buffer& operator=(const huge_buffer&) = delete;

    ~huge_buffer() {
        if(data_ != nullptr && owner_ == nullptr) {
            ::operator delete(data_, alignment());
        }
    }

    [[nodiscard]] std::byte* data() noexcept { return data_; }
    [[nodiscard]] const std::byte* data() const noexcept { return data_; }
    /// Bytes.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

    /// The bytes as elements, as many as fit whole.
    template <class T>
    [[nodiscard]] std::span<T> as() noexcept {
        static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= default_alignment);
        return {reinterpret_cast<T*>(data_), size_ / sizeof(T)};
    }
    template <class T>
    [[nodiscard]] std::span<const T> as() const noexcept {
        static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= default_alignment);
        return {reinterpret_cast<const T*>(data_), size_ / sizeof(T)};
    }

private:
    friend class huge_pool;

    /// A part of a larger buffer, which lives as long as this.
    huge_buffer(std::shared_ptr<huge_buffer> owner, std::size_t offset, std::size_t bytes) noexcept
        : owner_{std::move(owner)}, data_{owner_->data() + offset}, size_{bytes} {}

    [[nodiscard]] std::align_val_t alignment() const noexcept {
        return std::align_val_t{size_ >= huge_page ? huge_page : default_alignment};
    }

    std::shared_ptr<huge_buffer> owner_; ///< null: the memory is this buffer's own
    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

/// Cuts buffers from slabs on huge pages, one behind the other: many matrices of less than 2 MiB, as small models have
/// them, then read as fast as a large one. Slabs grow with what was taken, so that a little takes little. A buffer
/// keeps its slab alive; the pool may go.
/// @note one thread at a time
class huge_pool {
public:
    static constexpr std::size_t largest_slab = 8 * huge_buffer::huge_page;

    explicit huge_pool(page_size pages = page_size::huge) noexcept : pages_{pages} {}

    /// @throws std::bad_alloc
    [[nodiscard]] huge_buffer take(std::size_t bytes) {
        if(bytes == 0 || bytes > largest_slab / 4) {
            return huge_buffer{bytes, pages_};
        }
        const std::size_t needed = detail::padded_bytes<std::byte>(bytes);
        if(slab_ == nullptr || needed > slab_->size() - used_) {
            std::size_t more = std::clamp(total_, least_slab, largest_slab);
            more -= more >= huge_buffer::huge_page ? more % huge_buffer::huge_page : 0;
            slab_ = std::make_shared<huge_buffer>(std::max(needed, more), pages_);
            used_ = 0;
        }
        total_ += needed;
        const std::size_t offset = std::exchange(used_, used_ + needed);
        return huge_buffer{slab_, offset, bytes};
    }

private:
    static constexpr std::size_t least_slab = std::size_t{64} << 10;

    page_size pages_;
    std::shared_ptr<huge_buffer> slab_;
    std::size_t used_ = 0;  ///< of the slab
    std::size_t total_ = 0; ///< of all slabs
};

} // namespace tokenworks::inline TOKENWORKS_ABI
