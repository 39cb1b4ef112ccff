#include <tokenworks/models/tokenizer_folder.hpp>

#include <fstream>
#include <string>
#include <vector>

#include "io/files.hpp"
#include "models/tokenizer_golden.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
using namespace tokenworks::codec;
using tokenworks::models::tokenizer_of;

namespace {

void write(const std::string& path, const std::string& text) { std::ofstream{path, std::ios::binary} << text; }

const std::string added = R"(,"single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true})";
const std::string document = R"({"added_tokens":[{"id":3,"content":"<s>")" + added + R"(,{"id":4,"content":"</s>")" +
                             added + R"(,{"id":5,"content":"<end>")" + added +
                             R"(],"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":[["a","b"]]}})";

} // namespace

TEST_CASE("tokenizer_folder: the tokens that begin and end a text come from the files beside", "[models]") {
    const files::temporary_folder folder;
    write(folder / "tokenizer.json", document);
    const tokenizer alone = tokenizer_of(folder.string());
    CHECK_FALSE(alone.bos());
    CHECK_FALSE(alone.eos());
    CHECK(alone.is_end(4)); // known by its spelling
    CHECK_FALSE(alone.is_end(5));

    write(folder / "tokenizer_config.json",
          R"({"bos_token":"<s>","eos_token":{"content":"</s>","lstrip":false},"pad_token":null,
        "model_max_length":1000000000000000019884624838656,"add_bos_token":true})");
    const tokenizer told = tokenizer_of(folder.string());
    CHECK(told.bos() == 3);
    CHECK(told.eos() == 4);
    CHECK(told.is_end(4));
    CHECK_FALSE(told.is_end(5));
    CHECK(tokenizer_of(folder / "tokenizer.json").bos() == 3);

    write(folder / "config.json", R"({"eos_token_id":3})");
    CHECK(tokenizer_of(folder.string()).is_end(3));
    write(folder / "generation_config.json", R"({"eos_token_id":[4,5,77]})"); // counts before config.json
    const tokenizer generating = tokenizer_of(folder.string());
    CHECK(generating.is_end(5));
    CHECK_FALSE(generating.is_end(3));
    CHECK_FALSE(generating.is_end(77));
    write(folder / "generation_config.json", R"({"eos_token_id":-1})");
    CHECK_NOTHROW(tokenizer_of(folder.string()));
}

TEST_CASE("tokenizer_folder: special_tokens_map.json fills what tokenizer_config.json leaves out", "[models]") {
    const files::temporary_folder folder;
    write(folder / "tokenizer.json", document);
    write(folder / "tokenizer_config.json", R"({"bos_token":"<s>"})");
    write(folder / "special_tokens_map.json", R"({"bos_token":"a","eos_token":"<end>","unk_token":"not there"})");
    const tokenizer tokens = tokenizer_of(folder.string());
    CHECK(tokens.bos() == 3);
    CHECK(tokens.eos() == 5);
    CHECK_FALSE(tokens.vocabulary().unk());
}

TEST_CASE("tokenizer_folder: a folder with tokenizer.model only", "[models]") {
    const files::temporary_folder folder;
    std::filesystem::copy_file(tokenizer_golden::path("sp_bpe.model"), folder / "tokenizer.model");
    const tokenizer usual = tokenizer_of(folder.string());
    const auto ids = usual.encode("a", {.add_special = true});
    CHECK(ids.front() == usual.bos());
    write(folder / "tokenizer_config.json", R"({"add_bos_token":false,"add_eos_token":true})");
    const tokenizer other = tokenizer_of(folder.string());
    CHECK(other.encode("a", {.add_special = true}).back() == other.eos());
    CHECK(other.encode("a", {.add_special = true}).front() != other.bos());
}

TEST_CASE("tokenizer_folder: what is missing or malformed names its file", "[models]") {
    const files::temporary_folder folder;
    CHECK(files::refusal<tw::io_error>([&] { static_cast<void>(tokenizer_of(folder.string())); }) ==
          folder.string() + ": holds neither tokenizer.json nor tokenizer.model");
    CHECK_THROWS_AS(tokenizer_of(folder / "nothing.json"), tw::io_error);
    write(folder / "tokenizer.json", document);
    write(folder / "tokenizer_config.json", R"({"bos_token":7})");
    CHECK(files::refusal<tw::format_error>([&] { static_cast<void>(tokenizer_of(folder.string())); }) ==
          folder / "tokenizer_config.json" + ": bos_token: is a whole number, not a string");
    write(folder / "tokenizer_config.json", "{");
    CHECK_THROWS_AS(tokenizer_of(folder.string()), tw::format_error);
    write(folder / "tokenizer_config.json", "{}");
    write(folder / "generation_config.json", R"({"eos_token_id":["x"]})");
    CHECK(files::refusal<tw::format_error>([&] { static_cast<void>(tokenizer_of(folder.string())); }) ==
          folder / "generation_config.json" + ": eos_token_id: is a string, not a whole number");
}
