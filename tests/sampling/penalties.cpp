#include "support/catch.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include <tokenworks/sampling/penalties.hpp>

#include "reference/sampling.hpp"
#include "support/allocations.hpp"

namespace tw = tokenworks;
namespace ts = tokenworks::sampling;

TEST_CASE("penalties follow their formula over the window") {
    const std::size_t vocab = 40;
    const auto logits = reference::random_logits(vocab, 5, 128.0F);
    std::vector<ts::token_id> history;
    for(int i = 0; i < 100; ++i) {
        history.push_back(i * i % 31);
    }
    for(const std::int64_t last_n: {0, 1, 7, 64, 100, 500, -1}) {
        for(const auto& [repeat, frequency, presence]: {std::tuple{1.0F, 0.0F, 0.0F},
                                                        {1.5F, 0.0F, 0.0F},
                                                        {0.5F, 0.25F, 0.0F},
                                                        {1.0F, -0.5F, 0.75F},
                                                        {1.25F, 0.5F, 1.0F}}) {
            const ts::penalties penalize{{last_n, repeat, frequency, presence}};
            const std::size_t window =
                last_n < 0 ? history.size() : std::min<std::size_t>(history.size(), static_cast<std::size_t>(last_n));
            for(const bool as_list: {false, true}) {
                ts::candidates c;
                c.load(logits);
                if(as_list) {
                    static_cast<void>(c.list());
                }
                penalize(c, {history, history.size()});
                const auto left = reference::by_id(c);
                REQUIRE(left.size() == vocab);
                for(std::size_t i = 0; i < vocab; ++i) {
                    const auto n = static_cast<double>(
                        std::count(history.end() - static_cast<std::ptrdiff_t>(window), history.end(), left[i].id));
                    auto expected = static_cast<double>(logits[i]);
                    if(n > 0) {
                        expected = expected > 0 ? expected / static_cast<double>(repeat)
                                                : expected * static_cast<double>(repeat);
                        expected -= n * static_cast<double>(frequency) + static_cast<double>(presence);
                    }
                    REQUIRE(std::fabs(static_cast<double>(left[i].logit) - expected) <=
                            2e-6 * (1 + std::fabs(expected)));
                }
            }
        }
    }
}

TEST_CASE("tokens that the vocabulary lacks are passed over") {
    ts::candidates c;
    c.load(std::vector<float>{1, 1, 1});
    const std::vector<ts::token_id> history{-5, 3, 1000000, 2};
    ts::penalties{{.presence = 0.5F}}(c, {history, 4});
    CHECK(c.logit(0) == 1.0F);
    CHECK(c.logit(1) == 1.0F);
    CHECK(c.logit(2) == 0.5F);
}

TEST_CASE("a growing history takes no new memory") {
    std::vector<ts::token_id> history(3000);
    for(std::size_t i = 0; i < history.size(); ++i) {
        history[i] = static_cast<ts::token_id>(i % 700);
    }
    const auto logits = reference::random_logits(1000, 5, 128.0F);
    ts::candidates c;
    const ts::penalties all{{.last_n = -1, .repeat = 1.1F}};
    c.load(logits);
    all(c, {{history.data(), 1}, 1});
    CHECK(support::allocations_during([&] {
              for(std::size_t n = 2; n <= history.size(); n += 100) {
                  c.load(logits);
                  all(c, {{history.data(), n}, n});
              }
          }) == 0);
}

TEST_CASE("penalties names the setting that is out of range") {
    REQUIRE_THROWS_WITH((ts::penalties{{.repeat = 0.0F}}), ContainsSubstring("repeat"));
    REQUIRE_THROWS_WITH((ts::penalties{{.repeat = std::nanf("")}}), ContainsSubstring("repeat"));
    REQUIRE_THROWS_WITH((ts::penalties{{.frequency = std::nanf("")}}), ContainsSubstring("frequency"));
    REQUIRE_THROWS_WITH((ts::penalties{{.presence = std::numeric_limits<float>::infinity()}}),
                        ContainsSubstring("presence"));
    REQUIRE_THROWS_WITH((ts::penalties{{.last_n = -2}}), ContainsSubstring("last_n"));
}
