#include <tokenworks/io/gguf_reader.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "io/files.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
namespace io = tokenworks::io;
using files::builder;
using files::refusal;
using io::gguf_file;

namespace {

const std::string golden = std::string{TOKENWORKS_TEST_DATA} + "/io/";

/// The tensor's numbers are those of the script's ramp: i / 8 - 3.
void check_ramp(const io::gguf_tensor& tensor) {
    for(std::size_t i = 0; i < tensor.elements(); ++i) {
        REQUIRE(io::load_unaligned<float>(tensor.data.data() + 4 * i) == static_cast<float>(i) / 8 - 3);
    }
}

} // namespace

TEST_CASE("a file of the gguf package is read whole", "[io][gguf_reader][golden]") {
    const auto name = GENERATE(as<std::string>{}, "values.gguf", "values_v2.gguf");
    const auto mode = GENERATE(io::open_mode::automatic, io::open_mode::map, io::open_mode::read);
    const gguf_file file = gguf_file::open(golden + name, {.mode = mode});
    CHECK(file.name() == golden + name);
    CHECK(file.version() == (name == "values.gguf" ? 3 : 2));
    CHECK(file.parts() == 1);
    CHECK(file.part(0).is_mapped() == (mode != io::open_mode::read));
    CHECK(file.architecture() == "llama");
    CHECK(file.metadata().size() == 17);
    CHECK(file.metadata()[0].key() == "general.architecture");
    CHECK(file.get<int>("u8") == 200);
    CHECK(file.get<int>("i8") == -3);
    CHECK(file.get<int>("u16") == 60000);
    CHECK(file.get<int>("i16") == -300);
    CHECK(file.get<std::uint32_t>("u32") == 4'000'000'000U);
    CHECK(file.get<int>("i32") == -7);
    CHECK(file.get<float>("f32") == 1.5F);
    CHECK(file.get<bool>("bool"));
    CHECK(file.get<std::string>("string") == "text with é");
    CHECK(file.get<std::uint64_t>("u64") == std::uint64_t{1} << 60);
    CHECK(file.get<std::int64_t>("i64") == -(std::int64_t{1} << 60));
    CHECK(file.get<double>("f64") == 0.1);
    CHECK(file.get<std::vector<int>>("ints") == std::vector{1, -2, 3});
    CHECK(file.get<std::vector<float>>("floats") == std::vector{0.5F, -1.25F});
    CHECK(file.get<std::vector<bool>>("flags") == std::vector{true, false});
    const auto texts = file.get<io::string_array>("strings");
    CHECK(texts.size() == 44);
    CHECK(texts[0].empty());
    CHECK(texts[2] == "é");
    CHECK(texts[43] == "t39");

    REQUIRE(file.tensors().size() == 5);
    const io::gguf_tensor& f32 = file.tensor("f32");
    CHECK(f32.extents == std::array<std::uint64_t, 4>{3, 2, 1, 1});
    CHECK(f32.rank == 2);
    check_ramp(f32);
    const io::gguf_tensor& rank4 = file.tensor("rank4");
    CHECK(rank4.extents == std::array<std::uint64_t, 4>{4, 3, 1, 2});
    CHECK(io::extents_text(rank4) == "[4 x 3 x 1 x 2]");
    check_ramp(rank4);
    const io::gguf_tensor& q8 = file.tensor("q8_0");
    CHECK(q8.type == tw::dtype::q8_0);
    CHECK(q8.extents == std::array<std::uint64_t, 4>{64, 2, 1, 1});
    CHECK(q8.bytes == 4 * 34);
    const io::gguf_tensor& i32 = file.tensor("i32");
    CHECK(i32.type == tw::dtype::i32);
    CHECK(io::load_unaligned<std::int32_t>(i32.data.data() + 4 * 6) == 6);
    CHECK(file.tensor("f16").type == tw::dtype::f16);
    for(const io::gguf_tensor& tensor: file.tensors()) {
        CHECK(file.find_tensor(tensor.name) == &tensor);
        CHECK(tensor.data.data() == file.part(0).bytes().data() + tensor.offset);
        CHECK(reinterpret_cast<std::uintptr_t>(tensor.data.data()) % 32 == 0);
        file.release(tensor);
    }
    check_ramp(rank4);
}

TEST_CASE("another alignment", "[io][gguf_reader][golden]") {
    const gguf_file file = gguf_file::open(golden + "aligned.gguf");
    CHECK(file.alignment() == 128);
    for(const io::gguf_tensor& tensor: file.tensors()) {
        CHECK(tensor.offset % 128 == 0);
    }
    check_ramp(file.tensor("rank4"));
}

TEST_CASE("all parts of a split model are opened", "[io][gguf_reader][golden]") {
    const gguf_file file = gguf_file::open(golden + "split-00001-of-00003.gguf");
    CHECK(file.parts() == 3);
    CHECK(file.tensors().size() == 5);
    CHECK(file.get<int>("llama.block_count") == 1);
    check_ramp(file.tensor("f32"));
    const io::gguf_tensor& last = file.tensor("rank4");
    CHECK(last.part == 2);
    check_ramp(last);
    CHECK(last.data.data() == file.part(2).bytes().data() + last.offset);
    file.release(last);
    CHECK(file.layout(2).in_order);
    CHECK_THAT(refusal<tw::format_error>([&] { file.refuse(last, "is bad"); }),
               ContainsSubstring("split-00003-of-00003.gguf: tensor 'rank4' at offset " + std::to_string(last.offset) +
                                 ": is bad"));
}

TEST_CASE("a file in memory is read in place, at any address", "[io][gguf_reader]") {
    const std::string text = " " + files::sample_gguf();
    const gguf_file file = gguf_file::from_memory(files::bytes_of(text).subspan(1), "memory");
    CHECK(file.name() == "memory");
    CHECK(file.tensor("second").data.data() == files::bytes_of(text).data() + 1 + file.tensor("second").offset);
    CHECK(refusal<tw::format_error>([&] { (void)file.get<int>("none"); }) == "memory: none: the key is missing");
    CHECK(refusal<tw::format_error>([&] { (void)file.tensor("no\n"); }) == "memory: tensor 'no\\x0a': is missing");
    CHECK(file.find("none") == nullptr);
    CHECK(file.find_tensor("none") == nullptr);
}

TEST_CASE("a key of the wrong type, or a value that does not fit", "[io][gguf_reader]") {
    const std::string text = files::sample_gguf();
    const gguf_file file = gguf_file::from_memory(files::bytes_of(text), "m");
    const auto offset = [&](const char* key) { return std::to_string(file.find(key)->offset()); };
    CHECK(refusal<tw::format_error>([&] { (void)file.get<std::string>("u32"); }) ==
          "m: u32 at offset " + offset("u32") + ": is of type u32, not string");
    CHECK(refusal<tw::format_error>([&] { (void)file.get<float>("u32"); }) ==
          "m: u32 at offset " + offset("u32") + ": is of type u32, not f32");
    CHECK(refusal<tw::format_error>([&] { (void)file.get<std::int32_t>("u32"); }) ==
          "m: u32 at offset " + offset("u32") + ": does not fit in i32");
    CHECK(refusal<tw::format_error>([&] { (void)file.get<io::array_view<std::int16_t>>("numbers"); }) ==
          "m: numbers at offset " + offset("numbers") + ": does not fit in array of i16");
    CHECK(refusal<tw::format_error>([&] { (void)file.get<std::vector<std::string>>("numbers"); }) ==
          "m: numbers at offset " + offset("numbers") + ": is of type array of u16, not array of string");
    CHECK(refusal<tw::format_error>([&] { (void)file.get<float>("f64"); }) ==
          "m: f64 at offset " + offset("f64") + ": does not fit in f32");
    CHECK(refusal<tw::format_error>([&] { file.refuse("u8", "is too small"); }) ==
          "m: u8 at offset " + offset("u8") + ": is too small");
    CHECK(refusal<tw::format_error>([&] { file.refuse("none", "is needed"); }) == "m: none: is needed");

    CHECK(file.get_or<int>("u8", 5) == 200);
    CHECK(file.get_or<int>("none", 5) == 5);
    CHECK(file.get_or<std::string>("none", "x") == "x");
    CHECK_THROWS_AS((void)file.get_or<int>("f32", 5), tw::format_error);
    CHECK(file.get_optional<int>("u8") == 200);
    CHECK(file.get_optional<int>("none") == std::nullopt);
    CHECK_THROWS_AS((void)file.get_optional<int>("u32"), tw::format_error);
    try {
        (void)file.get<bool>("u8");
        FAIL("accepted");
    } catch(const tw::format_error& e) {
        CHECK(e.file() == "m");
        CHECK(e.field() == "u8");
        CHECK(e.offset() == file.find("u8")->offset());
    }
}

TEST_CASE("an open file moves with all that points into it", "[io][gguf_reader]") {
    STATIC_REQUIRE(std::is_nothrow_move_constructible_v<gguf_file>);
    STATIC_REQUIRE(std::is_nothrow_move_assignable_v<gguf_file>);
    STATIC_REQUIRE(!std::is_copy_constructible_v<gguf_file>);
    gguf_file a = gguf_file::open(golden + "values.gguf");
    const io::gguf_tensor* const tensor = a.find_tensor("f32");
    const auto texts = a.get<io::string_array>("strings");
    const gguf_file b = std::move(a);
    CHECK(b.find_tensor("f32") == tensor);
    CHECK(texts[43] == "t39");
    check_ramp(b.tensor("f32"));
}

TEST_CASE("what is no file is refused", "[io][gguf_reader]") {
    CHECK_THROWS_AS((void)gguf_file::open("/dev/zero"), tw::io_error);
    CHECK_THROWS_AS((void)gguf_file::open(golden), tw::io_error);
    CHECK_THROWS_AS((void)gguf_file::open(golden + "none.gguf"), tw::io_error);
    CHECK_THROWS_AS((void)gguf_file::open(golden + "versions.json"), tw::format_error);
    CHECK_THROWS_AS((void)gguf_file::from_memory({}, "nothing"), tw::format_error);
    CHECK_THROWS_AS((void)gguf_file::open(golden + "values.gguf", {.limits = {.metadata_bytes = 100}}),
                    tw::limit_error);
}

TEST_CASE("a sparse file is refused without being read", "[io][gguf_reader]") {
    const files::temporary_folder folder;
    const auto sparse = [&](const std::string& start) {
        files::write(folder / "f", start);
        return ::truncate((folder / "f").c_str(), off_t{1} << 42) == 0;
    };
    if(!sparse("")) {
        return; // this file system has no files of that size
    }
    CHECK_THROWS_AS((void)gguf_file::open(folder / "f"), tw::format_error);
    // 2^38 empty strings, as the file says and has: walking stops at the limit on metadata.
    REQUIRE(sparse(builder{}.gguf(0, 1).text("k").u32(9).u32(8).u64(std::uint64_t{1} << 38).string()));
    const auto open = [&] {
        (void)gguf_file::open(folder / "f", {.mode = io::open_mode::map, .limits = {.metadata_bytes = 1 << 24}});
    };
    CHECK_THROWS_AS(open(), tw::limit_error);
}

TEST_CASE("parts of a split model that do not belong together", "[io][gguf_reader]") {
    const files::temporary_folder folder;
    const auto part = [](std::uint16_t no, std::uint16_t count, std::int32_t total, const std::string& tensor) {
        return builder{}
            .gguf(1, 3)
            .text("split.no")
            .u32(2)
            .number(no)
            .text("split.count")
            .u32(2)
            .number(count)
            .text("split.tensors.count")
            .u32(5)
            .number(total)
            .tensor(tensor, {1}, 0, 0)
            .pad(32)
            .fill(4)
            .string();
    };
    const std::string first = folder / "m-00001-of-00002.gguf";
    const std::string second = folder / "m-00002-of-00002.gguf";
    const auto opening = [](const std::string& path) {
        return refusal<tw::format_error>([&] { (void)gguf_file::open(path); });
    };
    files::write(first, part(0, 2, 2, "a"));
    CHECK_THAT(refusal<tw::io_error>([&] { (void)gguf_file::open(first); }),
               ContainsSubstring("m-00002-of-00002.gguf: cannot open: No such file"));
    files::write(second, part(1, 2, 2, "b"));
    CHECK(gguf_file::open(first).tensors().size() == 2);
    CHECK_THAT(opening(second), ContainsSubstring("split.no at offset 44: this is part 2 of 2; open the first"));

    files::write(second, part(0, 2, 2, "b"));
    CHECK_THAT(opening(first), ContainsSubstring("m-00002-of-00002.gguf: split.no at offset 44: is 0, expected 1"));
    files::write(second, part(1, 3, 2, "b"));
    CHECK_THAT(opening(first), ContainsSubstring("split.count at offset 69: is 3, expected 2"));
    files::write(second, builder{}.gguf(0, 0).string());
    CHECK_THAT(opening(first),
               ContainsSubstring("m-00002-of-00002.gguf: split.no: is missing or no number, expected 1"));
    files::write(second, part(1, 2, 2, "a"));
    CHECK_THAT(opening(first),
               ContainsSubstring("m-00002-of-00002.gguf: tensor 'a'") && ContainsSubstring("the name occurs twice"));
    files::write(second, part(1, 2, 2, "b"));
    files::write(first, part(0, 2, 3, "a"));
    CHECK_THAT(opening(first),
               ContainsSubstring("split.tensors.count at offset 102: is 3, but the parts hold 2 tensors"));

    files::write(folder / "other.gguf", part(0, 2, 2, "a"));
    CHECK_THAT(opening(folder / "other.gguf"),
               ContainsSubstring("split.count at offset 69: is 2, but the file's name does not end in "
                                 "-00001-of-00002.gguf"));
    files::write(folder / "many.gguf", part(0, 5000, 2, "a"));
    CHECK_THAT(opening(folder / "many.gguf"), ContainsSubstring("is 5000, more than the 4096 parts possible"));
    const std::string alone = part(0, 2, 2, "a");
    CHECK_THAT(refusal<tw::format_error>([&] { (void)gguf_file::from_memory(files::bytes_of(alone), "m"); }),
               ContainsSubstring("split.count at offset 69: this is one of 2 parts of a model"));
    // A count of 0 or 1 says that nothing is split.
    const std::string whole = part(0, 1, 1, "a");
    CHECK(gguf_file::from_memory(files::bytes_of(whole), "m").tensors().size() == 1);
}

TEST_CASE("duplicate tensors are refused", "[io][gguf_reader]") {
    const builder b = builder{}.gguf(2, 0).tensor("t", {1}, 0, 0).tensor("t", {1}, 0, 32).pad(32).fill(64);
    CHECK(refusal<tw::format_error>([&] { (void)gguf_file::from_memory(b.bytes(), "m"); }) ==
          "m: tensor 't' at offset 128: the name occurs twice");
}

TEST_CASE("many keys are looked up quickly", "[io][gguf_reader]") {
    builder b;
    constexpr std::uint32_t count = 200'000;
    b.gguf(0, count);
    for(std::uint32_t i = 0; i < count; ++i) {
        b.value_u32("common.prefix.of.every.key." + std::to_string(i * 7919 % count), i);
    }
    const gguf_file file = gguf_file::from_memory(b.bytes(), "m");
    CHECK(file.get<std::uint32_t>("common.prefix.of.every.key.0") == 0);
    CHECK(file.find("common.prefix.of.every.key.200000") == nullptr);
}
