// A team of threads that runs one function on every member and waits for all of them.
//
// The caller is member 0, so a team of N starts N-1 threads. Members spin for a moment, then sleep: a decode step
// hands out about a hundred tasks a few microseconds apart, while between requests nothing should burn a core. A task
// queue was rejected: kernels cut their work themselves (parallel_for in execution.hpp), one task for all members.
//
// On a busy machine a member may not get a processor for milliseconds. So the caller, once its own share is done, runs
// the share of every member that has not begun yet: a step then takes as long as one thread needs, not as long as the
// other programs please.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/function_ref.hpp>

namespace tokenworks::inline TOKENWORKS_ABI {

/// What kernels ask of threads. Derive from it to run them on a pool of your own.
class team {
public:
    team() = default;
    team(const team&) = delete;
    team& operator=(const team&) = delete;
    virtual ~team() = default;

    /// How many members there are, the caller included; at least 1.
    [[nodiscard]] virtual unsigned size() const noexcept = 0;

    /// Calls body(0) … body(size() - 1), each once, concurrently or one after the other (so that none may wait for
    /// another), and returns when all have returned. body(0) runs on the calling thread. An exception of any member
    /// reaches the caller after all have returned.
    virtual void run(function_ref<void(unsigned)> body) = 0;
};

namespace detail {

inline void pause_thread() noexcept {
#if TOKENWORKS_X86
    __builtin_ia32_pause();
#elif TOKENWORKS_ARM64
    __asm__ volatile("yield");
#endif
}

/// Spins until ready() for about 50 microseconds, then yields for as long again; true if it became ready.
/// Limited by time and not by count, since a pause takes 3 to 140 cycles depending on the processor.
template <class Ready>
bool spin_until(Ready ready) noexcept {
    for(int i = 0; i < 64; ++i) {
        if(ready()) {
            return true;
        }
        pause_thread();
    }
    using clock = std::chrono::steady_clock;
    const auto start = clock::now();
    for(auto waited = clock::duration::zero(); waited < std::chrono::microseconds{100}; waited = clock::now() - start) {
        for(int i = 0; i < 16; ++i) {
            if(ready()) {
                return true;
            }
            pause_thread();
        }
        if(waited > std::chrono::microseconds{50}) {
            std::this_thread::yield();
        }
    }
    return ready();
}

} // namespace detail

/// The number of physical cores that this process may use: the affinity mask and the control group's quota are
/// respected, and processors that share a core count once.
[[nodiscard]] inline unsigned usable_cores() {
    unsigned count = std::max(1U, std::thread::hardware_concurrency());
#if defined(__linux__)
    cpu_set_t mask;
    CPU_ZERO(&mask);
    if(sched_getaffinity(0, sizeof mask, &mask) == 0) {
        std::set<std::string> cores;
        for(int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
            if(CPU_ISSET(static_cast<std::size_t>(cpu), &mask)) {
                std::string siblings;
                std::ifstream file{
                    detail::message({"/sys/devices/system/cpu/cpu", cpu, "/topology/thread_siblings_list"})};
                if(!std::getline(file, siblings)) {
                    siblings = std::to_string(cpu);
                }
                cores.insert(siblings);
            }
        }
        count = std::max(1U, static_cast<unsigned>(cores.size()));
    }
    std::ifstream quota_file{"/sys/fs/cgroup/cpu.max"};
    std::string quota;
    double period = 0;
    if(quota_file >> quota >> period && quota != "max" && period > 0) {
        const double cpus = std::strtod(quota.c_str(), nullptr) / period;
        count = std::clamp(static_cast<unsigned>(std::lround(cpus)), 1U, count);
    }
#endif
    return count;
}

/// The default team: its own threads, one task at a time. Calls of run() from several threads take turns; a body must
/// not call run() of the team it runs on.
class thread_team final: public team {
public:
    /// Starts threads - 1 threads; 0 means usable_cores().
    /// @throws argument_error above 1024 threads; std::system_error where the system refuses a thread
    explicit thread_team(unsigned threads = 0) {
        const unsigned count = threads == 0 ? usable_cores() : threads;
        if(count > 1024) {
            detail::raise<argument_error>({"thread team: ", count, " threads, at most 1024"});
        }
        done_ = std::make_unique<flag[]>(count);
        claimed_ = std::make_unique<flag[]>(count);
        errors_.resize(count);
        workers_.reserve(count - 1);
#if TOKENWORKS_EXCEPTIONS
        try {
            start(count);
        } catch(...) {
            stop();
            throw;
        }
#else
        start(count);
#endif
    }

