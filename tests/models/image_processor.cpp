#include <tokenworks/models/image_processor.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/core/thread_team.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/golden_pixels.hpp"
#include "support/model_folders.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;

namespace {

image_processor parse(const std::string& json) {
    return image_processor::parse(std::as_bytes(std::span{json}), "preprocessor_config.json");
}

std::vector<float> prepared(const image_processor& processor, const rgb_image& image, const tw::execution& how = {}) {
    const image_processing::extent to = processor.result_of({image.height, image.width});
    std::vector<float> values(3 * to.height * to.width);
    processor(image.view(),
              tw::view<float, tw::dyn, tw::dyn, tw::dyn>{values.data(), std::size_t{3}, to.height, to.width}, how);
    return values;
}

} // namespace

TEST_CASE("image_processor: the values of transformers", "[models]") {
    tw::thread_team team{2};
    std::size_t cases = 0;
    const nlohmann::json file = support::golden_images_file();
    for(const nlohmann::json& each: file.at("cases")) {
        INFO(each.at("config").dump());
        const rgb_image image = support::golden_pixels(each);
        const image_processor processor = parse(each.at("config").dump());
        const image_processing::extent extent = processor.result_of({image.height, image.width});
        CHECK(std::array{std::size_t{3}, extent.height, extent.width} ==
              each.at("extents").get<std::array<std::size_t, 3>>());
        const auto expected = each.at("values").get<std::vector<float>>();
        const std::vector<float> values = prepared(processor, image, {.threads = &team});
        REQUIRE(values.size() == expected.size());
        double worst = 0;
        for(std::size_t i = 0; i < values.size(); ++i) {
            const double scale = std::max(1.0, std::abs(static_cast<double>(expected[i])));
            worst =
                std::max(worst, std::abs(static_cast<double>(values[i]) - static_cast<double>(expected[i])) / scale);
        }
        CHECK(worst < 1e-6); // as many digits as the file has
        ++cases;
    }
    CHECK(cases == 8);
}

TEST_CASE("image_processor: the older spellings, and what files leave out", "[models]") {
    const image_processing clip = parse(R"({"feature_extractor_type": "CLIPFeatureExtractor", "size": 20,
                                            "crop_size": 18, "resample": 3})")
                                      .steps();
    CHECK(clip.shortest_edge == 20);
    CHECK_FALSE(clip.resize);
    CHECK(clip.crop->height == 18);
    CHECK(clip.crop->width == 18);
    CHECK(clip.filter == resampling::bicubic);
    CHECK(clip.scale == 1.0 / 255);
    CHECK(clip.mean[1] == 0.4578275F);
    const image_processing vit = parse(R"({"feature_extractor_type": "ViTFeatureExtractor", "size": 20})").steps();
    CHECK_FALSE(vit.shortest_edge);
    CHECK(vit.resize->height == 20);
    CHECK(vit.resize->width == 20);
    CHECK_FALSE(vit.crop);
    CHECK(vit.filter == resampling::bilinear);
    CHECK(vit.deviation[2] == 0.5F);
    const image_processing bare =
        parse(R"({"do_resize": false, "do_rescale": false, "do_normalize": false, "do_center_crop": false})").steps();
    CHECK_FALSE((bare.resize || bare.shortest_edge || bare.crop));
    CHECK(bare.scale == 1);
    CHECK(bare.mean == std::array{0.0F, 0.0F, 0.0F});
    CHECK(parse(R"({"image_mean": 0.25, "image_std": 2})").steps().mean == std::array{0.25F, 0.25F, 0.25F});
}

TEST_CASE("image_processor: files that are wrong, and extents that do not fit", "[models]") {
    const auto refuses = [](const std::string& json, const char* what) {
        INFO(json);
        CHECK_THROWS_WITH(parse(json), ContainsSubstring("preprocessor_config.json") && ContainsSubstring(what));
    };
    refuses("[]", "not an object");
    refuses(R"({"size": 0})", "size");
    refuses(R"({"size": 65537})", "size");
    refuses(R"({"size": {"height": 3}})", "has no height and width");
    refuses(R"({"size": {"shortest_edge": 3, "longest_edge": 9}})", "longest_edge");
    refuses(R"({"do_center_crop": true, "crop_size": "large"})", "crop_size");
    refuses(R"({"do_resize": 1})", "do_resize");
    refuses(R"({"do_pad": true})", "do_pad is set");
    refuses(R"({"resample": 0})", "resample 0; known are 1, 2 and 3");
    refuses(R"({"image_mean": [1, 2]})", "image_mean");
    refuses(R"({"image_std": [1, 0, 1]})", "is not above 0");
    refuses(R"({"image_std": [1, 1e39, 1]})", "image_std");
    CHECK_THROWS_AS(image_processor::open("/nowhere"), tw::io_error);

    const files::temporary_folder folder;
    support::write_text(folder.string(), "preprocessor_config.json", R"({"size": 4})");
    const image_processor processor = image_processor::open(folder.string());
    const rgb_image image{2, 3, std::vector<std::uint8_t>(18)};
    std::vector<float> values(48);
    using out = tw::view<float, tw::dyn, tw::dyn, tw::dyn>;
    CHECK_THROWS_WITH(processor(image.view(), out{values.data(), std::size_t{3}, std::size_t{2}, std::size_t{3}}),
                      ContainsSubstring("pixels are [2,3,3], out is [3,2,3], expected [3,4,4]"));
    const rgb_image empty{};
    CHECK_THROWS_AS(processor(empty.view(), out{values.data(), std::size_t{3}, std::size_t{4}, std::size_t{4}}),
                    tw::shape_error);
    // A side that grows beyond all bounds.
    const image_processor edge = parse(R"({"size": {"shortest_edge": 60000}})");
    const rgb_image line{1, 5, std::vector<std::uint8_t>(15)};
    float one = 0;
    CHECK_THROWS_AS(edge(line.view(), out{&one, std::size_t{3}, std::size_t{60000}, std::size_t{300000}}),
                    tw::argument_error);
    // Sides that are allowed, and together too much.
    const image_processor square = parse(R"({"size": 65536})");
    CHECK_THROWS_AS(square(line.view(), out{&one, std::size_t{3}, std::size_t{65536}, std::size_t{65536}}),
                    tw::limit_error);
}
