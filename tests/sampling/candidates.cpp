#include "support/catch.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include <tokenworks/sampling/candidates.hpp>

#include "reference/sampling.hpp"
#include "support/allocations.hpp"

namespace tw = tokenworks;
namespace ts = tokenworks::sampling;

constexpr float inf = std::numeric_limits<float>::infinity();

namespace {

ts::candidates loaded(const std::vector<float>& logits, bool as_list = false) {
    ts::candidates c;
    c.load(logits);
    if(as_list) {
        static_cast<void>(c.list());
    }
    return c;
}

} // namespace

TEST_CASE("load takes what can be sampled from and names what cannot") {
    ts::candidates c;
    CHECK_THROWS_AS(c.load({}), tw::argument_error);
    REQUIRE_THROWS_WITH(c.load(std::vector<float>{1, 2, std::nanf("")}), ContainsSubstring("token 2 is NaN"));
    REQUIRE_THROWS_WITH(c.load(std::vector<float>{1, inf, 3}), ContainsSubstring("token 1 is +infinity"));
    REQUIRE_THROWS_WITH(c.load(std::vector<float>{-inf, -inf}), ContainsSubstring("no finite logit"));
    c.load(std::vector<float>{-inf, 3, 4});
    CHECK(c.size() == 3);
    CHECK(c.dense());
    CHECK(c.list().size() == 2);
    CHECK_FALSE(c.dense());
    CHECK(c.vocab_size() == 3);
}

TEST_CASE("keep_top keeps the best, best first, ties by id") {
    for(const std::size_t n: reference::sizes()) {
        for(const float grid: {1.0F, 4096.0F}) {
            for(const std::size_t banned: {std::size_t{0}, std::size_t{3}}) {
                const auto logits = reference::random_logits(n, static_cast<unsigned>(n), grid, banned);
                auto expected = reference::sorted(logits);
                for(const std::size_t k: {std::size_t{1}, std::size_t{2}, std::size_t{40}, n / 8, n / 2, n, n + 5}) {
                    for(const bool as_list: {false, true}) {
                        auto c = loaded(logits, as_list);
                        c.keep_top(k);
                        const std::size_t left = std::min(std::max<std::size_t>(k, 1), expected.size());
                        REQUIRE(reference::ids(c.list()) == reference::ids({expected.data(), left}));
                    }
                }
            }
        }
    }
}

TEST_CASE("keep_top holds on ascending, descending and equal logits") {
    std::vector<float> up(5000);
    std::vector<float> down(5000);
    const std::vector<float> flat(5000, 1.0F);
    for(std::size_t i = 0; i < up.size(); ++i) {
        up[i] = static_cast<float>(i);
        down[i] = -static_cast<float>(i);
    }
    for(const std::vector<float>* logits: std::initializer_list<const std::vector<float>*>{&up, &down, &flat}) {
        auto c = loaded(*logits);
        c.keep_top(100);
        const auto expected = reference::sorted(*logits);
        CHECK(reference::ids(c.list()) == reference::ids({expected.data(), 100}));
    }
}

TEST_CASE("keep_at_least and keep_if keep the order and drop what is banned") {
    for(const std::size_t n: reference::sizes()) {
        const auto logits = reference::random_logits(n, 3, 2.0F, 5);
        for(const float least: {-inf, -2.0F, 2.5F}) {
            std::vector<ts::token_id> expected;
            for(std::size_t i = 0; i < n; ++i) {
                if(logits[i] > -inf && logits[i] >= least) {
                    expected.push_back(static_cast<ts::token_id>(i));
                }
            }
            for(const bool as_list: {false, true}) {
                auto a = loaded(logits, as_list);
                a.keep_at_least(least);
                REQUIRE(reference::ids(a.list()) == expected);
                auto b = loaded(logits, as_list);
                b.keep_if([&](const ts::candidate& c) { return c.logit >= least; });
                REQUIRE(reference::ids(b.list()) == expected);
            }
        }
    }
}

