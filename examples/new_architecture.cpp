// A new architecture in a program's own file: blocks put together, then sampled from. Nothing is registered anywhere.
#include <algorithm>
#include <array>
#include <cstdio>

#include <tokenworks/tokenworks.hpp>
namespace tw = tokenworks;
namespace nn = tokenworks::nn;

constexpr std::size_t vocab = 256, width = 64, heads = 4, head_width = 16, hidden = 160, layer_count = 3;

struct my_layer {
    nn::rms_norm norm;
    nn::attention attend;
    nn::gated_mlp<tw::kernels::silu> mlp;

    void operator()(nn::context& c, nn::rows x) const {
        attend(c, norm(c, x), nn::add_to(x));
        mlp(c, norm(c, x), nn::add_to(x));
    }
};

struct my_model {
    nn::embedding embed;
    std::array<my_layer, layer_count> layers;
    nn::rms_norm norm;
    nn::linear head;

    struct state { // what one sequence remembers
        nn::context context;
        nn::kv_cache cache{layer_count, heads, head_width, head_width, 128};
        std::size_t size() const { return cache.size(); }
        std::size_t capacity() const { return cache.capacity(); }
    };
    std::size_t vocab_size() const { return vocab; }
    void forward(state& s, std::span<const std::int32_t> tokens, std::span<float> logits) const {
        nn::context& c = s.context;
        const tw::arena::scope scratch{c.scratch};
        c.begin_step(tokens.size(), 1);
        c.add_sequence({&s.cache, 0, tokens.size(), s.cache.size()});
        const nn::rows x = c.scratch_rows(tokens.size(), width);
        embed(c, tokens, x, 1.0F);
        for(c.layer = 0; c.layer < layers.size(); ++c.layer) {
            layers[c.layer](c, x);
        }
        s.cache.advance(tokens.size());
        if(!logits.empty()) {
            head(c, norm(c, x.slice(tokens.size() - 1, 1)), nn::rows{logits.data(), 1, vocab});
        }
    }
};

tw::kernels::packed_matrix random_matrix(std::size_t rows, std::size_t columns) {
    static std::uint64_t position = 0; // random weights; they could come from any file
    std::vector<float> values(rows * columns);
    std::ranges::generate(values, [] { return (tw::uniform<float>(1, position++) - 0.5F) / 4; });
    return tw::kernels::pack(tw::dtype::f32, std::as_bytes(std::span{values}), rows, columns);
}

int main() {
    const auto linear = [](std::size_t out, std::size_t in) { return nn::linear{random_matrix(out, in)}; };
    my_model model;
    model.embed = nn::embedding{std::make_shared<tw::kernels::packed_matrix>(random_matrix(vocab, width))};
    model.norm.weight.assign(width, 1.0F);
    model.head = linear(vocab, width);
    for(my_layer& layer: model.layers) {
        layer.norm = model.norm;
        layer.attend = {linear(width, width), linear(width, width), linear(width, width), linear(width, width)};
        layer.attend.heads = layer.attend.kv_heads = heads;
        layer.attend.key_width = layer.attend.value_width = head_width;
        layer.attend.rope = std::make_shared<tw::kernels::rope_table>(tw::kernels::rope_config{.width = head_width});
        layer.mlp = {linear(hidden, width), linear(hidden, width), linear(width, hidden)};
    }
    my_model::state state;
    tw::runtime::token_loop loop{model, state, std::array{1, 2, 3}, {.max_tokens = 16, .sampling = {.seed = 42}}};
    while(const auto id = loop.next()) {
        std::printf("%d ", *id);
    }
}
