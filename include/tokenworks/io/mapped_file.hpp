// A read-only view of a whole file in memory, mapped by the system: nothing is read until it is touched, and the pages
// are shared with every other process that maps the same file.
//
// What a mapping cannot do is report an error on touch: cutting the file while it is mapped ends the process with
// SIGBUS, as does a failing disk. Where a file may change under the reader (a network share, a download under way) use
// the read mode of file_bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include <sys/mman.h>

#include <tokenworks/config.hpp>
#include <tokenworks/core/checked.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/io/posix.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

class mapped_file {
public:
    mapped_file() noexcept = default;

    /// Maps a regular, non-empty file.
    /// @throws io_error where it is missing, unreadable, empty, a directory, a FIFO or a device, or cannot be mapped
    explicit mapped_file(const std::string& path) : mapped_file{detail::open_regular(path), path} {}

    /// Maps a file that is already open.
    mapped_file(const detail::opened_file& opened, std::string path) : path_{std::move(path)} {
        const auto size = checked_size(opened.size);
        void* const data =
            size ? ::mmap(nullptr, *size, PROT_READ, MAP_PRIVATE, opened.file.get(), 0) : (errno = EFBIG, MAP_FAILED);
        if(data == MAP_FAILED) {
            detail::raise_errno(path_, {"map ", opened.size, " bytes"}, errno);
        }
        data_ = static_cast<const std::byte*>(data);
        size_ = *size;
    }

    mapped_file(mapped_file&& other) noexcept
        : path_{std::move(other.path_)},
          data_{std::exchange(other.data_, nullptr)},
          size_{std::exchange(other.size_, 0)} {}

    mapped_file& operator=(mapped_file&& other) noexcept {
        std::swap(path_, other.path_);
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }

    ~mapped_file() {
        if(data_ != nullptr) {
            ::munmap(address(0), size_);
        }
    }

    [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

    /// Tells the system that the file will be read from front to back. A hint: failures are ignored.
    void advise_sequential() const noexcept { advise(0, size_, MADV_SEQUENTIAL); }

    /// Tells the system that a range will be read soon. A hint.
    void advise_needed(std::uint64_t offset, std::uint64_t length) const noexcept {
        advise(offset, length, MADV_WILLNEED);
    }

    /// Lets the pages that lie wholly inside a range leave this process's memory, once their content was packed
    /// elsewhere. The bytes stay readable: touching them brings them back.
    void release(std::uint64_t offset, std::uint64_t length) const noexcept { advise(offset, length, MADV_DONTNEED); }

private:
    [[nodiscard]] void* address(std::uint64_t offset) const noexcept {
        return const_cast<std::byte*>(data_ + offset); // madvise and munmap take no pointer to const
    }

    void advise(std::uint64_t offset, std::uint64_t length, int advice) const noexcept {
        if(offset >= size_) {
            return;
        }
        const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
        const std::uint64_t stop = length < size_ - offset ? offset + length : size_;
        // The last page of the file belongs to the range as a whole: nothing else lies in it.
        const std::uint64_t last = stop == size_ ? size_ : stop / page * page;
        const std::uint64_t first = (offset + page - 1) / page * page;
        if(first < last) {
            ::madvise(address(first), static_cast<std::size_t>(last - first), advice);
        }
    }

    std::string path_;
    const std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::io
