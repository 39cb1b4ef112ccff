// An encoder of images, made from a configuration and a source of weights.
//
//   const auto folder = models::model_folder::open("vit-base-patch16-224");
//   const models::image_encoder model{folder.config(), folder.weights()};
//   model.forward_labels(c, images, logits);
//
// models/image_processor.hpp makes pixels such images. An image's rows are bitwise the same whatever else is in the
// step and however many threads run.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/weight_loading.hpp>
#include <tokenworks/models/weights.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/decoder_layer.hpp>
#include <tokenworks/nn/linear.hpp>
#include <tokenworks/nn/norm.hpp>
#include <tokenworks/nn/patch_embeddings.hpp>

#if TOKENWORKS_DEFINITIONS
#include <algorithm>
#include <utility>

#include <tokenworks/core/arena.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/kernels/activation.hpp>
#include <tokenworks/models/load_blocks.hpp>
#include <tokenworks/nn/activations.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// Immutable after construction; share it by const reference among threads. Each thread needs its own context.
class image_encoder {
public:
    /// @param config  with `image`
    /// @param part    in front of the tensors' names: "enc." where the model has texts too
    /// @throws as encoder
    image_encoder(model_config config, const weight_source& source, const execution& how = {},
                  weight_loading loading = {}, const std::string& part = {});

    [[nodiscard]] const model_config& config() const noexcept { return config_; }
    [[nodiscard]] std::size_t width() const noexcept { return config_.width; }
    /// Rows of an image: one for the whole, then one a patch.
    [[nodiscard]] std::size_t rows_per_image() const noexcept { return config_.context_length; }
    /// Bytes of packed weights in memory.
    [[nodiscard]] std::size_t weight_bytes() const noexcept;

    /// The last layer's output, normalised where the model does so.
    /// @param images  [N,K,H,W], as the model's configuration has them
    /// @param hidden  [N * rows_per_image(), C], image after image
    /// @throws shape_error
    void forward(nn::context& c, nn::images images, nn::rows hidden) const;

    /// Width of what stands for a whole image.
    [[nodiscard]] std::size_t pooled_width() const noexcept {
        return projection_ ? projection_->out_width() : pooled_ ? pooled_->out_width() : config_.width;
    }
    /// The first row, through what the model has behind it: a norm, a layer, a projection.
    /// @param pooled  [N, pooled_width()]
    /// @throws shape_error
    void forward_pooled(nn::context& c, nn::images images, nn::rows pooled) const;

    /// Kinds of images that the weights have a head for; 0: they have none.
    [[nodiscard]] std::size_t labels() const noexcept { return labels_ ? labels_->out_width() : 0; }
    /// @param logits  [N, labels()]
    /// @throws shape_error; unsupported_error where there is no head
    void forward_labels(nn::context& c, nn::images images, nn::rows logits) const;

private:
    void check(nn::images images, nn::rows out, std::size_t rows_of_image, std::size_t width) const;
    /// The first row of each image, [N,C].
    [[nodiscard]] nn::rows first_rows(nn::context& c, nn::images images) const;

