#include <tokenworks/models/video.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <tokenworks/io/gguf_reader.hpp>
#include <tokenworks/models/decoder.hpp>
#include <tokenworks/models/model_files.hpp>
#include <tokenworks/models/model_folder.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/exported_file.hpp"
#include "support/family_golden.hpp"
#include "support/kernels.hpp"
#include "support/opened_model.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;
using support::family_golden;

TEST_CASE("video: the logits of torch, however the frames are cut into steps", "[models]") {
    const family_golden golden{"video", "videos"};
    const support::opened_model<decoder> o{golden, tw::dtype::f32};
    CHECK(o.model->vocab_size() == 22);
    support::for_each_isa([&](const tw::execution& how) {
        for(const std::size_t chunk: {std::size_t{1}, std::size_t{4}, golden.ids.size()}) {
            CHECK(golden.worst(support::all_logits(*o.model, golden.ids, chunk, how)) < 1e-5);
        }
    });
}

TEST_CASE("video: a GGUF file says what its folder says", "[models]") {
    const family_golden golden{"video", "videos"};
    const support::opened_model<decoder> o{golden, tw::dtype::f32};
    const std::string path = support::export_folder(o.folder.string());
    const model_files files = model_files::open(path);
    CHECK(files.config() == o.files->config());
    REQUIRE(files.config().video);
    CHECK(files.config().video->cells() == 6);
    CHECK(files.config().video->classes == std::vector<std::string>{"up", "down"});
    const decoder model{files.config(), files.weights()};
    CHECK(golden.worst(support::all_logits(model, golden.ids, 4, {})) < 1e-5);
    // Codes are bytes of pixels: no type of a matrix changes them.
    const tw::io::gguf_file small = tw::io::gguf_file::open(support::export_folder(o.folder.string(), "q8_0"));
    for(const tw::io::gguf_tensor& tensor: small.tensors()) {
        if(tensor.name == "video.codebook.weight" || tensor.name == "position_embd.weight") {
            CHECK(tensor.type == tw::dtype::f32);
        }
    }
}

TEST_CASE("video: a configuration that does not fit is refused by its key", "[models]") {
    const auto refusal = [&](const char* key, const nlohmann::json& value) {
        family_golden changed{"video", "videos"};
        if(value.is_null()) {
            changed.config.erase(key);
        } else {
            changed.config[key] = value;
        }
        const files::temporary_folder folder;
        changed.write_to(folder.string(), tw::dtype::f32);
        return files::refusal<tw::error>([&] { static_cast<void>(model_folder::open(folder.string())); });
    };
    CHECK_THAT(refusal("tokenworks_video_codes", 21), ContainsSubstring("tokenworks_video_codes"));
    CHECK_THAT(refusal("tokenworks_video_frames", 4), ContainsSubstring("max_position_embeddings"));
    CHECK_THAT(refusal("tokenworks_video_frames", 1), ContainsSubstring("no room"));
    CHECK_THAT(refusal("tokenworks_video_rows", nullptr), ContainsSubstring("tokenworks_video_rows"));
    CHECK_THAT(refusal("tokenworks_video_rows", 0), ContainsSubstring("tokenworks_video_rows"));
    CHECK_THAT(refusal("tokenworks_video_channels", 2), ContainsSubstring("not 1 or 3"));
    CHECK_THAT(refusal("tokenworks_video_patch", 5000), ContainsSubstring("tokenworks_video_patch"));
    family_golden wide{"video", "videos"};
    wide.config.update({{"tokenworks_video_patch", 4096}, {"tokenworks_video_rows", 5}});
    const files::temporary_folder folder;
    wide.write_to(folder.string(), tw::dtype::f32);
    CHECK_THROWS_WITH(model_folder::open(folder.string()), ContainsSubstring("more than 16384 a side"));
    CHECK_THAT(refusal("tokenworks_video_classes", nlohmann::json::array()), ContainsSubstring("classes"));
    CHECK_THAT(refusal("tokenworks_video_rope_sections", {1, 2}), ContainsSubstring("not 3"));
    CHECK_THAT(refusal("tokenworks_video_rope_sections", {1, 2, 4}), ContainsSubstring("sections that are 6 pairs"));
}
