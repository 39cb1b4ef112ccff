#include <tokenworks/nn/cross_attention.hpp>

#include <cstddef>
#include <vector>

#include <tokenworks/core/thread_team.hpp>

#include "nn/blocks.hpp"
#include "reference/attention.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
namespace nn = tokenworks::nn;
using blocks::dense;
using blocks::matrix;

namespace {

constexpr std::size_t width = 24;
constexpr std::size_t other_width = 20;
constexpr std::size_t heads = 3;
constexpr std::size_t head_width = 10;

struct layers {
    dense query{heads * head_width, width, 1, true};
    dense key{heads * head_width, other_width, 2, true};
    dense value{heads * head_width, other_width, 3, true};
    dense output{width, heads* head_width, 4, true};

    [[nodiscard]] nn::cross_attention block() const {
        return {.query = query.layer,
                .key = key.layer,
                .value = value.layer,
                .output = output.layer,
                .heads = heads,
                .width = head_width};
    }
};

std::vector<float> rounded(const reference::grid& x) { return {x.values.begin(), x.values.end()}; }

} // namespace

TEST_CASE("cross_attention: every row sees all of the other sequence", "[nn]") {
    const layers l;
    const nn::cross_attention block = l.block();
    const matrix x{5, width, 5};
    const matrix other{70, other_width, 6};
    const reference::attention_shape shape{5, 70, heads, heads, head_width, head_width};
    const std::vector<double> mixed =
        reference::attention(shape, rounded(reference::product(x.exact(), l.query.weight, l.query.bias)),
                             rounded(reference::product(other.exact(), l.key.weight, l.key.bias)),
                             rounded(reference::product(other.exact(), l.value.weight, l.value.bias)), {});
    reference::grid values{5, heads * head_width};
    values.values = mixed;
    const reference::grid expected = reference::product(values, l.output.weight, l.output.bias);
    tw::thread_team two{2};
    support::for_each_isa([&](tw::execution how) {
        INFO(tw::name(how.set));
        for(tw::team* const team: {static_cast<tw::team*>(nullptr), static_cast<tw::team*>(&two)}) {
            how.threads = team;
            nn::context c{how};
            nn::kv_cache memory{1, heads, head_width, head_width, 70, tw::dtype::f32};
            block.remember(c, nn::activations{c, other.rows()}, memory);
            memory.advance(70);
            c.begin_step(5, 2);
            c.add_sequence({.first = 0, .count = 2, .memory = &memory});
            c.add_sequence({.first = 2, .count = 3, .memory = &memory});
            matrix out{5, width};
            block(c, nn::activations{c, x.rows()}, out.rows());
            CHECK(blocks::worst(expected.values, out.values) < blocks::float_bound);
        }
    });
    CHECK(block.bytes() ==
          l.query.layer.bytes() + l.key.layer.bytes() + l.value.layer.bytes() + l.output.layer.bytes());
}

TEST_CASE("cross_attention: sequences without a memory, and memories of another shape", "[nn]") {
    const layers l;
    const nn::cross_attention block = l.block();
    nn::context c;
    const matrix x{2, width, 7};
    matrix out{2, width};
    c.begin_step(2, 1);
    c.add_sequence({.first = 0, .count = 2});
    CHECK_THROWS_AS(block(c, nn::activations{c, x.rows()}, out.rows()), tw::argument_error);
    const nn::kv_cache wrong{1, heads + 1, head_width, head_width, 4, tw::dtype::f32};
    c.begin_step(2, 1);
    c.add_sequence({.first = 0, .count = 2, .memory = &wrong});
    CHECK_THROWS_AS(block(c, nn::activations{c, x.rows()}, out.rows()), tw::shape_error);
}
