#include <tokenworks/io/safetensors_reader.hpp>

#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "io/files.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
namespace io = tokenworks::io;
using files::builder;
using files::refusal;
using io::safetensors_file;

namespace {

const std::string golden = std::string{TOKENWORKS_TEST_DATA} + "/io/";

void check_ramp(const io::safetensor& tensor) {
    for(std::size_t i = 0; i < tensor.bytes / 4; ++i) {
        REQUIRE(io::load_unaligned<float>(tensor.data.data() + 4 * i) == static_cast<float>(i) / 8 - 3);
    }
}

} // namespace

TEST_CASE("a file of the safetensors package is read whole", "[io][safetensors_reader][golden]") {
    const auto mode = GENERATE(io::open_mode::automatic, io::open_mode::read);
    const safetensors_file file = safetensors_file::open(golden + "tensors.safetensors", {.mode = mode});
    CHECK(file.name() == golden + "tensors.safetensors");
    CHECK(file.parts() == 1);
    CHECK(file.tensors().size() == 8);
    REQUIRE(file.find_metadata("é") != nullptr);
    CHECK(*file.find_metadata("é") == "a\"b\\");
    CHECK(file.metadata().size() == 2);
    CHECK(file.find_metadata("none") == nullptr);
    CHECK(file.tensor("f32").shape == std::vector<std::uint64_t>{2, 3});
    check_ramp(file.tensor("f32"));
    CHECK(file.tensor("f16").type == tw::dtype::f16);
    CHECK(file.tensor("i64").type == tw::dtype::i64);
    CHECK(io::load_unaligned<std::int64_t>(file.tensor("i64").data.data() + 16) == 2);
    CHECK(file.tensor("bool").type == tw::dtype::boolean);
    CHECK(file.tensor("scalar").shape.empty());
    CHECK(io::load_unaligned<double>(file.tensor("scalar").data.data()) == 2.5);
    CHECK(file.tensor("none").bytes == 0);
    CHECK(file.tensor("né\n\"").type == tw::dtype::i16);
    for(const io::safetensor& tensor: file.tensors()) {
        file.release(tensor);
    }
    check_ramp(file.tensor("f32"));
    CHECK(file.find_tensor("x") == nullptr);
    CHECK_THAT(refusal<tw::format_error>([&] { (void)file.tensor("x"); }),
               ContainsSubstring("tensors.safetensors: tensor 'x': is missing"));
    CHECK_THAT(refusal<tw::format_error>([&] { file.refuse(file.tensor("f32"), "is bad"); }),
               ContainsSubstring("tensor 'f32' at offset ") && ContainsSubstring(": is bad"));
}

TEST_CASE("a model of several files is opened through its index", "[io][safetensors_reader][golden]") {
    const safetensors_file file = safetensors_file::open(golden + "model.safetensors.index.json");
    CHECK(file.name() == golden + "model.safetensors.index.json");
    CHECK(file.parts() == 2);
    REQUIRE(file.tensors().size() == 3);
    CHECK(*file.find_metadata("format") == "pt");
    CHECK(file.tensor("b").part == 1);
    CHECK(file.part(1).name() == golden + "model-00002-of-00002.safetensors");
    check_ramp(file.tensor("a"));
    check_ramp(file.tensor("b"));
    file.release(file.tensor("b"));
    check_ramp(file.tensor("b"));
}

TEST_CASE("a safetensors file moves with all that points into it", "[io][safetensors_reader]") {
    STATIC_REQUIRE(std::is_nothrow_move_constructible_v<safetensors_file>);
    STATIC_REQUIRE(std::is_nothrow_move_assignable_v<safetensors_file>);
    STATIC_REQUIRE(!std::is_copy_constructible_v<safetensors_file>);
    safetensors_file a = safetensors_file::open(golden + "tensors.safetensors");
    const io::safetensor* const tensor = a.find_tensor("f32");
    const safetensors_file b = std::move(a);
    CHECK(b.find_tensor("f32") == tensor);
    check_ramp(*tensor);
}

TEST_CASE("an index that its shards contradict", "[io][safetensors_reader]") {
    const files::temporary_folder folder;
    const auto shard = [&](const std::string& name, const std::string& tensor) {
        files::write(
            folder / name,
            builder{}.text("{\"" + tensor + R"(":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})").raw("x").string());
    };
    const auto opening = [&](const std::string& map) {
        files::write(folder / "m.index.json", "{\"weight_map\":{" + map + "}}");
        return refusal<tw::format_error>([&] { (void)safetensors_file::open(folder / "m.index.json"); });
    };
    shard("1", "a");
    shard("2", "b");
    CHECK(opening(R"("a":"1","b":"2")") == "accepted");
    CHECK_THAT(opening(R"("a":"1","c":"2")"), ContainsSubstring("m.index.json: tensor 'c': is not in its shard 2"));
    CHECK_THAT(opening(R"("a":"2","b":"1")"), ContainsSubstring("tensor 'a': is not in its shard 2"));
    CHECK_THAT(opening(R"("a":"1","b":"2","c":"1")"), ContainsSubstring("tensor 'c': is not in its shard 1"));
    shard("2", "a");
    CHECK_THAT(opening(R"("a":"1","b":"2")"),
               ContainsSubstring("tensor 'a'") && ContainsSubstring("the name occurs in two shards"));
    files::write(folder / "2", builder{}
                                   .text(R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                                         R"("c":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})")
                                   .raw("xy")
                                   .string());
    CHECK_THAT(opening(R"("a":"1","b":"2")"), ContainsSubstring("weight_map: names 2 tensors, the shards hold 3"));
    CHECK_THAT(opening(R"("a":"../1")"), ContainsSubstring("'../1' is no name of a file beside the index"));
    files::write(folder / "m.index.json", R"({"weight_map":{"a":"none"}})");
    CHECK_THROWS_AS(safetensors_file::open(folder / "m.index.json"), tw::io_error);
}

TEST_CASE("what is no safetensors file is refused", "[io][safetensors_reader]") {
    CHECK_THROWS_AS(safetensors_file::open("/dev/zero"), tw::io_error);
    CHECK_THROWS_AS(safetensors_file::open(golden), tw::io_error);
    CHECK_THROWS_AS(safetensors_file::open(golden + "values.gguf"), tw::format_error);
    CHECK_THROWS_AS(safetensors_file::from_memory({}, "m"), tw::format_error);
}
