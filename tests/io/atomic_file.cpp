#include <tokenworks/io/atomic_file.hpp>

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include <sys/resource.h>
#include <sys/stat.h>

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
