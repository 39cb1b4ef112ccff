#include <cstddef>
#include <limits>
#include <vector>

#include <tokenworks/kernels/reduce.hpp>

#include "support/catch.hpp"
#include "support/kernels.hpp"

using namespace tokenworks;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float none = std::numeric_limits<float>::quiet_NaN();

std::size_t plain_argmax(const std::vector<float>& x) {
    std::size_t best = 0;
    bool found = false;
    for(std::size_t i = 0; i < x.size(); ++i) {
        if(x[i] == x[i] && (!found || x[i] > x[best])) {
            best = i;
            found = true;
        }
    }
    return best;
}

} // namespace

TEST_CASE("argmax is the first of the largest") {
    support::for_each_isa([](execution how) {
        for(const std::size_t n: {1U, 15U, 16U, 17U, 1023U, 1024U, 1025U, 5000U}) {
            auto x = support::random_floats(n, static_cast<unsigned>(n));
            CAPTURE(name(how.set), n);
            CHECK(kernels::argmax(x, how) == plain_argmax(x));
            x[n - 1] = 100;
            CHECK(kernels::argmax(x, how) == n - 1);
            x[n / 2] = 100;
            CHECK(kernels::argmax(x, how) == n / 2);
            x[0] = none;
            CHECK(kernels::argmax(x, how) == plain_argmax(x));
        }
        CHECK(kernels::argmax(std::vector<float>(40, -infinity), how) == 0);
        CHECK(kernels::argmax(std::vector<float>(40, none), how) == 0);
        CHECK(kernels::argmax(std::vector<float>{none, -infinity, none}, how) == 1);
        std::vector<float> late(3000, -infinity);
        late[2500] = infinity;
        CHECK(kernels::argmax(late, how) == 2500);
    });
    CHECK_THROWS_AS(kernels::argmax(std::vector<float>{}), argument_error);
}

TEST_CASE("has_non_finite finds one value anywhere") {
    support::for_each_isa([](execution how) {
        for(const std::size_t n: support::lengths) {
            auto x = support::random_floats(n, 2, 1e30F);
            CAPTURE(name(how.set), n);
            CHECK(!kernels::has_non_finite(x, how));
            for(std::size_t i = 0; i < n; i += 7) {
                for(const float bad: {infinity, -infinity, none}) {
                    auto spoilt = x;
                    spoilt[i] = bad;
                    CHECK(kernels::has_non_finite(spoilt, how));
                }
            }
        }
    });
}
