#include <tokenworks/io/packed_format.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "io/packed.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
namespace io = tokenworks::io;

namespace {

std::string refusal(const std::string& file) {
    return files::refusal<tw::error>([&] { static_cast<void>(io::packed_index_of(files::bytes_of(file), "p")); });
}

} // namespace

TEST_CASE("packed_format: a checksum sees every bit, the length, and the seed", "[io]") {
    for(const std::size_t size: {std::size_t{0}, std::size_t{1}, std::size_t{63}, std::size_t{64}, std::size_t{200}}) {
        std::string text(size, 'q');
        const std::uint64_t sum = io::checksum(files::bytes_of(text));
        CHECK(io::checksum(files::bytes_of(text)) == sum);
        CHECK(io::checksum(files::bytes_of(text), 1) != sum);
        CHECK(io::checksum(files::bytes_of(text + '\0')) != sum);
        for(std::size_t bit = 0; bit < 8 * size; ++bit) {
            text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << (bit % 8)));
            REQUIRE(io::checksum(files::bytes_of(text)) != sum);
            text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << (bit % 8)));
        }
    }
}

TEST_CASE("packed_format: the table of a file", "[io]") {
    const std::string file = packed::sample();
    const io::packed_index index = io::packed_index_of(files::bytes_of(file), "p");
    CHECK(index.identity == packed::identity);
    REQUIRE(index.entries.size() == 2);
    CHECK(index.entries[0].name == "first.weight");
    CHECK(index.entries[0].type == tw::dtype::q4_0);
    CHECK(index.entries[0].rows == 3);
    CHECK(index.entries[0].columns == 32);
    CHECK(index.entries[0].offset == 64);
    CHECK(index.entries[0].bytes == 100);
    CHECK(index.entries[1].offset == 192);
    CHECK(index.entries[1].first_checksum == 1);
    CHECK(index.checksums.size() == 3);
}

TEST_CASE("packed_format: a file cut anywhere, or with a bit of its end flipped, is refused", "[io]") {
    const std::string file = packed::sample();
    REQUIRE(refusal(file) == "accepted");
    for(std::size_t size = 0; size < file.size(); size += size < 300 || size + 400 > file.size() ? 1U : 997U) {
        INFO(size);
        REQUIRE(refusal(file.substr(0, size)) != "accepted");
    }
    CHECK(refusal(file + '\0') != "accepted");
    for(std::size_t at = packed::table(file); at < file.size(); ++at) {
        for(int bit = 0; bit < 8; ++bit) {
            std::string flipped = file;
            flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
            INFO(at);
            REQUIRE(refusal(flipped) != "accepted");
        }
    }
}

TEST_CASE("packed_format: a footer that lies, its checksum right", "[io]") {
    const std::string file = packed::sample();
    const std::size_t footer = file.size() - 64;
    const std::uint64_t start = packed::table(file);
    CHECK_THAT(refusal(packed::changed(footer, 'X')), ContainsSubstring("magic"));
    CHECK_THAT(refusal(packed::changed(footer + 8, std::uint32_t{2})), ContainsSubstring("version 2"));
    CHECK_THAT(refusal(packed::changed(footer + 12, std::uint32_t{0x04030201})), ContainsSubstring("version"));
    constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
    for(const std::uint64_t value: {std::uint64_t{0}, start + 1, start - 1, start + 64, start - 64, most, most - 63}) {
        std::string lie = file;
        packed::set(lie, footer + 24, value);
        packed::set(lie, footer + 56, io::checksum(files::bytes_of(lie).subspan(footer, 56)));
        CHECK_THAT(refusal(lie), ContainsSubstring("table"));
    }
    for(const std::uint64_t value: {std::uint64_t{0}, footer - start - 1, footer - start + 1, most}) {
        CHECK_THAT(refusal(packed::changed(footer + 32, value)), ContainsSubstring("does not end at the footer"));
    }
    CHECK_THAT(refusal(packed::changed(footer + 40, std::uint64_t{1})), ContainsSubstring("followed by"));
    CHECK_THAT(refusal(packed::changed(footer + 40, std::uint64_t{3})), ContainsSubstring("do not fit"));
    CHECK_THAT(refusal(packed::changed(footer + 40, most)), ContainsSubstring("do not fit"));
}

TEST_CASE("packed_format: an entry that lies, the checksums right", "[io]") {
    const std::string file = packed::sample();
    const std::size_t at = packed::table(file);
    constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
    CHECK_THAT(refusal(packed::changed(at, std::uint32_t{0})), ContainsSubstring("no name"));
    CHECK_THAT(refusal(packed::changed(at, std::numeric_limits<std::uint32_t>::max())), ContainsSubstring("name"));
    CHECK_THAT(refusal(packed::changed(at + 4, std::uint32_t{5})), ContainsSubstring("unknown"));
    for(const std::uint64_t value: {std::uint64_t{0}, std::uint64_t{128}, most, most - 63}) {
        CHECK_THAT(refusal(packed::changed(at + 24, value)), ContainsSubstring("expected them at 64"));
    }
    for(const std::uint64_t value: {std::uint64_t{0}, std::uint64_t{20}, std::uint64_t{129}, most, most - 63}) {
        CHECK(refusal(packed::changed(at + 32, value)) != "accepted");
    }
    // The second entry takes the first one's name.
    const std::size_t second = at + 40 + 12 + 8;
    std::string twice = file;
    REQUIRE(packed::number_at<std::uint32_t>(twice, second) == 6);
    REQUIRE(packed::number_at<std::uint32_t>(twice, at) == 12);
    packed::set(twice, at, std::uint32_t{6}); // "first." and what follows is read as its checksum
    CHECK(refusal(packed::sealed(twice)) != "accepted");
    const files::temporary_folder folder;
    io::packed_writer writer{folder / "p", 1};
    writer.add("a", tw::dtype::f32, 1, 1, files::bytes_of("1234"));
    writer.add("a", tw::dtype::f32, 1, 1, files::bytes_of("1234"));
    writer.commit();
    CHECK_THAT(refusal(files::read(folder / "p")), ContainsSubstring("the name a occurs twice"));
}

TEST_CASE("packed_format: a table past the limit is refused before it is read", "[io]") {
    // Only the footer is looked at; the file itself need not exist.
    std::string footer = packed::sample();
    footer = footer.substr(footer.size() - 64);
    packed::set(footer, 24, std::uint64_t{64});
    packed::set(footer, 32, std::uint64_t{1} << 40);
    packed::set(footer, 56, io::checksum(files::bytes_of(footer).first(56)));
    CHECK_THAT(files::refusal<tw::limit_error>([&] {
                   static_cast<void>(
                       io::detail::parse_packed_footer(files::bytes_of(footer), 128 + (std::uint64_t{1} << 40), "p"));
               }),
               ContainsSubstring("a table of"));
}
