#include <tokenworks/models/gguf_vocabulary.hpp>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/tiny_model.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;
using support::gguf_in_memory;
using writer = tokenworks::io::gguf_writer;

namespace {

template <class Edit>
gguf_in_memory file_with(Edit&& edit) {
    writer out;
    edit(out);
    return gguf_in_memory{out};
}

template <class Edit>
std::string refusal(Edit&& edit) {
    const auto f = file_with([&](writer& out) {
        out.set("tokenizer.ggml.model", "gpt2");
        edit(out);
    });
    try {
        static_cast<void>(vocabulary_of(f.file));
    } catch(const tw::format_error& problem) {
        CHECK(problem.file() == "test.gguf");
        return problem.what();
    }
    return "accepted";
}

/// The end token's id as a file of this value gives it; the other special ids go the same way.
template <class T>
std::optional<std::uint32_t> eos_of(T value) {
    const auto f = file_with([&](writer& out) {
        out.set("tokenizer.ggml.model", "gpt2");
        out.set("tokenizer.ggml.eos_token_id", value);
    });
    return vocabulary_of(f.file).eos;
}

} // namespace

TEST_CASE("gguf_vocabulary: whether there is one", "[models]") {
    CHECK_FALSE(has_vocabulary(file_with([](writer&) {}).file));
    for(const char* none: {"none", "no_vocab"}) {
        CHECK_FALSE(has_vocabulary(file_with([&](writer& out) { out.set("tokenizer.ggml.model", none); }).file));
    }
    // A model that is not known is there all the same: the tokenizer refuses it by name.
    for(const char* some: {"gpt2", "llama", "wordpiece"}) {
        CHECK(has_vocabulary(file_with([&](writer& out) { out.set("tokenizer.ggml.model", some); }).file));
    }
    const auto wrong = file_with([](writer& out) { out.set("tokenizer.ggml.model", std::uint32_t{1}); });
    CHECK_THROWS_WITH(has_vocabulary(wrong.file),
                      ContainsSubstring("tokenizer.ggml.model") && ContainsSubstring("is of type u32, not string"));
}

TEST_CASE("gguf_vocabulary: every entry is handed on", "[models]") {
    const auto f = file_with([](writer& out) {
        out.set("general.name", "A model");
        out.set("tokenizer.ggml.model", "llama");
        out.set("tokenizer.ggml.pre", "default");
        out.set_array("tokenizer.ggml.tokens", std::vector<std::string>{"<s>", "a", ""});
        out.set_array("tokenizer.ggml.merges", std::vector<std::string>{"a b"});
        out.set_array("tokenizer.ggml.scores", std::vector<float>{0, -1, -2});
        out.set_array("tokenizer.ggml.token_type", std::vector<std::int32_t>{3, 1, 5});
        const char* names[] = {"bos", "eos", "eot", "eom", "unknown", "seperator", "padding", "mask"};
        for(std::uint32_t i = 0; i < 8; ++i) {
            out.set(std::string{"tokenizer.ggml."} + names[i] + "_token_id", i);
        }
        out.set("tokenizer.ggml.add_bos_token", true);
        out.set("tokenizer.ggml.add_eos_token", false);
        out.set("tokenizer.ggml.add_space_prefix", true);
        out.set("tokenizer.ggml.add_sep_token", false);
        out.set("tokenizer.ggml.remove_extra_whitespaces", true);
        out.set("tokenizer.ggml.normalizer.lowercase", false);
        out.set("tokenizer.ggml.normalizer.strip_accents", true);
        out.set_array("tokenizer.ggml.precompiled_charsmap", std::vector<std::uint8_t>{1, 0, 255});
    });
    const tw::codec::vocabulary_data data = vocabulary_of(f.file);
    CHECK(data.add_sep == false);
    CHECK(data.remove_extra_blanks == true);
    CHECK(data.lowercase == false);
    CHECK(data.strip_accents == true);
    CHECK(data.charsmap == std::string("\x01\x00\xFF", 3));
    CHECK(data.name == "test.gguf");
    CHECK(data.model == "llama");
    CHECK(data.pre == "default");
    CHECK(data.general_name == "A model");
    CHECK(data.tokens == std::vector<std::string_view>{"<s>", "a", ""});
    CHECK(data.merges == std::vector<std::string_view>{"a b"});
    CHECK(data.scores == std::vector<float>{0, -1, -2});
    CHECK(data.types == std::vector<std::int32_t>{3, 1, 5});
    const std::optional<std::uint32_t> ids[] = {data.bos, data.eos, data.eot, data.eom,
                                                data.unk, data.sep, data.pad, data.mask};
    for(std::uint32_t i = 0; i < 8; ++i) {
        CHECK(ids[i] == i);
    }
    CHECK(data.add_bos == true);
    CHECK(data.add_eos == false);
    CHECK(data.add_space_prefix == true);
}

TEST_CASE("gguf_vocabulary: entries that are absent", "[models]") {
    const auto f = file_with([](writer& out) { out.set("tokenizer.ggml.model", "gpt2"); });
    const tw::codec::vocabulary_data data = vocabulary_of(f.file);
    CHECK(data.pre.empty());
    CHECK(data.general_name.empty());
    CHECK(data.tokens.empty());
    CHECK(data.merges.empty());
    CHECK(data.scores.empty());
    CHECK(data.types.empty());
    for(const auto& id: {data.bos, data.eos, data.eot, data.eom, data.unk, data.sep, data.pad, data.mask}) {
        CHECK_FALSE(id);
    }
    CHECK_FALSE(data.add_bos);
    CHECK_FALSE(data.add_space_prefix);
    CHECK_FALSE(data.add_sep);
    CHECK_FALSE(data.lowercase);
    CHECK(data.charsmap.empty());
    CHECK_THROWS_WITH(vocabulary_of(file_with([](writer&) {}).file), ContainsSubstring("tokenizer.ggml.model"));
}

