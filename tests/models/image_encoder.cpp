#include <tokenworks/models/image_encoder.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/models/encoder.hpp>
#include <tokenworks/models/model_folder.hpp>

#include "io/files.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/image_golden.hpp"
#include "support/kernels.hpp"
#include "support/opened_model.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;
using support::family_golden;
using support::golden_images;

namespace {

const std::string group = "image_encoders";

/// A few hundred float operations away from the weights, as in families.cpp.
constexpr double bound = 1e-5;

struct opened: support::opened_model<image_encoder> {
    using opened_model::opened_model;

    [[nodiscard]] golden_images images(const std::vector<std::string>& names = {"pixels 0", "pixels 1"}) const {
        return {*model->config().image, names};
    }
};

/// Logits of labels, or what the pooled row is.
std::vector<float> outputs(const image_encoder& model, const golden_images& images, const tw::execution& how = {}) {
    tw::nn::context c{how};
    const std::size_t width = model.labels() != 0 ? model.labels() : model.pooled_width();
    std::vector<float> values(images.count * width);
    const tw::nn::rows out{values.data(), images.count, width};
    if(model.labels() != 0) {
        model.forward_labels(c, images.view(), out);
    } else {
        model.forward_pooled(c, images.view(), out);
    }
    return values;
}

} // namespace

TEST_CASE("image_encoder: the outputs of transformers, with weights of every plain type", "[models]") {
    for(const std::string name: {"vit", "vit_pooled"}) {
        const family_golden golden{name, group};
        for(const tw::dtype type: {tw::dtype::f32, tw::dtype::f16, tw::dtype::bf16}) {
            INFO(name << " " << tw::info(type).name);
            const opened o{golden, type};
            support::for_each_isa(
                [&](const tw::execution& how) { CHECK(golden.worst(outputs(*o.model, o.images(), how)) < bound); });
        }
    }
}

TEST_CASE("image_encoder: rows of patches, of images and patches that are no squares", "[models]") {
    const family_golden golden{"vit_pooled", group};
    const opened o{golden};
    CHECK(o.model->rows_per_image() == 7);
    CHECK(o.model->width() == 18);
    CHECK(o.model->labels() == 0);
    const golden_images images = o.images();
    tw::nn::context c;
    std::vector<float> hidden(2 * 7 * 18);
    o.model->forward(c, images.view(), tw::nn::rows{hidden.data(), std::size_t{14}, std::size_t{18}});
    const std::vector<float> expected = family_golden::flat(golden.more.at("hidden"));
    CHECK(family_golden::worst(std::span{hidden}.subspan(7 * 18), expected) < bound);
}

TEST_CASE("image_encoder: an image has the same bits on every team and in every company", "[models]") {
    for(const std::string name: {"vit", "vit_pooled"}) {
        INFO(name);
        const opened o{family_golden{name, group}, tw::dtype::bf16};
        const std::vector<float> expected = outputs(*o.model, o.images({"pixels 1"}));
        for(const unsigned threads: {1U, 2U, 3U}) {
            tw::thread_team team{threads};
            const std::vector<float> all =
                outputs(*o.model, o.images({"pixels 0", "pixels 1", "pixels 2", "pixels 3"}), {.threads = &team});
            CHECK(support::same_bits(std::span{all}.subspan(expected.size(), expected.size()), expected));
        }
        CHECK(outputs(*o.model, o.images({})).empty());
    }
}

TEST_CASE("image_encoder: later steps allocate nothing", "[models]") {
    const opened o{family_golden{"vit", group}};
    const golden_images images = o.images();
    tw::nn::context c;
    std::vector<float> logits(2 * 7);
    const auto step = [&] {
        o.model->forward_labels(c, images.view(), tw::nn::rows{logits.data(), std::size_t{2}, std::size_t{7}});
    };
    step();
    step();
    CHECK(support::allocations_during(step) == 0);
}

TEST_CASE("image_encoder: what does not fit is refused", "[models]") {
    const opened o{family_golden{"vit", group}};
    const golden_images images = o.images();
    tw::nn::context c;
    std::vector<float> values(4 * 18);
    const tw::nn::rows logits{values.data(), std::size_t{2}, std::size_t{7}};
    const tw::nn::images turned{images.values.data(), std::size_t{2}, std::size_t{15}, std::size_t{15}, std::size_t{3}};
    CHECK_THROWS_WITH(o.model->forward_labels(c, turned, logits),
                      ContainsSubstring("images: [2,15,15,3], expected [N,3,15,15]"));
    CHECK_THROWS_WITH(o.model->forward_pooled(c, images.view(), logits),
                      ContainsSubstring("the result is [2,7], expected [2,18]"));
    CHECK_THROWS_WITH(o.model->forward(c, images.view(), logits), ContainsSubstring("expected [20,18]"));
    CHECK_THROWS_AS((encoder{o.files->config(), o.files->weights()}), tw::unsupported_error);
    const opened other{family_golden{"vit_pooled", group}};
    const golden_images of_two = other.images();
    CHECK_THROWS_WITH(other.model->forward_labels(c, of_two.view(), logits), ContainsSubstring("no head for labels"));

    model_config config = o.files->config();
    config.image.reset();
    config.vocab_size = 3;
    CHECK_THROWS_AS((image_encoder{config, o.files->weights()}), tw::unsupported_error);
    const auto refuses = [&](auto change, const char* what) {
        model_config wrong = o.files->config();
        change(wrong);
        CHECK_THROWS_WITH(wrong.validate(), ContainsSubstring(what));
    };
    refuses([](model_config& m) { m.image->patch_width = 16; }, "patches of 5 x 16 in images of 15 x 15");
    refuses([](model_config& m) { m.context_length = 11; }, "context_length 11");
    refuses([](model_config& m) { m.causal = true; }, "images need an encoder with learned positions");
    refuses([](model_config& m) { m.image->channels = 0; }, "image.channels is 0");
}

TEST_CASE("image_encoder: sizes that config.json may not have", "[models]") {
    const auto refuses = [](const char* key, const nlohmann::json& value, const char* what) {
        family_golden golden{"vit", group};
        golden.config[key] = value;
        const files::temporary_folder folder;
        golden.write_to(folder.string(), tw::dtype::f32);
        INFO(key);
        CHECK_THROWS_WITH(model_folder::open(folder.string()), ContainsSubstring(key) && ContainsSubstring(what));
    };
    refuses("image_size", 0, "is no size in 1..65536");
    refuses("image_size", {1, 2, 3}, "or a pair of such");
    refuses("patch_size", {16, 5}, "is larger than the image");
    refuses("patch_size", "5", "patch_size");
    refuses("num_channels", 0, "not in 1..4096");
    refuses("hidden_act", "softly", "softly");
    refuses("num_attention_heads", 4, "does not divide the width 18");
}
