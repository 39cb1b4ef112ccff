// Reads little-endian numbers and strings from the front of a buffer that nobody vouches for. Every read names the
// field it is for, so that the end of the buffer turns into an error that says what is missing and where.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

static_assert(std::endian::native == std::endian::little, "tokenworks reads files in place: little-endian hosts only");

/// A number from memory of any alignment.
/// @pre data has sizeof(T) bytes
template <class T>
[[nodiscard]] T load_unaligned(const std::byte* data) noexcept {
    T value;
    std::memcpy(&value, data, sizeof(T));
    return value;
}

/// Text from memory, without a copy.
[[nodiscard]] inline std::string_view as_text(std::span<const std::byte> bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The bytes of a text, without a copy.
[[nodiscard]] inline std::span<const std::byte> as_bytes_of(std::string_view text) noexcept {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

class byte_cursor {
public:
    /// @param most  bytes that may be walked: past them, a file that goes on is refused with limit_error
    byte_cursor(std::span<const std::byte> bytes, const std::string& file, std::uint64_t most) noexcept
        : bytes_{bytes.first(static_cast<std::size_t>(most < bytes.size() ? most : bytes.size()))},
          file_{&file},
          total_{bytes.size()} {}

    [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }
    [[nodiscard]] std::uint64_t left() const noexcept { return bytes_.size() - offset_; }
    /// Bytes left in the file, past the limit also.
    [[nodiscard]] std::uint64_t total_left() const noexcept { return total_ - offset_; }
    [[nodiscard]] const std::string& file() const noexcept { return *file_; }

    template <class T>
    [[nodiscard]] T read(std::string_view field) {
        return load_unaligned<T>(take(sizeof(T), field).data());
    }

    /// The next count bytes.
    [[nodiscard]] std::span<const std::byte> take(std::uint64_t count, std::string_view field) {
        if(count > left()) {
            refuse_end(field, count);
        }
        const auto result = bytes_.subspan(static_cast<std::size_t>(offset_), static_cast<std::size_t>(count));
        offset_ += count;
        return result;
    }

    /// Refuses n things of at least that many bytes each where the rest of the file cannot hold them.
    void expect(std::uint64_t n, std::uint64_t smallest, std::string_view field) const {
        if(n > left() / smallest) {
            const std::uint64_t rest = total_ - offset_;
            if(n <= rest / smallest) {
                refuse_limit(field);
            }
            fail(field, {n, " entries of at least ", smallest, " bytes do not fit in the ", rest, " bytes left"});
        }
    }

    [[noreturn]] TOKENWORKS_COLD void fail(std::string_view field, tokenworks::detail::message_parts what) const {
        fail_at(offset_, field, what);
    }

    [[noreturn]] TOKENWORKS_COLD void fail_at(std::uint64_t offset, std::string_view field,
                                              tokenworks::detail::message_parts what) const {
        tokenworks::detail::raise_format(*file_, {field}, offset, what);
    }

private:
    [[noreturn]] TOKENWORKS_COLD void refuse_end(std::string_view field, std::uint64_t count) const {
        const std::uint64_t rest = total_ - offset_;
        if(count <= rest) {
            refuse_limit(field);
        }
        fail(field, {"needs ", count, " bytes, the file has ", rest, " left"});
    }

    [[noreturn]] TOKENWORKS_COLD void refuse_limit(std::string_view field) const {
        tokenworks::detail::raise<limit_error>({*file_, ": ", field, " at offset ", offset_,
                                                ": the metadata goes on past the limit of ", bytes_.size(), " bytes"});
    }

    std::span<const std::byte> bytes_;
    const std::string* file_;
    std::uint64_t total_;
    std::uint64_t offset_ = 0;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::io
