// Every way in which a GGUF file can be wrong, with the text of its refusal; then every cut and every lie at once.
#include <tokenworks/io/gguf_parser.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "fuzz/gguf_oracle.hpp"
#include "io/files.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
using files::builder;
using files::refusal;

namespace {

tw::io::detail::gguf_part parse(const builder& b, const tw::limits& bounds = {}) {
    const std::string name = "f";
    return tw::io::detail::gguf_parser{b.bytes(), name, bounds}.parse();
}

std::string refused(const builder& b) {
    return refusal<tw::format_error>([&] { (void)parse(b); });
}

} // namespace

TEST_CASE("a well-formed file is taken as it is", "[io][gguf_parser]") {
    const auto version = GENERATE(2U, 3U);
    builder b;
    b.raw(files::sample_gguf(version));
    const auto part = parse(b);
    CHECK(part.version == version);
    CHECK(part.alignment == 32);
    CHECK(part.values.size() == 15);
    CHECK(part.find("u32")->to<std::uint64_t>() == 4'000'000'000U);
    CHECK(part.find("none") == nullptr);
    REQUIRE(part.tensors.size() == 3);
    const auto& second = part.tensors[1];
    CHECK(second.name == "second");
    CHECK(second.type == tw::dtype::q8_0);
    CHECK(second.extents == std::array<std::uint64_t, 4>{32, 2, 1, 1});
    CHECK(second.rank == 2);
    CHECK(second.elements() == 64);
    CHECK(files::text_of(second.data) == std::string(68, 'b'));
    CHECK(second.data.data() == b.bytes().data() + second.offset);
    CHECK(tw::io::extents_text(second) == "[32 x 2]");
    CHECK(files::text_of(part.tensors[2].data) == "ccccc");
    CHECK(part.layout.in_order);
    CHECK(part.layout.gap_bytes == 0);
    CHECK(part.layout.trailing_bytes == 0);
    CHECK(part.layout.data_offset % 32 == 0);
}

TEST_CASE("magic and version", "[io][gguf_parser]") {
    CHECK(refused(builder{}.raw("GGU")) == "f: magic at offset 0: needs 4 bytes, the file has 3 left");
    CHECK(refused(builder{}.raw("GGML1234567890123456")) == "f: magic at offset 0: is 'GGML', not 'GGUF'");
    CHECK(refused(builder{}.raw(std::string_view{"\0\x1B[1", 4})) ==
          "f: magic at offset 0: is '\\x00\\x1b[1', not 'GGUF'");
    CHECK(refused(builder{}.gguf(0, 0, 0)) == "f: version at offset 4: is 0; versions 2 and 3 are supported");
    CHECK(refused(builder{}.gguf(0, 0, 1)) == "f: version at offset 4: is 1; versions 2 and 3 are supported");
    CHECK(refused(builder{}.gguf(0, 0, 4)) == "f: version at offset 4: is 4; versions 2 and 3 are supported");
    CHECK(refused(builder{}.gguf(0, 0, 3U << 24)) ==
          "f: version at offset 4: the file is big-endian; only little-endian files are supported");
}

TEST_CASE("counts that the file cannot hold", "[io][gguf_parser]") {
    CHECK(refused(builder{}.gguf(0, 1).fill(13)) ==
          "f: metadata count at offset 24: 1 entries of at least 14 bytes do not fit in the 13 bytes left");
    CHECK(refused(builder{}.gguf(2, 0).fill(65)) ==
          "f: tensor count at offset 24: 2 entries of at least 33 bytes do not fit in the 65 bytes left");
    for(const std::uint64_t count: {~std::uint64_t{0}, std::uint64_t{1} << 63, std::uint64_t{1} << 60}) {
        CHECK_THAT(refused(builder{}.gguf(count, 0).fill(100)), ContainsSubstring("tensor count at offset 24: "));
        CHECK_THAT(refused(builder{}.gguf(0, count).fill(100)), ContainsSubstring("metadata count at offset 24: "));
    }
    CHECK(refused(builder{}.gguf(0, 2).value_u32("long enough", 1).raw("xyz")) ==
          "f: metadata key at offset 51: needs 8 bytes, the file has 3 left");
}

TEST_CASE("keys", "[io][gguf_parser]") {
    CHECK(refused(builder{}.gguf(0, 1).value_u32("", 1).fill(9)) == "f: metadata key at offset 24: is empty");
    CHECK(refused(builder{}.gguf(0, 1).value_u32(std::string(65536, 'k'), 1)) ==
          "f: metadata key at offset 24: has 65536 bytes, more than 65535");
    CHECK_NOTHROW(parse(builder{}.gguf(0, 1).value_u32(std::string(65535, 'k'), 1)));
    CHECK_NOTHROW(parse(builder{}.gguf(0, 1).value_u32(std::string(65534, 'k'), 1)));
    CHECK(refused(builder{}.gguf(0, 3).value_u32("k", 1).value_u32("j", 1).value_u32("k", 2)) ==
          "f: k at offset 71: the key occurs twice");
    // A NUL does not end a name.
    const std::string k1{"k\0a", 3}, k2{"k\0b", 3};
    CHECK(parse(builder{}.gguf(0, 2).value_u32(k1, 1).value_u32(k2, 2)).find(k2)->to<int>() == 2);
    CHECK_THAT(refused(builder{}.gguf(0, 1).u64(~std::uint64_t{0}).fill(20)), ContainsSubstring("more than 65535"));
    CHECK(refused(builder{}.gguf(0, 1).u64(20).fill(19)) ==
          "f: metadata key at offset 32: needs 20 bytes, the file has 19 left");
}

TEST_CASE("types of values", "[io][gguf_parser]") {
    for(const std::uint32_t kind: {13U, 255U, 0x80000000U, 0xFFFFFFFFU}) {
        CHECK(refused(builder{}.gguf(0, 1).text("k").u32(kind).fill(8)) ==
              "f: k at offset 33: value type " + std::to_string(kind) + " is unknown");
        CHECK(refused(builder{}.gguf(0, 1).text("k").u32(9).u32(kind).u64(1).fill(8)) ==
              "f: k at offset 37: array element type " + std::to_string(kind) + " is unknown");
    }
    CHECK(refused(builder{}.gguf(0, 1).text("k").u32(9).u32(9).u64(1).fill(30)) ==
          "f: k at offset 37: is an array of arrays");
    CHECK(refused(builder{}.gguf(0, 1).text("k").u32(7).u8(2)) == "f: k at offset 37: a bool has the value 2");
    CHECK(refused(builder{}.gguf(0, 1).text("k").u32(9).u32(7).u64(3).u8(0).u8(1).u8(255)) ==
          "f: k at offset 51: a bool has the value 255");
    CHECK(refused(builder{}.gguf(0, 1).text("\x1B]0;").u32(99).fill(8)) ==
          "f: \\x1b]0; at offset 36: value type 99 is unknown");
}

TEST_CASE("lengths of values", "[io][gguf_parser]") {
    CHECK(refused(builder{}.gguf(0, 1).text("k").u32(4).raw("abc")) ==
          "f: k at offset 37: 1 entries of at least 4 bytes do not fit in the 3 bytes left");
    CHECK(refused(builder{}.gguf(0, 1).text("k").u32(8).u64(5).raw("abcd")) ==
          "f: k at offset 37: a string of 5 bytes does not fit in the 4 bytes left");
    CHECK_THAT(refused(builder{}.gguf(0, 1).text("k").u32(8).u64(~std::uint64_t{0}).raw("abcd")),
               ContainsSubstring("a string of 18446744073709551615 bytes does not fit"));
    CHECK(refused(builder{}.gguf(0, 1).text("k").u32(9).u32(10).u64(3).fill(23)) ==
          "f: k at offset 49: 3 entries of at least 8 bytes do not fit in the 23 bytes left");
    CHECK_THAT(refused(builder{}.gguf(0, 1).text("k").u32(9).u32(10).u64((std::uint64_t{1} << 61) + 1).fill(8)),
               ContainsSubstring("entries of at least 8 bytes do not fit in the 8 bytes left"));
    CHECK(refused(builder{}.gguf(0, 1).text("k").u32(9).u32(8).u64(2).text("abcdefgh")) ==
          "f: k at offset 65: needs 8 bytes, the file has 0 left");
    CHECK_THAT(refused(builder{}.gguf(0, 1).text("k").u32(9).u32(8).u64(2).u64(0).u64(1)),
               ContainsSubstring("k at offset 57: a string of 1 bytes does not fit in the 0 bytes left"));
}

TEST_CASE("limits hold at their value and not past it", "[io][gguf_parser]") {
    tw::limits bounds;
    bounds.metadata_string_bytes = 10;
    for(const std::size_t length: {9U, 10U}) {
        CHECK_NOTHROW(parse(builder{}.gguf(0, 1).value_text("k", std::string(length, 'x')), bounds));
    }
    const builder longer = builder{}.gguf(0, 1).value_text("k", std::string(11, 'x'));
    CHECK(refusal<tw::limit_error>([&] { (void)parse(longer, bounds); }) ==
          "f: k at offset 37: a string of 11 bytes is over the limit of 10");

    const builder tail = builder{}.gguf(0, 1).value_text("k", "text").fill(100); // 49 bytes of metadata
    for(const std::uint64_t most: {48U, 49U, 50U}) {
        tw::limits few;
        few.metadata_bytes = most;
        const std::string result = refusal<tw::limit_error>([&] { (void)parse(tail, few); });
        CHECK(result ==
              (most < 49 ? "f: k at offset 45: the metadata goes on past the limit of 48 bytes" : "accepted"));
    }
    STATIC_REQUIRE(tw::limits::heap_bound(1000) == 8000 + (16 << 20));
    CHECK(tw::limits{}.metadata_string_bytes == 16 << 20);
}

TEST_CASE("alignment", "[io][gguf_parser]") {
    const auto aligned = [](std::uint32_t alignment) {
        return builder{}.gguf(0, 1).value_u32("general.alignment", alignment);
    };
    for(const std::uint32_t alignment: {8U, 16U, 32U, 64U, 4096U, 1U << 20}) {
        CHECK(parse(aligned(alignment)).alignment == alignment);
    }
    for(const std::uint32_t alignment: {0U, 1U, 2U, 4U, 7U, 9U, 24U, 48U, 1U << 21, 0x80000000U}) {
        CHECK(refused(aligned(alignment)) == "f: general.alignment at offset 53: is " + std::to_string(alignment) +
                                                 ", not a power of two from 8 to 1048576");
    }
    CHECK(refused(builder{}.gguf(0, 1).text("general.alignment").u32(10).u64(32)) ==
          "f: general.alignment at offset 53: is of type u64, not u32");
    CHECK(refused(builder{}.gguf(0, 1).text("general.alignment").u32(9).u32(4).u64(1).u32(32)) ==
          "f: general.alignment at offset 53: is of type array of u32, not u32");
    CHECK_THAT(refused(builder{}.gguf(1, 1).value_u32("general.alignment", 1U << 20).tensor("t", {1}, 0, 0).fill(1000)),
               ContainsSubstring("do not fit in the file's 0 bytes of tensor data"));
}

TEST_CASE("names and dimensions of tensors", "[io][gguf_parser]") {
    const auto one = [](std::string_view name, std::vector<std::uint64_t> extents) {
        return builder{}.gguf(1, 0).tensor(name, std::move(extents), 0, 0).pad(32).fill(64).fill(40);
    };
    CHECK_NOTHROW(parse(one(std::string(64, 'n'), {1})));
    CHECK_NOTHROW(parse(one(std::string(63, 'n'), {1})));
    CHECK(refused(one(std::string(65, 'n'), {1})) == "f: tensor name at offset 24: has 65 bytes, more than 64");
    CHECK(refused(one("", {1})) == "f: tensor name at offset 24: is empty");
    CHECK_NOTHROW(parse(one("t", {2, 2, 2, 2})));
    CHECK(refused(one("t", {1, 1, 1, 1, 1})) == "f: tensor 't' at offset 24: has 5 dimensions; 1 to 4 are possible");
    CHECK(refused(one("t", {})) == "f: tensor 't' at offset 24: has 0 dimensions; 1 to 4 are possible");
    CHECK(refused(one("t", {1, 0})) == "f: tensor 't' at offset 24: dimension 1 is 0");
    CHECK(refused(one("t", {std::uint64_t{1} << 63})) ==
          "f: tensor 't' at offset 24: dimension 0 is 9223372036854775808");
    const std::uint64_t big = std::uint64_t{1} << 32;
    for(const auto& extents: {std::vector<std::uint64_t>{big, big},
                              {big, big / 2},
                              {big, 1, big, 1},
                              {std::uint64_t{1} << 62, 4},
                              {std::uint64_t{1} << 62, 3, 1, 5}}) {
        CHECK_THAT(refused(one("t", extents)), ContainsSubstring("dimensions multiply to more than 2^63 elements"));
    }
    CHECK(refused(one("t", {std::uint64_t{1} << 62})) ==
          "f: tensor 't' at offset 24: its size in bytes exceeds 64 bits");
    CHECK_THAT(refused(one("t", {std::uint64_t{1} << 61})),
               ContainsSubstring("9223372036854775808 bytes at data offset 0 do not fit"));
}

TEST_CASE("types of tensors", "[io][gguf_parser]") {
    const auto one = [](std::uint32_t type, std::uint64_t row) {
        return builder{}.gguf(1, 0).tensor("t", {row, 1}, type, 0).pad(32).fill(8192);
    };
    for(const tw::dtype_info& row: tw::dtype_table) {
        const auto id = static_cast<std::uint32_t>(row.type);
        if(id < 1000) {
            const builder b = one(id, 2 * std::uint64_t{row.block_size});
            CHECK(parse(b).tensors[0].bytes == 2 * std::uint64_t{row.block_bytes});
            if(row.block_size > 1) {
                CHECK_THAT(refused(one(id, row.block_size + 1)),
                           ContainsSubstring("a row of " + std::to_string(row.block_size + 1) +
                                             " elements is no multiple of the " + std::to_string(row.block_size) +
                                             " elements of a " + std::string{row.name} + " block"));
            }
        } else {
            CHECK_THAT(refused(one(id, 32)), ContainsSubstring("is unknown"));
        }
    }
    for(const std::uint32_t type: {4U, 5U, 31U, 32U, 33U, 36U, 37U, 38U}) {
        CHECK(refused(one(type, 256)) ==
              "f: tensor 't' at offset 24: element type " + std::to_string(type) + " was removed from the format");
    }
    for(const std::uint32_t type: {43U, 999U, 0xFFFFFFFFU}) {
        CHECK(refused(one(type, 256)) ==
              "f: tensor 't' at offset 24: element type " + std::to_string(type) + " is unknown");
    }
}

TEST_CASE("places of tensors", "[io][gguf_parser]") {
    const auto two = [](std::uint64_t first, std::uint64_t second) {
        return builder{}.gguf(2, 0).tensor("a", {16}, 0, first).tensor("b", {8}, 0, second).pad(32).fill(128);
    };
    CHECK_NOTHROW(parse(two(0, 64)));
    CHECK_NOTHROW(parse(two(64, 0)));
    CHECK(refused(two(1, 64)) == "f: tensor 'a' at offset 24: data offset 1 is no multiple of the alignment 32");
    CHECK(refused(two(0, 32)) == "f: tensor 'b' at offset 128: its data overlap those of tensor 'a', which end at 160");
    CHECK_THAT(refused(two(0, 0)), ContainsSubstring("its data overlap those of tensor 'a'"));
    CHECK(refused(two(0, 128)) ==
          "f: tensor 'b' at offset 57: 32 bytes at data offset 128 do not fit in the file's 128 "
          "bytes of tensor data");
    CHECK_THAT(refused(two(96, 0)), ContainsSubstring("64 bytes at data offset 96 do not fit in the file's 128"));
    CHECK_THAT(refused(two(~std::uint64_t{31}, 0)), ContainsSubstring("data offset 18446744073709551584 do not fit"));
    const std::string cut = two(0, 64).string();
    builder missing;
    missing.raw(std::string_view{cut}.substr(0, 90)); // ends before the tensor data begins
    CHECK_THAT(refused(missing), ContainsSubstring("do not fit in the file's 0 bytes of tensor data"));
}

TEST_CASE("order, gaps and bytes after the end are accepted and reported", "[io][gguf_parser]") {
    const auto part =
        parse(builder{}.gguf(2, 0).tensor("a", {1}, 0, 96).tensor("b", {8}, 0, 0).pad(32).fill(128).fill(5));
    CHECK(!part.layout.in_order);
    CHECK(part.layout.gap_bytes == 64);
    CHECK(part.layout.trailing_bytes == 5);
    const auto ends_early = parse(builder{}.gguf(1, 0).tensor("a", {1}, 0, 0).pad(32).fill(4)); // no padding at the end
    CHECK(ends_early.layout.trailing_bytes == 0);
    CHECK(ends_early.tensors[0].bytes == 4);
    // A vocabulary alone: no tensors, no padding.
    CHECK(parse(builder{}.gguf(0, 1).value_u32("k", 1)).tensors.empty());
}

TEST_CASE("a file cut anywhere is refused", "[io][gguf_parser]") {
    const std::string whole = files::sample_gguf();
    REQUIRE(fuzz::check_gguf(files::bytes_of(whole)));
    for(std::size_t length = 0; length < whole.size(); ++length) {
        const std::string cut = whole.substr(0, length); // in memory of its own: reading past it is found
        REQUIRE_FALSE(fuzz::check_gguf(files::bytes_of(cut)));
        REQUIRE_THROWS_AS((void)tw::io::gguf_file::from_memory(files::bytes_of(cut), "f"), tw::format_error);
    }
}

TEST_CASE("a file with any one field changed keeps every promise", "[io][gguf_parser]") {
    const std::string whole = files::sample_gguf();
    std::size_t accepted = 0;
    std::size_t tried = 0;
    for(const fuzz::field field: fuzz::gguf_fields(files::bytes_of(whole))) {
        std::uint64_t now = 0;
        std::memcpy(&now, whole.data() + field.offset, field.bytes);
        for(const std::uint64_t value: fuzz::telling_values(now, whole.size())) {
            std::string changed = whole;
            std::memcpy(changed.data() + field.offset, &value, field.bytes);
            accepted += fuzz::check_gguf(files::bytes_of(changed)) ? 1U : 0U;
            ++tried;
        }
    }
    CHECK(tried > 15'000);
    CHECK(accepted > 1'000);
    CHECK(accepted < tried / 2);
}

TEST_CASE("a file with any one bit flipped keeps every promise", "[io][gguf_parser]") {
    std::string whole = files::sample_gguf();
    for(std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
        whole[bit / 8] = static_cast<char>(whole[bit / 8] ^ (1 << bit % 8));
        (void)fuzz::check_gguf(files::bytes_of(whole));
        whole[bit / 8] = static_cast<char>(whole[bit / 8] ^ (1 << bit % 8));
    }
    SUCCEED("no crash");
}
