// Writes a file so that its name holds either the old content or the new one, never a part: the bytes go to a temporary
// file in the same folder, which is flushed to the disk and renamed when complete. A failure at any point (full disk,
// size limit, exception of the caller) removes the temporary file and leaves the old one as it was. One that a killed
// program left behind is removed by the next that writes the same file: whoever writes holds a lock (flock) on its
// temporary file, so one without is nobody's. On file systems without such locks it stays.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/io/posix.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

/// Takes bytes that go to the end of what was written so far.
using byte_sink = std::function<void(std::span<const std::byte>)>;
/// Makes bytes piece by piece, so that a large tensor need not be in memory as a whole.
using byte_producer = std::function<void(const byte_sink&)>;

template <class Calls = detail::posix_calls>
class basic_atomic_file {
public:
    /// Starts writing; the file of that name is not touched yet. A link is followed, permissions are kept.
    /// @throws io_error where the folder cannot be written, or the name belongs to something that is no regular file
    explicit basic_atomic_file(std::string path) : path_{std::move(path)} {
        if(path_.empty() || path_.back() == '/' || path_.find('\0') != std::string::npos) {
            tokenworks::detail::raise_io(printable(path_), {"cannot write: not the name of a file"});
        }
        struct stat old {};
        const bool replaces = ::stat(path_.c_str(), &old) == 0;
        if(replaces && !S_ISREG(old.st_mode)) {
            tokenworks::detail::raise_io(path_, {"cannot write: it is ", detail::kind_of(old), ", not a regular file"});
        }
        target_ = replaces ? resolve(path_) : path_;
        const std::size_t slash = target_.rfind('/');
        folder_ = slash == std::string::npos ? "./" : target_.substr(0, slash + 1);
        open_temporary();
        if(replaces && Calls::fchmod(file_.get(), old.st_mode & 07777U) != 0) {
            const int code = errno;
            discard();
            detail::raise_errno(path_, {"set the permissions"}, code);
        }
    }

    basic_atomic_file(const basic_atomic_file&) = delete;
    basic_atomic_file& operator=(const basic_atomic_file&) = delete;
    ~basic_atomic_file() { discard(); }

    /// Bytes written so far.
    [[nodiscard]] std::uint64_t position() const noexcept { return written_ + buffer_.size(); }

    /// @throws io_error where the system refuses: the file is lost then, the old one stays
    void write(std::span<const std::byte> bytes) {
        if(buffer_.size() + bytes.size() > buffer_bytes) {
            flush();
        }
        if(bytes.size() > buffer_bytes) {
            put(bytes);
        } else {
            buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
        }
    }

    /// Makes the new content the file's, for good.
    /// @throws io_error; the old content stays then (except where only the last flush of the folder fails)
    void commit() {
        flush();
        if(Calls::fsync(file_.get()) != 0) {
            detail::raise_errno(path_, {"flush"}, errno);
        }
        if(Calls::close(file_.release()) != 0) {
            detail::raise_errno(path_, {"close"}, errno);
        }
        if(Calls::rename(temporary_.c_str(), target_.c_str()) != 0) {
            detail::raise_errno(path_, {"rename its temporary file"}, errno);
        }
        temporary_.clear();
        const detail::descriptor folder{Calls::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)};
        // Some file systems cannot flush a folder and say EINVAL; some folders can be written but not read.
        if(folder.get() >= 0 && Calls::fsync(folder.get()) != 0 && errno != EINVAL) {
            detail::raise_errno(path_, {"flush its folder"}, errno);
        }
    }

private:
    static constexpr std::size_t buffer_bytes = std::size_t{256} << 10;

    [[nodiscard]] static std::string resolve(const std::string& path) {
        const std::unique_ptr<char, decltype(&std::free)> real{::realpath(path.c_str(), nullptr), &std::free};
        return real ? std::string{real.get()} : path;
    }

    void open_temporary() {
        constexpr std::size_t most = 128; // bytes of the name: those of a file may not have more than 255
        constexpr unsigned tries = 64;    // then without a lock: a file system may tell of one file in two ways
        const std::string name = target_.substr(target_.rfind('/') + 1, most);
        const std::string stem = tokenworks::detail::message({folder_, ".tokenworks-", name, "-"});
        for(unsigned attempt = 0;;) {
            temporary_ = tokenworks::detail::message({stem, attempt, ".tmp"});
            file_ = detail::descriptor{Calls::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)};
            const int code = errno;
            if(file_.get() >= 0) {
                if(lock(file_) || attempt >= tries) {
                    lock_ = detail::descriptor{::fcntl(file_.get(), F_DUPFD_CLOEXEC, 0)}; // beyond close()
                    return;
                }
                ++attempt; // another has just taken it for a left one
            } else if(code != EEXIST) {
                temporary_.clear();
                detail::raise_errno(path_, {"write in its folder"}, code);
            } else if(!remove_left()) {
                ++attempt;
            }
        }
    }

    /// Whether the temporary file is ours now, and still has its name.
    [[nodiscard]] bool lock(const detail::descriptor& file) const noexcept {
        struct stat held {};
        struct stat named {};
        return (::flock(file.get(), LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) &&
               ::fstat(file.get(), &held) == 0 && ::lstat(temporary_.c_str(), &named) == 0 &&
               held.st_ino == named.st_ino && held.st_dev == named.st_dev;
    }

    /// Removes a temporary file that nobody writes any more. False where somebody does, or it cannot be told.
    [[nodiscard]] bool remove_left() const noexcept {
        const detail::descriptor left{
            ::open(temporary_.c_str(), O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
        struct stat status {};
        return left.get() >= 0 && ::fstat(left.get(), &status) == 0 && S_ISREG(status.st_mode) &&
               ::flock(left.get(), LOCK_EX | LOCK_NB) == 0 && lock(left) && ::unlink(temporary_.c_str()) == 0;
    }

    void flush() {
        put(buffer_);
        buffer_.clear();
    }

    void put(std::span<const std::byte> bytes) {
        // Past the limit the system would send SIGXFSZ, which ends a program that does not expect it.
        struct rlimit limit {};
        if(::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
           (written_ > limit.rlim_cur || bytes.size() > limit.rlim_cur - written_)) {
            detail::raise_errno(path_, {"write at offset ", written_}, EFBIG);
        }
        while(!bytes.empty()) {
            const auto count = Calls::write(file_.get(), bytes.data(), bytes.size());
            if(count < 0) {
                if(errno == EINTR) {
                    continue;
                }
                detail::raise_errno(path_, {"write at offset ", written_}, errno);
            }
            written_ += static_cast<std::uint64_t>(count);
            bytes = bytes.subspan(static_cast<std::size_t>(count));
        }
    }

    void discard() noexcept {
        if(!temporary_.empty()) {
            ::unlink(temporary_.c_str());
            temporary_.clear();
        }
    }

    std::string path_;
    std::string target_;
    std::string folder_;
    std::string temporary_;
    detail::descriptor file_;
    detail::descriptor lock_; // of the same open file
    std::vector<std::byte> buffer_;
    std::uint64_t written_ = 0;
};

using atomic_file = basic_atomic_file<>;

/// Writes the whole file or leaves the old one.
/// @throws io_error
inline void write_whole(const std::string& path, std::span<const std::byte> bytes) {
    atomic_file file{path};
    file.write(bytes);
    file.commit();
}

} // namespace tokenworks::inline TOKENWORKS_ABI::io
