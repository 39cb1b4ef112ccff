// The few system calls the io layer makes, with the two things they all need: an owner for the descriptor and an error
// that names the file. Only regular files are opened: a FIFO would wait for a writer, a device may have no end.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io::detail {

/// Throws io_error with the text of an errno value: "<file>: cannot <verb>: No such file or directory".
[[noreturn]] TOKENWORKS_COLD inline void raise_errno(std::string_view file, tokenworks::detail::message_parts verb,
                                                     int code) {
    tokenworks::detail::raise_io(
        file, {"cannot ", tokenworks::detail::message(verb), ": ", std::generic_category().message(code)});
}

/// The system calls themselves. Code that can meet their failures takes them as a template argument, so that a test can
/// let the n-th one fail.
struct posix_calls {
    static int open(const char* path, int flags, mode_t mode) noexcept { return ::open(path, flags, mode); }
    static int fstat(int file, struct stat* status) noexcept { return ::fstat(file, status); }
    static int fchmod(int file, mode_t mode) noexcept { return ::fchmod(file, mode); }
    static ssize_t write(int file, const void* data, std::size_t size) noexcept { return ::write(file, data, size); }
    static ssize_t pread(int file, void* data, std::size_t size, std::uint64_t offset) noexcept {
        return ::pread(file, data, size, static_cast<off_t>(offset));
    }
    static int fsync(int file) noexcept { return ::fsync(file); }
    static int close(int file) noexcept { return ::close(file); }
    static int rename(const char* from, const char* to) noexcept { return ::rename(from, to); }
};

/// Owns one file descriptor.
class descriptor {
public:
    descriptor() noexcept = default;
    explicit descriptor(int value) noexcept : value_{value} {}
    descriptor(descriptor&& other) noexcept : value_{std::exchange(other.value_, -1)} {}
    descriptor& operator=(descriptor&& other) noexcept {
        std::swap(value_, other.value_);
        return *this;
    }
    ~descriptor() {
        if(value_ >= 0) {
            ::close(value_);
        }
    }

    [[nodiscard]] int get() const noexcept { return value_; }
    [[nodiscard]] int release() noexcept { return std::exchange(value_, -1); }

private:
    int value_ = -1;
};

/// What kind of thing a path names, for error messages.
[[nodiscard]] inline const char* kind_of(const struct stat& status) noexcept {
    switch(status.st_mode & static_cast<unsigned>(S_IFMT)) {
    case S_IFDIR:
        return "a directory";
    case S_IFIFO:
        return "a FIFO";
    case S_IFSOCK:
        return "a socket";
    default:
        return "a device";
    }
}

struct opened_file {
    descriptor file;
    std::uint64_t size = 0;
};

/// Opens a regular, non-empty file for reading; never waits.
/// @throws io_error where it is missing, unreadable, empty, or no regular file
template <class Calls = posix_calls>
[[nodiscard]] opened_file open_regular(const std::string& path) {
    if(path.find('\0') != std::string::npos) {
        tokenworks::detail::raise_io(printable(path), {"cannot open: the path contains a NUL byte"});
    }
    descriptor file{Calls::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0)};
    if(file.get() < 0) {
        raise_errno(path, {"open"}, errno);
    }
    struct stat status {};
    if(Calls::fstat(file.get(), &status) != 0) {
        raise_errno(path, {"examine"}, errno);
    }
    if(!S_ISREG(status.st_mode)) {
        tokenworks::detail::raise_io(path, {"cannot open: it is ", kind_of(status), ", not a regular file"});
    }
    if(status.st_size <= 0) {
        tokenworks::detail::raise_io(path, {"cannot open: the file is empty"});
    }
    return {std::move(file), static_cast<std::uint64_t>(status.st_size)};
}

/// Fills out from read_some(pointer, count) -> bytes read, 0 at the end, or -1 with errno set; then makes sure that
/// nothing follows. Interrupted calls are repeated, short ones continued. The whole file must have the size of out.
/// @throws io_error at an error of the system, or where the file grew or shrank meanwhile
template <class ReadSome, class Progress>
void read_exactly(ReadSome&& read_some, std::span<std::byte> out, const std::string& path, Progress&& progress) {
    constexpr std::size_t chunk = std::size_t{16} << 20;
    std::size_t done = 0;
    std::byte extra{};
    for(;;) {
        const bool full = done == out.size();
        const auto count = read_some(full ? &extra : out.data() + done, full ? 1 : std::min(chunk, out.size() - done));
        if(count < 0) {
            if(errno == EINTR) {
                continue;
            }
            raise_errno(path, {"read at offset ", done}, errno);
        }
        if(count == 0) {
            break;
        }
        done += static_cast<std::size_t>(count);
        if(done > out.size()) {
            tokenworks::detail::raise_io(path, {"the file grew while it was read: it had ", out.size(), " bytes"});
        }
        progress(std::uint64_t{done}, std::uint64_t{out.size()});
    }
    if(done != out.size()) {
        tokenworks::detail::raise_io(
            path, {"the file shrank while it was read: it had ", out.size(), " bytes and ends at ", done});
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI::io::detail
