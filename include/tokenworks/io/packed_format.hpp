// What a file of packed matrices looks like, and the checks that its table must pass. The file is this library's own:
// it is written by packed_writer.hpp beside a model, read back by packed_reader.hpp, and may be deleted at any time.
//
//   "TWPACKED" and zeros up to byte 64 | the matrices, each from a multiple of 64 on | the table | 64 bytes of footer
//
// The table stands behind the data because it holds their checksums, and the data are streamed out. An entry is
//   u32 bytes of its name, u32 type, u64 rows, u64 columns, u64 offset, u64 bytes, the name, a u64 checksum per 64 KiB
// and the footer is
//   "TWPACKED", u32 version, u32 order of bytes, u64 identity, u64 offset and u64 bytes of the table, u64 entries,
//   u64 checksum of the table, u64 checksum of the footer so far
// Everything is little-endian. Rejected: a file that is mapped, whose cutting by others would end the process, and
// whose pages of 4 KiB are slower to decode from than the huge ones that it is read into.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/checked.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/limits.hpp>
#include <tokenworks/io/byte_cursor.hpp>
#include <tokenworks/io/name_index.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

/// A fast checksum for files of our own: 8 lanes of 64 bits, so that it runs at the speed of memory. A changed bit
/// always changes it. Not cryptographic: it guards against accidents, not against forgery.
[[nodiscard]] inline std::uint64_t checksum(std::span<const std::byte> bytes, std::uint64_t seed = 0) noexcept {
    constexpr std::uint64_t factor = 0x9E3779B97F4A7C15U;
    constexpr std::size_t lanes = 8;
    const auto mix = [](std::uint64_t sum, std::uint64_t word) { return std::rotl((sum ^ word) * factor, 29); };
    std::uint64_t sums[lanes];
    for(std::size_t i = 0; i < lanes; ++i) {
        sums[i] = seed + i;
    }
    const auto add = [&](const std::byte* from) {
        TOKENWORKS_UNROLL(8)
        for(std::size_t i = 0; i < lanes; ++i) {
            sums[i] = mix(sums[i], load_unaligned<std::uint64_t>(from + 8 * i));
        }
    };
    std::size_t done = 0;
    for(; bytes.size() - done >= 8 * lanes; done += 8 * lanes) {
        add(bytes.data() + done);
    }
    if(done < bytes.size()) {
        std::array<std::byte, 8 * lanes> rest{};
        std::memcpy(rest.data(), bytes.data() + done, bytes.size() - done);
        add(rest.data());
    }
    std::uint64_t sum = mix(seed, bytes.size());
    for(const std::uint64_t lane: sums) {
        sum = mix(sum, lane);
    }
    sum ^= sum >> 32;
    return sum * factor;
}

/// One matrix of a packed file.
struct packed_entry {
    std::string name;
    dtype type = dtype::f32; ///< before packing
    std::uint64_t rows = 0;
    std::uint64_t columns = 0;
    std::uint64_t offset = 0;       ///< bytes from the start of the file, a multiple of packed_alignment
    std::uint64_t bytes = 0;        ///< packed
    std::size_t first_checksum = 0; ///< in packed_index::checksums
};

/// The table of a packed file: entries in the file's order, without gaps, their names all different.
struct packed_index {
    std::uint64_t identity = 0;
    std::vector<packed_entry> entries;
    std::vector<std::uint64_t> checksums; ///< one per packed_chunk of each matrix
    std::vector<std::size_t> by_name;
};

inline constexpr std::uint64_t packed_alignment = 64;
/// Bytes under one checksum, and read at a time: they stay in a core's cache in between.
inline constexpr std::size_t packed_chunk = std::size_t{64} << 10;
/// Raise it when the layout described above changes.
inline constexpr std::uint32_t packed_file_version = 1;

