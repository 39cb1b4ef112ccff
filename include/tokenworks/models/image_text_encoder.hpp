// Images and texts as vectors of one space, where what belongs together is near.
//
//   const auto folder = models::model_folder::open("clip-vit-base-patch32");
//   const models::image_text_encoder model{folder.config(), *folder.encoder_config(), folder.weights()};
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <tokenworks/config.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/models/decoder.hpp>
#include <tokenworks/models/image_encoder.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/weight_loading.hpp>
#include <tokenworks/models/weights.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/linear.hpp>

#if TOKENWORKS_DEFINITIONS
#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include <tokenworks/core/arena.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/models/load_blocks.hpp>
#include <tokenworks/models/token_ids.hpp>
#include <tokenworks/nn/activations.hpp>
#include <tokenworks/nn/kv_cache.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// Immutable after construction; share it by const reference among threads. Each thread needs its own context.
class image_text_encoder {
public:
    /// @throws as decoder and encoder do
    image_text_encoder(model_config of_texts, model_config of_images, const weight_source& source,
                       const execution& how = {}, const weight_loading& loading = {});

    [[nodiscard]] const image_encoder& images() const noexcept { return images_; }
    [[nodiscard]] const decoder& texts() const noexcept { return texts_; }
    /// E.
    [[nodiscard]] std::size_t width() const noexcept { return projection_.out_width(); }
    /// What cosines are multiplied with to be logits.
    [[nodiscard]] float scale() const noexcept { return scale_; }

    /// @param images  [N,K,H,W]   @param out  [N,E], of length 1 each
    /// @throws shape_error
    void embed_images(nn::context& c, nn::images images, nn::rows out) const;

    /// @param texts  ids with what the tokenizer puts around a text   @param out  [N,E], of length 1 each
    /// @throws argument_error for an id that there is not, or a text without tokens; capacity_error for one that is
    ///         too long; shape_error
    void embed_texts(nn::context& c, std::span<const std::span<const std::int32_t>> texts, nn::rows out) const;

    /// How well each text fits each image: the scaled cosine.
    /// @param of_images  [N,E]   @param of_texts  [M,E]   @param logits  [N,M]
    /// @throws shape_error
    void compare(nn::const_rows of_images, nn::const_rows of_texts, nn::rows logits) const;

private:
    /// The tokens up to the one whose row stands for the text.
    [[nodiscard]] std::span<const std::int32_t> up_to_end(std::span<const std::int32_t> text) const;
    void require(const char* what, std::size_t count, nn::rows out) const;
    static void normalize(nn::rows x);

    image_encoder images_;
    decoder texts_;
    nn::linear projection_;
    float scale_ = 1;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION image_text_encoder::image_text_encoder(model_config of_texts, model_config of_images,
                                                           const weight_source& source, const execution& how,
                                                           const weight_loading& loading)
    : images_{std::move(of_images), source, how, loading, "enc."}, texts_{std::move(of_texts), source, how, loading} {
    const model_config& config = texts_.config();
    if(config.projection == 0 || images_.pooled_width() != config.projection) {
        tokenworks::detail::raise<argument_error>({config.architecture, " configuration: texts are projected to ",
                                                   config.projection, ", images to ", images_.pooled_width()});
    }
    block_loader load{config, source, how, loading};
    projection_ = load.behind("projection", config.projection);
    scale_ = std::exp(load_values(source, "logit_scale", {}).front());
    if(!std::isfinite(scale_)) {
        raise_weight(source, "logit_scale", format_error::no_offset, {"is too large, or no number"});
    }
}

TOKENWORKS_FUNCTION void image_text_encoder::require(const char* what, std::size_t count, nn::rows out) const {
    if(out.extent(0) != count || (count != 0 && out.extent(1) != width())) {
        tokenworks::detail::raise<shape_error>(
            {what, ": out is ", to_string(out.extents()), ", expected [", count, ",", width(), "]"});
    }
}

TOKENWORKS_FUNCTION void image_text_encoder::normalize(nn::rows x) {
    for(std::size_t n = 0; n < x.extent(0); ++n) {
        double squares = 0;
        for(const float value: x.row(n).as_span()) {
            squares += static_cast<double>(value) * static_cast<double>(value);
        }
        const double factor = squares > 0 ? 1 / std::sqrt(squares) : 0;
        for(float& value: x.row(n).as_span()) {
            value = static_cast<float>(static_cast<double>(value) * factor);
        }
    }
}

TOKENWORKS_FUNCTION void image_text_encoder::embed_images(nn::context& c, nn::images images, nn::rows out) const {
    images_.forward_pooled(c, images, out);
    normalize(out);
}

TOKENWORKS_FUNCTION std::span<const std::int32_t>
image_text_encoder::up_to_end(std::span<const std::int32_t> text) const {
    const std::optional<std::int32_t>& end = texts_.config().end_of_text;
    if(!end) {
        return text.first(static_cast<std::size_t>(std::ranges::max_element(text) - text.begin()) + 1);
    }
    const auto at = std::ranges::find(text, *end);
    // A text that does not end: transformers looks at its first token then.
    return text.first(at == text.end() ? std::size_t{1} : static_cast<std::size_t>(at - text.begin()) + 1);
}

TOKENWORKS_FUNCTION void image_text_encoder::embed_texts(nn::context& c,
                                                         std::span<const std::span<const std::int32_t>> texts,
                                                         nn::rows out) const {
    require("embed_texts", texts.size(), out);
    std::vector<nn::kv_cache> caches;
    std::vector<decoder_input> inputs;
    caches.reserve(texts.size());
    for(const std::span<const std::int32_t> text: texts) {
        detail::require_ids("embed_texts", text, texts_.vocab_size());
        if(text.size() > texts_.config().context_length) {
            tokenworks::detail::raise<capacity_error>({"embed_texts: ", text.size(),
                                                       " tokens, but positions are learned up to ",
                                                       texts_.config().context_length});
        }
        // What stands behind the end is not seen from there.
        const std::span<const std::int32_t> seen = up_to_end(text);
        caches.push_back(texts_.make_cache(seen.size(), dtype::f32));
        inputs.push_back({.cache = &caches.back(), .tokens = seen});
    }
    const arena::scope scratch{c.scratch};
    const nn::rows hidden = c.scratch_rows(texts.size(), texts_.config().width);
    texts_.forward_hidden(c, inputs, hidden);
    projection_(c, nn::activations{c, hidden}, out);
    normalize(out);
}

TOKENWORKS_FUNCTION void image_text_encoder::compare(nn::const_rows of_images, nn::const_rows of_texts,
                                                     nn::rows logits) const {
    if(of_images.extent(1) != of_texts.extent(1) || logits.extent(0) != of_images.extent(0) ||
       logits.extent(1) != of_texts.extent(0)) {
        tokenworks::detail::raise<shape_error>({"compare: images ", to_string(of_images.extents()), ", texts ",
                                                to_string(of_texts.extents()), ", logits ",
                                                to_string(logits.extents())});
    }
    for(std::size_t i = 0; i < of_images.extent(0); ++i) {
        for(std::size_t t = 0; t < of_texts.extent(0); ++t) {
            double sum = 0;
            for(std::size_t k = 0; k < of_images.extent(1); ++k) {
                sum += static_cast<double>(of_images(i, k)) * static_cast<double>(of_texts(t, k));
            }
            logits(i, t) = static_cast<float>(sum * static_cast<double>(scale_));
        }
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::models