    model_config config_;
    nn::patch_embeddings embed_;
    std::vector<nn::decoder_layer> layers_;
    std::optional<nn::norm> final_norm_;
    std::optional<nn::norm> pooled_norm_;
    std::optional<nn::linear> pooled_;
    std::optional<nn::linear> projection_;
    std::optional<nn::linear> labels_;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION image_encoder::image_encoder(model_config config, const weight_source& source, const execution& how,
                                                 weight_loading loading, const std::string& part)
    : config_{std::move(config)} {
    config_.validate();
    if(!config_.image) {
        tokenworks::detail::raise<unsupported_error>({config_.architecture, ": texts are read, not images"});
    }
    loading.precision = kernels::precision_for_many_rows(loading.precision, how.set);
    block_loader load{config_, source, how, std::move(loading), part};
    embed_ = load.patch_embeddings();
    layers_.reserve(config_.layers.size());
    for(std::size_t i = 0; i < config_.layers.size(); ++i) {
        layers_.push_back(load.layer(i));
    }
    final_norm_ = load.final_norm();
    if(config_.image->norm_pooled) {
        pooled_norm_ = load.pooled_norm();
    }
    const auto behind = [&](std::optional<nn::linear>& layer, const char* name, std::size_t width) {
        if(width != 0) {
            layer = load.behind(name, width);
        }
    };
    behind(pooled_, "pooled", config_.image->pooled);
    behind(projection_, "projection", config_.projection);
    behind(labels_, "labels", config_.image->labels);
}

TOKENWORKS_FUNCTION std::size_t image_encoder::weight_bytes() const noexcept {
    std::size_t sum = embed_.bytes();
    for(const nn::decoder_layer& layer: layers_) {
        sum += layer.bytes();
    }
    for(const std::optional<nn::linear>* const head: {&pooled_, &projection_, &labels_}) {
        sum += *head ? (*head)->bytes() : 0;
    }
    return sum;
}

TOKENWORKS_FUNCTION void image_encoder::check(nn::images images, nn::rows out, std::size_t rows_of_image,
                                              std::size_t width) const {
    const image_config& image = *config_.image;
    const std::size_t count = images.extent(0);
    if(images.extent(1) != image.channels || images.extent(2) != image.height || images.extent(3) != image.width) {
        tokenworks::detail::raise<shape_error>({"images: ", to_string(images.extents()), ", expected [N,",
                                                image.channels, ",", image.height, ",", image.width, "]"});
    }
    if(out.extent(0) != count * rows_of_image || (count != 0 && out.extent(1) != width)) {
        tokenworks::detail::raise<shape_error>({"images: the result is ", to_string(out.extents()), ", expected [",
                                                count * rows_of_image, ",", width, "]"});
    }
}

TOKENWORKS_FUNCTION void image_encoder::forward(nn::context& c, nn::images images, nn::rows hidden) const {
    check(images, hidden, rows_per_image(), config_.width);
    c.begin_step(hidden.extent(0), images.extent(0));
    for(std::size_t n = 0; n < images.extent(0); ++n) {
        c.add_sequence({.first = n * rows_per_image(), .count = rows_per_image()});
    }
    const arena::scope scratch{c.scratch};
    embed_(c, images, hidden);
    c.observe("embedding", hidden);
    for(std::size_t i = 0; i < layers_.size(); ++i) {
        c.layer = i;
        layers_[i](c, hidden);
    }
    if(final_norm_) {
        (*final_norm_)(c, hidden, hidden);
    }
    c.observe("final", hidden);
}

TOKENWORKS_FUNCTION nn::rows image_encoder::first_rows(nn::context& c, nn::images images) const {
    const std::size_t count = images.extent(0);
    const nn::rows first = c.scratch_rows(count, config_.width);
    const arena::scope scratch{c.scratch};
    const nn::rows hidden = c.scratch_rows(count * rows_per_image(), config_.width);
    forward(c, images, hidden);
    for(std::size_t n = 0; n < count; ++n) {
        std::ranges::copy(hidden.row(n * rows_per_image()).as_span(), first.row(n).data());
    }
    if(pooled_norm_) {
        (*pooled_norm_)(c, first, first);
    }
    return first;
}

TOKENWORKS_FUNCTION void image_encoder::forward_pooled(nn::context& c, nn::images images, nn::rows pooled) const {
    check(images, pooled, 1, pooled_width());
    const arena::scope scratch{c.scratch};
    const nn::rows first = first_rows(c, images);
    if(projection_) {
        (*projection_)(c, nn::activations{c, first}, pooled);
    } else if(pooled_) {
        (*pooled_)(c, nn::activations{c, first}, pooled);
        kernels::activate(kernels::any_activation{config_.image->pooled_activation}, pooled, pooled, c.how);
    } else {
        std::ranges::copy(first.as_span(), pooled.data());
    }
}

TOKENWORKS_FUNCTION void image_encoder::forward_labels(nn::context& c, nn::images images, nn::rows logits) const {
    if(!labels_) {
        tokenworks::detail::raise<unsupported_error>({config_.architecture, ": these weights have no head for labels"});
    }
    check(images, logits, 1, labels());
    const arena::scope scratch{c.scratch};
    (*labels_)(c, nn::activations{c, first_rows(c, images)}, logits);
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::models
