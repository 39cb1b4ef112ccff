#include <tokenworks/models/gguf_source.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/tiny_model.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;
using support::gguf_in_memory;
using writer = tokenworks::io::gguf_writer;

namespace {

/// A file of architecture "x" with whatever else a test sets.
template <class Edit>
gguf_in_memory file_with(Edit&& edit) {
    writer out;
    out.set("general.architecture", "x");
    edit(out);
    return gguf_in_memory{out};
}

/// What a call says that ends with a format_error about the key "x.n".
template <class Call>
std::string refusal(Call&& call) {
    try {
        static_cast<void>(call());
    } catch(const tw::format_error& problem) {
        CHECK(problem.file() == "test.gguf");
        CHECK(problem.field() == "x.n");
        return problem.what();
    } catch(const tw::error& problem) {
        return std::string{"another error: "} + problem.what();
    }
    return "accepted";
}

template <class T>
std::string count_refusal(T value, std::size_t most = 1000) {
    const auto f = file_with([&](writer& out) { out.set("x.n", value); });
    return refusal([&] { return gguf_hyperparameters{f.file}.count("n", most); });
}

} // namespace

TEST_CASE("gguf_source: weights turn their extents around and keep their bytes", "[models]") {
    const std::vector<std::byte> data(34 * 6);
    const auto f = file_with([&](writer& out) {
        out.add_tensor("w", tw::dtype::q8_0, {32, 3, 2}, std::span<const std::byte>{data});
        out.add_tensor("v", tw::dtype::f32, {5}, std::span{data}.first(20));
    });
    const gguf_weights source{f.file};
    CHECK(source.label() == "test.gguf");
    const auto w = source.find("w");
    REQUIRE(w);
    CHECK(w->type == tw::dtype::q8_0);
    CHECK(w->extents == std::vector<std::size_t>{2, 3, 32});
    CHECK(w->bytes.size() == data.size());
    CHECK(w->bytes.data() == f.bytes.data() + w->offset);
    CHECK(source.find("v")->extents == std::vector<std::size_t>{5});
    CHECK_FALSE(source.find("u"));
    source.release(*w); // memory that is not mapped stays
    source.release({});
    try {
        static_cast<void>(require(source, "v", std::array<std::size_t, 1>{6}));
        FAIL("accepted");
    } catch(const tw::format_error& problem) {
        CHECK(problem.offset() == f.file.tensor("v").offset);
        CHECK(problem.file() == "test.gguf");
    }
}

TEST_CASE("gguf_source: counts of every integer type, in range", "[models]") {
    CHECK(count_refusal(std::uint32_t{1}) == "accepted");
    CHECK(count_refusal(std::uint8_t{200}) == "accepted");
    CHECK(count_refusal(std::int16_t{1000}) == "accepted");
    CHECK(count_refusal(std::uint64_t{1000}) == "accepted");
    CHECK_THAT(count_refusal(std::uint32_t{0}), ContainsSubstring("is 0, not in 1..1000"));
    CHECK_THAT(count_refusal(std::uint32_t{1001}), ContainsSubstring("is 1001, not in 1..1000"));
    CHECK_THAT(count_refusal(std::numeric_limits<std::uint64_t>::max()), ContainsSubstring("not in 1..1000"));
    CHECK_THAT(count_refusal(std::int32_t{-1}), ContainsSubstring("does not fit in u64"));
    CHECK_THAT(count_refusal(1.0F), ContainsSubstring("is of type f32, not u64"));
    CHECK_THAT(count_refusal(true), ContainsSubstring("is of type bool, not u64"));

    const auto f = file_with([](writer& out) {
        out.set("x.text", "7");
        out.set_array("x.list", std::vector<std::uint32_t>{7});
        out.set("x.zero", std::uint32_t{0});
        out.set("x.two", std::uint32_t{2});
    });
    const gguf_hyperparameters from{f.file};
    CHECK(from.key("two") == "x.two");
    CHECK(from.has("two"));
    CHECK_FALSE(from.has("three"));
    CHECK(&from.file() == &f.file);
    CHECK(from.count_or("two", 9) == 2);
    CHECK(from.count_or("three", 9) == 9);
    CHECK_THROWS_WITH(from.count("three"), ContainsSubstring("test.gguf: x.three: the key is missing"));
    CHECK_THROWS_WITH(from.count_or("zero", 9), ContainsSubstring("x.zero"));
    CHECK_THROWS_WITH(from.count_or("two", 9, 1), ContainsSubstring("is 2, not in 1..1"));
    CHECK_THROWS_WITH(from.count("text"), ContainsSubstring("is of type string, not u64"));
    CHECK_THROWS_WITH(from.count("list"), ContainsSubstring("is of type array of u32, not u64"));
}

