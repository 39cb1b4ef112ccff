// Counts heap allocations: a program with this header in any of its files counts every operator new.
//
// The definitions are weak, so that several files of one test program may include it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace support {

inline std::atomic<std::size_t> allocation_count{0};

/// Null where there is no memory.
inline void* counted_or_null(std::size_t bytes, std::size_t alignment = 0) noexcept {
    allocation_count.fetch_add(1, std::memory_order_relaxed);
    bytes = bytes == 0 ? 1 : bytes;
    return alignment == 0 ? std::malloc(bytes)
                          : std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
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
TEST_WEAK void operator delete(void* memory) noexcept { std::free(memory); }
TEST_WEAK void operator delete[](void* memory) noexcept { std::free(memory); }
TEST_WEAK void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
TEST_WEAK void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
TEST_WEAK void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
TEST_WEAK void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
TEST_WEAK void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
TEST_WEAK void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
#undef TEST_WEAK