TEST_CASE("gguf_vocabulary: the tokens to fill in the middle have two names; the newer counts", "[models]") {
    using ids = std::vector<std::optional<std::uint32_t>>;
    const auto read = [](std::initializer_list<std::string> names) {
        const auto f = file_with([&](writer& out) {
            out.set("tokenizer.ggml.model", "gpt2");
            std::uint32_t id = 10;
            for(const std::string& name: names) {
                out.set("tokenizer.ggml." + name + "_token_id", id++);
            }
        });
        const tw::codec::vocabulary_data data = vocabulary_of(f.file);
        return ids{data.fim_prefix, data.fim_suffix, data.fim_middle};
    };
    CHECK(read({"fim_pre", "fim_suf", "fim_mid"}) == ids{10, 11, 12});
    CHECK(read({"prefix", "suffix", "middle"}) == ids{10, 11, 12});
    CHECK(read({"prefix", "suffix", "middle", "fim_pre", "fim_suf", "fim_mid"}) == ids{13, 14, 15});
    CHECK(read({"suffix"}) == ids{std::nullopt, 10, std::nullopt});
}

TEST_CASE("gguf_vocabulary: special ids of any integer type; -1 and 2^32-1 are none", "[models]") {
    CHECK(eos_of(std::uint32_t{7}) == 7U);
    CHECK(eos_of(std::int32_t{7}) == 7U);
    CHECK(eos_of(std::uint8_t{7}) == 7U);
    CHECK(eos_of(std::uint64_t{7}) == 7U);
    CHECK(eos_of(std::uint32_t{4294967294U}) == 4294967294U); // for the tokenizer to refuse
    CHECK_FALSE(eos_of(std::int32_t{-1}));
    CHECK_FALSE(eos_of(std::int64_t{-1}));
    CHECK_FALSE(eos_of(std::int8_t{-1}));
    CHECK_FALSE(eos_of(std::numeric_limits<std::uint32_t>::max()));
    CHECK_FALSE(eos_of(std::uint64_t{4294967295U}));
    CHECK_THROWS_WITH(eos_of(std::int32_t{-2}),
                      ContainsSubstring("tokenizer.ggml.eos_token_id") && ContainsSubstring("does not fit in u32"));
    CHECK_THROWS_AS(eos_of(std::uint64_t{1} << 32), tw::format_error);
    CHECK_THROWS_AS(eos_of(std::numeric_limits<std::uint64_t>::max()), tw::format_error);
    CHECK_THROWS_WITH(eos_of(1.0F), ContainsSubstring("is of type f32"));
    CHECK_THROWS_AS(eos_of(true), tw::format_error);
}

TEST_CASE("gguf_vocabulary: entries of a wrong type", "[models]") {
    CHECK(refusal([](writer&) {}) == "accepted");
    const auto number = [](const std::string& key) {
        return refusal([&](writer& out) { out.set(key, std::uint32_t{1}); });
    };
    for(const std::string key: {"tokenizer.ggml.pre", "general.name", "tokenizer.ggml.tokens", "tokenizer.ggml.merges",
                                "tokenizer.ggml.scores", "tokenizer.ggml.token_type", "tokenizer.ggml.add_bos_token",
                                "tokenizer.ggml.add_eos_token", "tokenizer.ggml.add_space_prefix"}) {
        CHECK_THAT(number(key), ContainsSubstring("test.gguf: " + key) && ContainsSubstring("is of type u32, not "));
    }
    CHECK_THAT(refusal([](writer& out) { out.set_array("tokenizer.ggml.tokens", std::vector<float>{1}); }),
               ContainsSubstring("is of type array of f32, not array of string"));
    CHECK_THAT(refusal([](writer& out) { out.set_array("tokenizer.ggml.scores", std::vector<std::int32_t>{1}); }),
               ContainsSubstring("is of type array of i32, not array of f32"));
    CHECK_THAT(refusal([](writer& out) { out.set_array("tokenizer.ggml.token_type", std::vector<float>{1}); }),
               ContainsSubstring("is of type array of f32, not array of i32"));
    CHECK_THAT(refusal([](writer& out) {
                   out.set_array("tokenizer.ggml.token_type", std::vector<std::uint32_t>{4294967295U});
               }),
               ContainsSubstring("does not fit"));
}

TEST_CASE("gguf_vocabulary: the table of characters is bytes", "[models]") {
    const auto with = [](auto values) {
        return refusal([&](writer& out) { out.set_array("tokenizer.ggml.precompiled_charsmap", values); });
    };
    CHECK(with(std::vector<std::int8_t>{1, -1}) == "accepted");
    CHECK_THAT(with(std::vector<std::int32_t>{1}),
               ContainsSubstring("tokenizer.ggml.precompiled_charsmap") && ContainsSubstring("not array of u8"));
    CHECK_THAT(refusal([](writer& out) { out.set("tokenizer.ggml.precompiled_charsmap", "abc"); }),
               ContainsSubstring("not array of u8"));
}
