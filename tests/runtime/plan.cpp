#include <tokenworks/runtime/plan.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/core/arena.hpp>
#include <tokenworks/models/decoder.hpp>
#include <tokenworks/models/encoder.hpp>
#include <tokenworks/models/encoder_decoder.hpp>
#include <tokenworks/models/gguf.hpp>
#include <tokenworks/models/image_encoder.hpp>
#include <tokenworks/models/image_text_encoder.hpp>
#include <tokenworks/models/model_folder.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/family_golden.hpp"
#include "support/image_golden.hpp"
#include "support/tiny_model.hpp"

namespace tw = tokenworks;
namespace rt = tokenworks::runtime;
using namespace tokenworks::models;
using support::family_golden;

namespace {

/// A machine of round numbers.
constexpr rt::machine_limits slow{
    .read_bytes_per_second = 1e6, .int8_operations_per_second = 1e7, .float_operations_per_second = 1e6};

/// So many that scratch memory is above the least that an arena takes.
constexpr std::size_t sequences = 16;

/// Products of a token in the layers, by the formula of a dense transformer or a mixture.
double usual_operations(const model_config& config) {
    const auto real = [](std::size_t n) { return static_cast<double>(n); };
    const double c = real(config.width);
    double sum = 0;
    for(const layer_config& layer: config.layers) {
        sum += real(config.heads + config.kv_heads) * real(config.key_width + config.value_width) * c;
        if(layer.is_mixture) {
            const mixture_config& m = *config.mixture;
            sum += c * (3 * real(m.routing.used * m.feed_forward + m.shared) + real(m.routing.experts));
            sum += m.shared_gate ? c : 0;
        } else {
            sum += c * real(config.feed_forward) * (config.mlp == feed_forward_kind::gated ? 3 : 2);
        }
    }
    return 2 * sum;
}

/// Tensors of which nobody may have the bytes.
class outlines final: public weight_source {
public:
    explicit outlines(const weight_source& source) : source_{&source} {}
    [[nodiscard]] std::optional<weight> find(std::string_view name) const override {
        throw tw::error("read: " + std::string{name});
    }
    [[nodiscard]] std::optional<weight> describe(std::string_view name) const override {
        return source_->describe(name);
    }
    [[nodiscard]] std::string label() const override { return source_->label(); }

private:
    const weight_source* source_;
};

/// Whether a step takes no more scratch memory than that.
template <class Step>
bool is_enough(std::uint64_t bytes, Step step) {
    tw::nn::context c;
    c.scratch = tw::arena{static_cast<std::size_t>(bytes)};
    const std::size_t before = c.scratch.bytes_reserved();
    step(c);
    return c.scratch.bytes_reserved() == before;
}

} // namespace

TEST_CASE("plan: the numbers of a small model, by hand", "[runtime]") {
    const support::gguf_in_memory opened = support::tiny_model{}.open();
    const model_config config = config_of(opened.file);
    const auto source = weights_of(opened.file);
    const rt::model_plan plan = rt::plan_model(config, *source, {.batch = 3, .prompt = 10, .depth = 9});

    // Two layers of width 32: queries and the way back 32 x 32, keys and values 16 x 32, three of 64 x 32, all f16.
    constexpr std::size_t layer = 2 * 32 * 32 + 2 * 16 * 32 + 3 * 64 * 32;
    CHECK(plan.weights.layers.real == 2 * 2 * layer);
    CHECK(plan.weights.layers.integer == 0);
    CHECK(plan.weights.head.real == 2 * 259 * 32);
    CHECK(plan.weights.layer_bytes == 2 * 2 * layer);
    CHECK(plan.weights.head_bytes == 272 * 32 * 2); // panels of 16 rows
    CHECK(plan.weights.packed_bytes == 2 * 2 * layer + 2 * 272 * 32 * 2);
    CHECK(plan.weights.expert_bytes == 0);

    CHECK(plan.context == 64);
    CHECK(plan.cache_bytes_per_token == 2 * 2 * (8 + 8) * 2);
    CHECK(plan.cache_bytes == 3 * 64 * 128);
    CHECK(plan.memory_bytes() == plan.weights.packed_bytes + plan.cache_bytes + plan.scratch_bytes);

    // Four heads of 8 and 8, in two layers.
    CHECK(plan.prefill.attention == (1 + 2 + 3 + 4 + 5 + 6 + 7 + 8 + 9 + 10) * 2 * 4 * 16 * 2);
    CHECK(plan.prefill.products.real == 10 * 2 * 2 * layer + 2 * 259 * 32);
    CHECK(plan.prefill.bytes_read == 2 * 2 * layer + 272 * 32 * 2);
    CHECK(plan.decode.attention == 3 * 10 * 2 * 4 * 16 * 2);
    CHECK(plan.decode.products.real == 3 * (2 * 2 * layer + 2 * 259 * 32));
    CHECK(plan.decode.bytes_read == 2 * 2 * layer + 272 * 32 * 2 + 3 * 10 * 128);
    CHECK(plan.decode_full.bytes_read == 2 * 2 * layer + 272 * 32 * 2 + 3 * 64 * 128);

    // Whichever is slower, reading or computing.
    CHECK(plan.prefill.seconds(slow) == Approx((plan.prefill.products.real + plan.prefill.attention) / 1e6));
    const rt::run_cost read{.products = {1e6, 0}, .attention = 1e4, .bytes_read = 2e6};
    CHECK(read.seconds(slow) == Approx(2.0));
    const rt::run_cost computed{.products = {2e7, 1e6}, .attention = 1e6, .bytes_read = 2e6};
    CHECK(computed.seconds(slow) == Approx(4.0));
}

