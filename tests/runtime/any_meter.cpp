#include <tokenworks/runtime/any_meter.hpp>

#include <filesystem>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/model_folders.hpp"

namespace tw = tokenworks;
namespace rt = tokenworks::runtime;

static_assert(rt::energy_meter<rt::any_meter>);

TEST_CASE("any_meter: counters where there are some", "[runtime]") {
    const files::temporary_folder folder;
    const auto set = [&](const char* file, const char* text) { support::write_text(folder.string(), file, text); };
    set("intel-rapl:0/name", "package-0\n");
    set("intel-rapl:0/max_energy_range_uj", "10000000\n");
    set("intel-rapl:0/energy_uj", "1000000\n");
    rt::any_meter meter = rt::best_meter({}, folder.string());
    CHECK(meter.source() == rt::energy_source::measured);
    CHECK(meter.obstacle().empty());
    const rt::energy_span work{meter};
    set("intel-rapl:0/energy_uj", "3500000\n");
    CHECK(work.joules().value() == Approx(2.5));
    std::filesystem::remove(folder.string() + "/intel-rapl:0/energy_uj");
    CHECK_FALSE(meter.joules()); // a model would not go on where the counter ended
    CHECK(meter.obstacle().find("cannot be read") != std::string::npos);
    CHECK(meter.source() == rt::energy_source::measured);
}

TEST_CASE("any_meter: a model elsewhere, which says why", "[runtime]") {
    const files::temporary_folder folder;
    rt::any_meter meter = rt::best_meter({.busy_watts = 1, .idle_watts = 1e6}, folder.string());
    CHECK(meter.source() == rt::energy_source::modelled);
    CHECK(meter.obstacle() == "no RAPL counters in " + folder.string());
    const double first = meter.joules().value();
    rt::detail::spin(0, 0.001);
    CHECK(meter.joules().value() > first);
    CHECK_THROWS_AS(rt::best_meter({.busy_watts = -1}, folder.string()), tw::argument_error);

    rt::any_meter given{rt::modelled_meter{}};
    CHECK(given.obstacle().empty());
    CHECK(given.joules());
}
