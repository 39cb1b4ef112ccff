#include <tokenworks/runtime/line_estimate.hpp>

#include <cstddef>

#include "support/catch.hpp"

using tokenworks::runtime::line_estimate;

TEST_CASE("line_estimate: seconds that one waits", "[runtime]") {
    line_estimate line{16, 2};
    CHECK(line.wait_behind(1000) == 0);
    line.ended(4);
    CHECK(line.wait_behind(15) == 0); // there is a place
    CHECK(line.wait_behind(16) == Approx(4.0 / 16));
    CHECK(line.wait_behind(23) == Approx(2));
    line.ended(6);
    CHECK(line.wait_behind(16) == Approx(5.0 / 16));
    line.set_places(4); // for want of memory
    CHECK(line.wait_behind(3) == 0);
    CHECK(line.wait_behind(5) == Approx(2.5));
    line.set_places(16);
    for(int i = 0; i < 400; ++i) { // what was long ago is forgotten
        line.ended(1);
    }
    CHECK(line.wait_behind(16) == Approx(1.0 / 16).margin(1e-3));
}

TEST_CASE("line_estimate: who is let in", "[runtime]") {
    const auto most = [](const line_estimate& line) {
        std::size_t in_flight = 0;
        while(in_flight < 1000 && line.takes_one_behind(in_flight)) {
            ++in_flight;
        }
        return in_flight;
    };
    line_estimate line{16, 2};
    CHECK(most(line) == 32); // before anything has been measured
    line.ended(1);
    CHECK(most(line) == 16 + 32); // one a sixteenth of a second
    line_estimate slow{16, 2};
    slow.ended(100);
    CHECK(most(slow) == 16 + 4);
    line_estimate alone{1, 2};
    alone.ended(100);
    CHECK(most(alone) == 2);
    line_estimate without{16, 0};
    without.ended(100);
    CHECK(most(without) == 1000);
}
