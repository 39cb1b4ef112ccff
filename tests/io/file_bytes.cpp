#include <tokenworks/io/file_bytes.hpp>

#include <cstdint>
#include <string>
#include <type_traits>

#include <sys/stat.h>

#include "io/files.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
using files::refusal;
using tw::io::file_bytes;
using tw::io::open_mode;

TEST_CASE("a file is mapped or read, with the same bytes", "[io][file_bytes]") {
    const files::temporary_folder folder;
    files::write(folder / "f", std::string(100'000, 'x'));
    const file_bytes mapped = file_bytes::open(folder / "f", {.mode = open_mode::map});
    const file_bytes copied = file_bytes::open(folder / "f", {.mode = open_mode::read});
    CHECK(mapped.is_mapped());
    CHECK(!copied.is_mapped());
    CHECK(files::text_of(mapped.bytes()) == std::string(100'000, 'x'));
    CHECK(files::text_of(copied.bytes()) == std::string(100'000, 'x'));
    CHECK(reinterpret_cast<std::uintptr_t>(copied.bytes().data()) % 64 == 0);
    CHECK(copied.name() == folder / "f");
    CHECK(file_bytes::open(folder / "f").is_mapped());
    // Hints do nothing where nothing is mapped.
    copied.advise_sequential();
    copied.advise_needed(0, 10);
    copied.release(0, 100'000);
    CHECK(copied.bytes()[5] == std::byte{'x'});
    mapped.advise_sequential();
    mapped.advise_needed(0, 10);
    mapped.release(0, 100'000);
    CHECK(mapped.bytes()[5] == std::byte{'x'});
}

TEST_CASE("borrowed bytes are the caller's own", "[io][file_bytes]") {
    const std::string text = "text";
    const file_bytes bytes = file_bytes::borrow(files::bytes_of(text), "mine");
    CHECK(bytes.bytes().data() == files::bytes_of(text).data());
    CHECK(bytes.name() == "mine");
    CHECK(!bytes.is_mapped());
}

TEST_CASE("bytes stay where they are when their owner moves", "[io][file_bytes]") {
    STATIC_REQUIRE(std::is_nothrow_move_constructible_v<file_bytes>);
    STATIC_REQUIRE(std::is_nothrow_move_assignable_v<file_bytes>);
    const files::temporary_folder folder;
    files::write(folder / "f", "content");
    const auto mode = GENERATE(open_mode::map, open_mode::read);
    file_bytes a = file_bytes::open(folder / "f", {.mode = mode});
    const std::byte* const data = a.bytes().data();
    file_bytes b{std::move(a)};
    CHECK(a.bytes().empty()); // NOLINT(bugprone-use-after-move): moved-from bytes are none
    file_bytes c;
    c = std::move(b);
    CHECK(c.bytes().data() == data);
    CHECK(files::text_of(c.bytes()) == "content");
}

TEST_CASE("every mode refuses what is no file", "[io][file_bytes]") {
    const files::temporary_folder folder;
    REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
    files::write(folder / "empty", "");
    for(const open_mode mode: {open_mode::automatic, open_mode::map, open_mode::read}) {
        for(const std::string& path: {folder.string(), folder / "fifo", folder / "empty", std::string{"/dev/zero"}}) {
            CHECK_THROWS_AS(file_bytes::open(path, {.mode = mode}), tw::io_error);
        }
    }
}

TEST_CASE("a sparse file larger than the memory is not read", "[io][file_bytes]") {
    const files::temporary_folder folder;
    files::write(folder / "f", "GGUF");
    bool made = false;
    for(unsigned bits = 62; bits > 41 && !made; --bits) { // 2^62 where the file system can
        made = ::truncate((folder / "f").c_str(), off_t{1} << bits) == 0;
    }
    if(!made) {
        return; // no sparse files of a size that matters here
    }
    CHECK_THAT(refusal<tw::io_error>([&] { (void)file_bytes::open(folder / "f", {.mode = open_mode::read}); }),
               ContainsSubstring(" bytes and this machine's memory "));
}

TEST_CASE("reading reports progress and can be cancelled", "[io][file_bytes]") {
    const files::temporary_folder folder;
    constexpr std::uint64_t size = std::uint64_t{40} << 20;
    files::write(folder / "f", std::string(size, 'x'));
    std::uint64_t last = 0;
    const auto watch = [&](std::uint64_t done, std::uint64_t total) {
        CHECK(done > last);
        CHECK(total == size);
        last = done;
        return true;
    };
    (void)file_bytes::open(folder / "f", {.mode = open_mode::read, .progress = watch});
    CHECK(last == size);
    const auto stop = [](std::uint64_t, std::uint64_t) { return false; };
    CHECK_THAT(refusal<tw::cancelled_error>(
                   [&] { (void)file_bytes::open(folder / "f", {.mode = open_mode::read, .progress = stop}); }),
               ContainsSubstring("cancelled after") && ContainsSubstring("of 41943040 bytes"));
}
