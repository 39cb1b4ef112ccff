#include <tokenworks/serve/quota.hpp>

#include <chrono>
#include <string>

#include "support/catch.hpp"

namespace tw = tokenworks;
namespace serve = tw::serve;
using std::chrono::seconds;

TEST_CASE("quota: keys and their names", "[serve]") {
    serve::api_keys keys;
    CHECK(keys.empty());
    keys.add("alice=secret");
    keys.add("Zm9v==");
    CHECK(keys.owner_of("Bearer secret") == "alice");
    CHECK(keys.owner_of("bearer Zm9v==") == "key-2");
    for(const char* wrong:
        {"", "Bearer ", "Bearer secre", "Bearer secret2", "secret", "Basic secret", "Bearer secretsecret"}) {
        CHECK_FALSE(keys.owner_of(wrong));
    }
    CHECK_THROWS_AS(keys.add(""), tw::argument_error);
    CHECK_THROWS_AS(keys.add("=x"), tw::argument_error);
    CHECK_THROWS_AS(keys.add("bob=secret"), tw::argument_error);
}

TEST_CASE("quota: requests of a minute, for each client", "[serve]") {
    serve::quota limit{{.requests = 2}};
    const serve::quota::clock::time_point begin{};
    CHECK_FALSE(limit.take("a", 1000000, begin));
    CHECK_FALSE(limit.take("a", 1, begin));
    CHECK(limit.take("a", 1, begin) == Approx(30));
    CHECK_FALSE(limit.take("b", 1, begin));
    CHECK(limit.take("a", 1, begin + seconds{15}) == Approx(15));
    CHECK_FALSE(limit.take("a", 1, begin + seconds{31}));
    CHECK(limit.take("a", 1, begin + seconds{31}));
}

TEST_CASE("quota: tokens of a minute, those of answers afterwards", "[serve]") {
    serve::quota limit{{.tokens = 60}};
    const serve::quota::clock::time_point begin{};
    CHECK_FALSE(limit.take("a", 40, begin));
    CHECK(limit.take("a", 40, begin) == Approx(20));
    limit.charge("a", 50, begin); // 30 below zero
    CHECK(limit.take("a", 1, begin) == Approx(31));
    CHECK_FALSE(limit.take("a", 1, begin + seconds{32}));
    CHECK_FALSE(limit.take("b", 1000, begin)); // larger than the bucket: a full one is enough
    CHECK(limit.take("b", 1, begin));
    CHECK_FALSE(serve::quota{{}}.take("a", 1000000, begin));
}