TEST_CASE("keep_mass keeps the shortest row that reaches the mass") {
    for(const std::size_t n: reference::sizes()) {
        const auto logits = reference::random_logits(n, 11, 8.0F, n > 3 ? 4 : 0);
        const auto order = reference::sorted(logits);
        const auto p = reference::probabilities(order);
        for(const double share: {0.0, 0.3, 0.9, 0.999, 2.0}) {
            for(const bool as_list: {false, true}) {
                auto c = loaded(logits, as_list);
                const auto d = c.softmax();
                c.keep_mass(d, share * d.sum, false, [&](std::size_t i) { return -c.logit(i); });
                const auto kept = reference::by_id(c);
                double mass = 0;
                for(std::size_t i = 0; i < kept.size(); ++i) {
                    mass += p[i];
                }
                INFO("n " << n << " share " << share << " kept " << kept.size());
                // A row of the sorted entries, ties by id ...
                std::vector<ts::token_id> row = reference::ids({order.data(), kept.size()});
                std::sort(row.begin(), row.end());
                REQUIRE(reference::ids(kept) == row);
                // ... that is long enough and not longer, up to the rounding of the weights.
                REQUIRE(kept.size() >= 1);
                REQUIRE((kept.size() == order.size() || mass >= share - 1e-6));
                REQUIRE((kept.size() == 1 || mass - p[kept.size() - 1] < share + 1e-6));
            }
        }
    }
}

TEST_CASE("keep_mass tells 'at least' from 'more than'") {
    auto at_least = loaded({1, 1, 1, 1});
    auto d = at_least.softmax();
    at_least.keep_mass(d, 2.0, false, [](std::size_t) { return 0.0F; });
    CHECK(reference::ids(at_least.list()) == std::vector<ts::token_id>{0, 1});
    auto more_than = loaded({1, 1, 1, 1});
    d = more_than.softmax();
    more_than.keep_mass(d, 2.0, true, [](std::size_t i) { return -static_cast<float>(i); });
    CHECK(reference::ids(more_than.list()) == std::vector<ts::token_id>{1, 2, 3});
}

TEST_CASE("softmax adds up to one and gives nothing to banned entries") {
    for(const std::size_t n: reference::sizes()) {
        auto c = loaded(reference::random_logits(n, 2, 64.0F, n > 3 ? 4 : 0));
        const auto d = c.softmax();
        const auto dense = std::vector<float>{c.dense_logits().begin(), c.dense_logits().end()};
        const auto order = reference::sorted(dense);
        const auto p = reference::probabilities(order);
        for(std::size_t i = 0; i < order.size(); ++i) {
            REQUIRE(std::fabs(static_cast<double>(d.weights[static_cast<std::size_t>(order[i].id)]) / d.sum - p[i]) <=
                    1e-6 * p[i] + 1e-37);
        }
        for(std::size_t i = 0; i < n; ++i) {
            if(!std::isfinite(dense[i])) {
                REQUIRE(d.weights[i] == 0.0F);
            }
        }
    }
}

TEST_CASE("best is the highest, the lowest id on a tie, in any order of the list") {
    auto c = loaded({1, 5, 5, 2});
    CHECK(c.best().id == 1);
    auto list = c.list();
    std::reverse(list.begin(), list.end());
    CHECK(c.best().id == 1);
    CHECK(c.best().logit == 5.0F);
    c.keep_if([](const ts::candidate&) { return false; });
    CHECK(c.size() == 0);
    CHECK_THROWS_AS(c.best(), tw::argument_error);
    CHECK(c.softmax().sum == 0.0);
}

TEST_CASE("transform_only reaches the given ids in both forms") {
    const std::vector<ts::token_id> ids{1, 3, 4};
    for(const bool as_list: {false, true}) {
        auto c = loaded({0, 0, 0, 0, -inf, 0}, as_list);
        c.transform_only(ids, [](std::size_t n, float logit) { return logit + static_cast<float>(n) + 1.0F; });
        std::vector<float> left;
        for(const auto& entry: reference::by_id(c)) {
            left.push_back(entry.logit);
        }
        CHECK(left == std::vector<float>{0, 1, 0, 2, 0});
    }
}

TEST_CASE("after the first load nothing is allocated") {
    const auto logits = reference::random_logits(30000, 1, 64.0F);
    const auto others = reference::random_logits(30000, 2, 1.0F);
    ts::candidates c;
    c.load(logits);
    CHECK(support::allocations_during([&] {
              for(const auto* x: {&logits, &others}) {
                  c.load(*x);
                  const auto d = c.softmax();
                  c.keep_mass(d, 0.9 * d.sum, false, [&](std::size_t i) { return -c.logit(i); });
                  c.load(*x);
                  c.keep_top(40);
                  c.load(*x);
                  c.keep_top(20000);
                  c.load(*x);
                  c.keep_at_least(0.0F);
                  static_cast<void>(c.softmax());
              }
          }) == 0);
    std::vector<int> grows;
    CHECK(support::allocations_during([&] { grows.resize(100); }) == 1); // it does count
}
