// An encoder and a decoder that looks at what it has made: translation, summaries, answers.
//
//   auto memory = model.encode(c, source);
//   const models::decoder_input next{&cache, tokens, models::decoder_input::logits::last, &memory};
//   model.decoder().forward(c, std::span{&next, 1}, logits);
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include <tokenworks/config.hpp>
#include <tokenworks/core/arena.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/models/decoder.hpp>
#include <tokenworks/models/encoder.hpp>
#include <tokenworks/models/weight_loading.hpp>
#include <tokenworks/models/weights.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/kv_cache.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// Immutable after construction; share it by const reference among threads. Each thread needs its own context.
class encoder_decoder {
public:
    /// @throws as encoder and decoder do
    encoder_decoder(model_config of_encoder, model_config of_decoder, const weight_source& source,
                    const execution& how = {}, const weight_loading& loading = {})
        : encoder_{std::move(of_encoder), source, how, loading, "enc."},
          decoder_{std::move(of_decoder), source, encoder_.token_table(), how, loading} {}

    [[nodiscard]] const models::encoder& encoder() const noexcept { return encoder_; }
    [[nodiscard]] const models::decoder& decoder() const noexcept { return decoder_; }

    /// What the decoder needs to know of a text.
    /// @param type  of its cache, see nn::kv_cache
    /// @throws as encoder::forward and decoder::remember do
    [[nodiscard]] nn::kv_cache encode(nn::context& c, std::span<const std::int32_t> tokens,
                                      dtype type = dtype::f16) const {
        const arena::scope scratch{c.scratch};
        const nn::rows hidden = c.scratch_rows(tokens.size(), encoder_.width());
        const encoder_input input{tokens};
        encoder_.forward(c, std::span{&input, 1}, hidden);
        return decoder_.remember(c, hidden, type);
    }

private:
    models::encoder encoder_;
    models::decoder decoder_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::models
