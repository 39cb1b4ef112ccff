// Turns named tensors into layers of networks that are no decoder of texts: products, convolutions, norms.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/kernels/convolution.hpp>
#include <tokenworks/kernels/packed_matrix.hpp>
#include <tokenworks/models/weight_loading.hpp>
#include <tokenworks/models/weights.hpp>
#include <tokenworks/nn/convolution.hpp>
#include <tokenworks/nn/linear.hpp>
#include <tokenworks/nn/norm.hpp>
#include <tokenworks/nn/residual_mlp.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// Takes layers out of a source by their names. Progress counts bytes of matrices; returning false cancels.
class layer_loader {
public:
    layer_loader(const weight_source& source, const execution& how, weight_loading loading)
        : source_{source}, how_{how}, loading_{std::move(loading)} {}

    [[nodiscard]] const weight_source& source() const noexcept { return source_; }

    /// [N,K]
    /// @throws format_error naming the tensor; unsupported_error; cancelled_error
    [[nodiscard]] kernels::packed_matrix matrix(const std::string& name, std::size_t rows, std::size_t columns) {
        const weight found = require_real(source_, name, std::array{rows, columns});
        if(columns % info(found.type).block_size != 0) {
            raise_weight(source_, name, found.offset,
                         {"rows of ", columns, " are no multiple of the ", info(found.type).name, " block"});
        }
        kernels::packed_matrix packed =
            kernels::pack(found.type, found.bytes, rows, columns, how_, {}, &pool_, loading_.precision);
        source_.release(found);
        done_ += found.progress_bytes();
        if(loading_.progress && !loading_.progress(done_)) {
            tokenworks::detail::raise<cancelled_error>({"loading ", source_.label(), ": cancelled"});
        }
        return packed;
    }

    /// `name`.weight and, where there is one, `name`.bias.
    [[nodiscard]] nn::linear linear(const std::string& name, std::size_t rows, std::size_t columns) {
        return nn::linear{matrix(name + ".weight", rows, columns), bias(name, rows)};
    }

    /// A layer with a way around it, whose parts are `name`.up, .down and .skip.
    [[nodiscard]] nn::residual_mlp residual_mlp(const std::string& name, std::size_t inputs, std::size_t hidden,
                                                std::size_t outputs, kernels::activation_kind activation) {
        nn::linear up = linear(name + ".up", hidden, inputs);
        nn::linear down = linear(name + ".down", outputs, hidden);
        return {.way = {std::move(up), std::move(down), {activation}}, .skip = linear(name + ".skip", outputs, inputs)};
    }

    [[nodiscard]] nn::rms_norm rms_norm(const std::string& name, std::size_t width, float epsilon) const {
        return {load_vector(source_, name + ".weight", width), epsilon};
    }
    [[nodiscard]] nn::layer_norm layer_norm(const std::string& name, std::size_t width, float epsilon) const {
        return {load_vector(source_, name + ".weight", width), bias(name, width), epsilon};
    }

    /// @param channels  C; the filters are [N, KH*KW*C]
    [[nodiscard]] nn::convolution convolution(const std::string& name, std::size_t filters, std::size_t channels,
                                              const kernels::window& by) {
        return {matrix(name + ".weight", filters, by.height * by.width * channels), bias(name, filters), by};
    }

    [[nodiscard]] nn::group_norm group_norm(const std::string& name, std::size_t channels, std::size_t groups,
                                            float epsilon) const {
        return {load_vector(source_, name + ".weight", channels), load_vector(source_, name + ".bias", channels),
                groups, epsilon};
    }

private:
    [[nodiscard]] std::vector<float> bias(const std::string& name, std::size_t length) const {
        return source_.describe(name + ".bias") ? load_vector(source_, name + ".bias", length) : std::vector<float>{};
    }

    const weight_source& source_;
    execution how_;
    weight_loading loading_;
    huge_pool pool_;
    std::uint64_t done_ = 0;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::models
