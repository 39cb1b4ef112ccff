#include <tokenworks/runtime/self_check.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <tokenworks/io/gguf_reader.hpp>
#include <tokenworks/io/gguf_writer.hpp>
#include <tokenworks/runtime/forecaster.hpp>
#include <tokenworks/runtime/image_model.hpp>
#include <tokenworks/runtime/mesh_model.hpp>
#include <tokenworks/runtime/protein_model.hpp>
#include <tokenworks/runtime/video_model.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;

namespace {

/// A shipped file with another last value in its expected output.
std::string changed(const files::temporary_folder& folder, const std::string& name, const std::string& key) {
    const auto file = tw::io::gguf_file::open(TOKENWORKS_TEST_MODELS "/" + name);
    tw::io::gguf_writer out;
    out.copy_metadata(file);
    auto output = file.get<std::vector<float>>(key);
    output.back() += 5;
    out.set_array(key, output);
    for(const tw::io::gguf_tensor& tensor: file.tensors()) {
        out.add_tensor(tensor.name, tensor.type, std::span{tensor.extents}.first(tensor.rank), tensor.data);
    }
    out.save(folder / name);
    return folder / name;
}

/// The file as it is loads, a changed one does not, in the way that debug builds load it; others load it.
template <class Model>
void check_kind(const std::string& name, const std::string& key) {
    INFO(name);
    const std::string whole = TOKENWORKS_TEST_MODELS "/" + name;
    CHECK_NOTHROW(Model::load(whole, {.threads = 1, .replay_check = true}));
    const files::temporary_folder folder;
    const std::string path = changed(folder, name, key);
    CHECK_THROWS_AS(Model::load(path, {.threads = 1, .replay_check = true}), tw::format_error);
    CHECK_THROWS_WITH(Model::load(path, {.threads = 1, .replay_check = true}), ContainsSubstring(path) &&
                                                                                   ContainsSubstring("check.output") &&
                                                                                   ContainsSubstring("difference of"));
    const Model model = Model::load(path, {.threads = 1, .replay_check = false});
    CHECK(model.self_check().value() > Model::check_bound.most);
}

} // namespace

TEST_CASE("self check: the largest difference counts what is missing and what is no number", "[runtime]") {
    using list = std::vector<float>;
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const auto largest = [](const list& a, const list& b) { return tw::runtime::largest_difference(a, b); };
    CHECK(largest({1, 2, 3}, {1, 4, 2}) == Approx(2));
    CHECK(largest({}, {}) == 0);
    CHECK(std::isinf(largest({1}, {1, 2})));
    CHECK(std::isinf(largest({1, nan}, {1, 2})));
    CHECK(std::isinf(largest({nan, 1}, {1, 1})));
    CHECK_NOTHROW(tw::runtime::require_checked("a.gguf", 0.5, {0.5, "of it"}));
    CHECK_THROWS_AS(tw::runtime::require_checked("a.gguf", 0.51, {0.5, "of it"}), tw::format_error);
    CHECK_THROWS_AS(tw::runtime::require_checked("a.gguf", std::nan(""), {0.5, "of it"}), tw::format_error);
}

TEST_CASE("self check: loading replays what the file carries, of every kind", "[runtime]") {
    check_kind<tw::forecaster>("forecaster.gguf", "chronos-bolt.check.output");
    check_kind<tw::image_model>("image.gguf", "llamagen.check.output");
    check_kind<tw::mesh_model>("mesh.gguf", "tokenworks.mesh.check.output");
    check_kind<tw::protein_model>("protein.gguf", "tokenworks.protein.check.output");
    check_kind<tw::video_model>("video.gguf", "tokenworks.video.check.output");
}

TEST_CASE("self check: it is replayed where assertions are on, and weights are as they are", "[runtime]") {
    CHECK(tw::load_options{}.replay_check); // tests are compiled without NDEBUG
    CHECK(tw::load_options{}.wants_check());
    CHECK_FALSE(tw::load_options{.replay_check = false}.wants_check());
    CHECK_FALSE(
        tw::load_options{.precision = tw::kernels::matmul_precision::medium, .replay_check = true}.wants_check());
}
