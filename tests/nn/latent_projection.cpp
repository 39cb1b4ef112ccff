#include <tokenworks/nn/latent_projection.hpp>

#include <cstddef>
#include <vector>

#include <tokenworks/core/thread_team.hpp>

#include "nn/blocks.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
namespace nn = tokenworks::nn;
using blocks::dense;
using blocks::matrix;

namespace {

constexpr std::size_t width = 30, heads = 3, plain = 5, turned = 4, value_width = 7, rank = 11, query_rank = 13;
constexpr std::size_t tokens = 9;

struct model {
    dense query_down{query_rank, width, 1, true};
    dense query{heads * (plain + turned), query_rank, 2};
    dense direct{heads * (plain + turned), width, 3};
    dense latent_down{rank, width, 4, true};
    dense turned_key{turned, width, 5, true};
    dense key_up{heads * plain, rank, 6};
    dense value_up{heads * value_width, rank, 7};
    std::vector<float> query_norm = blocks::norm_weight(query_rank, 8);
    std::vector<float> latent_norm = blocks::norm_weight(rank, 9);

    [[nodiscard]] nn::latent_projection layer(bool narrow_queries) const {
        nn::latent_projection out{.latent_down = latent_down.layer,
                                  .turned_key = turned_key.layer,
                                  .latent_norm = nn::rms_norm{latent_norm, 1e-3F},
                                  .key_up = key_up.layer,
                                  .value_up = value_up.layer};
        if(narrow_queries) {
            out.query_down = query_down.layer;
            out.query_norm = nn::rms_norm{query_norm, 1e-3F};
        }
        return out;
    }
};

reference::grid narrowed(const matrix& x, const dense& down, const std::vector<float>& weight) {
    reference::grid out = reference::product(x.exact(), down.weight, down.bias);
    for(std::size_t t = 0; t < out.rows(); ++t) {
        reference::normalize(out.row(t), {.weight = weight, .epsilon = static_cast<double>(1e-3F)});
    }
    return out;
}

} // namespace

TEST_CASE("latent_projection: queries, keys and values by the formulas", "[nn]") {
    const model m;
    const matrix x{tokens, width, 20};
    const reference::grid latent = narrowed(x, m.latent_down, m.latent_norm);
    const reference::grid up = reference::product(latent, m.key_up.weight, {});
    const reference::grid shared = reference::product(x.exact(), m.turned_key.weight, m.turned_key.bias);
    reference::grid keys(tokens, heads * (plain + turned));
    for(std::size_t t = 0; t < tokens; ++t) {
        for(std::size_t h = 0; h < heads; ++h) {
            for(std::size_t i = 0; i < plain + turned; ++i) {
                keys.row(t)[h * (plain + turned) + i] = i < plain ? up.row(t)[h * plain + i] : shared.row(t)[i - plain];
            }
        }
    }
    const reference::grid values = reference::product(latent, m.value_up.weight, {});
    tw::thread_team team{3};
    for(const bool narrow: {true, false}) {
        const reference::grid queries =
            narrow ? reference::product(narrowed(x, m.query_down, m.query_norm), m.query.weight, {})
                   : reference::product(x.exact(), m.direct.weight, {});
        const nn::latent_projection layer = m.layer(narrow);
        for(tw::thread_team* const threads: {static_cast<tw::thread_team*>(nullptr), &team}) {
            nn::context c{{.threads = threads}};
            matrix q{tokens, heads * (plain + turned)};
            matrix k{tokens, heads * (plain + turned)};
            matrix v{tokens, heads * value_width};
            layer(c, nn::activations{c, x.rows()}, narrow ? m.query.layer : m.direct.layer, q.rows(), k.rows(),
                  v.rows());
            CHECK(blocks::worst(queries.values, q.values) < blocks::float_bound);
            CHECK(blocks::worst(keys.values, k.values) < blocks::float_bound);
            CHECK(blocks::worst(values.values, v.values) < blocks::float_bound);
        }
        CHECK(layer.bytes() == (narrow ? m.query_down.layer.bytes() : 0) + m.latent_down.layer.bytes() +
                                   m.turned_key.layer.bytes() + m.key_up.layer.bytes() + m.value_up.layer.bytes());
    }
}
