// From a row for every token to one for the text.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/nn/context.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

using models::pooling;

/// @param hidden  [T,C], T > 0   @param out  [C]
/// @throws argument_error where there are no rows; shape_error where out is not [C]
inline void pool(pooling how, nn::const_rows hidden, std::span<float> out) {
    const std::size_t count = hidden.extent(0);
    if(count == 0) {
        tokenworks::detail::raise<argument_error>({"pool: no rows"});
    }
    if(out.size() != hidden.extent(1)) {
        tokenworks::detail::raise<shape_error>({"pool: hidden has C=", hidden.extent(1), ", out has C=", out.size()});
    }
    if(how == pooling::cls || how == pooling::last) {
        std::ranges::copy(hidden.row(how == pooling::cls ? 0 : count - 1).as_span(), out.begin());
        return;
    }
    for(std::size_t i = 0; i < out.size(); ++i) {
        double sum = 0;
        float most = hidden(0, i);
        for(std::size_t t = 0; t < count; ++t) {
            sum += static_cast<double>(hidden(t, i));
            most = std::max(most, hidden(t, i));
        }
        out[i] = how == pooling::max ? most : static_cast<float>(sum / static_cast<double>(count));
    }
}

/// Scales to length 1; zeros stay as they are.
inline void normalize(std::span<float> x) noexcept {
    double squares = 0;
    for(const float value: x) {
        squares += static_cast<double>(value) * static_cast<double>(value);
    }
    const double scale = squares > 0 ? 1 / std::sqrt(squares) : 0;
    for(float& value: x) {
        value = static_cast<float>(static_cast<double>(value) * scale);
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
