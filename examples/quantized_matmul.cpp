// Quantises a matrix to 4 bits and multiplies with it: as plain blocks, and packed once for speed.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <span>
#include <vector>

#include <tokenworks/core/random.hpp>
#include <tokenworks/core/tensor.hpp>
#include <tokenworks/kernels/matmul.hpp>
#include <tokenworks/kernels/packed_matrix.hpp>
#include <tokenworks/quant/convert.hpp>
#include <tokenworks/quant/legacy.hpp>

namespace tw = tokenworks;

int main() {
    constexpr std::size_t rows = 1024;
    constexpr std::size_t columns = 2048;
    constexpr std::size_t tokens = 8;
    tw::tensor_of<float, tw::dyn, tw::dyn> weights{rows, columns};
    tw::tensor_of<float, tw::dyn, tw::dyn> x{tokens, columns};
    for(std::size_t i = 0; i < weights.size(); ++i) {
        weights.data()[i] = tw::uniform<float>(1, i) - 0.5F; // random numbers are a function of seed and position
    }
    for(std::size_t i = 0; i < x.size(); ++i) {
        x.data()[i] = tw::uniform<float>(2, i) - 0.5F;
    }

    // A quantised matrix is a tensor whose element is a block of 32 weights.
    tw::tensor_of<tw::quant::q4_0, tw::dyn, tw::dyn> blocks{rows, columns / 32};
    tw::quant::encode(tw::dtype::q4_0, {weights.data(), weights.size()},
                      std::as_writable_bytes(std::span{blocks.data(), blocks.size()}));
    std::printf("%zu KB of floats became %zu KB\n", weights.size() * 4 / 1024,
                blocks.size() * sizeof(tw::quant::q4_0) / 1024);

    tw::tensor_of<float, tw::dyn, tw::dyn> exact{tokens, rows};
    tw::tensor_of<float, tw::dyn, tw::dyn> out{tokens, rows};
    tw::kernels::matmul(x.cview(), weights.cview(), exact.view());
    tw::kernels::matmul(x.cview(), blocks.cview(), out.view()); // the same name takes both
    double error = 0;
    double norm = 0;
    for(std::size_t i = 0; i < out.size(); ++i) {
        error += std::pow(static_cast<double>(out.data()[i] - exact.data()[i]), 2);
        norm += std::pow(static_cast<double>(exact.data()[i]), 2);
    }
    std::printf("relative error of the product: %.1f %%\n", 100 * std::sqrt(error / norm));

    tw::thread_team team{2};
    const tw::execution how{.threads = &team};
    const auto bytes = std::as_bytes(std::span{blocks.data(), blocks.size()});
    const tw::kernels::packed_matrix packed = tw::kernels::pack(tw::dtype::q4_0, bytes, rows, columns, how);
    tw::tensor_of<float, tw::dyn, tw::dyn> fast{tokens, rows};
    double best = 1e9;
    for(int i = 0; i < 50; ++i) {
        const auto start = std::chrono::steady_clock::now();
        tw::kernels::matmul(x.cview(), packed, fast.view(), {}, how);
        best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    bool same = true;
    for(std::size_t i = 0; i < out.size(); ++i) {
        same = same && out.data()[i] == fast.data()[i];
    }
    std::printf("packed, on 2 threads: %.0f GOP/s, %s\n", 2e-9 * tokens * rows * columns / best,
                same ? "bitwise the same" : "DIFFERENT");
    return same ? 0 : 1;
}
