#include <tokenworks/models/importance_collector.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <tokenworks/io/gguf.hpp>
#include <tokenworks/io/gguf_writer.hpp>
#include <tokenworks/models/export_gguf.hpp>
#include <tokenworks/models/gguf.hpp>
#include <tokenworks/models/importance_matrix.hpp>
#include <tokenworks/models/model_folder.hpp>
#include <tokenworks/models/quantization.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/family_golden.hpp"
#include "support/teams.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;
using support::family_golden;

namespace {

/// What an observer of named activations sees of a Llama, where that is what products take: nothing between attention
/// and its way back. Sums in double.
using means = std::map<std::string, std::vector<double>, std::less<>>;

std::vector<std::byte> written(const importance_collector& collector) {
    tw::io::gguf_writer out;
    const std::vector<std::string> sources{"a.txt", "b.txt"};
    collector.write(out, sources, 8);
    return out.to_bytes();
}

/// Mean squares [C] of the rows that a norm makes of what was observed, by the definition of such norms.
void add_squares_of_normed(std::vector<double>& to, tw::nn::const_rows x, std::span<const float> weight,
                           double epsilon) {
    to.resize(weight.size());
    for(std::size_t t = 0; t < x.extent(0); ++t) {
        double sum = 0;
        for(const float value: x.row(t).as_span()) {
            sum += static_cast<double>(value) * static_cast<double>(value);
        }
        const double scale = 1 / std::sqrt(sum / static_cast<double>(weight.size()) + epsilon);
        for(std::size_t k = 0; k < weight.size(); ++k) {
            const double value = static_cast<double>(x(t, k)) * scale * static_cast<double>(weight[k]);
            to[k] += value * value;
        }
    }
}

} // namespace

TEST_CASE("importance_collector: mean squares of what norms give, from their definition", "[models]") {
    const files::temporary_folder base;
    const family_golden golden{"llama"};
    golden.write_to(base.string(), tw::dtype::f32);
    const model_folder folder = model_folder::open(base.string());
    const decoder model{folder.config(), folder.weights()};
    means expected;
    tw::nn::context c;
    const auto norm_of = [&](const std::string& name) {
        return load_vector(folder.weights(), name, folder.config().width);
    };
    const double epsilon = static_cast<double>(folder.config().norm_epsilon);
    c.on_activation = [&](std::string_view name, std::size_t layer, tw::nn::const_rows x) {
        // What leaves one part is what the next part's norm gets.
        const bool to_mlp = name == "attention";
        const std::size_t next = name == "layer" ? layer + 1 : to_mlp ? layer : 0;
        if((!to_mlp && name != "embedding" && name != "layer") || next == folder.config().layers.size()) {
            return;
        }
        const std::string prefix = "blk." + std::to_string(next) + ".";
        add_squares_of_normed(expected[prefix + (to_mlp ? "ffn_up.weight" : "attn_q.weight")], x,
                              norm_of(prefix + (to_mlp ? "ffn_norm.weight" : "attn_norm.weight")), epsilon);
    };
    importance_collector collector{model, exported_names(folder)};
    const std::span<const std::int32_t> ids{golden.ids};
    collector.read(c, ids);
    collector.read(c, ids.first(3));
    CHECK(collector.texts() == 2);
    CHECK(!c.on_product);

    const std::vector<std::byte> bytes = written(collector);
    const auto file = tw::io::gguf_file::from_memory(bytes, "made.gguf");
    CHECK(file.get<std::string_view>("general.type") == "imatrix");
    CHECK(file.get<std::uint32_t>("imatrix.chunk_count") == 2);
    CHECK(file.get<std::uint32_t>("imatrix.chunk_size") == 8);
    const importance_matrix read = importance_matrix::from_memory(bytes, "made.gguf");
    CHECK(read.size() == collector.size());
    CHECK(read.size() == 7 * folder.config().layers.size());
    CHECK(read.find("output.weight").empty());
    REQUIRE(expected.size() == 2 * folder.config().layers.size());
    const double rows = static_cast<double>(ids.size() + 3);
    for(const auto& [name, sums]: expected) {
        INFO(name);
        const auto found = read.find(name);
        REQUIRE(found.size() == sums.size());
        for(std::size_t k = 0; k < sums.size(); ++k) {
            CHECK(static_cast<double>(found[k]) == Approx(sums[k] / rows).epsilon(1e-5));
        }
    }
    // Who sees the same has the same.
    const auto same = [&](const char* a, const char* b) {
        return std::ranges::equal(read.find(a), read.find(b)) && !read.find(a).empty();
    };
    CHECK(same("blk.0.attn_q.weight", "blk.0.attn_v.weight"));
    CHECK(same("blk.1.ffn_gate.weight", "blk.1.ffn_up.weight"));
    CHECK(!std::ranges::equal(read.find("blk.0.attn_output.weight"), read.find("blk.0.attn_q.weight")));
}