TEST_CASE("plan: bytes and operations of quantised weights", "[runtime]") {
    for(const tw::dtype type: {tw::dtype::q4_0, tw::dtype::q8_0, tw::dtype::bf16, tw::dtype::f32}) {
        for(const bool tied: {false, true}) {
            INFO(tw::info(type).name << " " << tied);
            support::tiny_model model;
            model.type = type;
            model.tied = tied;
            const support::gguf_in_memory opened = model.open();
            const model_config config = config_of(opened.file);
            const auto source = weights_of(opened.file);
            using enum tw::kernels::matmul_precision;
            for(const auto precision: {highest, medium}) {
                const rt::weight_costs costs = rt::weight_costs_of(config, *source, precision);
                const decoder loaded{config, *source, {}, {.precision = precision}};
                CHECK(costs.packed_bytes == loaded.weight_bytes());
                CHECK(costs.layers.total() == usual_operations(config));
                const bool has_codes = type == tw::dtype::q4_0 || type == tw::dtype::q8_0;
                CHECK((has_codes ? costs.layers.real : costs.layers.integer) == 0);
                CHECK(costs.head.total() == 2 * 259 * 32);
                CHECK(costs.head_bytes > 0);
            }
        }
    }
}

TEST_CASE("plan: every family's packed bytes, caches and operations, with no tensor read", "[runtime]") {
    const files::temporary_folder folder;
    for(const std::string& name: family_golden::names()) {
        INFO(name);
        const family_golden golden{name};
        golden.write_to(folder.string(), tw::dtype::bf16);
        const model_folder opened = model_folder::open(folder.string());
        const model_config& config = opened.config();
        const rt::model_plan plan = rt::plan_model(config, outlines{opened.weights()}, {.context = 70, .prompt = 12});
        const decoder loaded{config, opened.weights()};
        CHECK(plan.weights.packed_bytes == loaded.weight_bytes());
        CHECK(plan.cache_bytes == loaded.make_cache(70).bytes());
        if(!config.latent) {
            CHECK(plan.weights.layers.total() == Approx(usual_operations(config)));
        }
        CHECK(plan.weights.head.total() ==
              2 * static_cast<double>(config.vocab_size) * static_cast<double>(config.width));

        const std::size_t count = sequences * golden.ids.size();
        std::vector<float> logits(count * config.vocab_size);
        const auto step = [&](tw::nn::context& c) {
            std::vector<tw::nn::kv_cache> caches;
            std::vector<decoder_input> inputs;
            for(std::size_t i = 0; i < sequences; ++i) {
                caches.push_back(loaded.make_cache(golden.ids.size()));
            }
            for(tw::nn::kv_cache& cache: caches) {
                inputs.push_back({&cache, golden.ids, decoder_input::logits::all});
            }
            loaded.forward(c, inputs, tw::nn::rows{logits.data(), count, config.vocab_size});
        };
        const std::uint64_t scratch =
            rt::scratch_bytes(config, count, count) - count * config.vocab_size * sizeof(float);
        CHECK(is_enough(scratch, step));
        CHECK_FALSE(is_enough(scratch / 3, step));
    }
}

