// Matrix products in double, and the 8-bit rounding of activations, by the definitions.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace reference {

/// out[t,n] = sum_k x[t,k] * w[n,k]
template <class X, class W>
std::vector<double> matmul(std::span<const X> x, std::span<const W> w, std::size_t rows, std::size_t outputs,
                           std::size_t columns) {
    std::vector<double> out(rows * outputs);
    for(std::size_t t = 0; t < rows; ++t) {
        for(std::size_t n = 0; n < outputs; ++n) {
            double sum = 0;
            for(std::size_t k = 0; k < columns; ++k) {
                sum += static_cast<double>(x[t * columns + k]) * static_cast<double>(w[n * columns + k]);
            }
            out[t * outputs + n] = sum;
        }
    }
    return out;
}

/// One row in blocks of 32: of the scales max|x| / 127, / 126 and / 125 the one with the smallest squared error.
struct quantized {
    std::vector<int> codes;
    std::vector<float> scales;
};

inline quantized quantize(std::span<const float> x) {
    quantized out;
    for(std::size_t begin = 0; begin < x.size(); begin += 32) {
        const auto block = x.subspan(begin, std::min<std::size_t>(32, x.size() - begin));
        float most = 0;
        for(const float value: block) {
            most = std::max(most, std::abs(value));
        }
        const bool empty = most < 1e-30F;
        double least = -1;
        std::vector<int> best(32);
        float scale = 0;
        for(const int level: {127, 126, 125}) {
            const float factor = empty ? 0.0F : static_cast<float>(level) / most * 256.0F;
            std::vector<int> codes;
            double error = 0; // in (1/256 code)^2, whole numbers
            for(const float value: block) {
                const volatile float scaled = value * factor; // rounded to float, whatever the compiler fuses
                const double fixed = std::nearbyint(static_cast<double>(scaled));
                codes.push_back(static_cast<int>(std::floor((fixed + 128) / 256)));
                error += std::pow(fixed - 256.0 * codes.back(), 2);
            }
            codes.resize(32);
            if(least < 0 || error / (level * level) < least) {
                least = error / (level * level);
                best = codes;
                scale = empty ? 0.0F : most / static_cast<float>(level);
            }
        }
        out.scales.push_back(scale);
        out.codes.insert(out.codes.end(), best.begin(), best.end());
    }
    return out;
}

/// The values that the codes stand for.
inline std::vector<double> rounded(std::span<const float> x, std::size_t rows, std::size_t columns) {
    std::vector<double> out;
    for(std::size_t t = 0; t < rows; ++t) {
        const quantized row = quantize(x.subspan(t * columns, columns));
        for(std::size_t k = 0; k < columns; ++k) {
            out.push_back(static_cast<double>(row.codes[k]) * static_cast<double>(row.scales[k / 32]));
        }
    }
    return out;
}

} // namespace reference
