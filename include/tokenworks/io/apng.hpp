// Videos as animated PNG files, which browsers play; a program that does not know of them shows the first frame.
//
//   io::write_apng("film.png", film, {.frames_per_second = 8});
//
// "PNG Specification (Third Edition)", W3C 2025: chunks acTL, fcTL and fdAT (11.3.6), CRC (annex D). libpng writes
// still pictures only: each frame is encoded as one, and its data are put into the chunks of an animation.
//
// Needs libpng 1.6 (Debian: libpng-dev; CMake: PNG::PNG), through io/png.hpp.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/clip.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/io/atomic_file.hpp>
#include <tokenworks/io/picture.hpp>
#include <tokenworks/io/png.hpp>
#include <tokenworks/io/video_options.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

namespace detail {

/// CRC-32 as PNG has it, of a chunk's kind and data.
[[nodiscard]] inline std::uint32_t png_crc(std::span<const std::byte> bytes) noexcept {
    static constexpr auto table = [] {
        std::array<std::uint32_t, 256> made{};
        for(std::uint32_t i = 0; i < 256; ++i) {
            std::uint32_t value = i;
            for(int bit = 0; bit < 8; ++bit) {
                value = (value & 1U) != 0 ? 0xEDB88320U ^ (value >> 1U) : value >> 1U;
            }
            made[i] = value;
        }
        return made;
    }();
    std::uint32_t crc = 0xFFFFFFFFU;
    for(const std::byte each: bytes) {
        crc = table[(crc ^ static_cast<std::uint32_t>(each)) & 0xFFU] ^ (crc >> 8U);
    }
    return crc ^ 0xFFFFFFFFU;
}

[[nodiscard]] inline std::uint32_t big_endian(std::span<const std::byte> four) noexcept {
    std::uint32_t value = 0;
    for(const std::byte each: four) {
        value = value << 8U | static_cast<std::uint32_t>(each);
    }
    return value;
}

/// The data of a chunk that is being made.
class png_chunk {
public:
    explicit png_chunk(std::string_view kind) {
        for(const char each: kind) {
            bytes_.push_back(static_cast<std::byte>(each));
        }
    }
    /// The lowest so many bytes, the highest first.
    png_chunk& put(std::uint32_t value, unsigned count = 4) {
        for(unsigned shift = 8 * count; shift != 0; shift -= 8) {
            bytes_.push_back(static_cast<std::byte>(value >> (shift - 8)));
        }
        return *this;
    }
    png_chunk& put(std::span<const std::byte> data) {
        bytes_.insert(bytes_.end(), data.begin(), data.end());
        return *this;
    }
    /// Length, kind, data and checksum.
    void append_to(std::vector<std::byte>& out) const {
        png_chunk ends{""};
        ends.put(static_cast<std::uint32_t>(bytes_.size() - 4)).put(png_crc(bytes_));
        out.insert(out.end(), ends.bytes_.begin(), ends.bytes_.begin() + 4);
        out.insert(out.end(), bytes_.begin(), bytes_.end());
        out.insert(out.end(), ends.bytes_.begin() + 4, ends.bytes_.end());
    }

private:
    std::vector<std::byte> bytes_;
};

/// Calls each(kind, data, whole chunk) for the chunks of a PNG file that libpng has written.
template <class Each>
void for_png_chunks(std::span<const std::byte> file, Each each) {
    for(std::size_t at = 8; at < file.size();) {
        const std::size_t length = big_endian(file.subspan(at, 4));
        const std::span<const std::byte> kind = file.subspan(at + 4, 4);
        each(std::string_view{reinterpret_cast<const char*>(kind.data()), 4}, file.subspan(at + 8, length),
             file.subspan(at, length + 12));
        at += length + 12;
    }
}

} // namespace detail

/// The bytes of an animated PNG file that is repeated without end, 8 bits a channel.
/// @throws argument_error as clip::check, for no frames, or a rate out of range; limit_error as to_png
[[nodiscard]] inline std::vector<std::byte> to_apng(const clip& film, const video_file_options& options = {}) {
    check_video("to_apng", film, options);
    std::vector<std::byte> out;
    std::uint32_t sequence = 0;
    for(std::size_t i = 0; i < film.frames(); ++i) {
        picture frame{film.width, film.height, film.channels};
        const auto bytes = film.frame(i);
        frame.bytes.assign(bytes.begin(), bytes.end());
        const std::vector<std::byte> png = to_png(frame);
        if(i == 0) {
            out.assign(png.begin(), png.begin() + 8);
        }
        bool is_begun = false;
        detail::for_png_chunks(png, [&](std::string_view kind, auto data, auto whole) {
            if(kind != "IDAT") {
                if(i == 0 && kind != "IEND") { // what all frames have in common
                    out.insert(out.end(), whole.begin(), whole.end());
                }
                return;
            }
            if(!is_begun) {
                is_begun = true;
                if(i == 0) {
                    detail::png_chunk{"acTL"}.put(static_cast<std::uint32_t>(film.frames())).put(0).append_to(out);
                }
                // A frame as large as the picture, at its corner, shown so long, put over the one before.
                detail::png_chunk{"fcTL"}
                    .put(sequence++)
                    .put(static_cast<std::uint32_t>(film.width))
                    .put(static_cast<std::uint32_t>(film.height))
                    .put(0)
                    .put(0)
                    .put(1, 2)
                    .put(static_cast<std::uint32_t>(options.frames_per_second), 2)
                    .put(0, 2)
                    .append_to(out);
            }
            if(i == 0) {
                out.insert(out.end(), whole.begin(), whole.end());
            } else {
                detail::png_chunk{"fdAT"}.put(sequence++).put(data).append_to(out);
            }
        });
    }
    detail::png_chunk{"IEND"}.append_to(out);
    return out;
}

/// Writes the whole file or leaves the old one.
/// @throws as to_apng; io_error
inline void write_apng(const std::string& path, const clip& film, const video_file_options& options = {}) {
    write_whole(path, to_apng(film, options));
}

} // namespace tokenworks::inline TOKENWORKS_ABI::io
