// How a kernel runs: on which instruction set and on which threads. Passed by value to every kernel, so that two
// models, two teams and a test of every instruction set live side by side in one process.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>

#include <tokenworks/config.hpp>
#include <tokenworks/core/cpu.hpp>
#include <tokenworks/core/thread_team.hpp>

namespace tokenworks::inline TOKENWORKS_ABI {

/// The default runs on the calling thread with the machine's best instruction set.
struct execution {
    isa set = best_isa();
    team* threads = nullptr; ///< not owned; nullptr: the calling thread alone

    [[nodiscard]] unsigned workers() const noexcept { return threads == nullptr ? 1U : threads->size(); }
};

/// A half-open range of work items, and which member of the team does it.
struct work_range {
    std::size_t begin;
    std::size_t end;
    unsigned worker;
};

namespace detail {

/// Where a member's share of the work has been begun.
struct alignas(64) work_share {
    std::atomic<std::size_t> next;
    std::size_t end;

    /// Begins half of what is left, at least one piece: [first, last), empty when all is begun.
    [[nodiscard]] bool take(std::size_t& first, std::size_t& last) noexcept {
        first = next.load(std::memory_order_relaxed);
        while(first < end) {
            last = first + std::max<std::size_t>(1, (end - first) / 2);
            if(next.compare_exchange_weak(first, last, std::memory_order_relaxed)) {
                return true;
            }
        }
        return false;
    }
};

/// Whether pieces are so many that members take them bit by bit.
[[nodiscard]] inline bool has_many_pieces(const execution& how, std::size_t pieces) noexcept {
    return pieces >= 8 * std::size_t{how.workers()};
}

inline constexpr std::size_t most_shares = 64; ///< members beyond these begin with the share of another

} // namespace detail

/// Cuts 0 … count into contiguous ranges, in multiples of grain, and calls body(work_range) on each. Work below two
/// grains runs on the caller. A few grains are shared out evenly beforehand, one range a member. Of many, each member
/// begins with an even share of its own, in ranges that get smaller towards the end, and then helps the others: a core
/// that is slower, or busy with another program, does less. So what a member wrote in one call is mostly what it reads
/// in the next over the same rows, and lies in its own cache. Results must not depend on who does which range.
template <class Body>
void parallel_for(const execution& how, std::size_t count, std::size_t grain, Body&& body) {
    const std::size_t pieces = (count + grain - 1) / grain;
    const std::size_t members = std::min<std::size_t>(how.workers(), pieces);
    if(members <= 1) {
        if(count != 0) {
            body(work_range{0, count, 0});
        }
        return;
    }
    const auto run = [&](std::size_t begin, std::size_t end, unsigned worker) {
        if(begin < end) {
            body(work_range{begin * grain, std::min(count, end * grain), worker});
        }
    };
    if(!detail::has_many_pieces(how, pieces)) {
        how.threads->run([&](unsigned worker) {
            if(worker < members) {
                run(pieces * worker / members, pieces * (worker + 1) / members, worker);
            }
        });
        return;
    }
    const std::size_t count_of_shares = std::min(members, detail::most_shares);
    detail::work_share shares[detail::most_shares];
    for(std::size_t i = 0; i < count_of_shares; ++i) {
        shares[i].next.store(pieces * i / count_of_shares, std::memory_order_relaxed);
        shares[i].end = pieces * (i + 1) / count_of_shares;
    }
    how.threads->run([&](unsigned worker) {
        for(std::size_t i = 0; i < count_of_shares; ++i) {
            detail::work_share& share = shares[(worker + i) % count_of_shares];
            std::size_t first = 0;
            std::size_t last = 0;
            while(share.take(first, last)) {
                run(first, last, worker);
            }
        }
    });
}

} // namespace tokenworks::inline TOKENWORKS_ABI
