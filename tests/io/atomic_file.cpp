#include <tokenworks/io/atomic_file.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "io/files.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
using files::refusal;
using tw::io::atomic_file;

namespace {

/// Limits the size of files this process may write, for as long as it lives.
class file_size_limit {
public:
    explicit file_size_limit(rlim_t bytes) {
        ::getrlimit(RLIMIT_FSIZE, &old_);
        const struct rlimit limit { bytes, old_.rlim_max };
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    file_size_limit(const file_size_limit&) = delete;
    file_size_limit& operator=(const file_size_limit&) = delete;
    ~file_size_limit() { ::setrlimit(RLIMIT_FSIZE, &old_); }

private:
    struct rlimit old_ {};
};

/// System calls of which one fails: the one numbered fail_at, counting from 0.
struct failing_calls {
    static inline int calls = 0;
    static inline int fail_at = -1;
    static inline int code = EIO;
    static inline std::string failed{};

    static bool fails(const char* name) {
        if(calls++ != fail_at) {
            return false;
        }
        failed = name;
        errno = code;
        return true;
    }
    using real = tw::io::detail::posix_calls;
    static int open(const char* path, int flags, mode_t mode) {
        return fails("open") ? -1 : real::open(path, flags, mode);
    }
    static int fchmod(int file, mode_t mode) { return fails("fchmod") ? -1 : real::fchmod(file, mode); }
    static ssize_t write(int file, const void* data, std::size_t size) {
        return fails("write") ? -1 : real::write(file, data, std::min<std::size_t>(size, 100'000)); // short answers
    }
    static int fsync(int file) { return fails("fsync") ? -1 : real::fsync(file); }
    static int close(int file) {
        const int result = real::close(file); // the descriptor is gone, whatever close says
        return fails("close") ? -1 : result;
    }
    static int rename(const char* from, const char* to) { return fails("rename") ? -1 : real::rename(from, to); }
};

/// Writes "new" and much after it with the n-th system call failing; the message, or "accepted".
std::string write_with_failure(const std::string& path, int n, int code) {
    failing_calls::calls = 0;
    failing_calls::fail_at = n;
    failing_calls::code = code;
    failing_calls::failed.clear();
    return refusal<tw::io_error>([&] {
        tw::io::basic_atomic_file<failing_calls> file{path};
        file.write(files::bytes_of("new"));
        file.write(files::bytes_of(std::string(300'000, 'x')));
        file.commit();
    });
}

} // namespace

TEST_CASE("a committed file has the new content, and nothing else is left", "[io][atomic_file]") {
    const files::temporary_folder folder;
    files::write(folder / "f", "old");
    {
        atomic_file file{folder / "f"};
        file.write(files::bytes_of("new "));
        file.write(files::bytes_of(std::string(1'000'000, 'x'))); // larger than the buffer
        file.write(files::bytes_of("end"));
        CHECK(file.position() == 1'000'007);
        CHECK(files::read(folder / "f") == "old");
        file.commit();
    }
    CHECK(files::read(folder / "f") == "new " + std::string(1'000'000, 'x') + "end");
    CHECK(folder.names() == std::vector<std::string>{"f"});
}

TEST_CASE("without a commit the old file stays", "[io][atomic_file]") {
    const files::temporary_folder folder;
    files::write(folder / "f", "old");
    {
        atomic_file file{folder / "f"};
        file.write(files::bytes_of(std::string(1'000'000, 'x')));
        CHECK(folder.names().size() == 2);
    }
    CHECK(files::read(folder / "f") == "old");
    CHECK(folder.names() == std::vector<std::string>{"f"});
    { const atomic_file file{folder / "new"}; }
    CHECK(folder.names() == std::vector<std::string>{"f"});
}

TEST_CASE("two writers at once do not meet", "[io][atomic_file]") {
    const files::temporary_folder folder;
    atomic_file a{folder / "f"};
    atomic_file b{folder / "f"};
    a.write(files::bytes_of("a"));
    b.write(files::bytes_of("b"));
    a.commit();
    CHECK(files::read(folder / "f") == "a");
    b.commit();
    CHECK(files::read(folder / "f") == "b");
    CHECK(folder.names().size() == 1);
}

TEST_CASE("a link is followed and permissions are kept", "[io][atomic_file]") {
    const files::temporary_folder folder;
    files::write(folder / "f", "old");
    REQUIRE(::chmod((folder / "f").c_str(), 0640) == 0);
    std::filesystem::create_symlink("f", folder / "link");
    atomic_file file{folder / "link"};
    file.write(files::bytes_of("new"));
    file.commit();
    CHECK(std::filesystem::is_symlink(folder / "link"));
    CHECK(files::read(folder / "f") == "new");
    struct stat status {};
    REQUIRE(::stat((folder / "f").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0640);
}

TEST_CASE("a name without a folder is written to the current one", "[io][atomic_file]") {
    const files::temporary_folder folder;
    const std::filesystem::path before = std::filesystem::current_path();
    std::filesystem::current_path(folder.string());
    atomic_file file{"f"};
    file.write(files::bytes_of("x"));
    file.commit();
    std::filesystem::current_path(before);
    CHECK(files::read(folder / "f") == "x");
}

TEST_CASE("what cannot be written is refused and stays", "[io][atomic_file]") {
    const files::temporary_folder folder;
    const auto opening = [](const std::string& path) {
        return refusal<tw::io_error>([&] { const atomic_file file{path}; });
    };
    CHECK_THAT(opening(""), ContainsSubstring("cannot write: not the name of a file"));
    CHECK_THAT(opening(folder.string() + "/"), ContainsSubstring("not the name of a file"));
    CHECK_THAT(opening(std::string{"a\0b", 3}), ContainsSubstring("not the name of a file"));
    CHECK_THAT(opening(folder.string()), ContainsSubstring("it is a directory, not a regular file"));
    const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address {};
    address.sun_family = AF_UNIX;
    (folder / "s").copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
    REQUIRE(::bind(socket, reinterpret_cast<const struct sockaddr*>(&address), sizeof address) == 0);
    ::close(socket);
    CHECK_THAT(opening(folder / "s"), ContainsSubstring("it is a socket, not a regular file"));
    std::filesystem::remove(folder / "s");
    CHECK_THAT(opening("/dev/full"), ContainsSubstring("it is a device, not a regular file"));
    CHECK_THAT(opening(folder / "none/f"), ContainsSubstring("cannot write in its folder: No such file"));
    CHECK(folder.names().empty());
}

TEST_CASE("a limit on the size of files is an error, not a signal", "[io][atomic_file]") {
    const files::temporary_folder folder;
    files::write(folder / "f", "old");
    {
        const file_size_limit limit{1000};
        atomic_file small{folder / "small"};
        small.write(files::bytes_of(std::string(1000, 'x')));
        small.commit();
        CHECK_THAT(refusal<tw::io_error>([&] {
                       atomic_file file{folder / "f"};
                       file.write(files::bytes_of(std::string(1001, 'x')));
                       file.commit();
                   }),
                   ContainsSubstring("f: cannot write at offset 0: File too large"));
        CHECK_THROWS_AS(
            [&] {
                atomic_file file{folder / "f"};
                file.write(files::bytes_of(std::string(10'000'000, 'x')));
            }(),
            tw::io_error);
    }
    CHECK(files::read(folder / "f") == "old");
    CHECK(folder.names() == std::vector<std::string>{"f", "small"});
}

TEST_CASE("a folder that goes away meanwhile is an error", "[io][atomic_file]") {
    const files::temporary_folder folder;
    std::filesystem::create_directory(folder / "sub");
    atomic_file file{folder / "sub/f"};
    file.write(files::bytes_of("x"));
    std::filesystem::remove_all(folder / "sub");
    CHECK_THAT(refusal<tw::io_error>([&] { file.commit(); }),
               ContainsSubstring("cannot rename its temporary file: No such file"));
}

TEST_CASE("whichever system call fails, the file is old or new and nothing else is left", "[io][atomic_file]") {
    const std::string fresh = "new" + std::string(300'000, 'x');
    const int code = GENERATE(EIO, ENOSPC);
    std::vector<std::string> seen;
    for(int n = 0;; ++n) {
        const files::temporary_folder folder;
        files::write(folder / "f", "old");
        const std::string message = write_with_failure(folder / "f", n, code);
        const std::string content = files::read(folder / "f");
        const bool renamed = content == fresh;
        CHECK((renamed || content == "old"));
        CHECK(folder.names() == std::vector<std::string>{"f"});
        if(failing_calls::failed.empty()) {
            CHECK(message == "accepted");
            CHECK(renamed);
            break;
        }
        seen.push_back(failing_calls::failed);
        const std::string reason = ": " + std::generic_category().message(code);
        const bool last_open = renamed && seen.back() == "open"; // a folder that cannot be opened is not flushed
        if(last_open) {
            CHECK(message == "accepted");
        } else {
            CHECK_THAT(message, ContainsSubstring((folder / "f") + ": cannot ") && ContainsSubstring(reason));
        }
    }
    // open, fchmod, four short writes, flush, close, rename, the folder's open and flush
    CHECK(seen == std::vector<std::string>{"open", "fchmod", "write", "write", "write", "write", "fsync", "close",
                                           "rename", "open", "fsync"});
}

TEST_CASE("each refusal of the system says what could not be done", "[io][atomic_file]") {
    const files::temporary_folder folder;
    files::write(folder / "f", "old");
    const char* const verbs[] = {"write in its folder",
                                 "set the permissions",
                                 "write at offset 0",
                                 "write at offset 3",
                                 "write at offset 100003",
                                 "write at offset 200003",
                                 "flush",
                                 "close",
                                 "rename its temporary file"};
    int n = 0;
    for(const char* const verb: verbs) {
        CHECK(write_with_failure(folder / "f", n++, EIO) ==
              (folder / "f") + ": cannot " + verb + ": Input/output error");
    }
    CHECK(write_with_failure(folder / "f", 10, EIO) ==
          (folder / "f") + ": cannot flush its folder: Input/output error");
    CHECK(write_with_failure(folder / "f", 10, EINVAL) == "accepted"); // file systems whose folders need no flush
    CHECK(write_with_failure(folder / "f", 3, EINTR) == "accepted");   // interrupted, then repeated
    CHECK(write_with_failure(folder / "f", 0, EEXIST) == "accepted");  // the temporary name was taken
}

TEST_CASE("a writer that is killed leaves the old content or the new", "[io][atomic_file]") {
    const files::temporary_folder folder;
    const std::string path = folder / "f";
    const std::string contents[] = {std::string(500'000, 'a'), std::string(600'000, 'b')};
    files::write(path, contents[0]);
    for(unsigned n = 0; n < 100; ++n) {
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if(child == 0) {
            for(unsigned i = 0;; ++i) {
                atomic_file file{path};
                file.write(files::bytes_of(contents[i % 2]));
                file.commit();
            }
        }
        ::usleep(n * 97 % 5000);
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        const std::string now = files::read(path);
        REQUIRE((now == contents[0] || now == contents[1]));
        REQUIRE(folder.names().size() <= 2); // with what the killed one left, which the next removes
    }
    tw::io::write_whole(path, files::bytes_of("end"));
    CHECK(folder.names() == std::vector<std::string>{"f"});
}

TEST_CASE("what is called like a temporary file and is somebody's stays", "[io][atomic_file]") {
    const files::temporary_folder folder;
    std::filesystem::create_directory(folder / ".tokenworks-f-0.tmp");
    std::filesystem::create_symlink("none", folder / ".tokenworks-f-1.tmp");
    {
        const atomic_file written{folder / "f"}; // by somebody, now
        CHECK(folder.names().back() == ".tokenworks-f-2.tmp");
        tw::io::write_whole(folder / "f", files::bytes_of("x"));
        CHECK(folder.names().size() == 4);
    }
    files::write(folder / ".tokenworks-f-2.tmp", "left"); // nobody holds it
    tw::io::write_whole(folder / "f", files::bytes_of("y"));
    CHECK(folder.names() == std::vector<std::string>{".tokenworks-f-0.tmp", ".tokenworks-f-1.tmp", "f"});
    const std::string longest(255, 'n');
    tw::io::write_whole(folder / longest, files::bytes_of("z"));
    CHECK(files::read(folder / longest) == "z");
}
