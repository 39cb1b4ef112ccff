// The bytes of a file, wherever they live: mapped, read into memory of our own, or borrowed from the caller.
// Readers of formats take this, and do not care which of the three it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <utility>

#if __has_include(<sys/vfs.h>)
#include <sys/vfs.h>
#endif

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/limits.hpp>
#include <tokenworks/io/mapped_file.hpp>
#include <tokenworks/io/posix.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

/// How a file gets into memory.
enum class open_mode {
    automatic, ///< mapped; read where the file lies on a network file system, whose files may be cut under us
    map,       ///< mapped: opens at once, shares pages; a file cut while mapped ends the process (SIGBUS)
    read,      ///< copied into memory: every failure of the disk is an exception
};

/// Called now and then with bytes done and bytes in all; returning false ends the work with cancelled_error.
using progress_callback = std::function<bool(std::uint64_t done, std::uint64_t total)>;

struct open_options {
    open_mode mode = open_mode::automatic;
    tokenworks::limits limits{};
    /// Called while a file is read (never for a mapping, which opens at once).
    progress_callback progress{};
};

namespace detail {

/// Calls a progress callback, which may be empty.
/// @throws cancelled_error where it returns false
inline void report(const progress_callback& progress, const std::string& what, std::uint64_t done,
                   std::uint64_t total) {
    if(progress && !progress(done, total)) {
        tokenworks::detail::raise<cancelled_error>({what, ": cancelled after ", done, " of ", total, " bytes"});
    }
}

/// Whether an open file lies on a file system that another machine serves. False where that cannot be told.
[[nodiscard]] inline bool on_network(int file) noexcept {
#if __has_include(<sys/vfs.h>)
    struct statfs status {};
    if(::fstatfs(file, &status) != 0) {
        return false;
    }
    // linux/magic.h and the file systems' own headers: nfs, smb, cifs, smb2, 9p, ceph, afs, coda, lustre
    constexpr std::uint32_t magic[] = {0x6969,     0x517B,     0xFF534D42, 0xFE534D42, 0x01021997,
                                       0x00C36400, 0x5346414F, 0x73757245, 0x0BD00BD0};
    return std::find(std::begin(magic), std::end(magic), static_cast<std::uint32_t>(status.f_type)) != std::end(magic);
#else
    return file < 0;
#endif
}

/// Memory for a file that is read: aligned for every instruction set, not initialised.
class byte_buffer {
public:
    static constexpr std::size_t alignment = 64;

    byte_buffer() noexcept = default;
    explicit byte_buffer(std::size_t size)
        : data_{static_cast<std::byte*>(::operator new(size, std::align_val_t{alignment}))}, size_{size} {}
    byte_buffer(byte_buffer&& other) noexcept : data_{std::move(other.data_)}, size_{std::exchange(other.size_, 0)} {}
    byte_buffer& operator=(byte_buffer&& other) noexcept {
        data_.swap(other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {data_.get(), size_}; }

private:
    struct freer {
        void operator()(std::byte* data) const noexcept { ::operator delete(data, std::align_val_t{alignment}); }
    };
    std::unique_ptr<std::byte, freer> data_;
    std::size_t size_ = 0;
};

} // namespace detail

/// Immutable bytes with the name they go by in error messages. Movable; the bytes never move in memory.
class file_bytes {
public:
    file_bytes() noexcept = default;

    /// Opens a file in the given mode.
    /// @throws io_error where it is no readable, non-empty regular file, or does not fit in memory (read mode)
    /// @throws cancelled_error from the progress callback
    [[nodiscard]] static file_bytes open(std::string path, const open_options& options = {}) {
        const detail::opened_file opened = detail::open_regular(path);
        const bool read = options.mode == open_mode::read ||
                          (options.mode == open_mode::automatic && detail::on_network(opened.file.get()));
        file_bytes result;
        if(read) {
            result.buffer_ = read_all(opened, path, options);
            result.bytes_ = result.buffer_.bytes();
        } else {
            result.mapping_ = mapped_file{opened, path};
            result.bytes_ = result.mapping_.bytes();
        }
        result.name_ = std::move(path);
        return result;
    }

    /// Looks at the caller's memory, which must outlive everything read from it. Any alignment will do.
    [[nodiscard]] static file_bytes borrow(std::span<const std::byte> bytes, std::string name) {
        file_bytes result;
        result.bytes_ = bytes;
        result.name_ = std::move(name);
        return result;
    }

    file_bytes(file_bytes&& other) noexcept
        : name_{std::move(other.name_)},
          mapping_{std::move(other.mapping_)},
          buffer_{std::move(other.buffer_)},
          bytes_{std::exchange(other.bytes_, {})} {}

    file_bytes& operator=(file_bytes&& other) noexcept {
        std::swap(name_, other.name_);
        std::swap(mapping_, other.mapping_);
        std::swap(buffer_, other.buffer_);
        std::swap(bytes_, other.bytes_);
        return *this;
    }

    [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] bool is_mapped() const noexcept { return !mapping_.bytes().empty(); }

    /// As mapped_file's functions of the same names; without effect where nothing is mapped.
    void advise_sequential() const noexcept { mapping_.advise_sequential(); }
    void advise_needed(std::uint64_t offset, std::uint64_t length) const noexcept {
        mapping_.advise_needed(offset, length);
    }
    void release(std::uint64_t offset, std::uint64_t length) const noexcept { mapping_.release(offset, length); }

private:
    static detail::byte_buffer read_all(const detail::opened_file& opened, const std::string& path,
                                        const open_options& options) {
        // A sparse file of any size costs its maker nothing; memory would be ours.
        const auto memory = static_cast<std::uint64_t>(std::max(0L, ::sysconf(_SC_PHYS_PAGES))) *
                            static_cast<std::uint64_t>(std::max(0L, ::sysconf(_SC_PAGESIZE)));
        if(opened.size > memory) {
            tokenworks::detail::raise_io(
                path, {"cannot read: the file has ", opened.size, " bytes and this machine's memory ", memory});
        }
        detail::byte_buffer buffer{static_cast<std::size_t>(opened.size)};
        const auto read_some = [&](std::byte* to, std::size_t count) { return ::read(opened.file.get(), to, count); };
        detail::read_exactly(read_some, buffer.bytes(), path, [&](std::uint64_t done, std::uint64_t total) {
            detail::report(options.progress, path, done, total);
        });
        return buffer;
    }

    std::string name_;
    mapped_file mapping_;
    detail::byte_buffer buffer_;
    std::span<const std::byte> bytes_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::io
