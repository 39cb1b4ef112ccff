#include <tokenworks/nn/input_embeddings.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "nn/blocks.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
namespace nn = tokenworks::nn;
using blocks::matrix;

namespace {

constexpr std::size_t width = 20;

nn::embedding table(const std::vector<float>& values) {
    return nn::embedding{std::make_shared<const tw::kernels::packed_matrix>(
        tw::kernels::pack(tw::dtype::f32, std::as_bytes(std::span{values}), values.size() / width, width))};
}

} // namespace

TEST_CASE("input_embeddings: tokens, positions and types are added, then normalised", "[nn]") {
    const std::vector<float> tokens = support::random_floats(9 * width, 1);
    const std::vector<float> positions = support::random_floats(12 * width, 2);
    const std::vector<float> types = support::random_floats(2 * width, 3);
    nn::input_embeddings embed{.tokens = table(tokens), .scale = 2};
    const std::vector<std::int32_t> ids{8, 0, 3};
    const std::vector<std::int32_t> kinds{0, 1, 1};
    nn::context c;
    const auto expect = [&](bool with_positions, bool with_types) {
        matrix x{3, width};
        c.begin_step(3, 1);
        c.add_sequence({.first = 0, .count = 3, .start = 4});
        embed(c, ids, kinds, x.rows());
        for(std::size_t t = 0; t < 3; ++t) {
            for(std::size_t i = 0; i < width; ++i) {
                float value = 2 * tokens[static_cast<std::size_t>(ids[t]) * width + i];
                value = with_positions ? value + positions[(2 + 4 + t) * width + i] : value;
                value = with_types ? value + types[static_cast<std::size_t>(kinds[t]) * width + i] : value;
                CHECK(x.values[t * width + i] == value);
            }
        }
    };
    expect(false, false);
    embed.positions = table(positions);
    embed.first_position = 2;
    expect(true, false);
    embed.types = table(types);
    expect(true, true);
    CHECK(embed.bytes() == embed.tokens.bytes() + embed.positions->bytes() + embed.types->bytes());

    matrix plain{3, width};
    embed(c, ids, {}, plain.rows()); // all of type 0
    CHECK(plain.values[width] == 2 * tokens[0] + positions[7 * width] + types[0]);
    embed.after = nn::layer_norm{std::vector<float>(width, 1.0F), {}, 1e-5F};
    matrix normed{3, width};
    embed(c, ids, {}, normed.rows());
    matrix expected{3, width};
    (*embed.after)(c, plain.rows(), expected.rows());
    CHECK(normed.values == expected.values);
}
