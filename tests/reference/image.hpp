// What convolutional networks do, in double, as plain loops over [H,W,C].
#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace reference {

struct image_shape {
    std::size_t height = 0;
    std::size_t width = 0;
    std::size_t channels = 0;
};

struct window {
    std::size_t height = 1;
    std::size_t width = 1;
    std::size_t stride = 1;
    std::size_t top = 0;
    std::size_t left = 0;
    std::size_t bottom = 0;
    std::size_t right = 0;
};

/// filters [N,KH,KW,C]
inline std::vector<double> convolution(std::span<const float> x, image_shape shape, std::span<const float> filters,
                                       std::span<const float> bias, const window& by) {
    const std::size_t rows = (shape.height + by.top + by.bottom - by.height) / by.stride + 1;
    const std::size_t columns = (shape.width + by.left + by.right - by.width) / by.stride + 1;
    std::vector<double> out;
    for(std::size_t y = 0; y < rows; ++y) {
        for(std::size_t xx = 0; xx < columns; ++xx) {
            for(std::size_t n = 0; n < bias.size(); ++n) {
                double sum = static_cast<double>(bias[n]);
                for(std::size_t i = 0; i < by.height; ++i) {
                    for(std::size_t j = 0; j < by.width; ++j) {
                        const auto row =
                            static_cast<std::ptrdiff_t>(y * by.stride + i) - static_cast<std::ptrdiff_t>(by.top);
                        const auto column =
                            static_cast<std::ptrdiff_t>(xx * by.stride + j) - static_cast<std::ptrdiff_t>(by.left);
                        if(row < 0 || column < 0 || row >= static_cast<std::ptrdiff_t>(shape.height) ||
                           column >= static_cast<std::ptrdiff_t>(shape.width)) {
                            continue;
                        }
                        for(std::size_t c = 0; c < shape.channels; ++c) {
                            const std::size_t at =
                                (static_cast<std::size_t>(row) * shape.width + static_cast<std::size_t>(column)) *
                                    shape.channels +
                                c;
                            const std::size_t weight = ((n * by.height + i) * by.width + j) * shape.channels + c;
                            sum += static_cast<double>(x[at]) * static_cast<double>(filters[weight]);
                        }
                    }
                }
                out.push_back(sum);
            }
        }
    }
    return out;
}

/// x [P,C]
inline std::vector<double> group_norm(std::span<const float> x, std::size_t channels, std::size_t groups,
                                      std::span<const float> weight, std::span<const float> bias, double epsilon) {
    const std::size_t width = channels / groups;
    const std::size_t pixels = x.size() / channels;
    std::vector<double> out(x.size());
    for(std::size_t g = 0; g < groups; ++g) {
        double mean = 0;
        double variance = 0;
        const auto count = static_cast<double>(pixels * width);
        const auto each = [&](auto&& body) {
            for(std::size_t p = 0; p < pixels; ++p) {
                for(std::size_t c = g * width; c < (g + 1) * width; ++c) {
                    body(p * channels + c, c);
                }
            }
        };
        each([&](std::size_t at, std::size_t) { mean += static_cast<double>(x[at]) / count; });
        each([&](std::size_t at, std::size_t) {
            variance += (static_cast<double>(x[at]) - mean) * (static_cast<double>(x[at]) - mean) / count;
        });
        each([&](std::size_t at, std::size_t c) {
            out[at] =
                (static_cast<double>(x[at]) - mean) / std::sqrt(variance + epsilon) * static_cast<double>(weight[c]) +
                static_cast<double>(bias[c]);
        });
    }
    return out;
}

} // namespace reference
