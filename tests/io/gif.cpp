#include <tokenworks/io/gif.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "files.hpp"
#include "films.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;

namespace {

/// Reads what the writer writes, after the specification: frames as large as the screen, each with its palette.
class gif_reader {
public:
    explicit gif_reader(std::span<const std::byte> bytes) : bytes_{bytes} {}

    tw::clip read() {
        std::string start;
        for(int i = 0; i < 6; ++i) {
            start += static_cast<char>(byte());
        }
        REQUIRE(start == "GIF89a");
        tw::clip film;
        film.width = word();
        film.height = word();
        REQUIRE((byte() & 0x80U) == 0);
        byte();
        byte();
        for(std::size_t kind = byte(); kind != 0x3B; kind = byte()) {
            if(kind == 0x21) {
                extension();
            } else {
                REQUIRE(kind == 0x2C);
                image(film);
            }
        }
        CHECK(at_ == bytes_.size());
        return film;
    }
    [[nodiscard]] std::size_t delay() const { return delay_; }
    [[nodiscard]] bool is_repeated() const { return is_repeated_; }

private:
    std::size_t byte() {
        REQUIRE(at_ < bytes_.size());
        return static_cast<std::size_t>(bytes_[at_++]);
    }
    std::size_t word() {
        const std::size_t low = byte();
        return low + 256 * byte();
    }
    std::vector<std::uint8_t> blocks() {
        std::vector<std::uint8_t> all;
        for(std::size_t size = byte(); size != 0; size = byte()) {
            for(std::size_t i = 0; i < size; ++i) {
                all.push_back(static_cast<std::uint8_t>(byte()));
            }
        }
        return all;
    }
    void extension() {
        const std::size_t kind = byte();
        const std::vector<std::uint8_t> data = blocks();
        if(kind == 0xF9) {
            REQUIRE(data.size() == 4);
            delay_ = data[1] + 256U * data[2];
        } else {
            REQUIRE(kind == 0xFF);
            is_repeated_ = std::string(data.begin(), data.begin() + 11) == "NETSCAPE2.0" && data.size() == 14;
        }
    }
    void image(tw::clip& film) {
        CHECK(word() == 0);
        CHECK(word() == 0);
        CHECK(word() == film.width);
        CHECK(word() == film.height);
        const std::size_t flags = byte();
        REQUIRE((flags & 0x80U) != 0);
        std::vector<std::array<std::uint8_t, 3>> palette(std::size_t{2} << (flags & 7U));
        for(auto& colour: palette) {
            for(auto& channel: colour) {
                channel = static_cast<std::uint8_t>(byte());
            }
        }
        const std::size_t bits = byte();
        const std::vector<std::uint8_t> pixels = unpacked(blocks(), bits);
        REQUIRE(pixels.size() == film.width * film.height);
        for(const std::uint8_t pixel: pixels) {
            REQUIRE(pixel < palette.size());
            film.bytes.insert(film.bytes.end(), palette[pixel].begin(), palette[pixel].end());
        }
    }
    static std::vector<std::uint8_t> unpacked(const std::vector<std::uint8_t>& packed, std::size_t bits) {
        const std::size_t clear = std::size_t{1} << bits;
        std::vector<std::vector<std::uint8_t>> words;
        std::size_t length = 0;
        const auto reset = [&] {
            words.assign(clear + 2, {});
            for(std::size_t i = 0; i < clear; ++i) {
                words[i] = {static_cast<std::uint8_t>(i)};
            }
            length = bits + 1;
        };
        reset();
        std::vector<std::uint8_t> out;
        std::vector<std::uint8_t> last;
        std::size_t at = 0;
        while(true) {
            std::size_t code = 0;
            for(std::size_t bit = 0; bit < length; ++bit, ++at) {
                REQUIRE(at / 8 < packed.size());
                code |= static_cast<std::size_t>(packed[at / 8] >> (at % 8) & 1U) << bit;
            }
            if(code == clear) {
                reset();
                last.clear();
                continue;
            }
            if(code == clear + 1) {
                CHECK((at + 7) / 8 == packed.size());
                return out;
            }
            std::vector<std::uint8_t> word;
            if(code < words.size()) {
                word = words[code];
            } else {
                REQUIRE(code == words.size());
                REQUIRE(!last.empty());
                word = last;
                word.push_back(last.front());
            }
            if(!last.empty() && words.size() < 4096) {
                last.push_back(word.front());
                words.push_back(last);
            }
            if(words.size() == std::size_t{1} << length && length < 12) {
                ++length;
            }
            out.insert(out.end(), word.begin(), word.end());
            last = std::move(word);
        }
    }

