// Videos as animated GIF files.
//
//   io::write_gif("film.gif", film, {.frames_per_second = 8});
//
// CompuServe, "Graphics Interchange Format, Version 89a", 1990, with its appendix F on LZW codes; frames are repeated
// by the "NETSCAPE2.0" application extension, which all programs know. Written here, since it is shorter than what a
// library would need to be asked. Each frame has a palette of its own: up to 256 colours are kept to the bit.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/clip.hpp>
#include <tokenworks/io/atomic_file.hpp>
#include <tokenworks/io/video_options.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

namespace detail {

/// Bytes of a GIF file.
class gif_bytes {
public:
    void put(unsigned value) { bytes_.push_back(static_cast<std::byte>(value)); }
    void put_u16(std::size_t value) {
        put(static_cast<unsigned>(value & 0xFFU));
        put(static_cast<unsigned>(value >> 8U & 0xFFU));
    }
    void put(std::string_view text) {
        for(const char each: text) {
            put(static_cast<unsigned char>(each));
        }
    }
    [[nodiscard]] std::vector<std::byte> take() noexcept { return std::move(bytes_); }

private:
    std::vector<std::byte> bytes_;
};

/// Colours that a frame has, and which of them each pixel is.
struct gif_palette {
    std::vector<std::uint32_t> colours; ///< 0xRRGGBB, rising, 256 at most
    std::vector<std::uint8_t> pixels;
};

/// Where a frame has more than 256 colours, their lowest bits are dropped, one after the other, until it has not.
[[nodiscard]] inline gif_palette gif_colours(const clip& film, std::size_t frame) {
    const std::span<const std::uint8_t> bytes = film.frame(frame);
    const std::size_t count = film.width * film.height;
    std::vector<std::uint32_t> all(count);
    for(std::size_t i = 0; i < count; ++i) {
        const std::uint8_t* const at = bytes.data() + i * film.channels;
        all[i] = film.channels == 1 ? at[0] * 0x010101U
                                    : std::uint32_t{at[0]} << 16U | std::uint32_t{at[1]} << 8U | std::uint32_t{at[2]};
    }
    gif_palette made;
    for(unsigned dropped = 0;; ++dropped) {
        const std::uint32_t low = (1U << dropped) - 1;
        for(std::uint32_t& colour: all) { // to the middle of those that fall together
            colour = (colour & ~(low * 0x010101U)) | (dropped == 0 ? 0 : (1U << (dropped - 1)) * 0x010101U);
        }
        made.colours = all;
        std::ranges::sort(made.colours);
        made.colours.erase(std::unique(made.colours.begin(), made.colours.end()), made.colours.end());
        if(made.colours.size() <= 256) {
            break;
        }
    }
    made.pixels.resize(count);
    std::ranges::transform(all, made.pixels.begin(), [&](std::uint32_t colour) {
        return static_cast<std::uint8_t>(std::ranges::lower_bound(made.colours, colour) - made.colours.begin());
    });
    return made;
}

/// The image data of a frame: LZW codes of growing length, in blocks of at most 255 bytes.
class gif_lzw {
public:
    /// @param bits  of a pixel, 2 … 8
    gif_lzw(unsigned bits, gif_bytes& out) : bits_{bits}, out_{out}, following_(most * 256) { clear(); }

    void write(std::span<const std::uint8_t> pixels) {
        out_.put(bits_);
        put(clear_code());
        std::size_t word = pixels[0];
        for(const std::uint8_t pixel: pixels.subspan(1)) {
            std::uint16_t& longer = following_[word * 256 + pixel];
            if(longer != 0) {
                word = longer;
                continue;
            }
            put(word);
            if(next_ == most) { // all codes are in use
                put(clear_code());
                clear();
            } else {
                // Readers know of a new code one code later: the length grows behind the code that needs it.
                if(next_ == std::size_t{1} << length_) {
                    ++length_;
                }
                longer = static_cast<std::uint16_t>(next_++);
            }
            word = pixel;
        }
        put(word);
        if(next_ == std::size_t{1} << length_ && length_ < 12) {
            ++length_;
        }
        put(clear_code() + 1); // the end
        if(held_ != 0) {
            take(pending_ & 0xFFU);
        }
        flush();
        out_.put(0U);
    }

private:
    static constexpr std::size_t most = 4096; ///< codes

