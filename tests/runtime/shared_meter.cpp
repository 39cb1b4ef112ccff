#include <tokenworks/runtime/shared_meter.hpp>

#include <optional>

#include "support/catch.hpp"

namespace rt = tokenworks::runtime;

namespace {

struct told_meter {
    static constexpr rt::energy_source source = rt::energy_source::modelled;
    std::optional<double>* now;
    std::optional<double> joules() { return *now; }
};

} // namespace

TEST_CASE("shared_meter: those at work share what is counted meanwhile", "[runtime]") {
    std::optional<double> now = 100;
    rt::shared_meter<told_meter> meter{told_meter{&now}};
    using account = rt::shared_meter<told_meter>::account;
    account a{meter};
    account b{meter};
    now = 110; // nobody works
    CHECK(a.turn() == 0);
    now = 116;
    CHECK(b.turn() == 0); // a alone took 6
    now = 126;            // 5 each
    CHECK(a.turn() == 11);
    now = 130;
    CHECK(b.turn() == 9);
    now = 200;
    CHECK(a.joules() == 11);
    CHECK(a.turn() == 11);
    now = 203;
    CHECK(a.turn() == 14);
    {
        account leaves{meter};
        CHECK(leaves.turn() == 0);
    }
    CHECK(b.turn() == 9);
    now = 207; // the one that left takes no part
    CHECK(b.turn() == 13);
    now.reset();
    CHECK_FALSE(b.turn());
    now = 300;
    CHECK_FALSE(b.turn());
    now = 301;
    CHECK(b.turn() == 13);
    now = 302;
    CHECK(b.turn() == 14);
}
