#include <tokenworks/nn/linear.hpp>

#include <cstddef>
#include <memory>
#include <vector>

#include <tokenworks/kernels/reduce.hpp>

#include "nn/blocks.hpp"
#include "reference/matmul.hpp"
#include "support/catch.hpp"
#include "support/weights.hpp"

namespace tw = tokenworks;
namespace nn = tokenworks::nn;
using blocks::matrix;

TEST_CASE("linear: out = x * weight^T + bias, on every instruction set", "[nn]") {
    const blocks::dense plain{37, 65, 1};
    const blocks::dense biased{37, 65, 2, true};
    for(const blocks::dense* each: {&plain, &biased}) {
        CHECK(each->layer.out_width() == 37);
        CHECK(each->layer.in_width() == 65);
        CHECK(each->layer.bytes() == 48 * 65 * sizeof(float)); // panels of 16 rows
        for(const std::size_t count: {std::size_t{0}, std::size_t{1}, std::size_t{5}}) {
            support::for_each_isa([&](const tw::execution& how) {
                nn::context c{how};
                const matrix x{count, 65, 3};
                matrix out{count, 37, 4};
                each->layer(c, nn::activations{c, x.rows()}, out.rows());
                const reference::grid expected = reference::product(x.exact(), each->weight, each->bias);
                INFO(tw::name(how.set) << " T=" << count);
                CHECK(blocks::worst(expected.values, out.values) < blocks::float_bound);
            });
        }
    }
}

TEST_CASE("linear: add_to adds, a plain view replaces", "[nn]") {
    const blocks::dense layer{20, 32, 1, true};
    nn::context c;
    const matrix x{3, 32, 2};
    matrix out{3, 20, 5};
    const std::vector<float> before = out.values;
    layer.layer(c, nn::activations{c, x.rows()}, nn::add_to(out.rows()));
    reference::grid expected = reference::product(x.exact(), layer.weight, layer.bias);
    for(std::size_t i = 0; i < before.size(); ++i) {
        expected.values[i] += static_cast<double>(before[i]);
    }
    CHECK(blocks::worst(expected.values, out.values) < blocks::float_bound);
}

TEST_CASE("linear: weights in blocks multiply the rows' 8-bit form", "[nn]") {
    for(const tw::dtype type: {tw::dtype::q4_1, tw::dtype::q8_0, tw::dtype::q6_k}) {
        const std::vector<std::byte> bytes = support::random_blocks(type, 24 * 256, 7);
        const nn::linear layer{tw::kernels::pack(type, bytes, 24, 256)};
        const std::vector<float> weight = support::decoded(type, bytes);
        nn::context c;
        const matrix x{4, 256, 8};
        matrix out{4, 24};
        layer(c, nn::activations{c, x.rows()}, out.rows());
        const std::vector<double> rounded = reference::rounded(x.values, 4, 256);
        const std::vector<double> expected =
            reference::matmul(std::span<const double>{rounded}, std::span<const float>{weight}, 4, 24, 256);
        INFO(tw::info(type).name);
        CHECK(blocks::worst(expected, out.values) < blocks::float_bound);
    }
}

TEST_CASE("linear: the same bits on every number of threads", "[nn]") {
    const blocks::dense layer{300, 64, 1, true};
    const matrix x{9, 64, 2};
    matrix alone{9, 300};
    nn::context c;
    layer.layer(c, nn::activations{c, x.rows()}, alone.rows());
    for(const unsigned count: {2U, 3U, 5U}) {
        tw::thread_team team{count};
        nn::context shared{{.threads = &team}};
        matrix out{9, 300};
        layer.layer(shared, nn::activations{shared, x.rows()}, out.rows());
        CHECK(support::same_bits(out.values, alone.values));
    }
}

TEST_CASE("linear: a weight can be shared; an empty layer has no width", "[nn]") {
    const blocks::dense owner{6, 8, 1};
    const auto table = std::make_shared<const tw::kernels::packed_matrix>(
        tw::kernels::pack(tw::dtype::f32, std::as_bytes(std::span{owner.weight}), 6, 8));
    const nn::linear head{table};
    CHECK(table.use_count() == 2);
    CHECK(head.out_width() == 6);
    const nn::linear empty;
    CHECK(empty.out_width() == 0);
    CHECK(empty.in_width() == 0);
    CHECK(empty.bytes() == 0);
}

