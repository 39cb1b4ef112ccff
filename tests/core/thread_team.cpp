#include <atomic>
#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <tokenworks/core/thread_team.hpp>

#include "support/allocations.hpp"
#include "support/catch.hpp"

using namespace tokenworks;

TEST_CASE("every member runs once, the caller as member 0") {
    for(const unsigned size: {1U, 2U, 3U, 8U}) {
        thread_team threads{size};
        REQUIRE(threads.size() == size);
        for(int round = 0; round < 200; ++round) {
            std::vector<std::atomic<int>> calls(size);
            std::vector<std::thread::id> who(size);
            threads.run([&](unsigned member) {
                ++calls[member];
                who[member] = std::this_thread::get_id();
            });
            bool right = who[0] == std::this_thread::get_id();
            for(unsigned i = 0; i < size; ++i) {
                right = right && calls[i] == 1;
            }
            REQUIRE(right);
        }
    }
}

TEST_CASE("members see what was written before, and the caller what they wrote") {
    thread_team threads{3};
    std::vector<std::size_t> values(3, 0); // not atomic on purpose: run() orders the accesses
    for(std::size_t round = 1; round <= 5000; ++round) {
        threads.run([&](unsigned member) { values[member] += round; });
    }
    CHECK(values == std::vector<std::size_t>(3, 5000 * 5001 / 2));
}

TEST_CASE("members that sleep wake up again") {
    thread_team threads{2};
    for(int round = 0; round < 5; ++round) {
        std::this_thread::sleep_for(std::chrono::milliseconds{3}); // beyond the spinning
        std::atomic<int> calls{0};
        threads.run([&](unsigned member) {
            if(member == 1) {
                std::this_thread::sleep_for(std::chrono::milliseconds{2}); // now the caller waits asleep
            }
            ++calls;
        });
        CHECK(calls == 2);
    }
}

TEST_CASE("the caller runs the share of a member that is late") {
    thread_team threads{2};
    int taken = 0;
    for(int round = 0; round < 100; ++round) {
        std::this_thread::sleep_for(std::chrono::milliseconds{1}); // the member sleeps, and takes a while to wake
        std::thread::id who;
        threads.run([&](unsigned member) {
            if(member == 1) {
                who = std::this_thread::get_id();
            }
        });
        taken += who == std::this_thread::get_id() ? 1 : 0;
    }
    CHECK(taken > 0);
}

TEST_CASE("an exception of any member reaches the caller after all have returned") {
    thread_team threads{3};
    for(const unsigned thrower: {0U, 1U, 2U}) {
        std::atomic<int> finished{0};
        const auto body = [&](unsigned member) {
            if(member == thrower) {
                throw std::runtime_error("member " + std::to_string(member));
            }
            std::this_thread::sleep_for(std::chrono::milliseconds{1});
            ++finished;
        };
        CHECK_THROWS_WITH(threads.run(body), "member " + std::to_string(thrower));
        CHECK(finished == 2);
    }
    const auto everyone = [](unsigned member) { throw std::runtime_error("member " + std::to_string(member)); };
    CHECK_THROWS_WITH(threads.run(everyone), "member 0");
    std::atomic<int> calls{0};
    threads.run([&](unsigned) { ++calls; }); // nothing is left over
    CHECK(calls == 3);
}

TEST_CASE("run from several threads takes turns") {
    thread_team threads{2};
    std::atomic<int> inside{0};
    std::atomic<int> most{0};
    std::atomic<int> calls{0};
    const auto caller = [&] {
        for(int round = 0; round < 200; ++round) {
            threads.run([&](unsigned member) {
                if(member == 0) {
                    most = std::max(most.load(), ++inside);
                    --inside;
                }
                ++calls;
            });
        }
    };
    std::thread other{caller};
    caller();
    other.join();
    CHECK(most == 1);
    CHECK(calls == 800);
}

TEST_CASE("teams start and stop, used or not, and stand side by side") {
    for(int round = 0; round < 50; ++round) {
        thread_team unused{3};
        thread_team used{2};
        std::atomic<int> calls{0};
        used.run([&](unsigned) { ++calls; });
        unused.run([&](unsigned) { used.run([&](unsigned) { ++calls; }); });
        CHECK(calls == 2 + 3 * 2);
    }
}

TEST_CASE("the default size is the usable cores, and the size has a bound") {
    CHECK(usable_cores() >= 1);
    CHECK(usable_cores() <= std::max(1U, std::thread::hardware_concurrency()));
    CHECK(thread_team{}.size() == usable_cores());
    CHECK_THROWS_AS(thread_team{1025}, argument_error);
}

TEST_CASE("run allocates nothing") {
    thread_team threads{2};
    std::atomic<int> calls{0};
    CHECK(support::allocations_during([&] {
              for(int i = 0; i < 100; ++i) {
                  threads.run([&](unsigned) { ++calls; });
              }
          }) == 0);
    CHECK(calls == 200);
}

namespace {

/// A pool of the user's: starts threads anew for each run.
class spawning_team final: public team {
public:
    [[nodiscard]] unsigned size() const noexcept override { return 3; }
    void run(function_ref<void(unsigned)> body) override {
        std::thread first{[&] { body(1); }};
        std::thread second{[&] { body(2); }};
        body(0);
        first.join();
        second.join();
    }
};

} // namespace

TEST_CASE("a team of the user's own") {
    spawning_team own;
    team& threads = own;
    std::atomic<unsigned> sum{0};
    threads.run([&](unsigned member) { sum += member + 1; });
    CHECK(sum == 6);
}
