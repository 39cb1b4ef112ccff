// Fuzzes a whole model folder, config.json and model.safetensors in one input: configuration, names, weights, and a
// step of whatever kind of model it is. What is accepted must run, in memory that the input's size bounds.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <tokenworks/core/error.hpp>
#include <tokenworks/models/decoder.hpp>
#include <tokenworks/models/encoder.hpp>
#include <tokenworks/models/encoder_decoder.hpp>
#include <tokenworks/models/image_encoder.hpp>
#include <tokenworks/models/model_folder.hpp>

#include "gguf_oracle.hpp"
#include "support/allocations.hpp"
#include "two_files.hpp"

namespace {

namespace models = tokenworks::models;
namespace nn = tokenworks::nn;

void run_decoder(const models::decoder& model, const nn::kv_cache* memory) {
    const std::int32_t ids[] = {0, static_cast<std::int32_t>(model.vocab_size() - 1)};
    nn::context c;
    nn::kv_cache cache = model.make_cache(2);
    std::vector<float> logits(model.vocab_size());
    const models::decoder_input input{&cache, ids, models::decoder_input::logits::last, memory};
    model.forward(c, std::span{&input, 1}, nn::rows{logits.data(), std::size_t{1}, logits.size()});
    fuzz::must(cache.size() == 2, "tokens are counted");
}

void check(std::span<const std::byte> config, std::span<const std::byte> tensors) {
    const auto folder = models::model_folder::from_memory(config, tensors, "input");
    const models::model_config& own = folder.config();
    nn::context c;
    const std::int32_t id = 0;
    if(own.image || (folder.encoder_config() && folder.encoder_config()->image)) {
        const models::model_config& images = own.image ? own : *folder.encoder_config();
        // Larger ones are as legal, and slow.
        if(images.image->height * images.image->width <= 4096 && images.image->channels <= 4) {
            const models::image_encoder model{images, folder.weights()};
            const std::size_t count = images.image->height * images.image->width * images.image->channels;
            const std::vector<float> pixels(count, 0.5F);
            std::vector<float> out(model.rows_per_image() * model.width());
            model.forward(c,
                          nn::images{pixels.data(), std::size_t{1}, images.image->channels, images.image->height,
                                     images.image->width},
                          nn::rows{out.data(), model.rows_per_image(), model.width()});
        }
    } else if(folder.encoder_config()) {
        const models::encoder_decoder both{*folder.encoder_config(), own, folder.weights()};
        const nn::kv_cache memory = both.encode(c, std::span{&id, 1}, tokenworks::dtype::f32);
        run_decoder(both.decoder(), &memory);
    } else if(own.causal) {
        run_decoder(models::decoder{own, folder.weights()}, nullptr);
    } else {
        const models::encoder model{own, folder.weights()};
        const models::encoder_input input{std::span{&id, 1}};
        std::vector<float> hidden(model.width());
        model.forward(c, std::span{&input, 1}, nn::rows{hidden.data(), std::size_t{1}, model.width()});
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if(size > std::size_t{1} << 18) {
        return 0;
    }
    const std::size_t before = support::allocated_bytes;
    try {
        const auto [config, tensors] = fuzz::two_files(data, size);
        check(config, tensors);
    } catch(const tokenworks::error&) { // what is wrong is refused
    }
    const std::size_t most = (std::size_t{64} << 20) + 1000 * size;
    fuzz::must(support::allocated_bytes - before <= most, "memory follows the size of the files");
    return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
    return fuzz::mutate_two_files(data, size, most, seed);
}
