#include <tokenworks/nn/adapter.hpp>

#include <cstddef>
#include <span>
#include <vector>

#include <tokenworks/kernels/elementwise.hpp>
#include <tokenworks/kernels/matmul.hpp>
#include <tokenworks/kernels/pack.hpp>
#include <tokenworks/nn/linear.hpp>
#include <tokenworks/nn/mlp.hpp>

#include "nn/blocks.hpp"
#include "support/catch.hpp"
#include "support/teams.hpp"
#include "support/weights.hpp"

namespace tw = tokenworks;
namespace nn = tokenworks::nn;
using blocks::matrix;

namespace {

constexpr std::size_t rank = 3;

nn::linear layer(tw::dtype type, std::size_t out, std::size_t in, unsigned seed) {
    return nn::linear{tw::kernels::pack(type, support::random_blocks(type, out * in, seed), out, in)};
}

tw::kernels::packed_matrix floats(std::size_t rows, std::size_t columns, unsigned seed) {
    const std::vector<float> values = support::random_floats(rows * columns, seed, 0.1F);
    return tw::kernels::pack(tw::dtype::f32, std::as_bytes(std::span{values}), rows, columns);
}

/// layer(x), and on some rows what an adapter adds, step by step.
void expect(nn::context& c, const nn::linear& of, const matrix& x, matrix& out, std::size_t first, std::size_t count,
            unsigned seed) {
    of(c, nn::activations{c, x.rows()}, out.rows());
    matrix narrow{count, rank};
    tw::kernels::matmul(x.rows().slice(first, count), floats(rank, of.in_width(), seed), narrow.rows(), {}, c.how);
    tw::kernels::matmul(narrow.rows(), floats(of.out_width(), rank, seed + 1), out.rows().slice(first, count),
                        {.add = true}, c.how);
}

void change(nn::adapter& made, const nn::linear& of, unsigned seed) {
    made.add_change(of.weight(), floats(rank, of.in_width(), seed), floats(of.out_width(), rank, seed + 1));
}

} // namespace

TEST_CASE("adapter: rows of an adapter change, others keep their bits, in fused products too", "[nn]") {
    constexpr std::size_t in = 64;
    constexpr std::size_t inner = 96;
    for(const tw::dtype type: {tw::dtype::q4_0, tw::dtype::q8_0, tw::dtype::bf16}) {
        const nn::linear gate = layer(type, inner, in, 1);
        const nn::linear up = layer(type, inner, in, 2);
        const nn::linear down = layer(type, in, inner, 3);
        nn::adapter with;
        change(with, gate, 10);
        change(with, up, 20);
        change(with, down, 30);
        CHECK(with.size() == 3);
        CHECK(with.bytes() > 0);
        for(const std::size_t count: {2U, 20U}) {
            const std::size_t first = count / 2;
            const matrix x{count, in, 5};
            support::for_each_team([&](const tw::execution& how) {
                INFO(tw::info(type).name << ", " << count << " rows");
                nn::context c{how};
                nn::context alone{{.set = how.set}};
                matrix a{count, inner};
                matrix b{count, inner};
                expect(alone, gate, x, a, first, count - first, 10);
                expect(alone, up, x, b, first, count - first, 20);
                tw::kernels::glu(tw::kernels::silu{}, a.rows(), b.rows(), a.rows(), alone.how);
                matrix expected{count, in};
                expect(alone, down, a, expected, first, count - first, 30);
                matrix out{count, in};
                c.adapted = {{first, count - first, &with}};
                nn::gated_mlp<tw::kernels::silu>{gate, up, down}(c, nn::activations{c, x.rows()}, out.rows());
                CHECK(support::same_bits(out.values, expected.values));

                // Several layers of one input, and the best column.
                matrix p{count, inner};
                matrix q{count, inner};
                nn::project(c, nn::activations{c, x.rows()}, {{gate, p.rows()}, {up, q.rows()}});
                expect(alone, up, x, b, first, count - first, 20);
                CHECK(support::same_bits(q.values, b.values));
                std::vector<tw::kernels::best_column> best(count);
                up.argmax(c, nn::activations{c, x.rows()}, best);
                for(std::size_t t = 0; t < count; ++t) {
                    const std::span<const float> row = std::span{b.values}.subspan(t * inner, inner);
                    CHECK(best[t].column() == static_cast<std::size_t>(std::ranges::max_element(row) - row.begin()));
                }
            });
        }
    }
}

TEST_CASE("adapter: shapes that do not fit, and a layer twice", "[nn]") {
    const nn::linear of = layer(tw::dtype::q8_0, 8, 32, 1);
    nn::adapter with;
    CHECK_THROWS_AS(with.add_change(of.weight(), floats(rank, 31, 1), floats(8, rank, 2)), tw::shape_error);
    CHECK_THROWS_AS(with.add_change(of.weight(), floats(rank, 32, 1), floats(8, rank + 1, 2)), tw::shape_error);
    CHECK(with.size() == 0);
    change(with, of, 1);
    CHECK_THROWS_AS(change(with, of, 1), tw::argument_error);
}
