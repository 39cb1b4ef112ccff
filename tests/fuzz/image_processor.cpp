// Fuzzes preprocessor_config.json, and small images of odd sides through what is accepted.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <tokenworks/core/error.hpp>
#include <tokenworks/models/image_processor.hpp>

#include "gguf_oracle.hpp"

namespace {

namespace models = tokenworks::models;

void use(const models::image_processor& processor, std::size_t height, std::size_t width) {
    models::rgb_image image{height, width, std::vector<std::uint8_t>(height * width * 3)};
    for(std::size_t i = 0; i < image.values.size(); ++i) {
        image.values[i] = static_cast<std::uint8_t>(i * 37);
    }
    const auto [to_height, to_width] = processor.result_of({height, width});
    // Larger ones are as legal, and slow.
    constexpr std::size_t most = 1 << 16;
    if(to_height > most || to_width > most || to_height * to_width > most) {
        return;
    }
    std::vector<float> out(3 * to_height * to_width);
    processor(image.view(), tokenworks::view<float, tokenworks::dyn, tokenworks::dyn, tokenworks::dyn>{
                                out.data(), std::size_t{3}, to_height, to_width});
    for(const float value: out) {
        fuzz::must(!std::isnan(value), "pixels are numbers");
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        const auto processor = models::image_processor::parse(std::as_bytes(std::span{data, size}), "input");
        use(processor, 5, 3);
        use(processor, 1, 40);
        use(processor, 17, 17);
    } catch(const tokenworks::error&) { // what is wrong is refused, and images that are too large for the steps
    }
    return 0;
}
