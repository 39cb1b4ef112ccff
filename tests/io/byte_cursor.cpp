#include <tokenworks/io/byte_cursor.hpp>

#include <cstdint>
#include <string>

#include "io/files.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
using files::refusal;
using tw::io::byte_cursor;

TEST_CASE("numbers are read little-endian, in order, at any alignment", "[io][byte_cursor]") {
    const std::string name = "f";
    files::builder b;
    b.u8(7).u32(0x01020304).u64(~std::uint64_t{0}).number(-2.5F).raw("tail");
    byte_cursor cursor{b.bytes(), name, 1000};
    CHECK(cursor.read<std::uint8_t>("a") == 7);
    CHECK(cursor.read<std::uint32_t>("b") == 0x01020304);
    CHECK(cursor.offset() == 5);
    CHECK(cursor.read<std::uint64_t>("c") == ~std::uint64_t{0});
    CHECK(cursor.read<float>("d") == -2.5F);
    CHECK(cursor.left() == 4);
    CHECK(tw::io::as_text(cursor.take(4, "e")) == "tail");
    CHECK(cursor.take(0, "f").empty());
    CHECK(cursor.left() == 0);
    CHECK(cursor.file() == "f");
}

TEST_CASE("the end of the bytes names the field and both numbers", "[io][byte_cursor]") {
    const std::string name = "f";
    const std::string text = "12345";
    byte_cursor cursor{files::bytes_of(text), name, 1000};
    (void)cursor.take(2, "start");
    CHECK(refusal<tw::format_error>([&] { (void)cursor.read<std::uint32_t>("count"); }) ==
          "f: count at offset 2: needs 4 bytes, the file has 3 left");
    CHECK(refusal<tw::format_error>([&] { (void)cursor.take(~std::uint64_t{0}, "text"); }) ==
          "f: text at offset 2: needs 18446744073709551615 bytes, the file has 3 left");
    CHECK(cursor.offset() == 2);
}

TEST_CASE("things that cannot fit are refused by their number", "[io][byte_cursor]") {
    const std::string name = "f";
    const std::string text(100, 'x');
    const byte_cursor cursor{files::bytes_of(text), name, 1000};
    CHECK_NOTHROW(cursor.expect(25, 4, "n"));
    CHECK_NOTHROW(cursor.expect(0, 200, "n"));
    CHECK(refusal<tw::format_error>([&] { cursor.expect(26, 4, "n"); }) ==
          "f: n at offset 0: 26 entries of at least 4 bytes do not fit in the 100 bytes left");
    CHECK_THROWS_AS(cursor.expect(std::uint64_t{1} << 62, 4, "n"), tw::format_error); // wraps to 0 when multiplied
}

TEST_CASE("past the limit but inside the file it is the limit's error", "[io][byte_cursor]") {
    const std::string name = "f";
    const std::string text(100, 'x');
    byte_cursor cursor{files::bytes_of(text), name, 10};
    (void)cursor.take(10, "start");
    CHECK(cursor.total_left() == 90);
    CHECK(refusal<tw::limit_error>([&] { (void)cursor.take(1, "next"); }) ==
          "f: next at offset 10: the metadata goes on past the limit of 10 bytes");
    CHECK_THROWS_AS(cursor.expect(90, 1, "n"), tw::limit_error);
    CHECK_THROWS_AS(cursor.expect(91, 1, "n"), tw::format_error);
    CHECK_THROWS_AS(cursor.take(91, "next"), tw::format_error);
}
