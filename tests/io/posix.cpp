#include <tokenworks/io/posix.hpp>

#include <cerrno>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "io/files.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
using files::refusal;
using tw::io::detail::read_exactly;

namespace {

/// A file in memory that answers reads like a bad day of the system: what each call returns is scripted.
struct scripted_source {
    std::string content;
    std::vector<long> answers; // bytes to give at most; negative: that errno; afterwards everything asked for
    std::size_t at = 0;
    std::size_t calls = 0;

    long operator()(std::byte* to, std::size_t count) {
        long most = static_cast<long>(count);
        if(calls < answers.size()) {
            most = std::min(most, answers[calls]);
        }
        ++calls;
        if(most < 0) {
            errno = static_cast<int>(-most);
            return -1;
        }
        const std::size_t given = std::min(static_cast<std::size_t>(most), content.size() - at);
        std::memcpy(to, content.data() + at, given);
        at += given;
        return static_cast<long>(given);
    }
};

std::string read_from(scripted_source& source, std::size_t size) {
    std::vector<std::byte> out(size);
    read_exactly(source, out, "f", [](std::uint64_t, std::uint64_t) {});
    return files::text_of(out);
}

} // namespace

TEST_CASE("a read survives interruptions and short answers", "[io][posix]") {
    scripted_source source{"0123456789", {3, -EINTR, 1, -EINTR, -EINTR, 2}};
    CHECK(read_from(source, 10) == "0123456789");
}

TEST_CASE("the n-th read failing is an error with its offset, for every n", "[io][posix]") {
    for(std::size_t n = 0; n <= 10; ++n) {
        std::vector<long> answers(n, 1);
        answers.push_back(-EIO);
        scripted_source source{"0123456789", answers};
        CHECK_THAT(refusal<tw::io_error>([&] { (void)read_from(source, 10); }),
                   ContainsSubstring("f: cannot read at offset " + std::to_string(n) + ": Input/output error"));
    }
}

TEST_CASE("a file that changes size while it is read is refused", "[io][posix]") {
    scripted_source shrunk{"0123456", {}};
    CHECK(refusal<tw::io_error>([&] { (void)read_from(shrunk, 10); }) ==
          "f: the file shrank while it was read: it had 10 bytes and ends at 7");
    scripted_source grown{"0123456789ab", {}};
    CHECK(refusal<tw::io_error>([&] { (void)read_from(grown, 10); }) ==
          "f: the file grew while it was read: it had 10 bytes");
}

TEST_CASE("a descriptor is moved, not shared", "[io][posix]") {
    using tw::io::detail::descriptor;
    STATIC_REQUIRE(std::is_nothrow_move_constructible_v<descriptor>);
    STATIC_REQUIRE(std::is_nothrow_move_assignable_v<descriptor>);
    STATIC_REQUIRE(!std::is_copy_constructible_v<descriptor>);
    descriptor a{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    const int number = a.get();
    REQUIRE(number >= 0);
    descriptor b{std::move(a)};
    CHECK(b.get() == number);
    descriptor c;
    c = std::move(b);
    CHECK(c.get() == number);
    CHECK(::fcntl(number, F_GETFD) >= 0);
    CHECK(c.release() == number);
    CHECK(::close(number) == 0);
}

TEST_CASE("a file that cannot be examined is refused", "[io][posix]") {
    struct blind_calls: tw::io::detail::posix_calls {
        static int fstat(int, struct stat*) noexcept {
            errno = EIO;
            return -1;
        }
    };
    const files::temporary_folder folder;
    files::write(folder / "f", "x");
    CHECK(refusal<tw::io_error>([&] { (void)tw::io::detail::open_regular<blind_calls>(folder / "f"); }) ==
          (folder / "f") + ": cannot examine: Input/output error");
    CHECK(tw::io::detail::open_regular(folder / "f").size == 1);
}