namespace detail {

inline constexpr std::string_view packed_magic = "TWPACKED";
inline constexpr std::size_t packed_footer_bytes = 64;
inline constexpr std::uint32_t packed_byte_order = 0x01020304;
/// Of the table: enough for 500 GB of weights, and what a lying footer can make us allocate.
inline constexpr std::uint64_t packed_most_index = std::uint64_t{64} << 20;

struct packed_footer {
    std::uint64_t identity = 0;
    std::uint64_t index_offset = 0;
    std::uint64_t index_bytes = 0;
    std::uint64_t entries = 0;
    std::uint64_t index_checksum = 0;
};

/// Bytes of an entry without its name and checksums.
inline constexpr std::uint64_t packed_entry_bytes = 2 * 4 + 4 * 8;

/// Reads the last 64 bytes of a file.
/// @throws format_error, unsupported_error for a file of another version
[[nodiscard]] inline packed_footer parse_packed_footer(std::span<const std::byte> bytes, std::uint64_t file_size,
                                                       const std::string& file) {
    const std::uint64_t start = file_size - packed_footer_bytes;
    byte_cursor in{bytes, file, bytes.size()};
    const auto fail = [&](std::string_view field, tokenworks::detail::message_parts what) {
        tokenworks::detail::raise_format(file, {field}, start, what);
    };
    if(as_text(in.take(packed_magic.size(), "magic")) != packed_magic) {
        fail("magic", {"is not that of a packed file, or its end is missing"});
    }
    const auto version = in.read<std::uint32_t>("version");
    const auto order = in.read<std::uint32_t>("order of bytes");
    packed_footer footer;
    footer.identity = in.read<std::uint64_t>("identity");
    footer.index_offset = in.read<std::uint64_t>("offset of the table");
    footer.index_bytes = in.read<std::uint64_t>("bytes of the table");
    footer.entries = in.read<std::uint64_t>("entries");
    footer.index_checksum = in.read<std::uint64_t>("checksum of the table");
    if(version != packed_file_version || order != packed_byte_order) {
        tokenworks::detail::raise<unsupported_error>(
            {file, ": packed file of version ", version, "; this library reads version ", packed_file_version});
    }
    if(in.read<std::uint64_t>("checksum of the footer") != checksum(bytes.first(packed_footer_bytes - 8))) {
        fail("checksum of the footer", {"differs from its content"});
    }
    if(footer.index_offset < packed_alignment || footer.index_offset % packed_alignment != 0 ||
       footer.index_offset > start || footer.index_bytes != start - footer.index_offset) {
        fail("table",
             {"at ", footer.index_offset, " with ", footer.index_bytes, " bytes does not end at the footer, ", start});
    }
    if(footer.index_bytes > packed_most_index) {
        tokenworks::detail::raise<limit_error>(
            {file, ": a table of ", footer.index_bytes, " bytes, more than ", packed_most_index});
    }
    return footer;
}

/// Reads the table. (The offset of an error where the table is cut short counts from its start.)
/// @throws format_error
[[nodiscard]] inline packed_index parse_packed_table(std::span<const std::byte> bytes, const packed_footer& footer,
                                                     const std::string& file) {
    byte_cursor in{bytes, file, bytes.size()};
    const auto fail = [&](std::uint64_t at, std::string_view field, tokenworks::detail::message_parts what) {
        tokenworks::detail::raise_format(file, {field}, footer.index_offset + at, what);
    };
    if(checksum(bytes) != footer.index_checksum) {
        fail(0, "checksum of the table", {"differs from its content"});
    }
    in.expect(footer.entries, packed_entry_bytes + 1, "entries");
    packed_index index;
    index.identity = footer.identity;
    index.entries.reserve(static_cast<std::size_t>(footer.entries));
    std::uint64_t end = packed_alignment; // of the data so far
    for(std::uint64_t i = 0; i < footer.entries; ++i) {
        const std::uint64_t at = in.offset();
        const auto name_bytes = in.read<std::uint32_t>("bytes of a name");
        const auto type = find_dtype(in.read<std::uint32_t>("type"));
        packed_entry entry;
        entry.rows = in.read<std::uint64_t>("rows");
        entry.columns = in.read<std::uint64_t>("columns");
        entry.offset = in.read<std::uint64_t>("offset");
        entry.bytes = in.read<std::uint64_t>("bytes");
        entry.name = as_text(in.take(name_bytes, "name"));
        if(entry.name.empty() || !type) {
            fail(at, "entry", {entry.name.empty() ? "has no name" : "has a type that is unknown"});
        }
        entry.type = type->type;
        // Without gaps nothing can overlap, and nothing can hide.
        if(entry.offset != end || entry.bytes > footer.index_offset - end) {
            fail(at, "entry",
                 {"holds ", entry.bytes, " bytes at ", entry.offset, ", expected them at ", end, ", before ",
                  footer.index_offset});
        }
        end = (end + entry.bytes + packed_alignment - 1) / packed_alignment * packed_alignment;
        const std::uint64_t chunks = (entry.bytes + packed_chunk - 1) / packed_chunk;
        in.expect(chunks, 8, "checksums");
        entry.first_checksum = index.checksums.size();
        for(std::uint64_t c = 0; c < chunks; ++c) {
            index.checksums.push_back(in.read<std::uint64_t>("checksum"));
        }
        index.entries.push_back(std::move(entry));
    }
    if(end != footer.index_offset || in.left() != 0) {
        fail(in.offset(), "table",
             {"is followed by ", in.left(), " bytes; its data end at ", end, ", expected ", footer.index_offset});
    }
    index.by_name = sort_by_name(index.entries, [](const packed_entry& e) -> const std::string& { return e.name; });
    for(std::size_t i = 1; i < index.by_name.size(); ++i) {
        if(index.entries[index.by_name[i]].name == index.entries[index.by_name[i - 1]].name) {
            fail(0, "entry",
                 {"the name ", tokenworks::detail::escaped(index.entries[index.by_name[i]].name), " occurs twice"});
        }
    }
    return index;
}

} // namespace detail

/// Reads the table of a whole file in memory.
/// @throws format_error, limit_error, unsupported_error
[[nodiscard]] inline packed_index packed_index_of(std::span<const std::byte> file, const std::string& name) {
    if(file.size() < packed_alignment + detail::packed_footer_bytes) {
        tokenworks::detail::raise_format(name, {"footer"}, 0, {"the file has ", file.size(), " bytes only"});
    }
    const detail::packed_footer footer =
        detail::parse_packed_footer(file.last(detail::packed_footer_bytes), file.size(), name);
    return detail::parse_packed_table(
        file.subspan(static_cast<std::size_t>(footer.index_offset), static_cast<std::size_t>(footer.index_bytes)),
        footer, name);
}

} // namespace tokenworks::inline TOKENWORKS_ABI::io
