// A small transformer whose shapes are all known at compile time: one step runs without heap, locks or branches on
// shape, as code that must answer in time wants it. A wrong extent anywhere does not compile.
#include <array>
#include <cstdio>
#include <cstdlib>

#include <tokenworks/core/random.hpp>
#include <tokenworks/core/tensor.hpp>
#include <tokenworks/kernels/activation.hpp>
#include <tokenworks/kernels/attention.hpp>
#include <tokenworks/kernels/elementwise.hpp>
#include <tokenworks/kernels/matmul.hpp>
#include <tokenworks/kernels/rms_norm.hpp>

namespace tw = tokenworks;

static std::size_t allocations = 0; // every operator new of this program
void* operator new(std::size_t size) { return ++allocations, std::malloc(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

template <std::size_t... E>
using fixed = tw::tensor<float, tw::extents<E...>, tw::in_place>;

constexpr std::size_t width = 32, heads = 4, head_width = 8, hidden = 64, context = 48;

struct layer {
    fixed<width> attention_norm, mlp_norm;
    fixed<3 * width, width> qkv;
    fixed<width, width> output;
    fixed<hidden, width> up;
    fixed<width, hidden> down;
    fixed<context, heads, head_width> keys, values; // the cache is part of the layer

    void step(fixed<1, width>& x, std::size_t position) {
        fixed<1, width> normed, mixed;
        fixed<1, 3 * width> projected;
        fixed<1, hidden> raised;
        tw::kernels::rms_norm(x, attention_norm, normed);
        tw::kernels::matmul(normed, qkv.cview(), projected);
        const tw::view<float, 3, heads, head_width> parts{projected.data()};
        tw::copy(parts.row(1), keys.view().row(position));
        tw::copy(parts.row(2), values.view().row(position));
        tw::kernels::attention(tw::view<const float, 1, heads, head_width>{projected.data()}, keys, values,
                               {.causal = true, .start = position},
                               tw::view<float, 1, heads, head_width>{mixed.data()});
        tw::kernels::matmul(mixed, output.cview(), x, {.add = true});
        tw::kernels::rms_norm(x, mlp_norm, normed);
        tw::kernels::matmul(normed, up.cview(), raised);
        tw::kernels::activate(tw::kernels::gelu{}, raised, raised);
        tw::kernels::matmul(raised, down.cview(), x, {.add = true});
    }
};

int main() {
    static std::array<layer, 2> model;
    std::uint64_t position = 0;
    const auto fill = [&](auto& weights) {
        for(float& value: weights.view().as_span()) {
            value = (tw::uniform<float>(7, position++) - 0.5F) / 4;
        }
    };
    for(layer& each: model) {
        tw::fill(each.attention_norm.view(), 1.0F);
        tw::fill(each.mlp_norm.view(), 1.0F);
        fill(each.qkv), fill(each.output), fill(each.up), fill(each.down);
    }
    fixed<1, width> x;
    fill(x);
    const std::size_t before = allocations;
    for(std::size_t t = 0; t < context; ++t) {
        for(layer& each: model) {
            each.step(x, t);
        }
    }
    std::printf("%zu steps, %zu allocations, x[0] = %.4f\n", context, allocations - before,
                static_cast<double>(x.data()[0]));
    return allocations == before ? 0 : 1;
}
