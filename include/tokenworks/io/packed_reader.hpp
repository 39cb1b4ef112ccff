// Reads a file of packed matrices: the table at once, each matrix when it is asked for, on all threads of a team into
// memory of the caller. Every byte is checked against its checksum, so a damaged file is an error and never a model
// with other weights. Nothing is mapped: a file that shrinks meanwhile is an exception.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/io/name_index.hpp>
#include <tokenworks/io/packed_format.hpp>
#include <tokenworks/io/posix.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

template <class Calls = detail::posix_calls>
class basic_packed_file {
public:
    /// Opens a file and reads its table.
    /// @param identity  what the file must have been written with
    /// @throws io_error where it cannot be read; format_error where it is damaged, or of another identity;
    ///         unsupported_error where it is of another version; limit_error
    basic_packed_file(std::string path, std::uint64_t identity) : path_{std::move(path)} {
        detail::opened_file opened = detail::open_regular<Calls>(path_);
        file_ = std::move(opened.file);
        if(opened.size < packed_alignment + detail::packed_footer_bytes) {
            tokenworks::detail::raise_format(path_, {"footer"}, 0, {"the file has ", opened.size, " bytes only"});
        }
        std::vector<std::byte> bytes(detail::packed_footer_bytes);
        read_at(opened.size - bytes.size(), bytes);
        const detail::packed_footer footer = detail::parse_packed_footer(bytes, opened.size, path_);
        if(footer.identity != identity) {
            tokenworks::detail::raise_format(path_, {"identity"}, opened.size - detail::packed_footer_bytes,
                                             {"is that of another model file, or of another version of the packing"});
        }
        bytes.resize(static_cast<std::size_t>(footer.index_bytes));
        read_at(footer.index_offset, bytes);
        index_ = detail::parse_packed_table(bytes, footer, path_);
    }

    [[nodiscard]] std::span<const packed_entry> entries() const noexcept { return index_.entries; }
    /// The matrix of that name, or null.
    [[nodiscard]] const packed_entry* find(std::string_view name) const noexcept {
        return detail::find_by_name(index_.entries, index_.by_name, name,
                                    [](const packed_entry& e) -> const std::string& { return e.name; });
    }

    /// Reads a matrix.
    /// @param out  as many bytes as the entry has
    /// @throws argument_error for another size; io_error; format_error where the bytes are not those that were written
    void read(const packed_entry& entry, std::span<std::byte> out, const execution& how = {}) const {
        if(out.size() != entry.bytes) {
            tokenworks::detail::raise<argument_error>({"read: ", entry.bytes, " bytes into a buffer of ", out.size()});
        }
        const std::size_t chunks = (out.size() + packed_chunk - 1) / packed_chunk;
        parallel_for(how, chunks, 1, [&](work_range part) {
            for(std::size_t i = part.begin; i < part.end; ++i) {
                const std::size_t first = i * packed_chunk;
                const auto chunk = out.subspan(first, std::min(packed_chunk, out.size() - first));
                read_at(entry.offset + first, chunk);
                if(checksum(chunk) != index_.checksums[entry.first_checksum + i]) {
                    tokenworks::detail::raise_format(path_, {tokenworks::detail::escaped(entry.name)},
                                                     entry.offset + first, {"the bytes differ from their checksum"});
                }
            }
        });
    }

private:
    void read_at(std::uint64_t offset, std::span<std::byte> out) const {
        while(!out.empty()) {
            const auto count = Calls::pread(file_.get(), out.data(), out.size(), offset);
            if(count < 0 && errno == EINTR) {
                continue;
            }
            if(count < 0) {
                detail::raise_errno(path_, {"read at offset ", offset}, errno);
            }
            if(count == 0) {
                tokenworks::detail::raise_io(path_, {"the file shrank while it was read: it ends at ", offset});
            }
            offset += static_cast<std::uint64_t>(count);
            out = out.subspan(static_cast<std::size_t>(count));
        }
    }

    std::string path_;
    detail::descriptor file_;
    packed_index index_;
};

using packed_file = basic_packed_file<>;

} // namespace tokenworks::inline TOKENWORKS_ABI::io
