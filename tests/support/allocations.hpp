// Counts heap allocations, and lets one of them fail: a program with this header in any of its files counts every
// operator new.
//
// The definitions are weak, so that several files of one test program may include it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace support {

inline std::atomic<std::size_t> allocation_count{0};
inline std::atomic<std::size_t> allocated_bytes{0}; ///< asked for so far, given back or not
inline std::atomic<std::int64_t> live_allocations{0};
inline std::atomic<std::int64_t> allocations_until_failure{-1}; ///< that still succeed before one fails; negative: all

/// Null where there is no memory.
inline void* counted_or_null(std::size_t bytes, std::size_t alignment = 0) noexcept {
    allocation_count.fetch_add(1, std::memory_order_relaxed);
    allocated_bytes.fetch_add(bytes, std::memory_order_relaxed);
    if(allocations_until_failure.load(std::memory_order_relaxed) >= 0 && allocations_until_failure.fetch_sub(1) == 0) {
        return nullptr;
    }
    bytes = bytes == 0 ? 1 : bytes;
    void* const memory = alignment == 0
                             ? std::malloc(bytes)
                             : std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    live_allocations.fetch_add(memory != nullptr ? 1 : 0, std::memory_order_relaxed);
    return memory;
}

inline void release(void* memory) noexcept {
    live_allocations.fetch_sub(memory != nullptr ? 1 : 0, std::memory_order_relaxed);
    std::free(memory);
}

inline void* counted(std::size_t bytes, std::size_t alignment = 0) {
    void* memory = counted_or_null(bytes, alignment);
    if(memory == nullptr) {
        throw std::bad_alloc();
    }
    return memory;
}

/// Allocations of the whole program, all threads together, while f runs.
template <class F>
std::size_t allocations_during(F&& f) {
    const std::size_t before = allocation_count.load();
    f();
    return allocation_count.load() - before;
}

/// Calls f() again and again; in call n, allocation n fails (0, 1, 2, ...), until a call needs fewer. What each call
/// throws but std::bad_alloc passes on. f() returns nothing; after_failure() runs behind every call that ended early.
/// @return how many calls ended with std::bad_alloc
template <class F, class After>
std::size_t fail_every_allocation(F&& f, After&& after_failure) {
    std::size_t failures = 0;
    for(std::int64_t n = 0;; ++n) {
        bool ended_early = false;
        allocations_until_failure = n;
        try {
            f();
        } catch(const std::bad_alloc&) {
            ended_early = true;
        } catch(...) {
            allocations_until_failure = -1;
            throw;
        }
        if(allocations_until_failure.exchange(-1) >= 0) {
            return failures;
        }
        if(ended_early) {
            ++failures;
            after_failure();
        }
    }
}

} // namespace support

#define TEST_WEAK __attribute__((weak))
TEST_WEAK void* operator new(std::size_t bytes) { return support::counted(bytes); }
TEST_WEAK void* operator new[](std::size_t bytes) { return support::counted(bytes); }
TEST_WEAK void* operator new(std::size_t bytes, std::align_val_t alignment) {
    return support::counted(bytes, static_cast<std::size_t>(alignment));
}
TEST_WEAK void* operator new[](std::size_t bytes, std::align_val_t alignment) {
    return support::counted(bytes, static_cast<std::size_t>(alignment));
}
TEST_WEAK void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
    return support::counted_or_null(bytes);
}
TEST_WEAK void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept {
    return support::counted_or_null(bytes);
}
TEST_WEAK void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return support::counted_or_null(bytes, static_cast<std::size_t>(alignment));
}
TEST_WEAK void* operator new[](std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return support::counted_or_null(bytes, static_cast<std::size_t>(alignment));
}
TEST_WEAK void operator delete(void* memory) noexcept { support::release(memory); }
TEST_WEAK void operator delete[](void* memory) noexcept { support::release(memory); }
TEST_WEAK void operator delete(void* memory, std::size_t) noexcept { support::release(memory); }
TEST_WEAK void operator delete[](void* memory, std::size_t) noexcept { support::release(memory); }
TEST_WEAK void operator delete(void* memory, std::align_val_t) noexcept { support::release(memory); }
TEST_WEAK void operator delete[](void* memory, std::align_val_t) noexcept { support::release(memory); }
TEST_WEAK void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { support::release(memory); }
TEST_WEAK void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { support::release(memory); }
TEST_WEAK void operator delete(void* memory, const std::nothrow_t&) noexcept { support::release(memory); }
TEST_WEAK void operator delete[](void* memory, const std::nothrow_t&) noexcept { support::release(memory); }
TEST_WEAK void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept {
    support::release(memory);
}
TEST_WEAK void operator delete[](void* memory, std::align_val_t, const std::nothrow_t&) noexcept {
    support::release(memory);
}
#undef TEST_WEAK
