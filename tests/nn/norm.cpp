#include <tokenworks/nn/norm.hpp>

#include <cstddef>
#include <cstring>
#include <vector>

#include <tokenworks/core/thread_team.hpp>

#include "nn/blocks.hpp"
#include "support/catch.hpp"
#include "support/teams.hpp"

namespace tw = tokenworks;
namespace nn = tokenworks::nn;
using blocks::matrix;

namespace {

reference::grid normalized(const matrix& x, const reference::norm_weights& weights) {
    reference::grid out = x.exact();
    for(std::size_t t = 0; t < out.rows(); ++t) {
        reference::normalize(out.row(t), weights);
    }
    return out;
}

} // namespace

TEST_CASE("norm: rms and layer norm follow their formulas, chosen at compile time or at run time", "[nn]") {
    constexpr std::size_t width = 45;
    const std::vector<float> weight = blocks::norm_weight(width, 1);
    const std::vector<float> bias = support::random_floats(width, 2);
    const matrix x{6, width, 3};
    const float epsilon = 0.01F; // large, so that leaving it out would show

    const nn::rms_norm rms{weight, epsilon};
    const nn::layer_norm centred{weight, bias, epsilon};
    const nn::layer_norm unbiased{weight, {}, epsilon};
    const reference::grid of_rms = normalized(x, {false, weight, {}, static_cast<double>(epsilon)});
    const reference::grid of_layer = normalized(x, {true, weight, bias, static_cast<double>(epsilon)});
    const reference::grid of_unbiased = normalized(x, {true, weight, {}, static_cast<double>(epsilon)});

    const auto check = [&](const auto& layer, const reference::grid& expected) {
        support::for_each_isa([&](const tw::execution& how) {
            INFO(tw::name(how.set));
            nn::context c{how};
            matrix out{6, width};
            layer(c, x.rows(), out.rows());
            CHECK(blocks::worst(expected.values, out.values) < 1e-6);
            const nn::activations made = layer(c, x.rows());
            CHECK(support::same_bits({made.values().data(), out.values.size()}, out.values));
            matrix in_place = x;
            layer(c, in_place.rows(), in_place.rows());
            CHECK(support::same_bits(in_place.values, out.values));
        });
    };
    check(rms, of_rms);
    check(centred, of_layer);
    check(unbiased, of_unbiased);
    check(nn::norm{rms}, of_rms);
    check(nn::norm{centred}, of_layer);
}

TEST_CASE("norm: a weight or bias of another width", "[nn]") {
    nn::context c;
    const matrix x{2, 8, 1};
    matrix out{2, 8};
    const nn::norm narrow{nn::rms_norm{std::vector<float>(7), 1e-5F}};
    CHECK_THROWS_AS(narrow(c, x.rows(), out.rows()), tw::shape_error);
    const nn::norm biased{nn::layer_norm{std::vector<float>(8), std::vector<float>(9), 1e-5F}};
    CHECK_THROWS_AS(biased(c, x.rows(), out.rows()), tw::shape_error);
    matrix short_out{1, 8};
    CHECK_THROWS_AS((nn::rms_norm{std::vector<float>(8), 1e-5F}(c, x.rows(), short_out.rows())), tw::shape_error);
}

TEST_CASE("norm: the 8-bit form that is made along with the rows is that of the rows", "[nn]") {
    constexpr std::size_t width = 90;
    const nn::norm layers[] = {nn::rms_norm{blocks::norm_weight(width, 1), 1e-5F},
                               nn::layer_norm{blocks::norm_weight(width, 2), support::random_floats(width, 3), 1e-5F}};
    for(const std::size_t count: {1U, 5U, 16U, 21U, 300U}) {
        const matrix x{count, width, 4};
        support::for_each_team([&](const tw::execution& how) {
            INFO(count << " rows");
            for(const nn::norm& layer: layers) {
                nn::context c{how};
                matrix expected{count, width};
                layer(c, x.rows(), expected.rows());
                const nn::activations made = layer(c, x.rows(), true);
                CHECK(support::same_bits(made.values().as_span(), expected.values));
                std::vector<std::byte> memory(tw::kernels::quantized_rows::bytes(count, width));
                const auto whole = tw::kernels::quantize_rows(expected.rows(), memory, how);
                const tw::kernels::quantized_rows& parts = made.quantized(c);
                bool same = true;
                for(std::size_t t = 0; t < count; ++t) {
                    for(std::size_t b = 0; b < whole.blocks(); ++b) {
                        same =
                            same && std::memcmp(&parts.block(t, b), &whole.block(t, b), sizeof whole.block(t, b)) == 0;
                    }
                }
                CHECK(same);
            }
        });
    }
}
