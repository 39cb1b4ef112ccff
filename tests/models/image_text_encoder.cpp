#include <tokenworks/models/image_text_encoder.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/models/model_folder.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/image_golden.hpp"
#include "support/kernels.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;
using support::family_golden;
using support::golden_images;

namespace {

const std::string group = "image_encoders";
constexpr double bound = 1e-5;

struct opened {
    files::temporary_folder folder;
    std::optional<model_folder> files;
    std::optional<image_text_encoder> model;
    std::vector<std::vector<std::int32_t>> ids;
    std::vector<std::span<const std::int32_t>> texts;

    explicit opened(const family_golden& golden, tw::dtype type = tw::dtype::f32)
        : ids{golden.more.at("texts").get<std::vector<std::vector<std::int32_t>>>()}, texts{ids.begin(), ids.end()} {
        golden.write_to(folder.string(), type);
        files.emplace(model_folder::open(folder.string()));
        model.emplace(files->config(), *files->encoder_config(), files->weights());
    }

    [[nodiscard]] std::vector<float> images(const std::vector<std::string>& names,
                                            const tw::execution& how = {}) const {
        const golden_images of{*model->images().config().image, names};
        tw::nn::context c{how};
        std::vector<float> out(names.size() * model->width());
        model->embed_images(c, of.view(), tw::nn::rows{out.data(), names.size(), model->width()});
        return out;
    }
    [[nodiscard]] std::vector<float> vectors(std::span<const std::span<const std::int32_t>> of,
                                             const tw::execution& how = {}) const {
        tw::nn::context c{how};
        std::vector<float> out(of.size() * model->width());
        model->embed_texts(c, of, tw::nn::rows{out.data(), of.size(), model->width()});
        return out;
    }
};

} // namespace

TEST_CASE("image_text_encoder: vectors and logits of transformers, with weights of every plain type", "[models]") {
    for(const std::string name: {"clip", "clip_ends"}) {
        const family_golden golden{name, group};
        for(const tw::dtype type: {tw::dtype::f32, tw::dtype::f16, tw::dtype::bf16}) {
            INFO(name << " " << tw::info(type).name);
            const opened o{golden, type};
            support::for_each_isa([&](const tw::execution& how) {
                const std::vector<float> images = o.images({"pixels 0", "pixels 1"}, how);
                const std::vector<float> texts = o.vectors(o.texts, how);
                CHECK(family_golden::worst(images, family_golden::flat(golden.more.at("images"))) < bound);
                CHECK(family_golden::worst(texts, family_golden::flat(golden.more.at("text_vectors"))) < bound);
                std::vector<float> logits(2 * o.texts.size());
                const std::size_t width = o.model->width();
                o.model->compare(tw::nn::const_rows{images.data(), std::size_t{2}, width},
                                 tw::nn::const_rows{texts.data(), o.texts.size(), width},
                                 tw::nn::rows{logits.data(), std::size_t{2}, o.texts.size()});
                CHECK(golden.worst(logits) < bound);
            });
        }
    }
}

TEST_CASE("image_text_encoder: the same bits on every team and in every company", "[models]") {
    for(const std::string name: {"clip", "clip_ends"}) {
        INFO(name);
        const opened o{family_golden{name, group}, tw::dtype::bf16};
        const std::size_t width = o.model->width();
        const std::vector<float> image = o.images({"pixels 1"});
        const std::vector<float> text = o.vectors(std::span{o.texts}.subspan(2, 1));
        for(const unsigned threads: {1U, 3U}) {
            tw::thread_team team{threads};
            const std::vector<float> images = o.images({"pixels 0", "pixels 1"}, {.threads = &team});
            CHECK(support::same_bits(std::span{images}.subspan(width), image));
            const std::vector<float> texts = o.vectors(o.texts, {.threads = &team});
            CHECK(support::same_bits(std::span{texts}.subspan(2 * width, width), text));
        }
        double squares = 0;
        for(const float value: text) {
            squares += static_cast<double>(value) * static_cast<double>(value);
        }
        CHECK(squares == Approx(1).margin(1e-6));
        CHECK(o.vectors({}).empty());
    }
}

TEST_CASE("image_text_encoder: what does not fit is refused", "[models]") {
    const family_golden golden{"clip", group};
    const opened o{golden};
    const std::vector<std::int32_t> ids(12, 3);
    const std::span<const std::int32_t> whole{ids};
    std::span<const std::int32_t> text = whole;
    CHECK_THROWS_WITH(o.vectors(std::span{&text, 1}),
                      ContainsSubstring("12 tokens, but positions are learned up to 11"));
    text = {};
    CHECK_THROWS_AS(o.vectors(std::span{&text, 1}), tw::argument_error);
    const std::int32_t beyond = 30;
    text = {&beyond, 1};
    CHECK_THROWS_AS(o.vectors(std::span{&text, 1}), tw::argument_error);
    tw::nn::context c;
    std::vector<float> out(10);
    text = whole.first(3);
    CHECK_THROWS_WITH(
        o.model->embed_texts(c, std::span{&text, 1}, tw::nn::rows{out.data(), std::size_t{1}, std::size_t{9}}),
        ContainsSubstring("out is [1,9], expected [1,10]"));
    const tw::nn::rows vector{out.data(), std::size_t{1}, std::size_t{10}};
    CHECK_THROWS_AS(o.model->compare(vector, vector, tw::nn::rows{out.data(), std::size_t{1}, std::size_t{2}}),
                    tw::shape_error);

    model_config images = *o.files->encoder_config();
    images.projection = 0;
    CHECK_THROWS_WITH((image_text_encoder{o.files->config(), images, o.files->weights()}),
                      ContainsSubstring("texts are projected to 10, images to 18"));

    const auto refuses = [&](auto change, const char* what) {
        family_golden wrong = golden;
        change(wrong);
        const files::temporary_folder folder;
        wrong.write_to(folder.string(), tw::dtype::f32);
        const auto load = [&] {
            const model_folder files = model_folder::open(folder.string());
            const image_text_encoder model{files.config(), *files.encoder_config(), files.weights()};
        };
        CHECK_THROWS_WITH(load(), ContainsSubstring(what));
    };
    refuses([](family_golden& g) { g.config["text_config"]["eos_token_id"] = 30; },
            "text_config.eos_token_id: is 30, and the vocabulary has 30");
    refuses([](family_golden& g) { g.config["vision_config"]["patch_size"] = 14; }, "vision_config.patch_size");
    refuses([](family_golden& g) { g.tensors[0][2] = 1000; }, "logit_scale");
    refuses([](family_golden& g) { g.tensors.erase(0); }, "logit_scale: missing");
    refuses([](family_golden& g) { g.config.erase("vision_config"); }, "vision_model.");
}
