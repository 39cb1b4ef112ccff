// A line whose work is done for all at once who wait in it, where they ask for alike things.
//
//   gathered_line<score_work> line{32};
//   line.run(mine, with, [&](std::span<const std::shared_ptr<score_work>> all) { ... });   // mine is done now
//
// Whoever finds nobody at work takes the first in the line and those behind it that can be done with it, does the work
// of all of them, and goes on until its own is done. The others sleep.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include <tokenworks/serve/api_error.hpp>

#include "serve_http.hpp"

namespace cli {

/// What a line knows of a piece of work.
struct gathered_work {
    std::atomic<bool> is_left{false}; ///< by its client
    bool is_done = false;             ///< of the line alone
    std::exception_ptr problem{};
};

/// Work has gathered_work as its base, fits(other): whether both can be done at once, and size(): how much it is.
template <class Work>
class gathered_line {
public:
    using batch = std::span<const std::shared_ptr<Work>>;

    /// @param most      who wait at a time
    /// @param at_once   size of a batch at most, unless one alone is larger
    gathered_line(std::size_t most, std::size_t at_once) : most_{most}, at_once_{at_once} {}

    /// Comes back when the work is done. What goes wrong with several at once is tried one by one.
    /// @param act  act(batch): does the work of all of them
    /// @throws what act threw; api_error 503 where the line is full; tw::cancelled_error where the client has gone
    template <class Act>
    void run(const std::shared_ptr<Work>& mine, const exchange& with, const Act& act) {
        std::unique_lock lock{mutex_};
        if(is_closed_ || waiting_.size() >= most_) {
            ++refused_;
            throw tw::serve::api_error{503, "the line before this model is full: try again later", {}, "overloaded", 2};
        }
        waiting_.push_back(mine);
        while(!mine->is_done) {
            if(!is_working_ && !waiting_.empty()) {
                work(lock, act);
                continue;
            }
            changed_.wait_for(lock, std::chrono::milliseconds{50});
            if(!mine->is_done && with.is_gone()) {
                mine->is_left = true;
                std::erase(waiting_, mine);
                throw tw::cancelled_error("the client has gone");
            }
        }
        if(mine->problem) {
            std::rethrow_exception(mine->problem);
        }
    }
    /// Takes no more.
    void close() {
        const std::scoped_lock lock{mutex_};
        is_closed_ = true;
    }

    struct counts {
        std::size_t running = 0;
        std::size_t waiting = 0;
        std::uint64_t batches = 0;
        std::uint64_t finished = 0;
        std::uint64_t refused = 0;
    };
    [[nodiscard]] counts numbers() const {
        const std::scoped_lock lock{mutex_};
        return {running_, waiting_.size(), batches_, finished_, refused_};
    }

private:
    template <class Act>
    void work(std::unique_lock<std::mutex>& lock, const Act& act) {
        std::vector<std::shared_ptr<Work>> all{waiting_.front()};
        std::size_t size = all.front()->size();
        for(std::size_t i = 1; i < waiting_.size(); ++i) {
            if(all.front()->fits(*waiting_[i]) && size + waiting_[i]->size() <= at_once_) {
                size += waiting_[i]->size();
                all.push_back(waiting_[i]);
            }
        }
        std::erase_if(waiting_, [&](const auto& each) { return std::ranges::find(all, each) != all.end(); });
        is_working_ = true;
        running_ = all.size();
        ++batches_;
        lock.unlock();
        const auto try_all = [&](batch some) {
            try {
                act(some);
            } catch(...) {
                for(const std::shared_ptr<Work>& each: some) {
                    each->problem = std::current_exception();
                }
            }
        };
        try_all(all);
        if(all.size() > 1 && all.front()->problem) {
            for(std::size_t i = 0; i < all.size(); ++i) {
                all[i]->problem = nullptr;
                try_all(batch{all}.subspan(i, 1));
            }
        }
        lock.lock();
        for(const std::shared_ptr<Work>& each: all) {
            each->is_done = true;
        }
        finished_ += all.size();
        running_ = 0;
        is_working_ = false;
        changed_.notify_all();
    }

    std::size_t most_;
    std::size_t at_once_;
    mutable std::mutex mutex_{};
    std::condition_variable changed_{};
    std::vector<std::shared_ptr<Work>> waiting_{};
    bool is_working_ = false;
    bool is_closed_ = false;
    std::size_t running_ = 0;
    std::uint64_t batches_ = 0;
    std::uint64_t finished_ = 0;
    std::uint64_t refused_ = 0;
};

} // namespace cli