TEST_CASE("project: several layers of one input, in blocks, as floats or mixed", "[nn]") {
    const auto layer = [](tw::dtype type, std::size_t rows, unsigned seed) {
        return nn::linear{tw::kernels::pack(type, support::random_blocks(type, rows * 64, seed), rows, 64)};
    };
    const nn::linear q4 = layer(tw::dtype::q4_0, 40, 1);
    const nn::linear q8 = layer(tw::dtype::q8_0, 24, 2);
    const blocks::dense floats{12, 64, 3, true};
    tw::thread_team two{2};
    nn::context c{{.threads = &two}};
    const matrix x{3, 64, 4};
    const nn::activations input{c, x.rows()};
    const auto alone = [&](const nn::linear& each, matrix out) {
        each(c, input, nn::add_to(out.rows()));
        return out.values;
    };
    const matrix before[] = {matrix{3, 40, 5}, matrix{3, 24, 6}, matrix{3, 12, 7}};
    matrix a = before[0];
    matrix b = before[1];
    nn::project(c, input, {{q4, nn::add_to(a.rows())}, {q8, nn::add_to(b.rows())}});
    CHECK(support::same_bits(a.values, alone(q4, before[0])));
    CHECK(support::same_bits(b.values, alone(q8, before[1])));
    matrix d = before[0];
    matrix e = before[2];
    nn::project(c, input, {{q4, nn::add_to(d.rows())}, {floats.layer, nn::add_to(e.rows())}});
    CHECK(support::same_bits(d.values, a.values));
    CHECK(support::same_bits(e.values, alone(floats.layer, before[2])));
}

TEST_CASE("linear: the best column without the results, of weights in blocks and of floats", "[nn]") {
    const nn::linear blocked{
        tw::kernels::pack(tw::dtype::q8_0, support::random_blocks(tw::dtype::q8_0, 70 * 64, 1), 70, 64),
        support::random_floats(70, 2)};
    const blocks::dense plain{70, 64, 3, true};
    tw::thread_team two{2};
    nn::context c{{.threads = &two}};
    const matrix x{5, 64, 4};
    const nn::activations input{c, x.rows()};
    for(const nn::linear* layer: {&blocked, &plain.layer}) {
        matrix out{5, 70};
        (*layer)(c, input, out.rows());
        tw::kernels::scale(out.rows(), 0.5F, out.rows());
        tw::kernels::soft_cap(out.rows(), 1.0F, out.rows());
        std::vector<tw::kernels::best_column> best(5);
        layer->argmax(c, input, best, {.scale = 0.5F, .softcap = 1.0F});
        for(std::size_t t = 0; t < 5; ++t) {
            CHECK(best[t].column() == tw::kernels::argmax(out.rows().row(t)));
        }
        CHECK_THROWS_AS(layer->argmax(c, input, std::span{best}.first(4)), tw::shape_error);
    }
}

TEST_CASE("linear: a context tells the input of every product once, of weights in blocks and of floats", "[nn]") {
    const nn::linear blocked{
        tw::kernels::pack(tw::dtype::q8_0, support::random_blocks(tw::dtype::q8_0, 48 * 64, 1), 48, 64)};
    const blocks::dense plain{48, 64, 3};
    nn::context c;
    std::vector<const tw::kernels::packed_matrix*> seen;
    const float* values = nullptr;
    c.on_product = [&](const tw::kernels::packed_matrix& weight, nn::const_rows x) {
        seen.push_back(&weight);
        CHECK(x.data() == values);
        CHECK(x.extent(0) == 5);
    };
    const matrix x{5, 64, 4};
    values = x.rows().data();
    for(const nn::linear* first: {&blocked, &plain.layer}) {
        for(const nn::linear* second: {&blocked, &plain.layer}) {
            const nn::activations input{c, x.rows()};
            matrix a{5, 48};
            matrix b{5, 48};
            std::vector<tw::kernels::best_column> best(5);
            (*first)(c, input, a.rows());
            nn::project(c, input, {{*first, a.rows()}, {*second, b.rows()}});
            nn::project_side_by_side(c, input, {*first, a.rows()}, {*second, b.rows()},
                                     [](const tw::kernels::product_part&) {});
            second->argmax(c, input, best);
            const auto* const one = &first->weight();
            const auto* const other = &second->weight();
            CHECK(seen == std::vector{one, one, other, one, other, other});
            seen.clear();
        }
    }
}

TEST_CASE("linear: extents that disagree", "[nn]") {
    const blocks::dense layer{6, 8, 1};
    CHECK_THROWS_WITH((nn::linear{tw::kernels::pack(tw::dtype::f32, std::as_bytes(std::span{layer.weight}), 6, 8),
                                  std::vector<float>(7)}),
                      ContainsSubstring("weight has N=6, bias has N=7"));
    nn::context c;
    matrix narrow{2, 7, 1};
    matrix good{2, 8, 1};
    matrix out{2, 6};
    matrix wide{2, 5};
    matrix tall{3, 6};
    CHECK_THROWS_AS(layer.layer(c, nn::activations{c, narrow.rows()}, out.rows()), tw::shape_error);
    CHECK_THROWS_AS(layer.layer(c, nn::activations{c, good.rows()}, wide.rows()), tw::shape_error);
    CHECK_THROWS_AS(layer.layer(c, nn::activations{c, good.rows()}, tall.rows()), tw::shape_error);
}