TEST_CASE("importance_collector: every product is seen with its input, whoever computes", "[models]") {
    const files::temporary_folder base;
    for(const char* const family: {"llama", "qwen2_moe", "gpt2", "deepseek_v3"}) {
        INFO(family);
        const family_golden golden{family};
        golden.write_to(base.string(), tw::dtype::f32);
        const model_folder folder = model_folder::open(base.string());
        for(const bool quantised: {false, true}) { // the paths of 8-bit and of float products
            std::vector<weight_transform> transforms;
            if(quantised) {
                transforms.push_back(quantize_on_load(quantization::named("q8_0")));
            }
            const transformed_weights weights{folder.weights(), transforms, folder.config(), {}};
            const decoder model{folder.config(), weights.get()};
            std::map<const tw::kernels::packed_matrix*, std::size_t> rows;
            tw::nn::context c;
            c.on_product = [&](const tw::kernels::packed_matrix& weight, tw::nn::const_rows x) {
                CHECK(x.extent(1) == weight.columns());
                rows[&weight] += x.extent(0);
            };
            std::vector<float> logits(golden.ids.size() * model.vocab_size());
            tw::nn::kv_cache cache = model.make_cache(golden.ids.size());
            const decoder_input input{&cache, golden.ids, decoder_input::logits::all};
            model.forward(c, std::span{&input, 1}, tw::nn::rows{logits.data(), golden.ids.size(), model.vocab_size()});
            std::size_t of_experts = 0;
            for(const auto& [name, matrix]: model.matrices()) {
                INFO(name);
                if(name.find(".ffn_up.") != name.npos && tw::models::detail::expert_name{name}.all != name) {
                    of_experts += rows[matrix];
                } else if(tw::models::detail::expert_name{name}.all == name) {
                    CHECK(rows[matrix] == golden.ids.size());
                }
            }
            if(folder.config().mixture) {
                std::size_t layers = 0;
                for(const layer_config& layer: folder.config().layers) {
                    layers += layer.is_mixture ? 1 : 0;
                }
                CHECK(of_experts == layers * golden.ids.size() * folder.config().mixture->routing.used);
            }
            // The observer changes nothing, and threads change no bit.
            std::vector<std::byte> alone;
            support::for_each_team([&](const tw::execution& how) {
                if(how.set != tw::best_isa()) {
                    return;
                }
                importance_collector collector{model, {}};
                tw::nn::context mine{how};
                collector.read(mine, golden.ids);
                const std::vector<std::byte> bytes = written(collector);
                alone = alone.empty() ? bytes : alone;
                CHECK(bytes == alone);
            });
        }
    }
}

TEST_CASE("importance_collector: names of files that fuse matrices and stack experts", "[models]") {
    const files::temporary_folder base;
    const auto collect = [&](const char* family) {
        const family_golden golden{family};
        golden.write_to(base.string(), tw::dtype::f32);
        const model_folder folder = model_folder::open(base.string());
        const decoder model{folder.config(), folder.weights()};
        importance_collector collector{model, exported_names(folder)};
        tw::nn::context c;
        collector.read(c, golden.ids);
        const std::vector<std::byte> bytes = written(collector);
        const importance_matrix importance = importance_matrix::from_memory(bytes, "made");

        // The file's own names, and its sums as the folder has them.
        tw::io::gguf_writer out;
        export_gguf(folder, quantization::named("f32"), out);
        const std::vector<std::byte> exported = out.to_bytes();
        const auto file = tw::io::gguf_file::from_memory(exported, "exported");
        const decoder again{config_of(file), *weights_of(file)};
        importance_collector of_file{again, gguf_names(file)};
        of_file.read(c, golden.ids);
        CHECK(of_file.size() == collector.size());
        const importance_matrix second = importance_matrix::from_memory(written(of_file), "second");
        std::size_t found = 0;
        for(const tw::io::gguf_tensor& tensor: file.tensors()) {
            const auto values = importance.find(tensor.name);
            if(values.empty()) {
                continue;
            }
            INFO(tensor.name);
            ++found;
            CHECK(values.size() == tensor.extents[0] * (tensor.rank > 2 ? tensor.extents[2] : 1));
            const auto others = second.find(tensor.name);
            REQUIRE(others.size() == values.size());
            for(std::size_t k = 0; k < values.size(); ++k) {
                CHECK(others[k] == Approx(values[k]).epsilon(1e-4));
            }
        }
        CHECK(found == collector.size());

        // It fits every matrix of both formats, which encode_rows checks.
        auto to = quantization::named("q4_0");
        to.importance = std::make_shared<const importance_matrix>(importance);
        tw::io::gguf_writer small;
        export_gguf(folder, to, small);
        CHECK_NOTHROW(small.to_bytes());
        const std::vector<weight_transform> transforms{quantize_on_load(to)};
        const std::unique_ptr<weight_source> stored = weights_of(file);
        CHECK_NOTHROW(decoder(config_of(file), transformed_weights{*stored, transforms, config_of(file), {}}.get()));
    };
    collect("llama");
    collect("phi3");
    collect("qwen2_moe");
    collect("gpt2");
}

TEST_CASE("importance_collector: an activation that is no number is refused by name", "[models]") {
    const files::temporary_folder base;
    const family_golden golden{"llama"};
    golden.write_to(base.string(), tw::dtype::f32);
    const model_folder folder = model_folder::open(base.string());
    const decoder model{folder.config(), folder.weights()};
    importance_collector collector{model, {}};
    tw::nn::context c;
    c.on_activation = [](std::string_view name, std::size_t, tw::nn::const_rows x) {
        if(name == "embedding") { // the rows that the layers read
            const_cast<float&>(x(0, 0)) = INFINITY;
        }
    };
    collector.read(c, golden.ids);
    CHECK_THROWS_WITH(written(collector), Catch::Contains("blk.0.attn"));
}
