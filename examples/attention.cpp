// One kernel alone, on arrays that the program owns: nothing is copied, nothing else of the library is needed.
#include <array>
#include <cmath>
#include <cstdio>
#include <vector>

#include <tokenworks/kernels/attention.hpp>

namespace tw = tokenworks;

int main() {
    constexpr std::size_t tokens = 6;
    constexpr std::size_t heads = 4;    // of queries
    constexpr std::size_t kv_heads = 2; // of keys and values; two query heads share one
    constexpr std::size_t width = 8;
    std::vector<float> query(tokens * heads * width);
    std::vector<float> key(tokens * kv_heads * width);
    std::array<float, tokens * kv_heads * width> value{};
    std::vector<float> result(tokens * heads * width);
    for(std::size_t i = 0; i < query.size(); ++i) {
        query[i] = std::sin(static_cast<float>(i));
    }
    for(std::size_t i = 0; i < key.size(); ++i) {
        key[i] = std::cos(static_cast<float>(i));
        value[i] = static_cast<float>(i / (kv_heads * width)); // every value of token t is t
    }

    // The number of tokens is known at run time, the rest at compile time: a wrong static extent does not compile.
    const tw::view<const float, tw::dyn, heads, width> q{query, tokens};
    const tw::view<const float, tw::dyn, kv_heads, width> k{key, tokens};
    const tw::view<const float, tw::dyn, kv_heads, width> v{value, tokens};
    const tw::view<float, tw::dyn, heads, width> out{result, tokens};
    tw::kernels::attention(q, k, v, {.causal = true, .window = 4}, out);

    // With such values, the result is the mean position that a token attends to.
    for(std::size_t t = 0; t < tokens; ++t) {
        std::printf("token %zu attends on average to", t);
        for(std::size_t h = 0; h < heads; ++h) {
            std::printf(" %.2f", static_cast<double>(out(t, h, 0)));
        }
        std::printf("\n");
    }

    try { // extents that are known at run time only are checked at run time
        tw::kernels::attention(q, k.slice(0, 3), v, {.causal = true}, out);
    } catch(const tw::shape_error& problem) {
        std::printf("refused: %s\n", problem.what());
    }
}
