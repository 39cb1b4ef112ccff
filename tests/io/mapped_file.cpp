#include <tokenworks/io/mapped_file.hpp>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string>
#include <type_traits>
#include <utility>

#include <sys/stat.h>

#include "io/files.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
using files::refusal;
using tw::io::mapped_file;

TEST_CASE("a mapped file shows its bytes", "[io][mapped_file]") {
    const files::temporary_folder folder;
    files::write(folder / "f", "content");
    const mapped_file file{folder / "f"};
    CHECK(files::text_of(file.bytes()) == "content");
    CHECK(file.path() == folder / "f");
}

TEST_CASE("a mapping moves without a copy", "[io][mapped_file]") {
    STATIC_REQUIRE(std::is_nothrow_move_constructible_v<mapped_file>);
    STATIC_REQUIRE(std::is_nothrow_move_assignable_v<mapped_file>);
    STATIC_REQUIRE(!std::is_copy_constructible_v<mapped_file>);
    const files::temporary_folder folder;
    files::write(folder / "f", "content");
    files::write(folder / "g", "other");
    mapped_file a{folder / "f"};
    const std::byte* const data = a.bytes().data();
    mapped_file b{std::move(a)};
    CHECK(b.bytes().data() == data);
    CHECK(a.bytes().empty()); // NOLINT(bugprone-use-after-move): a moved-from mapping is empty
    mapped_file c{folder / "g"};
    c = std::move(b);
    CHECK(c.bytes().data() == data);
    CHECK(files::text_of(c.bytes()) == "content");
    CHECK(c.path() == folder / "f");
}

TEST_CASE("what is no readable file with content is refused at once", "[io][mapped_file]") {
    const files::temporary_folder folder;
    const auto opening = [](const std::string& path) { return refusal<tw::io_error>([&] { mapped_file{path}; }); };
    CHECK(opening(folder / "none") == (folder / "none") + ": cannot open: No such file or directory");
    CHECK(opening(folder.string()) == folder.string() + ": cannot open: it is a directory, not a regular file");
    files::write(folder / "empty", "");
    CHECK_THAT(opening(folder / "empty"), ContainsSubstring("cannot open: the file is empty"));
    REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
    CHECK_THAT(opening(folder / "fifo"), ContainsSubstring("it is a FIFO, not a regular file"));
    CHECK_THAT(opening("/dev/zero"), ContainsSubstring("it is a device, not a regular file"));
    CHECK_THAT(opening(std::string{"a\0b", 3}), ContainsSubstring("a\\x00b: cannot open: the path contains a NUL"));
    CHECK_THAT(opening(""), ContainsSubstring("No such file"));
}

TEST_CASE("an unreadable file is refused", "[io][mapped_file]") {
    if(::geteuid() == 0) {
        return; // root reads everything
    }
    const files::temporary_folder folder;
    files::write(folder / "f", "secret");
    REQUIRE(::chmod((folder / "f").c_str(), 0) == 0);
    CHECK_THAT(refusal<tw::io_error>([&] { mapped_file{folder / "f"}; }), ContainsSubstring("Permission denied"));
}

TEST_CASE("a file too large to map is refused", "[io][mapped_file]") {
    // Most file systems do not let us make such a file; the size is what fstat would say.
    const files::temporary_folder folder;
    files::write(folder / "f", "content");
    for(const unsigned bits: {62U, 63U}) {
        tw::io::detail::opened_file opened = tw::io::detail::open_regular(folder / "f");
        opened.size = std::uint64_t{1} << bits;
        CHECK_THAT(refusal<tw::io_error>([&] { (void)mapped_file(opened, "f"); }),
                   ContainsSubstring("f: cannot map " + std::to_string(opened.size) + " bytes: "));
    }
}

TEST_CASE("released pages leave memory and can be read again", "[io][mapped_file]") {
    const files::temporary_folder folder;
    constexpr std::size_t size = std::size_t{16} << 20;
    files::write(folder / "f", std::string(size, 'x'));
    const mapped_file file{folder / "f"};
    const auto resident = [] { // pages of files in this process, from the kernel
        std::ifstream status{"/proc/self/statm"};
        long total = 0, all = 0, shared = 0;
        status >> total >> all >> shared;
        return shared * ::sysconf(_SC_PAGESIZE);
    };
    file.advise_sequential();
    file.advise_needed(0, size);
    CHECK(std::count(file.bytes().begin(), file.bytes().end(), std::byte{'x'}) == static_cast<long>(size));
    const long before = resident();
    file.release(100, size - 100);
    const long after = resident();
    if(before != 0) {
        CHECK(before - after > static_cast<long>(size) * 9 / 10);
    }
    CHECK(file.bytes()[size / 2] == std::byte{'x'});
    // Ranges that are empty or reach past the end are taken as far as they go.
    file.release(size, 5);
    file.release(~std::uint64_t{0}, ~std::uint64_t{0});
    file.release(size - 1, ~std::uint64_t{0});
    mapped_file{}.release(0, 10);
    CHECK(file.bytes()[size - 1] == std::byte{'x'});
}
