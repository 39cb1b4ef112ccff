#include <tokenworks/models/image_resize.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

#include <tokenworks/core/thread_team.hpp>

#include "support/catch.hpp"
#include "support/golden_pixels.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;

TEST_CASE("image_resize: the bytes of Pillow, with every filter, larger and smaller", "[models]") {
    tw::thread_team team{3};
    std::size_t cases = 0;
    const nlohmann::json file = support::golden_images_file();
    for(const nlohmann::json& each: file.at("resizes")) {
        INFO(each.dump().substr(0, 120));
        const rgb_image from = support::golden_pixels(each);
        const auto height = each.at("to_height").get<std::size_t>();
        const auto width = each.at("to_width").get<std::size_t>();
        const auto filter = static_cast<resampling>(each.at("resample").get<int>());
        const auto expected = each.at("values").get<std::vector<std::uint8_t>>();
        const rgb_image to = resized(from.view(), height, width, filter);
        CHECK(to.height == height);
        CHECK(to.width == width);
        CHECK(to.values == expected);
        CHECK(resized(from.view(), height, width, filter, {.threads = &team}).values == expected);
        ++cases;
    }
    CHECK(cases == 16);
}

TEST_CASE("image_resize: an even image stays even, whatever the sizes", "[models]") {
    for(const std::size_t size: {1U, 2U, 7U, 31U, 200U}) {
        const rgb_image from{size, 5, std::vector<std::uint8_t>(size * 15, 201)};
        for(const resampling filter: {resampling::lanczos, resampling::bilinear, resampling::bicubic}) {
            for(const std::size_t to: {1U, 3U, 16U, 333U}) {
                INFO(size << " to " << to);
                CHECK(resized(from.view(), to, 4, filter).values == std::vector<std::uint8_t>(to * 12, 201));
            }
        }
    }
}

TEST_CASE("image_resize: what is no image, and sizes that are none", "[models]") {
    const std::vector<std::uint8_t> bytes(24);
    const rgb_view image{bytes.data(), std::size_t{4}, std::size_t{2}, std::size_t{3}};
    CHECK_THROWS_AS(resized(image, 0, 4, resampling::bicubic), tw::argument_error);
    CHECK_THROWS_AS(resized(image, 4, 0, resampling::bicubic), tw::argument_error);
    CHECK_THROWS_AS(resized(image, 65537, 4, resampling::bicubic), tw::argument_error);
    const rgb_view two{bytes.data(), std::size_t{4}, std::size_t{3}, std::size_t{2}};
    CHECK_THROWS_WITH(resized(two, 4, 4, resampling::bicubic), ContainsSubstring("[4,3,2], expected [H,W,3]"));
    const rgb_view none{bytes.data(), std::size_t{0}, std::size_t{8}, std::size_t{3}};
    CHECK_THROWS_AS(resized(none, 4, 4, resampling::bicubic), tw::shape_error);
}
