// Pictures as PNG files, read and written by libpng.
//
//   io::picture page = io::read_png("page.png");
//   io::write_png("copy.png", page);
//
// libpng's simplified interface is used: it needs no setjmp here, checks every checksum, and turns what a file can hold
// (palettes, 1 to 16 bits, interlaced rows, other gammas) into 8 bits of sRGB.
//
// Needs libpng 1.6 (Debian: libpng-dev; CMake: PNG::PNG).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <png.h>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/io/atomic_file.hpp>
#include <tokenworks/io/file_bytes.hpp>
#include <tokenworks/io/picture.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

struct png_options {
    /// Of the result: 1, 3 or 4; 0: as the file has it. Fewer than the file has: opacity is dropped, colours become
    /// grey by their luma (ITU-R BT.601), both as PIL does it.
    std::size_t channels = 0;
    std::uint64_t most_pixels = std::uint64_t{1} << 26;
};

namespace detail {

/// libpng's own state, freed whatever happens.
class png_state {
public:
    png_state() { image_.version = PNG_IMAGE_VERSION; }
    png_state(const png_state&) = delete;
    png_state& operator=(const png_state&) = delete;
    ~png_state() { ::png_image_free(&image_); }

    [[nodiscard]] ::png_image* get() noexcept { return &image_; }
    [[nodiscard]] ::png_image* operator->() noexcept { return &image_; }

    [[noreturn]] void refuse(const std::string& name) const {
        tokenworks::detail::raise_format(name, {"PNG"}, format_error::no_offset,
                                         {tokenworks::detail::escaped(image_.message)});
    }

private:
    ::png_image image_{};
};

[[nodiscard]] inline ::png_uint_32 png_format(std::size_t channels) noexcept {
    return channels == 1 ? PNG_FORMAT_GRAY : channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_RGBA;
}

/// The same with fewer channels.
[[nodiscard]] inline picture with_channels(picture given, std::size_t channels) {
    if(given.channels == channels) {
        return given;
    }
    picture out{given.width, given.height, channels};
    for(std::size_t i = 0; i < given.width * given.height; ++i) {
        const std::uint8_t* const from = given.bytes.data() + i * given.channels;
        std::uint8_t* const to = out.bytes.data() + i * channels;
        if(channels == 3) {
            std::copy(from, from + 3, to);
        } else {
            *to = static_cast<std::uint8_t>((from[0] * 19595U + from[1] * 38470U + from[2] * 7471U + 0x8000U) >> 16U);
        }
    }
    return out;
}

} // namespace detail

/// @param bytes  of a PNG file   @param name  what errors call it
/// @throws format_error with libpng's reason; limit_error; argument_error for channels that there are not
[[nodiscard]] inline picture from_png(std::span<const std::byte> bytes, const std::string& name,
                                      const png_options& options = {}) {
    if(options.channels == 2 || options.channels > 4) {
        tokenworks::detail::raise<argument_error>({"read_png: ", options.channels, " channels, not 1, 3 or 4"});
    }
    detail::png_state file;
    if(::png_image_begin_read_from_memory(file.get(), bytes.data(), bytes.size()) == 0) {
        file.refuse(name);
    }
    const std::uint64_t pixels = std::uint64_t{file->width} * file->height;
    if(pixels > options.most_pixels) {
        tokenworks::detail::raise<limit_error>(
            {name, ": ", file->width, " x ", file->height, " pixels, more than ", options.most_pixels});
    }
    // Deflate makes at most 1032 bytes of one, and eight pixels are at least a byte: no memory for a lie.
    if(pixels / 8 / 1032 > bytes.size()) {
        tokenworks::detail::raise_format(
            name, {"PNG"}, format_error::no_offset,
            {bytes.size(), " bytes cannot hold ", file->width, " x ", file->height, " pixels"});
    }
    const bool has_colour = (file->format & PNG_FORMAT_FLAG_COLOR) != 0;
    const bool has_alpha = (file->format & PNG_FORMAT_FLAG_ALPHA) != 0;
    const std::size_t stored = has_alpha ? 4 : has_colour ? 3 : 1;
    const std::size_t wanted = options.channels == 0 ? stored : options.channels;
    picture read{file->width, file->height, std::max(stored, wanted)};
    file->format = detail::png_format(read.channels);
    if(::png_image_finish_read(file.get(), nullptr, read.bytes.data(), 0, nullptr) == 0) {
        file.refuse(name);
    }
    return detail::with_channels(std::move(read), wanted);
}

/// @throws as from_png; io_error
[[nodiscard]] inline picture read_png(const std::string& path, const png_options& options = {}) {
    const file_bytes file = file_bytes::open(path, {.mode = open_mode::read});
    return from_png(file.bytes(), path, options);
}

/// The bytes of a PNG file, 8 bits a channel, marked as sRGB.
/// @throws argument_error for what is no picture, limit_error for one too large for the format
[[nodiscard]] inline std::vector<std::byte> to_png(const picture& what) {
    what.check();
    constexpr std::size_t most = std::size_t{1} << 31U; // libpng counts what it writes in 32 bits
    if(what.bytes.size() >= most || what.width > 1'000'000 || what.height > 1'000'000) {
        tokenworks::detail::raise<limit_error>(
            {"to_png: ", what.width, " x ", what.height, " pixels are more than libpng writes"});
    }
    detail::png_state file;
    file->width = static_cast<::png_uint_32>(what.width);
    file->height = static_cast<::png_uint_32>(what.height);
    file->format = detail::png_format(what.channels);
    ::png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(*file.get());
    std::vector<std::byte> out(size);
    if(::png_image_write_to_memory(file.get(), out.data(), &size, 0, what.bytes.data(), 0, nullptr) == 0) {
        tokenworks::detail::raise<error>({"to_png: ", tokenworks::detail::escaped(file->message)});
    }
    out.resize(size);
    return out;
}

/// Writes the whole file or leaves the old one.
/// @throws as to_png; io_error
inline void write_png(const std::string& path, const picture& what) { write_whole(path, to_png(what)); }

} // namespace tokenworks::inline TOKENWORKS_ABI::io
