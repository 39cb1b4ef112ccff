#include <tokenworks/models/model_files.hpp>

#include <filesystem>
#include <string>
#include <utility>

#include <tokenworks/io/gguf_writer.hpp>
#include <tokenworks/models/export_gguf.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/model_folders.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;
using support::family_golden;

TEST_CASE("model_files: a folder and the GGUF file of it say the same", "[models]") {
    const files::temporary_folder place;
    const std::string folder = place.string() + "/model";
    std::filesystem::create_directory(folder);
    support::write_model_folder(folder, family_golden{"bert", "encoders"}, "bert", 710);
    const model_files of_folder = model_files::open(folder);
    REQUIRE(of_folder.folder() != nullptr);
    CHECK(of_folder.gguf() == nullptr);

    const std::string file = place.string() + "/model.gguf";
    tw::io::gguf_writer out;
    export_gguf(*of_folder.folder(), quantization::named("f32"), out);
    out.save(file);
    model_files opened = model_files::open(file);
    const model_files of_file = std::move(opened);
    REQUIRE(of_file.gguf() != nullptr);
    CHECK(of_file.folder() == nullptr);
    CHECK(of_file.path() == file);
    CHECK(of_file.config().width == of_folder.config().width);
    CHECK(of_file.config().vocab_size == 710);
    CHECK_FALSE(of_file.encoder_config());
    CHECK(of_file.parameters().label() == file);
    CHECK(of_file.weight_bytes() > 0);
    CHECK(of_file.weights().describe("blk.0.attn_q.weight"));
    CHECK(of_file.names().gguf);
    CHECK(of_folder.names().folder);
    CHECK_FALSE(of_folder.names().gguf);
    CHECK(of_folder.tokenizer()->vocab_size() == 700);
    CHECK(of_file.tokenizer()->vocab_size() == 700);
    CHECK_FALSE(of_file.embedding_options().normalize);
    CHECK(of_file.classifier_input().types);
}

TEST_CASE("model_files: what is not there, or no model", "[models]") {
    const files::temporary_folder place;
    CHECK_THROWS_AS(model_files::open(place.string()), tw::io_error);
    CHECK_THROWS_AS(model_files::open(place.string() + "/none.gguf"), tw::io_error);
    tw::io::gguf_writer out;
    out.set("general.architecture", "unheard-of");
    const std::string file = place.string() + "/odd.gguf";
    out.save(file);
    CHECK_THROWS_WITH(model_files::open(file), ContainsSubstring("unheard-of"));
}
