#include <tokenworks/io/packed_reader.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <sys/stat.h>

#include <tokenworks/core/thread_team.hpp>

#include "io/packed.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
namespace io = tokenworks::io;

namespace {

std::string refusal(const std::string& path, std::uint64_t identity = packed::identity) {
    return files::refusal<tw::error>([&] { const io::packed_file file{path, identity}; });
}

std::string content(const io::packed_file& file, const io::packed_entry& entry, const tw::execution& how = {}) {
    std::vector<std::byte> out(static_cast<std::size_t>(entry.bytes));
    file.read(entry, out, how);
    return files::text_of(out);
}

/// Reads that are short, interrupted, failing, or at an end that came too early.
struct bad_reads: io::detail::posix_calls {
    inline static int calls = 0;
    inline static int fail_from = 1 << 30;
    inline static int code = 0; ///< 0: the end of the file
    static ssize_t pread(int file, void* data, std::size_t size, std::uint64_t offset) noexcept {
        if(++calls >= fail_from) {
            errno = code;
            return code == 0 ? 0 : -1;
        }
        if(calls % 2 == 0) {
            errno = EINTR;
            return -1;
        }
        return posix_calls::pread(file, data, size < 10 ? size : size / 2, offset);
    }
};

} // namespace

TEST_CASE("packed_reader: what was written, on any number of threads", "[io]") {
    const files::temporary_folder folder;
    packed::write_sample(folder / "p");
    const io::packed_file file{folder / "p", packed::identity};
    REQUIRE(file.entries().size() == 2);
    CHECK(file.find("third") == nullptr);
    REQUIRE(file.find("second") == &file.entries()[1]);
    for(const unsigned threads: {1U, 3U}) {
        tw::thread_team team{threads};
        CHECK(content(file, file.entries()[0], {.threads = &team}) == packed::contents()[0]);
        CHECK(content(file, file.entries()[1], {.threads = &team}) == packed::contents()[1]);
    }
    std::vector<std::byte> small(3);
    CHECK_THROWS_AS(file.read(file.entries()[0], small), tw::argument_error);
}

TEST_CASE("packed_reader: another model's file, and what is no packed file", "[io]") {
    const files::temporary_folder folder;
    packed::write_sample(folder / "p");
    CHECK(refusal(folder / "p") == "accepted");
    CHECK_THAT(refusal(folder / "p", 7), ContainsSubstring("another model file"));
    CHECK_THAT(refusal(folder / "none"), ContainsSubstring("cannot open"));
    CHECK_THAT(refusal(folder.string()), ContainsSubstring("a directory"));
    files::write(folder / "short", "TWPACKED");
    CHECK_THAT(refusal(folder / "short"), ContainsSubstring("8 bytes only"));
    files::write(folder / "text", std::string(500, 't'));
    CHECK_THAT(refusal(folder / "text"), ContainsSubstring("magic"));
    REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
    CHECK_THAT(refusal(folder / "fifo"), ContainsSubstring("a FIFO"));
}

TEST_CASE("packed_reader: a changed byte of a matrix is found, and a file that shrinks is an error", "[io]") {
    const files::temporary_folder folder;
    std::string bytes = packed::sample();
    bytes[64 + 50] = 'b';
    bytes[192 + io::packed_chunk + 10] ^= 1;
    files::write(folder / "p", bytes);
    const io::packed_file file{folder / "p", packed::identity};
    tw::thread_team team{2};
    CHECK_THROWS_WITH(content(file, file.entries()[0]), ContainsSubstring("first.weight at offset 64"));
    CHECK_THROWS_WITH(content(file, file.entries()[1], {.threads = &team}), ContainsSubstring("checksum"));
    std::filesystem::resize_file(folder / "p", 100);
    CHECK_THROWS_AS(content(file, file.entries()[0]), tw::io_error);
}

TEST_CASE("packed_reader: short and interrupted reads go on, failing ones are errors", "[io]") {
    const files::temporary_folder folder;
    packed::write_sample(folder / "p");
    const auto read_all = [&] {
        const io::basic_packed_file<bad_reads> file{folder / "p", packed::identity};
        std::vector<std::byte> out(static_cast<std::size_t>(file.entries()[1].bytes));
        file.read(file.entries()[1], out);
        return files::text_of(out);
    };
    bad_reads::calls = 0;
    CHECK(read_all() == packed::contents()[1]);
    const int calls = bad_reads::calls;
    for(const int code: {0, EIO}) {
        bad_reads::code = code;
        for(int n = 1; n <= calls; ++n) {
            bad_reads::calls = 0;
            bad_reads::fail_from = n;
            REQUIRE_THROWS_AS(read_all(), tw::io_error);
        }
    }
    bad_reads::fail_from = 1 << 30;
}
