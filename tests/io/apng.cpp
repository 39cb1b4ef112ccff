#include <tokenworks/io/apng.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "files.hpp"
#include "films.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;

namespace {

std::uint32_t bitwise_crc(std::span<const std::byte> bytes) {
    std::uint32_t value = 0xFFFFFFFFU;
    for(const std::byte byte: bytes) {
        value ^= static_cast<std::uint32_t>(byte);
        for(int bit = 0; bit < 8; ++bit) {
            value = (value >> 1U) ^ ((value & 1U) != 0 ? 0xEDB88320U : 0U);
        }
    }
    return ~value;
}

std::uint32_t number(std::span<const std::byte> bytes) {
    std::uint32_t value = 0;
    for(const std::byte each: bytes) {
        value = (value << 8U) + static_cast<std::uint32_t>(each);
    }
    return value;
}

void append(std::vector<std::byte>& to, std::span<const std::byte> bytes) {
    to.insert(to.end(), bytes.begin(), bytes.end());
}

/// A chunk, put together anew.
std::vector<std::byte> chunk(std::string_view kind, std::span<const std::byte> data) {
    std::vector<std::byte> body;
    append(body, files::bytes_of(kind));
    append(body, data);
    std::vector<std::byte> out;
    const auto put = [&](std::uint32_t value) {
        for(unsigned shift = 32; shift != 0; shift -= 8) {
            out.push_back(static_cast<std::byte>(value >> (shift - 8)));
        }
    };
    put(static_cast<std::uint32_t>(data.size()));
    append(out, body);
    put(bitwise_crc(body));
    return out;
}

struct read_film {
    std::vector<tw::io::picture> frames;
    std::uint32_t said = 0;  ///< frames, by the animation's control
    std::uint32_t delay = 0; ///< parts of a second
};

/// Each frame as a PNG file of its own, which libpng reads.
read_film read_apng(std::span<const std::byte> file) {
    read_film film;
    const std::vector<std::byte> start(file.begin(), file.begin() + 8);
    std::vector<std::byte> header;
    std::vector<std::vector<std::byte>> data;
    std::uint32_t sequence = 0;
    for(std::size_t at = 8; at < file.size();) {
        const std::size_t length = number(file.subspan(at, 4));
        const auto kind_bytes = file.subspan(at + 4, 4);
        const std::string_view kind{reinterpret_cast<const char*>(kind_bytes.data()), 4};
        auto body = file.subspan(at + 8, length);
        CHECK(number(file.subspan(at + 8 + length, 4)) == bitwise_crc(file.subspan(at + 4, length + 4)));
        if(kind == "acTL") {
            CHECK(data.empty());
            film.said = number(body.first(4));
            CHECK(number(body.subspan(4)) == 0); // repeated without end
        } else if(kind == "fcTL" || kind == "fdAT") {
            CHECK(number(body.first(4)) == sequence++);
            if(kind == "fcTL") {
                REQUIRE(body.size() == 26);
                CHECK(number(body.subspan(20, 2)) == 1);
                film.delay = number(body.subspan(22, 2));
                data.emplace_back();
            }
            body = body.subspan(4);
        }
        if(kind == "IDAT" || kind == "fdAT") {
            REQUIRE(!data.empty());
            CHECK((kind == "IDAT") == (data.size() == 1));
            append(data.back(), body);
        } else if(kind == "IHDR") {
            header = chunk(kind, body);
        }
        at += length + 12;
    }
    for(const std::vector<std::byte>& each: data) {
        std::vector<std::byte> png = start;
        append(png, header);
        append(png, chunk("IDAT", each));
        append(png, chunk("IEND", {}));
        film.frames.push_back(tw::io::from_png(png, "frame"));
    }
    return film;
}

} // namespace

TEST_CASE("apng: every frame comes back to the bit", "[io]") {
    for(const std::size_t channels: {std::size_t{1}, std::size_t{3}}) {
        for(const std::size_t count: {std::size_t{1}, std::size_t{2}, std::size_t{17}}) {
            const tw::clip film = films::noise(13, 7, channels, count, 256);
            const read_film back = read_apng(tw::io::to_apng(film, {.frames_per_second = 12}));
            CHECK(back.said == count);
            CHECK(back.delay == 12);
            REQUIRE(back.frames.size() == count);
            for(std::size_t i = 0; i < count; ++i) {
                const auto expected = film.frame(i);
                CHECK(back.frames[i].channels == channels);
                CHECK(back.frames[i].bytes == std::vector<std::uint8_t>(expected.begin(), expected.end()));
            }
        }
    }
}

TEST_CASE("apng: a program that knows still pictures reads the first frame", "[io]") {
    const files::temporary_folder folder;
    const tw::clip film = films::noise(5, 5, 3, 3, 256);
    tw::io::write_apng(folder / "a.png", film);
    const tw::io::picture first = tw::io::read_png(folder / "a.png");
    const auto expected = film.frame(0);
    CHECK(first.bytes == std::vector<std::uint8_t>(expected.begin(), expected.end()));
    CHECK_THROWS_AS(tw::io::to_apng({.width = 2, .height = 2}), tw::argument_error);
    CHECK_THROWS_AS(tw::io::write_apng(folder / "a.png", {.width = 2, .height = 2}), tw::argument_error);
    CHECK(folder.names() == std::vector<std::string>{"a.png"});
}