TEST_CASE("gguf_source: counts given once or once a layer", "[models]") {
    const auto of = [](auto&& set) {
        const auto f = file_with(set);
        return refusal([&] {
            const std::size_t count = gguf_hyperparameters{f.file}.uniform_count("n", 3);
            CHECK(count == 4);
            return count;
        });
    };
    using numbers = std::vector<std::uint32_t>;
    CHECK(of([](writer& out) { out.set("x.n", std::uint32_t{4}); }) == "accepted");
    CHECK(of([](writer& out) { out.set_array("x.n", numbers{4, 4, 4}); }) == "accepted");
    CHECK(of([](writer& out) { out.set_array("x.n", std::vector<std::int64_t>{4, 4, 4}); }) == "accepted");
    CHECK_THAT(of([](writer&) {}), ContainsSubstring("the key is missing"));
    CHECK_THAT(of([](writer& out) {
                   out.set_array("x.n", numbers{4, 4});
               }),
               ContainsSubstring("has 2 entries for 3 layers"));
    CHECK_THAT(of([](writer& out) { out.set_array("x.n", numbers{}); }),
               ContainsSubstring("has 0 entries for 3 layers"));
    CHECK_THAT(of([](writer& out) { out.set_array("x.n", numbers{4, 4, 4, 4}); }), ContainsSubstring("has 4 entries"));
    CHECK(of([](writer& out) {
              out.set_array("x.n", numbers{4, 8, 4});
          }) == "another error: test.gguf: x.n: layers of different width");
    CHECK_THAT(of([](writer& out) { out.set_array("x.n", numbers{0, 0, 0}); }), ContainsSubstring("is 0, not in 1.."));
    CHECK_THAT(of([](writer& out) {
                   out.set_array("x.n", std::vector<std::int32_t>{-4, -4, -4});
               }),
               ContainsSubstring("does not fit"));
    CHECK_THAT(of([](writer& out) {
                   out.set_array("x.n", std::vector<float>{4, 4, 4});
               }),
               ContainsSubstring("is of type array of f32"));
    CHECK_THAT(of([](writer& out) {
                   out.set_array("x.n", std::vector<std::string>{"4", "4", "4"});
               }),
               ContainsSubstring("is of type array of string"));
}

TEST_CASE("gguf_source: real numbers are finite", "[models]") {
    const auto real = [](auto value) {
        const auto f = file_with([&](writer& out) { out.set("x.n", value); });
        return refusal([&] { return gguf_hyperparameters{f.file}.real("n"); });
    };
    CHECK(real(1.5F) == "accepted");
    CHECK(real(-1.5) == "accepted");
    CHECK_THAT(real(std::numeric_limits<float>::quiet_NaN()), ContainsSubstring("is not a finite number"));
    CHECK_THAT(real(std::numeric_limits<float>::infinity()), ContainsSubstring("is not a finite number"));
    CHECK_THAT(real(-std::numeric_limits<double>::infinity()), ContainsSubstring("is not a finite number"));
    CHECK_THAT(real(1e300), ContainsSubstring("does not fit in f32"));
    CHECK_THAT(real(std::uint32_t{1}), ContainsSubstring("is of type u32, not f32"));

    const auto f = file_with([](writer& out) {
        out.set("x.half", 0.5F);
        out.set("x.text", "words");
        out.set("x.nan", std::numeric_limits<float>::quiet_NaN());
    });
    const gguf_hyperparameters from{f.file};
    CHECK(from.real_or("half", 2) == 0.5F);
    CHECK(from.real_or("none", 2) == 2.0F);
    CHECK_THROWS_AS(from.real_or("nan", 2), tw::format_error);
    CHECK_THROWS_AS(from.real("none"), tw::format_error);
    CHECK(from.text_or("text", "other") == "words");
    CHECK(from.text_or("none", "other") == "other");
    CHECK_THROWS_WITH(from.text_or("half", "other"), ContainsSubstring("is of type f32, not string"));
    CHECK_THROWS_WITH(from.refuse("half", "is odd"),
                      ContainsSubstring("test.gguf: x.half at offset ") && ContainsSubstring("is odd"));
}

TEST_CASE("gguf_source: the vocabulary's size, from its own key, the tokens, or the embedding", "[models]") {
    const std::vector<std::string> tokens{"a", "b", "c"};
    const std::vector<std::byte> data(4 * 7 * 4);
    const auto size_of = [&](bool key, bool list, bool tensor) {
        const auto f = file_with([&](writer& out) {
            if(key) {
                out.set("x.vocab_size", std::uint32_t{5});
            }
            if(list) {
                out.set_array("tokenizer.ggml.tokens", tokens);
            }
            if(tensor) {
                out.add_tensor("token_embd.weight", tw::dtype::f32, {4, 7}, std::span<const std::byte>{data});
            }
        });
        return gguf_hyperparameters{f.file}.vocab_size();
    };
    CHECK(size_of(true, true, true) == 5);
    CHECK(size_of(false, true, true) == 3);
    CHECK(size_of(false, false, true) == 7);
    CHECK_THROWS_WITH(size_of(false, false, false),
                      ContainsSubstring("token_embd.weight") && ContainsSubstring("missing"));
    const auto wrong = file_with([](writer& out) { out.set_array("tokenizer.ggml.tokens", std::vector<float>{1}); });
    CHECK_THROWS_AS(gguf_hyperparameters{wrong.file}.vocab_size(), tw::format_error);
}

TEST_CASE("gguf_source: keys of the tokenizer, and this library's own, stand below no architecture", "[models]") {
    const auto f = file_with([](writer& out) {
        out.set("tokenizer.ggml.token_type_count", std::uint32_t{3});
        out.set("tokenworks.normalize", true);
        out.set("x.tokenworks.max_tokens", std::uint32_t{4});
    });
    const gguf_hyperparameters from{f.file};
    CHECK(from.count("tokenizer.ggml.token_type_count") == 3);
    CHECK(from.flag("tokenworks.normalize"));
    CHECK_FALSE(from.has("tokenworks.max_tokens"));
    CHECK(from.key("block_count") == "x.block_count");
}

TEST_CASE("gguf_source: a file without an architecture", "[models]") {
    writer out;
    out.set("x.n", std::uint32_t{1});
    const gguf_in_memory f{out};
    CHECK_THROWS_WITH(gguf_hyperparameters{f.file}, ContainsSubstring("general.architecture"));
}