    std::span<const std::byte> bytes_;
    std::size_t at_ = 0;
    std::size_t delay_ = 0;
    bool is_repeated_ = false;
};

} // namespace

TEST_CASE("gif: frames of up to 256 colours come back to the bit", "[io]") {
    for(const std::uint32_t colours: {1U, 2U, 3U, 4U, 5U, 128U, 256U}) {
        for(const auto& [width, height]: {std::pair{std::size_t{1}, std::size_t{1}}, {13, 7}, {97, 83}}) {
            CAPTURE(colours, width);
            const tw::clip film = films::noise(width, height, 3, 2, colours);
            const std::vector<std::byte> bytes = tw::io::to_gif(film, {.frames_per_second = 8});
            gif_reader reader{bytes};
            CHECK(reader.read() == film);
            CHECK(reader.delay() == 13);
            CHECK(reader.is_repeated());
        }
    }
}

TEST_CASE("gif: codes of all lengths, a full table, and long runs", "[io]") {
    // 120000 pixels of noise fill the table of 4096 codes many times; one colour makes the longest words.
    const tw::clip noise = films::noise(400, 300, 3, 1, 256);
    const std::vector<std::byte> bytes = tw::io::to_gif(noise);
    CHECK(gif_reader{bytes}.read() == noise);
    const tw::clip flat{.width = 1000, .height = 1000, .channels = 3, .bytes = std::vector<std::uint8_t>(3000000, 9)};
    const std::vector<std::byte> small = tw::io::to_gif(flat);
    CHECK(small.size() < 4000);
    CHECK(gif_reader{small}.read() == flat);
}

TEST_CASE("gif: where the code before the end fills a length, the end has the next", "[io]") {
    for(std::size_t width = 1; width < 600; ++width) { // ends at every state of the table
        const tw::clip film = films::noise(width, 1, 3, 1, 4);
        const std::vector<std::byte> bytes = tw::io::to_gif(film);
        REQUIRE(gif_reader{bytes}.read() == film);
    }
}

TEST_CASE("gif: grey is grey, and more than 256 colours are near what they were", "[io]") {
    const tw::clip grey = films::noise(11, 5, 1, 1, 256);
    const std::vector<std::byte> bytes = tw::io::to_gif(grey);
    const tw::clip back = gif_reader{bytes}.read();
    for(std::size_t i = 0; i < grey.bytes.size(); ++i) {
        REQUIRE(back.bytes[3 * i] == grey.bytes[i]);
        REQUIRE(back.bytes[3 * i + 2] == grey.bytes[i]);
    }
    const tw::clip many = films::noise(64, 64, 3, 1, 1U << 16U);
    const std::vector<std::byte> fewer = tw::io::to_gif(many);
    const tw::clip near = gif_reader{fewer}.read();
    int worst = 0;
    for(std::size_t i = 0; i < many.bytes.size(); ++i) {
        worst = std::max(worst, std::abs(int{many.bytes[i]} - int{near.bytes[i]}));
    }
    CHECK(worst > 0);
    CHECK(worst <= 32);
}

TEST_CASE("gif: no frames make no file", "[io]") {
    const files::temporary_folder folder;
    CHECK_THROWS_AS(tw::io::write_gif(folder / "a.gif", {.width = 2, .height = 2}), tw::argument_error);
    CHECK(folder.names().empty());
    tw::io::write_gif(folder / "a.gif", films::noise(2, 2, 3, 1, 2), {.frames_per_second = 100});
    CHECK(folder.names() == std::vector<std::string>{"a.gif"});
}
