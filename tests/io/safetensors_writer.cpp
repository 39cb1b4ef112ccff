#include <tokenworks/io/safetensors_writer.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <sys/resource.h>

#include <tokenworks/io/safetensors_reader.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
namespace io = tokenworks::io;
using files::bytes_of;
using files::refusal;
using io::safetensors_writer;

namespace {

const std::string golden = std::string{TOKENWORKS_TEST_DATA} + "/io/";

} // namespace

TEST_CASE("what is written as safetensors is read back", "[io][safetensors_writer]") {
    safetensors_writer writer;
    writer.set_metadata("format", "pt");
    writer.set_metadata("quote\"", "é\n");
    writer.set_metadata("format", "np"); // replaced
    writer.add_tensor("u8", tw::dtype::u8, {3}, bytes_of("abc"));
    writer.add_tensor("f64", tw::dtype::f64, {1, 1}, bytes_of("12345678"));
    writer.add_tensor("bf16", tw::dtype::bf16, {}, bytes_of("xy"));
    writer.add_tensor("none", tw::dtype::i32, {4, 0}, bytes_of(""));
    writer.add_tensor("made", tw::dtype::i32, {2}, io::byte_producer{[](const io::byte_sink& sink) {
                          sink(bytes_of("0123"));
                          sink(bytes_of("4567"));
                      }});
    const std::vector<std::byte> bytes = writer.to_bytes();
    const io::safetensors_file file = io::safetensors_file::from_memory(bytes, "m");
    CHECK(*file.find_metadata("format") == "np");
    CHECK(*file.find_metadata("quote\"") == "é\n");
    REQUIRE(file.tensors().size() == 5);
    CHECK(files::text_of(file.tensor("u8").data) == "abc");
    CHECK(files::text_of(file.tensor("bf16").data) == "xy");
    CHECK(file.tensor("bf16").shape.empty());
    CHECK(file.tensor("none").shape == std::vector<std::uint64_t>{4, 0});
    CHECK(files::text_of(file.tensor("made").data) == "01234567");
    for(const io::safetensor& tensor: file.tensors()) {
        CHECK(tensor.offset % tw::info(tensor.type).block_bytes == 0); // aligned for its type
    }
    const std::vector<std::byte> empty = safetensors_writer{}.to_bytes();
    CHECK(io::safetensors_file::from_memory(empty, "m").tensors().empty());
}

TEST_CASE("a file of the safetensors package is copied byte by byte", "[io][safetensors_writer][golden]") {
    const io::safetensors_file file = io::safetensors_file::open(golden + "model-00002-of-00002.safetensors");
    safetensors_writer writer;
    for(const auto& [key, text]: file.metadata()) {
        writer.set_metadata(key, text);
    }
    for(const io::safetensor& tensor: file.tensors()) {
        writer.add_tensor(tensor.name, tensor.type, tensor.shape, tensor.data);
    }
    CHECK(files::text_of(writer.to_bytes()) == files::read(golden + "model-00002-of-00002.safetensors"));
}

TEST_CASE("every type of the format is written", "[io][safetensors_writer]") {
    safetensors_writer writer;
    for(const io::safetensors_dtype& row: io::safetensors_dtypes) {
        writer.add_tensor(row.name, row.type, {1}, bytes_of("12345678").first(tw::info(row.type).block_bytes));
    }
    const std::vector<std::byte> bytes = writer.to_bytes();
    const io::safetensors_file file = io::safetensors_file::from_memory(bytes, "m");
    for(const io::safetensors_dtype& row: io::safetensors_dtypes) {
        CHECK(file.tensor(row.name).type == row.type);
    }
}

TEST_CASE("what safetensors cannot hold is refused", "[io][safetensors_writer]") {
    safetensors_writer writer;
    const auto adding = [&](std::string_view name, tw::dtype type, const std::vector<std::uint64_t>& shape,
                            std::size_t bytes) {
        return refusal<tw::argument_error>([&] {
            const std::vector<std::byte> data(bytes);
            writer.add_tensor(name, type, shape, std::span{data});
        });
    };
    using tw::dtype;
    CHECK(adding("t", dtype::f32, {2}, 8) == "accepted");
    CHECK(adding("t", dtype::f32, {2}, 8) == "safetensors_writer: tensor 't': the name is taken");
    CHECK_THAT(adding("__metadata__", dtype::f32, {2}, 8), ContainsSubstring("the name is taken"));
    CHECK(adding("\xFF", dtype::f32, {2}, 8) == "safetensors_writer: '\\xff' is no UTF-8");
    CHECK(adding("q", dtype::q8_0, {32}, 34) == "safetensors_writer: tensor 'q': safetensors has no type q8_0");
    CHECK(adding("q", dtype::u8, std::vector<std::uint64_t>(17, 1), 1) ==
          "safetensors_writer: tensor 'q': 17 dimensions; 16 are possible");
    CHECK(adding("q", dtype::u8, {std::uint64_t{1} << 62}, 1) ==
          "safetensors_writer: tensor 'q': the file would exceed 2^62 bytes");
    CHECK_THAT(adding("q", dtype::f64, {std::uint64_t{1} << 61, 1}, 1), ContainsSubstring("exceed 2^62 bytes"));
    CHECK(adding("q", dtype::f32, {3}, 8) == "safetensors_writer: tensor 'q': has 8 bytes of data; its shape needs 12");
    CHECK_THROWS_AS(writer.set_metadata("\xC0", ""), tw::argument_error);
    CHECK_THROWS_AS(writer.set_metadata("", "\xC0"), tw::argument_error);

    const auto writing = [](std::string_view made) {
        safetensors_writer wrong;
        wrong.add_tensor("t", dtype::u8, {4},
                         io::byte_producer{[made](const io::byte_sink& sink) { sink(bytes_of(made)); }});
        return refusal<tw::argument_error>([&] { (void)wrong.to_bytes(); });
    };
    CHECK(writing("1234") == "accepted");
    CHECK(writing("123") == "safetensors_writer: tensor 't': its producer made 3 of its 4 bytes");
    CHECK(writing("12345") == "safetensors_writer: tensor 't': its producer makes more than its 4 bytes");
}

TEST_CASE("a safetensors file is replaced whole or not at all", "[io][safetensors_writer]") {
    const files::temporary_folder folder;
    files::write(folder / "f", "old");
    safetensors_writer writer;
    writer.add_tensor("t", tw::dtype::u8, {3}, bytes_of("abc"));
    CHECK_THROWS_AS(writer.save("/dev/full"), tw::io_error);
    CHECK_THROWS_AS(writer.save(folder / "f", [](std::uint64_t, std::uint64_t) { return false; }), tw::cancelled_error);
    struct rlimit old {};
    ::getrlimit(RLIMIT_FSIZE, &old);
    const struct rlimit few { 50, old.rlim_max };
    ::setrlimit(RLIMIT_FSIZE, &few);
    const std::string limited = refusal<tw::io_error>([&] { writer.save(folder / "f"); });
    ::setrlimit(RLIMIT_FSIZE, &old);
    CHECK_THAT(limited, ContainsSubstring("File too large"));
    CHECK(files::read(folder / "f") == "old");
    CHECK(folder.names().size() == 1);
    std::uint64_t last = 0;
    writer.save(folder / "f", [&](std::uint64_t done, std::uint64_t) {
        last = done;
        return true;
    });
    CHECK(files::read(folder / "f") == files::text_of(writer.to_bytes()));
    CHECK(last == files::read(folder / "f").size());
}
