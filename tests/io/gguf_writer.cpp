#include <tokenworks/io/gguf_writer.hpp>

#include <cstdint>
#include <limits>
#include <list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <sys/resource.h>

#include "fuzz/gguf_oracle.hpp"
#include "io/files.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
namespace io = tokenworks::io;
using files::refusal;
using io::gguf_writer;

namespace {

const std::string golden = std::string{TOKENWORKS_TEST_DATA} + "/io/";
const std::vector<float> eight{0, 1, 2, 3, 4, 5, 6, 7};
const std::span<const std::byte> eight_bytes = std::as_bytes(std::span{eight});

io::gguf_file reopen(const std::vector<std::byte>& bytes) { return io::gguf_file::from_memory(bytes, "written"); }

} // namespace

TEST_CASE("what is written is read back", "[io][gguf_writer]") {
    gguf_writer writer;
    writer.set("general.architecture", "llama");
    writer.set("u8", std::uint8_t{200});
    writer.set("i8", std::int8_t{-3});
    writer.set("u16", std::uint16_t{60000});
    writer.set("i16", std::int16_t{-300});
    writer.set("u32", 4'000'000'000U);
    writer.set("i32", -7);
    writer.set("f32", 1.5F);
    writer.set("bool", true);
    writer.set("u64", ~std::uint64_t{0});
    writer.set("i64", std::numeric_limits<std::int64_t>::min());
    writer.set("f64", 0.1);
    writer.set("text", std::string_view{"a\0b", 3});
    writer.set_array("texts", std::vector<std::string>{"", "x", "yy"});
    writer.set_array("views", std::list<const char*>{"p", "q"});
    writer.set_array("floats", eight);
    writer.set_array("flags", std::vector<bool>{true, false, true});
    writer.set_array("none", std::vector<std::int32_t>{});
    writer.set_array("no texts", std::vector<std::string>{});
    writer.add_tensor("matrix", tw::dtype::f32, {4, 2}, eight_bytes);
    writer.add_tensor("vector", tw::dtype::f32, {3}, eight_bytes.first(12));

    const std::vector<std::byte> bytes = writer.to_bytes();
    CHECK(bytes.size() == writer.total_bytes());
    const io::gguf_file file = reopen(bytes);
    CHECK(file.version() == 3);
    CHECK(file.architecture() == "llama");
    const char* const kinds[] = {"u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "u64", "i64", "f64"};
    for(const char* const kind: kinds) {
        CHECK(file.find(kind)->type_name() == kind);
    }
    CHECK(file.get<int>("i16") == -300);
    CHECK(file.get<std::int64_t>("i64") == std::numeric_limits<std::int64_t>::min());
    CHECK(file.get<double>("f64") == 0.1);
    CHECK(file.get<bool>("bool"));
    CHECK(file.get<std::string_view>("text") == std::string_view{"a\0b", 3});
    CHECK(file.get<std::vector<std::string>>("texts") == std::vector<std::string>{"", "x", "yy"});
    CHECK(file.get<std::vector<std::string>>("views") == std::vector<std::string>{"p", "q"});
    CHECK(file.get<std::vector<float>>("floats") == eight);
    CHECK(file.get<std::vector<bool>>("flags") == std::vector{true, false, true});
    CHECK(file.find("none")->type_name() == "array of i32");
    CHECK(file.get<io::string_array>("no texts").empty());
    CHECK(file.tensor("matrix").extents == std::array<std::uint64_t, 4>{4, 2, 1, 1});
    CHECK(file.tensor("matrix").rank == 2);
    CHECK(fuzz::same(file.tensor("matrix").data, eight_bytes));
    CHECK(file.tensor("vector").rank == 1);
    CHECK(file.layout().gap_bytes == 0);
    CHECK(file.layout().trailing_bytes == 0);
    CHECK(bytes.size() % 32 == 0);
}

TEST_CASE("a file of the gguf package is copied byte by byte", "[io][gguf_writer][golden]") {
    const auto name = GENERATE(as<std::string>{}, "values.gguf", "aligned.gguf");
    const io::gguf_file file = io::gguf_file::open(golden + name);
    gguf_writer writer{static_cast<std::uint32_t>(file.alignment())};
    for(const io::gguf_value& value: file.metadata()) {
        if(value.key() != "general.alignment") {
            writer.set(value);
        }
    }
    for(const io::gguf_tensor& tensor: file.tensors()) {
        writer.add_tensor(tensor.name, tensor.type, std::span{tensor.extents}.first(tensor.rank), tensor.data);
    }
    const std::string ours = files::text_of(writer.to_bytes());
    const std::string theirs = files::read(golden + name);
    if(name == "values.gguf") {
        CHECK(ours == theirs);
    } else {
        CHECK(ours.size() == theirs.size()); // the alignment's key comes first in ours
    }
}

TEST_CASE("keys are replaced in their place, and removed", "[io][gguf_writer]") {
    gguf_writer writer;
    writer.set("a", 1);
    writer.set("b", 2);
    writer.set("a", "text");
    CHECK(writer.erase("b"));
    CHECK(!writer.erase("b"));
    writer.set("c", "");
    const std::vector<std::byte> bytes = writer.to_bytes();
    const io::gguf_file file = reopen(bytes);
    REQUIRE(file.metadata().size() == 2);
    CHECK(file.metadata()[0].key() == "a");
    CHECK(file.get<std::string>("a") == "text");
    CHECK(file.get<std::string>("c").empty());
    writer.set("b", 3);
    const std::vector<std::byte> more = writer.to_bytes();
    CHECK(reopen(more).get<int>("b") == 3);
}

TEST_CASE("metadata is copied without what belongs to one file", "[io][gguf_writer]") {
    const io::gguf_file file = io::gguf_file::open(golden + "split-00001-of-00003.gguf");
    gguf_writer writer{64};
    writer.copy_metadata(file);
    writer.copy_metadata(io::gguf_file::open(golden + "aligned.gguf"));
    const std::vector<std::byte> bytes = writer.to_bytes();
    const io::gguf_file copy = reopen(bytes);
    CHECK(copy.alignment() == 64);
    CHECK(copy.get<int>("llama.block_count") == 1);
    CHECK(copy.find("split.count") == nullptr);
}

TEST_CASE("every alignment", "[io][gguf_writer]") {
    for(const std::uint32_t alignment: {8U, 32U, 256U, 1U << 20}) {
        gguf_writer writer{alignment};
        writer.add_tensor("a", tw::dtype::f32, {1}, eight_bytes.first(4));
        writer.add_tensor("b", tw::dtype::f32, {8}, eight_bytes);
        const std::vector<std::byte> bytes = writer.to_bytes();
        const io::gguf_file file = reopen(bytes);
        CHECK(file.alignment() == alignment);
        CHECK(file.tensor("b").offset % alignment == 0);
        CHECK(fuzz::same(file.tensor("b").data, eight_bytes));
    }
    for(const std::uint32_t alignment: {0U, 4U, 24U, 1U << 21}) {
        CHECK(refusal<tw::argument_error>([&] { gguf_writer{alignment}; }) ==
              "gguf_writer: the alignment " + std::to_string(alignment) + " is no power of two from 8 to 1048576");
    }
}

TEST_CASE("what cannot be written is refused", "[io][gguf_writer]") {
    gguf_writer writer;
    const auto adding = [&](std::string_view name, tw::dtype type, const std::vector<std::uint64_t>& extents,
                            std::size_t bytes) {
        return refusal<tw::argument_error>([&] {
            const std::vector<std::byte> data(bytes);
            writer.add_tensor(name, type, extents, std::span{data});
        });
    };
    using tw::dtype;
    CHECK(adding("", dtype::f32, {1}, 4) == "gguf_writer: tensor '': a name of 0 bytes; 1 to 64 are possible");
    CHECK_THAT(adding(std::string(65, 'n'), dtype::f32, {1}, 4), ContainsSubstring("a name of 65 bytes"));
    CHECK(adding("t", dtype::f32, {}, 4) == "gguf_writer: tensor 't': 0 dimensions; 1 to 4 are possible");
    CHECK(adding("t", dtype::f32, {1, 1, 1, 1, 1}, 4) == "gguf_writer: tensor 't': 5 dimensions; 1 to 4 are possible");
    CHECK(adding("t", dtype::u32, {1}, 4) == "gguf_writer: tensor 't': GGUF has no type u32");
    CHECK(adding("t", static_cast<dtype>(4), {1}, 4) == "gguf_writer: tensor 't': GGUF has no type unknown");
    CHECK(adding("t", dtype::f32, {1, 0}, 0) ==
          "gguf_writer: tensor 't': a dimension is 0, or the product exceeds 2^63");
    CHECK_THAT(adding("t", dtype::f32, {std::uint64_t{1} << 32, std::uint64_t{1} << 32}, 0),
               ContainsSubstring("the product exceeds 2^63"));
    CHECK(adding("t", dtype::q8_0, {33}, 34) ==
          "gguf_writer: tensor 't': a row of 33 elements is no multiple of the 32 of a q8_0 block");
    CHECK(adding("t", dtype::i8, {std::uint64_t{1} << 62}, 0) ==
          "gguf_writer: tensor 't': the file would exceed 2^62 bytes");
    CHECK_THAT(adding("t", dtype::f64, {std::uint64_t{1} << 62}, 0), ContainsSubstring("exceed 2^62 bytes"));
    CHECK(adding("t", dtype::f32, {2}, 4) == "gguf_writer: tensor 't': has 4 bytes of data; its extents need 8");
    CHECK(adding("t", dtype::f32, {2}, 8) == "accepted");
    CHECK(adding("t", dtype::f32, {2}, 8) == "gguf_writer: tensor 't': the name is taken");

    CHECK(refusal<tw::argument_error>([&] { writer.set("", 1); }) ==
          "gguf_writer: a key of 0 bytes; 1 to 65535 are possible");
    CHECK_THAT(refusal<tw::argument_error>([&] { writer.set(std::string(65536, 'k'), "x"); }),
               ContainsSubstring("a key of 65536 bytes"));
    CHECK(refusal<tw::argument_error>([&] { writer.set("general.alignment", 64U); }) ==
          "gguf_writer: general.alignment is set by the constructor");
}

TEST_CASE("data can be made piece by piece, and must have the right size", "[io][gguf_writer]") {
    gguf_writer writer;
    writer.add_tensor("t", tw::dtype::f32, {8}, io::byte_producer{[](const io::byte_sink& sink) {
                          for(std::size_t i = 0; i < 8; ++i) {
                              sink(eight_bytes.subspan(4 * i, 4));
                          }
                      }});
    const std::vector<std::byte> bytes = writer.to_bytes();
    CHECK(fuzz::same(reopen(bytes).tensor("t").data, eight_bytes));

    const auto writing = [&](std::size_t made) {
        gguf_writer wrong;
        wrong.add_tensor("t", tw::dtype::f32, {4}, io::byte_producer{[made](const io::byte_sink& sink) {
                             sink(eight_bytes.first(4));
                             sink(eight_bytes.first(made - 4));
                         }});
        return refusal<tw::argument_error>([&] { (void)wrong.to_bytes(); });
    };
    CHECK(writing(16) == "accepted");
    CHECK(writing(15) == "gguf_writer: tensor 't': its producer made 15 of its 16 bytes");
    CHECK(writing(17) == "gguf_writer: tensor 't': its producer makes more than its 16 bytes");
}

TEST_CASE("saving replaces the file whole or not at all", "[io][gguf_writer]") {
    const files::temporary_folder folder;
    files::write(folder / "f", "old");
    gguf_writer good;
    good.set("general.architecture", "llama");
    good.add_tensor("t", tw::dtype::f32, {8}, eight_bytes);

    gguf_writer failing;
    failing.add_tensor("t", tw::dtype::f32, {8}, io::byte_producer{[](const io::byte_sink& sink) {
                           sink(eight_bytes.first(4));
                           throw std::runtime_error("the source failed");
                       }});
    CHECK(refusal<std::runtime_error>([&] { failing.save(folder / "f"); }) == "the source failed");
    CHECK_THAT(refusal<tw::cancelled_error>(
                   [&] { good.save(folder / "f", [](std::uint64_t, std::uint64_t) { return false; }); }),
               ContainsSubstring("cancelled after"));
    CHECK_THROWS_AS(good.save("/dev/full"), tw::io_error);
    CHECK_THROWS_AS(good.save(folder / "none/f"), tw::io_error);
    struct rlimit old {};
    ::getrlimit(RLIMIT_FSIZE, &old);
    const struct rlimit few { 50, old.rlim_max };
    ::setrlimit(RLIMIT_FSIZE, &few);
    const std::string limited = refusal<tw::io_error>([&] { good.save(folder / "f"); });
    ::setrlimit(RLIMIT_FSIZE, &old);
    CHECK_THAT(limited, ContainsSubstring("File too large"));
    CHECK(files::read(folder / "f") == "old");
    CHECK(folder.names() == std::vector<std::string>{"f"});

    std::uint64_t last = 0;
    good.save(folder / "f", [&](std::uint64_t done, std::uint64_t total) {
        CHECK(total == good.total_bytes());
        last = done;
        return true;
    });
    CHECK(last == good.total_bytes());
    const std::vector<std::byte> bytes = good.to_bytes();
    CHECK(files::read(folder / "f") == files::text_of(bytes));
    // A file may be replaced by what was read from it.
    const io::gguf_file file = io::gguf_file::open(folder / "f");
    gguf_writer again;
    again.copy_metadata(file);
    again.add_tensor("t", tw::dtype::f32, {8}, file.tensor("t").data);
    again.save(folder / "f");
    CHECK(files::read(folder / "f") == files::text_of(bytes));
    CHECK(fuzz::same(file.tensor("t").data, eight_bytes));
    CHECK(folder.names() == std::vector<std::string>{"f"});
}
