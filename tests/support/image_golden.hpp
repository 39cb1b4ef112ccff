// The golden files of image encoders, with the images that belong to them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <tokenworks/models/model_config.hpp>
#include <tokenworks/nn/patch_embeddings.hpp>

#include "support/family_golden.hpp"

namespace support {

/// Images of a golden file: values from hashes of their names, as tools/golden/families.py makes them.
struct golden_images {
    tokenworks::models::image_config image;
    std::vector<float> values{};
    std::size_t count = 0;

    golden_images(const tokenworks::models::image_config& of, const std::vector<std::string>& names)
        : image{of}, count{names.size()} {
        for(const std::string& name: names) {
            const std::vector<float> one =
                family_golden::weights(name, image.channels * image.height * image.width, 0.0, 1.0 / 32);
            values.insert(values.end(), one.begin(), one.end());
        }
    }
    [[nodiscard]] tokenworks::nn::images view() const {
        return tokenworks::nn::images{values.data(), count, image.channels, image.height, image.width};
    }
};

} // namespace support