TEST_CASE("plan: encoders take no cache, and count their head only where they have one", "[runtime]") {
    const files::temporary_folder folder;
    for(const std::string& name: family_golden::names("encoders")) {
        INFO(name);
        const family_golden golden{name, "encoders"};
        golden.write_to(folder.string(), tw::dtype::f32);
        const model_folder opened = model_folder::open(folder.string());
        const model_config& config = opened.config();
        const encoder loaded{config, opened.weights()};
        const std::size_t length = golden.ids.size();
        const rt::model_plan plan = rt::plan_model(config, outlines{opened.weights()}, {.prompt = length});
        CHECK(plan.weights.packed_bytes == loaded.weight_bytes());
        CHECK(plan.weights.layers.total() == usual_operations(config));
        CHECK(plan.cache_bytes == 0);
        CHECK(plan.prefill.products.total() == static_cast<double>(length) * usual_operations(config));
        CHECK(plan.scratch_bytes == rt::scratch_bytes(config, length, 0));
        const std::size_t count = sequences * length;
        std::vector<float> hidden(count * config.width);
        const auto step = [&](tw::nn::context& c) {
            const std::vector<encoder_input> inputs(sequences, encoder_input{golden.ids});
            loaded.forward(c, inputs, tw::nn::rows{hidden.data(), count, config.width});
        };
        const std::uint64_t scratch = rt::scratch_bytes(config, count, 0);
        CHECK(is_enough(scratch, step));
        CHECK_FALSE(is_enough(scratch / 3, step));
    }
}

TEST_CASE("plan: an image is a text of as many tokens as it has patches, and one", "[runtime]") {
    const files::temporary_folder folder;
    for(const std::string name: {"vit", "vit_pooled"}) {
        INFO(name);
        const family_golden golden{name, "image_encoders"};
        golden.write_to(folder.string(), tw::dtype::f16);
        const model_folder opened = model_folder::open(folder.string());
        const model_config& config = opened.config();
        const image_encoder loaded{config, opened.weights()};
        const rt::model_plan plan = rt::plan_model(config, outlines{opened.weights()}, {.context = 3});
        CHECK(plan.weights.packed_bytes == loaded.weight_bytes());
        CHECK(plan.prompt == loaded.rows_per_image());
        const double patch = 2.0 * static_cast<double>(config.image->patch_values() * config.width);
        CHECK(plan.weights.layers.total() == usual_operations(config) + patch);
        const support::golden_images images{*config.image, std::vector<std::string>(32, "pixels 0")};
        std::vector<float> pooled(images.count * loaded.pooled_width());
        const auto step = [&](tw::nn::context& c) {
            loaded.forward_pooled(c, images.view(), tw::nn::rows{pooled.data(), images.count, loaded.pooled_width()});
        };
        const std::uint64_t scratch =
            rt::scratch_bytes(config, images.count * plan.prompt, 0) +
            images.count * (plan.prompt + 1) * config.width * sizeof(float); // and the rows that it keeps
        CHECK(is_enough(scratch, step));
        CHECK_FALSE(is_enough(scratch / 3, step));
    }
}

TEST_CASE("plan: an encoder beside a decoder, the bytes and caches of both", "[runtime]") {
    const files::temporary_folder folder;
    for(const std::string& name: family_golden::names("encoder_decoders")) {
        INFO(name);
        const family_golden golden{name, "encoder_decoders"};
        golden.write_to(folder.string(), tw::dtype::bf16);
        const model_folder opened = model_folder::open(folder.string());
        const model_config& config = opened.config();
        const model_config& of_encoder = *opened.encoder_config();
        const encoder_decoder loaded{of_encoder, config, opened.weights()};
        const std::size_t rows = golden.ids.size();
        const rt::pair_plan plan = rt::plan_pair(of_encoder, config, outlines{opened.weights()},
                                                 {.context = 20, .batch = 3, .prompt = rows, .depth = 4});
        const std::size_t table = loaded.encoder().token_table().table()->bytes();
        CHECK(plan.encoder.packed_bytes == loaded.encoder().weight_bytes() - table);
        CHECK(plan.decoder.packed_bytes == loaded.decoder().weight_bytes());
        CHECK(plan.encoder.layers.total() == usual_operations(of_encoder));
        const double inner = static_cast<double>(config.heads * config.key_width);
        const double width = static_cast<double>(config.width);
        const double layers = static_cast<double>(config.layers.size());
        CHECK(plan.decoder.memory.total() == 2 * layers * 2 * inner * width);
        CHECK(plan.decoder.layers.total() == usual_operations(config) + 2 * layers * 2 * inner * width);
        CHECK(plan.source == rows);
        CHECK(plan.encode.products.total() ==
              static_cast<double>(rows) * (plan.encoder.layers + plan.decoder.memory).total());
        tw::nn::context c;
        const tw::nn::kv_cache memory = loaded.encode(c, golden.ids);
        CHECK(plan.cache_bytes == 3 * (memory.bytes() + loaded.decoder().make_cache(20).bytes()));
        const rt::run_cost alone = rt::decode_cost(config, plan.decoder, 3, 4, tw::dtype::f16);
        CHECK(plan.decode.attention - alone.attention == 3 * 2 * static_cast<double>(rows) * layers * 2 * inner);
        CHECK(plan.decode.bytes_read > alone.bytes_read);
        CHECK(plan.decode_full.attention > plan.decode.attention);
        CHECK(plan.memory_bytes() ==
              plan.encoder.packed_bytes + plan.decoder.packed_bytes + plan.cache_bytes + plan.scratch_bytes);
        CHECK_THROWS_AS(rt::plan_pair(of_encoder, config, opened.weights(), {.batch = 0}), tw::argument_error);
    }
}

