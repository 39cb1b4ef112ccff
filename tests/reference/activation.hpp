// Activation functions in double.
#pragma once

#include <cmath>
#include <numbers>

namespace reference {

inline double silu(double x) { return x / (1 + std::exp(-x)); }
/// By the complement, which keeps its digits in the negative tail.
inline double gelu(double x) { return 0.5 * x * std::erfc(-x / std::numbers::sqrt2); }
inline double gelu_tanh(double x) {
    const double u = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
    return x / (1 + std::exp(-2 * u));
}
inline double gelu_quick(double x) { return x / (1 + std::exp(-1.702 * x)); }
inline double relu(double x) { return x > 0 ? x : 0; }
inline double relu_squared(double x) { return relu(x) * relu(x); }
inline double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
inline double tanh(double x) { return std::tanh(x); }
inline double identity(double x) { return x; }

} // namespace reference
