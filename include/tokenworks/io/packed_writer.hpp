// Writes a file of packed matrices, one after the other straight from the caller's memory. The name holds the old file
// or the whole new one (see atomic_file.hpp), also where several processes write it at once.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/io/atomic_file.hpp>
#include <tokenworks/io/file_bytes.hpp>
#include <tokenworks/io/packed_format.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

template <class Calls = detail::posix_calls>
class basic_packed_writer {
public:
    /// Starts a file. One of that name is replaced by commit() where it is empty or a packed file; any other content is
    /// somebody's, the model perhaps, and stays.
    /// @throws io_error
    basic_packed_writer(const std::string& path, std::uint64_t identity)
        : path_{path}, identity_{identity}, file_{require_ours(path)} {
        file_.write(as_bytes_of(detail::packed_magic));
        pad();
    }

    /// Appends a matrix.
    /// @param progress  called with the bytes of this matrix about every 16 MiB
    /// @throws io_error, cancelled_error; the file is lost then, the old one stays
    void add(std::string_view name, dtype type, std::uint64_t rows, std::uint64_t columns,
             std::span<const std::byte> bytes, const progress_callback& progress = {}) {
        ++entries_;
        put(static_cast<std::uint32_t>(name.size()));
        put(static_cast<std::uint32_t>(type));
        put(rows);
        put(columns);
        put(file_.position());
        put(std::uint64_t{bytes.size()});
        append(as_bytes_of(name));
        for(std::size_t first = 0; first < bytes.size(); first += packed_chunk) {
            const auto chunk = bytes.subspan(first, std::min(packed_chunk, bytes.size() - first));
            put(checksum(chunk));
            file_.write(chunk);
            if(first % (256 * packed_chunk) == 0) {
                detail::report(progress, path_, first, bytes.size());
            }
        }
        pad();
    }

    /// Completes the file and gives it its name.
    /// @throws io_error, as atomic_file does
    void commit() {
        const std::uint64_t offset = file_.position();
        const std::vector<std::byte> table = std::exchange(table_, {});
        append(as_bytes_of(detail::packed_magic));
        put(packed_file_version);
        put(detail::packed_byte_order);
        put(identity_);
        put(offset);
        put(std::uint64_t{table.size()});
        put(entries_);
        put(checksum(table));
        put(checksum(table_));
        file_.write(table);
        file_.write(table_);
        file_.commit();
    }

private:
    [[nodiscard]] static const std::string& require_ours(const std::string& path) {
        struct stat status {};
        if(::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0) {
            return path; // what is no regular file, atomic_file refuses
        }
        std::array<char, detail::packed_magic.size()> start{};
        std::ifstream{path, std::ios::binary}.read(start.data(), start.size());
        if(std::string_view{start.data(), start.size()} != detail::packed_magic) {
            tokenworks::detail::raise_io(path, {"cannot write: the file is there and is no packed file"});
        }
        return path;
    }

    void append(std::span<const std::byte> bytes) { table_.insert(table_.end(), bytes.begin(), bytes.end()); }
    template <class T>
    void put(T value) {
        append(std::as_bytes(std::span{&value, 1}));
    }
    void pad() {
        const std::array<std::byte, packed_alignment> zeros{};
        file_.write(
            std::span{zeros}.first((packed_alignment - file_.position() % packed_alignment) % packed_alignment));
    }

    std::string path_;
    std::uint64_t identity_;
    basic_atomic_file<Calls> file_;
    std::vector<std::byte> table_;
    std::uint64_t entries_ = 0;
};

using packed_writer = basic_packed_writer<>;

} // namespace tokenworks::inline TOKENWORKS_ABI::io