TEST_CASE("plan: images beside texts, which are never decoded", "[runtime]") {
    const files::temporary_folder folder;
    const family_golden golden{"clip", "image_encoders"};
    golden.write_to(folder.string(), tw::dtype::f32);
    const model_folder opened = model_folder::open(folder.string());
    const image_text_encoder loaded{opened.config(), *opened.encoder_config(), opened.weights()};
    const rt::pair_plan plan =
        rt::plan_pair(*opened.encoder_config(), opened.config(), outlines{opened.weights()}, {.prompt = 4});
    CHECK(plan.encoder.packed_bytes == loaded.images().weight_bytes());
    CHECK(plan.source == loaded.images().rows_per_image());
    CHECK(plan.cache_bytes == 0);
    const double projection = 2 * static_cast<double>(opened.config().projection * opened.config().width);
    CHECK(plan.decoder.head.total() == projection);
    CHECK(plan.text.products.total() == 4 * plan.decoder.layers.total() + projection);
    CHECK(plan.decoder.packed_bytes > loaded.texts().weight_bytes());
    CHECK(plan.decoder.layers.total() == usual_operations(opened.config()));
    CHECK(plan.encode.products.total() > 0);
    CHECK(plan.decode.bytes_read == 0);
}

TEST_CASE("plan: windows bound attention, experts the bytes", "[runtime]") {
    model_config config;
    config.heads = 2;
    config.kv_heads = 1;
    config.key_width = 3;
    config.value_width = 5;
    config.layers.resize(2);
    config.layers[1].window = 4;
    constexpr double of_key = 2 * 2 * (3 + 5);
    CHECK(rt::attention_operations(config, 0, 6) == of_key * ((1 + 2 + 3 + 4 + 5 + 6) + (1 + 2 + 3 + 4 + 4 + 4)));
    CHECK(rt::attention_operations(config, 6, 2) == of_key * ((7 + 8) + (4 + 4)));
    CHECK(rt::attention_operations(config, 2, 3) == of_key * ((3 + 4 + 5) + (3 + 4 + 4)));
    CHECK(rt::cache_bytes_per_token(config, tw::dtype::f32) == 2 * 8 * 4);
    const rt::run_cost decode = rt::decode_cost(config, {}, 1, 6, tw::dtype::f32);
    CHECK(decode.bytes_read == (7 + 4) * 8 * 4);

    config.causal = false; // rows see three on either side in the second layer
    CHECK(rt::attention_operations(config, 0, 6) == of_key * (36 + (4 + 5 + 6 + 6 + 5 + 4)));

    config.causal = true;
    config.mixture.emplace().routing.experts = 8;
    config.mixture->routing.used = 2;
    rt::weight_costs weights;
    weights.layer_bytes = 1000;
    weights.expert_bytes = 6400;
    const double no_keys = rt::decode_cost(config, {}, 1, 0, tw::dtype::f32).bytes_read;
    CHECK(rt::decode_cost(config, weights, 1, 0, tw::dtype::f32).bytes_read - no_keys == Approx(1000 + 1600));
    CHECK(rt::decode_cost(config, weights, 2, 0, tw::dtype::f32).bytes_read - 2 * no_keys ==
          Approx(1000 + 6400 * (1 - 0.75 * 0.75)));
    CHECK(rt::prefill_cost(config, weights, 700).bytes_read == Approx(2 * 7400));
}

TEST_CASE("plan: what is missing or impossible is refused", "[runtime]") {
    support::tiny_model model;
    model.fill();
    model.tensors.erase("blk.1.ffn_up.weight");
    const support::gguf_in_memory lacking{model.writer()};
    CHECK_THROWS_WITH(rt::plan_model(config_of(lacking.file), *weights_of(lacking.file)),
                      ContainsSubstring("blk.1.ffn_up.weight: missing"));
    const support::gguf_in_memory opened = support::tiny_model{}.open();
    const model_config config = config_of(opened.file);
    const auto source = weights_of(opened.file);
    CHECK_THROWS_AS(rt::plan_model(config, *source, {.batch = 0}), tw::argument_error);
    CHECK_THROWS_AS(rt::plan_model(config, *source, {.cache_type = tw::dtype::q8_0}), tw::argument_error);
    CHECK_THROWS_AS(rt::plan_model(config, *source, {.context = std::size_t{1} << 62}), tw::argument_error);
    const rt::model_plan plan = rt::plan_model(config, *source, {.context = 5, .prompt = 100, .depth = 100});
    CHECK(plan.prompt == 5);
    CHECK(plan.depth == 4);
}
