#include <atomic>
#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <thread>
#include <vector>

#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/thread_team.hpp>

#include "support/catch.hpp"

using namespace tokenworks;

namespace {

/// Runs members one after the other: what a user's own pool could be at its simplest.
class serial_team final: public team {
public:
    explicit serial_team(unsigned size) : size_{size} {}
    [[nodiscard]] unsigned size() const noexcept override { return size_; }
    void run(function_ref<void(unsigned)> body) override {
        for(unsigned i = 0; i < size_; ++i) {
            body(i);
        }
    }

private:
    unsigned size_;
};

} // namespace

TEST_CASE("parallel_for covers every item once, in multiples of the grain") {
    for(const unsigned members: {1U, 2U, 3U, 7U}) {
        serial_team threads{members};
        for(const std::size_t count: {0U, 1U, 2U, 5U, 63U, 64U, 65U, 1000U}) {
            for(const std::size_t grain: {1U, 2U, 16U, 100U}) {
                CAPTURE(members, count, grain);
                std::vector<int> seen(count, 0);
                std::size_t calls = 0;
                parallel_for(execution{isa::portable, &threads}, count, grain, [&](work_range range) {
                    ++calls;
                    CHECK(range.begin < range.end);
                    CHECK(range.begin % grain == 0);
                    CHECK((range.end % grain == 0 || range.end == count));
                    CHECK(range.worker < members);
                    for(std::size_t i = range.begin; i < range.end; ++i) {
                        ++seen[i];
                    }
                });
                CHECK(seen == std::vector<int>(count, 1));
                CHECK((calls <= members || count / grain >= 8 * members));
                CHECK((count > grain || calls <= 1));
            }
        }
    }
}

TEST_CASE("parallel_for shares evenly") {
    serial_team threads{4};
    std::vector<std::size_t> sizes;
    parallel_for(execution{isa::portable, &threads}, 10, 1,
                 [&](work_range range) { sizes.push_back(range.end - range.begin); });
    CHECK(sizes == std::vector<std::size_t>{2, 3, 2, 3});
}

TEST_CASE("parallel_for leaves the work of a slow member to the others") {
    thread_team threads{2};
    std::atomic<std::size_t> slow{0};
    std::atomic<std::size_t> all{0};
    parallel_for(execution{isa::portable, &threads}, 400, 1, [&](work_range range) {
        for(std::size_t i = range.begin; i < range.end; ++i) {
            std::this_thread::sleep_for(std::chrono::microseconds{range.worker == 1 ? 2000 : 10});
            ++all;
            slow += range.worker == 1 ? 1 : 0;
        }
    });
    CHECK(all == 400);
    CHECK(slow <= 120); // its first range is a quarter; an even share would be 200
}

TEST_CASE("parallel_for without a team runs on the caller, and hands exceptions on") {
    const execution alone{};
    CHECK(alone.workers() == 1);
    CHECK_THROWS_AS(parallel_for(alone, 3, 1, [](work_range) { throw std::runtime_error("x"); }), std::runtime_error);
    thread_team threads{3};
    const execution shared{best_isa(), &threads};
    CHECK(shared.workers() == 3);
    CHECK_THROWS_AS(parallel_for(shared, 20, 1, // few: one range a member
                                 [](work_range range) {
                                     if(range.worker == 2) {
                                         throw std::runtime_error("x");
                                     }
                                 }),
                    std::runtime_error);
    std::atomic<std::size_t> total{0};
    parallel_for(shared, 30, 1, [&](work_range range) { total += range.end - range.begin; });
    CHECK(total == 30);
}