    ~thread_team() override { stop(); }

    [[nodiscard]] unsigned size() const noexcept override { return static_cast<unsigned>(workers_.size()) + 1; }

    void run(function_ref<void(unsigned)> body) override {
        if(workers_.empty()) {
            body(0);
            return;
        }
        const std::lock_guard turn{turn_};
        body_ = &body;
        const std::uint32_t generation = publish();
        call(0);
        for(unsigned i = 1; i < size(); ++i) {
            if(claim(i, generation)) {
                call(i);
            } else {
                wait_for(i, generation);
            }
        }
#if TOKENWORKS_EXCEPTIONS
        for(std::exception_ptr& error: errors_) {
            if(error) {
                for(std::exception_ptr& other: errors_) {
                    if(&other != &error) {
                        other = nullptr;
                    }
                }
                std::rethrow_exception(std::exchange(error, nullptr));
            }
        }
#endif
    }

private:
    struct alignas(64) flag {
        std::atomic<std::uint32_t> generation{0};
    };

    /// Whether the caller of this function is to run that member's share: the first to ask is.
    [[nodiscard]] bool claim(unsigned member, std::uint32_t generation) noexcept {
        std::uint32_t before = generation - 1; // each share of each task is claimed once
        return claimed_[member].generation.compare_exchange_strong(before, generation, std::memory_order_acq_rel);
    }

    void wait_for(unsigned member, std::uint32_t generation) noexcept {
        const std::atomic<std::uint32_t>& done = done_[member].generation;
        const auto finished = [&] { return done.load(std::memory_order_acquire) == generation; };
        while(!detail::spin_until(finished)) {
            const std::uint32_t seen = done.load(std::memory_order_acquire);
            if(seen != generation) {
                done.wait(seen, std::memory_order_acquire);
            }
        }
    }

    void start(unsigned count) {
        for(unsigned i = 1; i < count; ++i) {
            workers_.emplace_back([this, i] { serve(i); });
        }
    }

    void stop() noexcept {
        body_ = nullptr;
        publish();
        for(std::thread& worker: workers_) {
            worker.join();
        }
    }

    std::uint32_t publish() noexcept {
        const std::uint32_t generation = task_.generation.load(std::memory_order_relaxed) + 1;
        task_.generation.store(generation, std::memory_order_seq_cst);
        task_.generation.notify_all();
        return generation;
    }

    void call(unsigned member) noexcept {
#if TOKENWORKS_EXCEPTIONS
        try {
            (*body_)(member);
        } catch(...) {
            errors_[member] = std::current_exception();
        }
#else
        (*body_)(member);
#endif
    }

    void serve(unsigned member) noexcept {
        std::uint32_t seen = 0;
        for(;;) {
            const auto called = [&] { return task_.generation.load(std::memory_order_acquire) != seen; };
            if(!detail::spin_until(called)) {
                task_.generation.wait(seen, std::memory_order_acquire);
                continue;
            }
            seen = task_.generation.load(std::memory_order_acquire);
            if(!claim(member, seen)) {
                continue; // the caller was done first, and runs this share itself
            }
            if(body_ == nullptr) {
                return;
            }
            call(member);
            done_[member].generation.store(seen, std::memory_order_release);
            done_[member].generation.notify_one();
        }
    }

    flag task_;
    const function_ref<void(unsigned)>* body_ = nullptr;
    std::unique_ptr<flag[]> done_;    ///< a member's last finished task
    std::unique_ptr<flag[]> claimed_; ///< the last task whose share of a member somebody runs or has run
    std::vector<std::exception_ptr> errors_;
    std::mutex turn_;
    std::vector<std::thread> workers_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI
