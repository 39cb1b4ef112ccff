#include <tokenworks/runtime/energy_meter.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/model_folders.hpp"

namespace rt = tokenworks::runtime;

namespace {

/// A folder with counters as Linux has them.
class counters {
public:
    [[nodiscard]] std::string path() const { return folder_.string(); }
    void set(const std::string& zone, std::uint64_t microjoules) const {
        support::write_text(path(), zone + "/energy_uj", std::to_string(microjoules) + "\n");
    }
    void add(const std::string& zone, const std::string& name, std::uint64_t microjoules,
             std::optional<std::uint64_t> most = 10'000'000) const {
        support::write_text(path(), zone + "/name", name + "\n");
        if(most) {
            support::write_text(path(), zone + "/max_energy_range_uj", std::to_string(*most) + "\n");
        }
        set(zone, microjoules);
    }

private:
    files::temporary_folder folder_;
};

/// Says what it is told to.
struct other_meter {
    static constexpr rt::energy_source source = rt::energy_source::modelled;
    std::optional<double> now{};
    std::optional<double> joules() { return now; }
};

static_assert(rt::energy_meter<rt::rapl_meter>);
static_assert(rt::energy_meter<other_meter>);
static_assert(!rt::energy_meter<int>);

} // namespace

TEST_CASE("energy_meter: packages and memory are added, what they hold or what holds them is not", "[runtime]") {
    const counters machine;
    machine.add("intel-rapl:0", "package-0", 1'000'000);
    machine.add("intel-rapl:1", "package-1", 2'000'000);
    machine.add("intel-rapl:0:0", "core", 0);
    machine.add("intel-rapl:0:1", "dram", 500'000);
    machine.add("intel-rapl:2", "psys", 0);
    machine.add("intel-rapl-mmio:0", "package-0", 0);
    support::write_text(machine.path(), "intel-rapl/enabled", "1\n");
    rt::rapl_meter meter{machine.path()};
    CHECK(meter.counters() == 3);
    CHECK(meter.obstacle().empty());
    CHECK(meter.joules() == 0.0);
    machine.set("intel-rapl:0", 4'000'000);
    machine.set("intel-rapl:0:1", 750'000);
    for(const char* const other: {"intel-rapl:0:0", "intel-rapl:2", "intel-rapl-mmio:0"}) {
        machine.set(other, 9'000'000);
    }
    CHECK(meter.joules().value() == Approx(3.25));
    machine.set("intel-rapl:1", 2'500'000);
    CHECK(meter.joules().value() == Approx(3.75));
    CHECK(meter.joules().value() == Approx(3.75));
}

TEST_CASE("energy_meter: a counter that starts again", "[runtime]") {
    const counters machine;
    machine.add("intel-rapl:0", "package-0", 9'000'000);
    rt::rapl_meter meter{machine.path()};
    machine.set("intel-rapl:0", 500'000);
    CHECK(meter.joules().value() == Approx(1.5));
    machine.set("intel-rapl:0", 9'500'000);
    CHECK(meter.joules().value() == Approx(10.5));
    machine.set("intel-rapl:0", 0);
    CHECK(meter.joules().value() == Approx(11.0));
}

TEST_CASE("energy_meter: machines that do not tell", "[runtime]") {
    const counters machine;
    rt::rapl_meter none{machine.path() + "/nowhere"};
    CHECK_FALSE(none.joules());
    CHECK(none.obstacle() == "no RAPL counters in " + machine.path() + "/nowhere");

    machine.add("intel-rapl:0", "package-0", 1);
    machine.add("intel-rapl:1", "package-1", 1);
    std::filesystem::remove(machine.path() + "/intel-rapl:1/energy_uj");
    rt::rapl_meter half{machine.path()};
    CHECK_FALSE(half.joules()); // half of a machine is no answer
    CHECK(half.obstacle() == machine.path() + "/intel-rapl:1/energy_uj cannot be read");

    machine.set("intel-rapl:1", 1);
    rt::rapl_meter lost{machine.path()};
    CHECK(lost.joules());
    support::write_text(machine.path(), "intel-rapl:1/energy_uj", "many\n");
    CHECK_FALSE(lost.joules());
    machine.set("intel-rapl:1", 5);
    CHECK_FALSE(lost.joules());
    CHECK_FALSE(lost.obstacle().empty());
}

TEST_CASE("energy_meter: a counter that goes back must have a range", "[runtime]") {
    const counters machine;
    machine.add("intel-rapl:0", "package-0", 100, std::nullopt);
    rt::rapl_meter meter{machine.path()};
    machine.set("intel-rapl:0", 101);
    CHECK(meter.joules().value() == Approx(1e-6));
    machine.set("intel-rapl:0", 50);
    CHECK_FALSE(meter.joules());
    CHECK(meter.obstacle().find("went back") != std::string::npos);
}

TEST_CASE("energy_meter: what a span of work took, of any meter", "[runtime]") {
    other_meter meter{.now = 2};
    const rt::energy_span work{meter};
    meter.now = 5.5;
    CHECK(work.joules() == 3.5);
    meter.now.reset();
    CHECK_FALSE(work.joules());
    const rt::energy_span late{meter};
    meter.now = 6;
    CHECK_FALSE(late.joules());
    CHECK(to_string(other_meter::source) == "modelled");
    CHECK(to_string(rt::rapl_meter::source) == "measured");
}

TEST_CASE("energy_meter: this machine tells, or says why not", "[runtime]") {
    rt::rapl_meter meter;
    const std::optional<double> joules = meter.joules();
    CHECK(joules.has_value() == meter.obstacle().empty());
    CHECK(joules.value_or(0) >= 0);
}
