#include <tokenworks/nn/activations.hpp>

#include <cstddef>
#include <vector>

#include <tokenworks/nn/linear.hpp>

#include "nn/blocks.hpp"
#include "support/catch.hpp"
#include "support/weights.hpp"

namespace tw = tokenworks;
namespace nn = tokenworks::nn;
using blocks::matrix;

TEST_CASE("activations: rows are quantised when first asked for, and once", "[nn]") {
    nn::context c;
    matrix x{3, 64, 1};
    const nn::activations input{c, x.rows()};
    CHECK(input.values().data() == x.values.data());

    // Values that change before the first call are seen ...
    x.values[0] = 100.0F;
    const tw::kernels::quantized_rows& first = input.quantized(c);
    CHECK(first.rows() == 3);
    CHECK(first.columns() == 64);
    std::vector<std::byte> bytes(tw::kernels::quantized_rows::bytes(3, 64) + 64);
    const auto expected = tw::kernels::quantize_rows(x.rows(), bytes);
    CHECK(first.block(0, 0).scale == expected.block(0, 0).scale);

    // ... those that change later are not: later callers share the blocks of the first.
    const float scale = first.block(0, 0).scale;
    x.values[0] = 900.0F;
    CHECK(&input.quantized(c) == &first);
    CHECK(input.quantized(c).block(0, 0).scale == scale);
}

TEST_CASE("activations: layers with float weights never quantise, those with blocks share the same blocks", "[nn]") {
    nn::context c;
    matrix x{2, 32, 1};
    const nn::activations input{c, x.rows()};
    const blocks::dense plain{5, 32, 2};
    matrix out{2, 5};
    plain.layer(c, input, out.rows());
    const auto before = support::random_blocks(tw::dtype::q8_0, 4 * 32, 3);
    const nn::linear blocked{tw::kernels::pack(tw::dtype::q8_0, before, 4, 32)};
    matrix first{2, 4};
    blocked(c, input, first.rows());
    x.values.assign(x.values.size(), 0.0F); // a second quantisation would give zeros
    matrix second{2, 4};
    blocked(c, input, second.rows());
    CHECK(support::same_bits(first.values, second.values));
    matrix zeros{2, 5};
    plain.layer(c, input, zeros.rows());
    CHECK(zeros.values == std::vector<float>(10, 0.0F));
}

TEST_CASE("activations: their memory is the context's, and goes with its scope", "[nn]") {
    nn::context c;
    const matrix x{4, 96, 1};
    const auto start = c.scratch.mark();
    {
        const tw::arena::scope scope{c.scratch};
        const nn::activations input{c, x.rows()};
        CHECK(c.scratch.mark().offset >= tw::kernels::quantized_rows::bytes(4, 96));
    }
    CHECK(c.scratch.mark().offset == start.offset);
}
