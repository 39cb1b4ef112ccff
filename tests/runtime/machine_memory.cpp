#include <tokenworks/runtime/machine_memory.hpp>

#include <filesystem>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/model_folders.hpp"

namespace rt = tokenworks::runtime;

TEST_CASE("machine_memory: what the system and the control group leave", "[runtime]") {
    const files::temporary_folder folder;
    const std::string here = folder.string();
    const auto available = [&] { return rt::available_memory(here + "/meminfo", here); };
    CHECK_FALSE(available());
    support::write_text(here, "meminfo", "MemTotal:       16000 kB\nMemFree:  100 kB\nMemAvailable:    9000 kB\n");
    CHECK(available() == 9000 * 1024);
    support::write_text(here, "memory.max", "max\n");
    support::write_text(here, "memory.current", "3000\n");
    CHECK(available() == 9000 * 1024);
    support::write_text(here, "memory.max", "5000\n");
    CHECK(available() == 2000);
    support::write_text(here, "memory.stat", "anon 1000\ninactive_file 500\nactive_file 900\n");
    CHECK(available() == 2500);
    support::write_text(here, "memory.current", "9000\n");
    CHECK(available() == 0);
    support::write_text(here, "meminfo", "MemAvailable: lots\n");
    CHECK(available() == 0);
    std::filesystem::remove(here + "/memory.max");
    CHECK_FALSE(available());
}

TEST_CASE("machine_memory: this machine has some", "[runtime]") {
    if(const auto available = rt::available_memory()) {
        CHECK(*available > (1U << 20));
    }
}
