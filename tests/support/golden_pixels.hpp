// The images of tests/golden/images, as tools/golden/images.py makes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>

#include <nlohmann/json.hpp>

#include <tokenworks/models/image_resize.hpp>

namespace support {

inline nlohmann::json golden_images_file() {
    std::ifstream file{TOKENWORKS_TEST_DATA "/images/images.json"};
    return nlohmann::json::parse(file);
}

/// The source image of a case.
inline tokenworks::models::rgb_image golden_pixels(const nlohmann::json& of) {
    tokenworks::models::rgb_image image{of.at("height").get<std::size_t>(), of.at("width").get<std::size_t>()};
    const auto seed = of.at("seed").get<std::size_t>();
    for(std::size_t i = 0; i < image.height * image.width * 3; ++i) {
        image.values.push_back(static_cast<std::uint8_t>((i * i * 7 + i * 13 + seed * 31) % 256));
    }
    return image;
}

} // namespace support
