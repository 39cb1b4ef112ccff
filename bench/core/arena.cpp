// Scratch memory: taking from a warm arena against asking the heap each time.
#include <cstddef>

#include <benchmark/benchmark.h>

#include <tokenworks/core/allocator.hpp>
#include <tokenworks/core/arena.hpp>

namespace tw = tokenworks;

namespace {

constexpr std::size_t count = 64 * 576;

void from_arena(benchmark::State& state) {
    tw::arena arena;
    for(auto _: state) {
        const tw::arena::scope scope{arena};
        benchmark::DoNotOptimize(arena.take<float>(count).data());
        benchmark::DoNotOptimize(arena.take<float>(count).data());
    }
}
BENCHMARK(from_arena);

void from_heap(benchmark::State& state) {
    tw::aligned_allocator<float> allocator;
    for(auto _: state) {
        float* const a = allocator.allocate(count);
        float* const b = allocator.allocate(count);
        benchmark::DoNotOptimize(a);
        benchmark::DoNotOptimize(b);
        allocator.deallocate(a, count);
        allocator.deallocate(b, count);
    }
}
BENCHMARK(from_heap);

} // namespace
