#include <tokenworks/codec/charsmap.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/core/error.hpp>

#include "support/catch.hpp"

using namespace tokenworks::codec;

namespace {

using units = std::vector<std::uint32_t>;

constexpr std::uint32_t has_value = 0x100;

std::string bytes_of(const units& array, std::string_view texts) {
    std::string all;
    const auto put = [&](std::uint32_t word) {
        for(unsigned shift = 0; shift < 32; shift += 8) {
            all += static_cast<char>(static_cast<unsigned char>(word >> shift));
        }
    };
    put(static_cast<std::uint32_t>(array.size() * 4));
    for(const std::uint32_t unit: array) {
        put(unit);
    }
    return all.append(texts);
}

/// "a" becomes "X", "ab" becomes "YZ"; "c" becomes nothing. Children lie at the distance in the bits above 10.
units table() {
    units array(2048);
    array[0] = 256U << 10;
    array[256 ^ 'a'] = 512U << 10 | has_value | 'a';
    array[(256 ^ 'a') ^ 512] = 0x80000000; // the value of "a": its text begins at byte 0
    array[(256 ^ 'a') ^ 512 ^ 'b'] = 1024U << 10 | has_value | 'b';
    array[(256 ^ 'a') ^ 512 ^ 'b' ^ 1024] = 0x80000000 | 2;
    array[256 ^ 'c'] = 640U << 10 | has_value | 'c';
    array[(256 ^ 'c') ^ 640] = 0x80000000 | 5;
    return array;
}
const std::string texts{"X\0YZ\0\0", 6};

std::string found(const std::optional<charsmap::found>& f) {
    return f ? std::to_string(f->length) + std::string{f->text} : "none";
}

} // namespace

TEST_CASE("charsmap: the shortest and the longest key at a place", "[codec]") {
    const charsmap map{bytes_of(table(), texts)};
    CHECK_FALSE(map.empty());
    CHECK(found(map.shortest("abc")) == "1X");
    CHECK(found(map.longest("abc")) == "2YZ");
    CHECK(found(map.longest("ac")) == "1X");
    CHECK(found(map.longest("a")) == "1X");
    CHECK(found(map.longest("c")) == "1");
    for(const std::string& other: {std::string{}, std::string{"b"}, std::string{"\xFF"}, std::string{"\0a", 2}}) {
        CHECK(found(map.longest(other)) == "none");
    }
    CHECK(charsmap{}.empty());
    CHECK(found(charsmap{}.longest("a")) == "none");
}

TEST_CASE("charsmap: a table that says nonsense is never read outside of itself", "[codec]") {
    units far = table();
    far[(256 ^ 'a') ^ 512] = 0x80000000 | 7; // behind the texts
    CHECK(found(charsmap{bytes_of(far, texts)}.longest("a")) == "none");
    far = table();
    far[256 ^ 'a'] |= 0x1FFFFFU << 10; // children behind the array
    CHECK(found(charsmap{bytes_of(far, texts)}.longest("ab")) == "none");
    far = table();
    far[256 ^ 'a'] |= 0x200; // and further yet
    CHECK(found(charsmap{bytes_of(far, texts)}.longest("ab")) == "none");
    // A text without its end goes to the end of all.
    CHECK(found(charsmap{bytes_of(table(), "XYZ")}.shortest("a")) == "1XYZ");

    const auto refuse = [](std::string_view bytes) {
        CHECK_THROWS_AS(charsmap{bytes}, tokenworks::argument_error);
        CHECK_THROWS_WITH(charsmap{bytes}, "the table of characters is cut");
    };
    refuse("");
    refuse("abc");
    refuse(std::string_view{"\x08\0\0\0abcd", 8});
    refuse(std::string_view{"\x03\0\0\0abcd", 8});
    refuse("\xFF\xFF\xFF\xFC____");
    CHECK(charsmap{std::string_view{"\0\0\0\0", 4}}.empty());
}
