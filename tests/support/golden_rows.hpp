// What encoders and encoder-decoders say of golden ids.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <tokenworks/models/encoder.hpp>
#include <tokenworks/models/encoder_decoder.hpp>

#include "support/family_golden.hpp"

namespace support {

/// [T,D].
inline std::vector<float> rows_of(const tokenworks::models::encoder& model, std::span<const std::int32_t> ids) {
    tokenworks::nn::context c;
    std::vector<float> rows(ids.size() * model.width());
    const tokenworks::models::encoder_input input{ids};
    model.forward(c, std::span{&input, 1}, tokenworks::nn::rows{rows.data(), ids.size(), model.width()});
    return rows;
}

/// [T,V] of the decoder's ids.
inline std::vector<float> logits_of(const tokenworks::models::encoder_decoder& model, const family_golden& golden) {
    using tokenworks::models::decoder_input;
    tokenworks::nn::context c;
    const tokenworks::nn::kv_cache memory = model.encode(c, golden.ids, tokenworks::dtype::f32);
    const std::size_t count = golden.decoder_ids.size();
    const std::size_t vocab_size = model.decoder().vocab_size();
    tokenworks::nn::kv_cache cache = model.decoder().make_cache(count, tokenworks::dtype::f32);
    std::vector<float> logits(count * vocab_size);
    const decoder_input next{&cache, golden.decoder_ids, decoder_input::logits::all, &memory};
    model.decoder().forward(c, std::span{&next, 1}, tokenworks::nn::rows{logits.data(), count, vocab_size});
    return logits;
}

} // namespace support