    [[nodiscard]] std::size_t clear_code() const noexcept { return std::size_t{1} << bits_; }
    void clear() {
        std::ranges::fill(following_, std::uint16_t{0});
        next_ = clear_code() + 2;
        length_ = bits_ + 1;
    }
    void put(std::size_t code) {
        pending_ |= static_cast<std::uint32_t>(code) << held_;
        held_ += length_;
        for(; held_ >= 8; held_ -= 8, pending_ >>= 8U) {
            take(pending_ & 0xFFU);
        }
    }
    void take(std::uint32_t byte) {
        block_[used_++] = byte;
        if(used_ == block_.size()) {
            flush();
        }
    }
    void flush() {
        if(used_ != 0) {
            out_.put(static_cast<unsigned>(used_));
            for(std::size_t i = 0; i < used_; ++i) {
                out_.put(block_[i]);
            }
            used_ = 0;
        }
    }

    unsigned bits_;
    gif_bytes& out_;
    std::vector<std::uint16_t> following_; ///< [code,pixel]: the code of both together; 0: none
    std::size_t next_ = 0;
    unsigned length_ = 0;       ///< bits of a code
    std::uint32_t pending_ = 0; ///< bits that make no byte yet
    unsigned held_ = 0;         ///< how many
    std::array<std::uint32_t, 255> block_{};
    std::size_t used_ = 0;
};

} // namespace detail

/// The bytes of an animated GIF file that is repeated without end. Times are hundredths of a second, rounded.
/// @throws as check_video
[[nodiscard]] inline std::vector<std::byte> to_gif(const clip& film, const video_file_options& options = {}) {
    check_video("to_gif", film, options);
    detail::gif_bytes out;
    out.put("GIF89a");
    out.put_u16(film.width);
    out.put_u16(film.height);
    out.put(0x70U); // no palette for all frames; 8 bits a channel
    out.put_u16(0); // background, and pixels that are square
    out.put("\x21\xFF\x0BNETSCAPE2.0\x03\x01");
    out.put_u16(0); // without end
    out.put(0U);
    for(std::size_t i = 0; i < film.frames(); ++i) {
        const detail::gif_palette palette = detail::gif_colours(film, i);
        const unsigned bits = std::max(1U, static_cast<unsigned>(std::bit_width(palette.colours.size() - 1)));
        out.put("\x21\xF9\x04\x04"); // each frame stays until the next
        out.put_u16((100 + options.frames_per_second / 2) / options.frames_per_second);
        out.put_u16(0);
        out.put(",");
        out.put_u16(0);
        out.put_u16(0);
        out.put_u16(film.width);
        out.put_u16(film.height);
        out.put(0x80U | (bits - 1));
        for(std::size_t c = 0; c < std::size_t{1} << bits; ++c) {
            const std::uint32_t colour = c < palette.colours.size() ? palette.colours[c] : 0;
            out.put(colour >> 16U);
            out.put(colour >> 8U & 0xFFU);
            out.put(colour & 0xFFU);
        }
        detail::gif_lzw{std::max(2U, bits), out}.write(palette.pixels);
    }
    out.put(";");
    return out.take();
}

/// Writes the whole file or leaves the old one.
/// @throws as to_gif; io_error
inline void write_gif(const std::string& path, const clip& film, const video_file_options& options = {}) {
    write_whole(path, to_gif(film, options));
}

} // namespace tokenworks::inline TOKENWORKS_ABI::io
