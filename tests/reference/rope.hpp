// Rotary embeddings in double, written after the formulas of the papers and of transformers 4.50
// (modeling_rope_utils.py): frequencies of each scaling, and the rotation of one head.
#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <numbers>
#include <span>
#include <vector>

namespace reference {

inline std::vector<double> plain_frequencies(std::size_t width, double base) {
    std::vector<double> out;
    for(std::size_t i = 0; i < width; i += 2) {
        out.push_back(1.0 / std::pow(base, static_cast<double>(i) / static_cast<double>(width)));
    }
    return out;
}

inline std::vector<double> yarn_frequencies(std::size_t width, double base, double factor, double original,
                                            double beta_fast, double beta_slow) {
    const auto d = static_cast<double>(width);
    const auto correction = [&](double turns) {
        return d * std::log(original / (turns * 2 * std::numbers::pi)) / (2 * std::log(base));
    };
    const double low = std::max(std::floor(correction(beta_fast)), 0.0);
    const double high = std::min(std::ceil(correction(beta_slow)), d - 1);
    std::vector<double> out = plain_frequencies(width, base);
    for(std::size_t i = 0; i < out.size(); ++i) {
        const double ramp = std::clamp((static_cast<double>(i) - low) / std::max(high - low, 0.001), 0.0, 1.0);
        const double extrapolated = 1 - ramp;
        out[i] = out[i] / factor * (1 - extrapolated) + out[i] * extrapolated;
    }
    return out;
}

inline std::vector<double> llama3_frequencies(std::size_t width, double base, double factor, double original,
                                              double low, double high) {
    std::vector<double> out = plain_frequencies(width, base);
    for(double& f: out) {
        const double wavelength = 2 * std::numbers::pi / f;
        if(wavelength > original / low) {
            f /= factor;
        } else if(wavelength >= original / high) {
            const double smooth = (original / wavelength - low) / (high - low);
            f = (1 - smooth) * f / factor + smooth * f;
        }
    }
    return out;
}

/// Each pair is a complex number, turned by position * frequency.
inline std::vector<double> rope(std::span<const float> head, double position, std::span<const double> frequencies,
                                bool interleaved, double magnitude = 1) {
    std::vector<double> out(head.begin(), head.end());
    for(std::size_t i = 0; i < frequencies.size(); ++i) {
        const std::size_t a = interleaved ? 2 * i : i;
        const std::size_t b = interleaved ? 2 * i + 1 : i + frequencies.size();
        const std::complex<double> turned =
            std::complex<double>{out[a], out[b]} * std::polar(magnitude, position * frequencies[i]);
        out[a] = turned.real();
        out[b] = turned.imag();
    }
    return out;
}

} // namespace reference
