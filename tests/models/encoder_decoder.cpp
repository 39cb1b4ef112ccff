#include <tokenworks/models/encoder_decoder.hpp>

#include <cstddef>
#include <string>
#include <vector>

#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/models/model_folder.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/family_golden.hpp"
#include "support/kernels.hpp"
#include "support/opened_model.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;
using support::family_golden;

namespace {

const std::string group = "encoder_decoders";
constexpr double bound = 1e-5; // as in families.cpp

using opened = support::opened_model<encoder_decoder>;

std::vector<float> logits_of(const encoder_decoder& model, const family_golden& golden, std::size_t chunk,
                             const tw::execution& how = {}) {
    tw::nn::context c{how};
    const tw::nn::kv_cache memory = model.encode(c, golden.ids, tw::dtype::f32);
    const decoder& network = model.decoder();
    const std::size_t count = golden.decoder_ids.size();
    tw::nn::kv_cache cache = network.make_cache(count, tw::dtype::f32);
    std::vector<float> logits(count * network.vocab_size());
    for(std::size_t at = 0; at < count; at += chunk) {
        const std::size_t n = std::min(chunk, count - at);
        const decoder_input next{&cache, std::span{golden.decoder_ids}.subspan(at, n), decoder_input::logits::all,
                                 &memory};
        network.forward(c, std::span{&next, 1},
                        tw::nn::rows{logits.data() + at * network.vocab_size(), n, network.vocab_size()});
    }
    return logits;
}

} // namespace

TEST_CASE("encoder_decoder: the logits of transformers, with weights of every plain type", "[models]") {
    for(const std::string& name: family_golden::names(group)) {
        const family_golden golden{name, group};
        for(const tw::dtype type: {tw::dtype::f32, tw::dtype::f16, tw::dtype::bf16}) {
            INFO(name << " " << tw::info(type).name);
            const opened o{golden, type};
            CHECK(golden.worst(logits_of(*o.model, golden, 100)) < bound);
        }
    }
}

TEST_CASE("encoder_decoder: the same bits in every cut and on every team, and in company", "[models]") {
    for(const std::string& name: family_golden::names(group)) {
        INFO(name);
        const family_golden golden{name, group};
        const opened o{golden, tw::dtype::bf16};
        const std::vector<float> whole = logits_of(*o.model, golden, 100);
        for(const unsigned threads: {1U, 2U, 3U}) {
            tw::thread_team team{threads};
            for(const std::size_t chunk: {1U, 4U, 100U}) {
                CHECK(support::same_bits(logits_of(*o.model, golden, chunk, {.threads = &team}), whole));
            }
        }
        // Two sequences in a step that ask about different texts.
        tw::nn::context c;
        const decoder& network = o.model->decoder();
        const tw::nn::kv_cache memories[] = {o.model->encode(c, std::span{golden.ids}.first(5), tw::dtype::f32),
                                             o.model->encode(c, golden.ids, tw::dtype::f32)};
        tw::nn::kv_cache caches[] = {network.make_cache(20, tw::dtype::f32), network.make_cache(20, tw::dtype::f32)};
        const decoder_input inputs[] = {
            {&caches[0], std::span{golden.decoder_ids}.first(3), decoder_input::logits::none, &memories[0]},
            {&caches[1], golden.decoder_ids, decoder_input::logits::all, &memories[1]}};
        std::vector<float> logits(whole.size());
        network.forward(c, inputs, tw::nn::rows{logits.data(), golden.decoder_ids.size(), network.vocab_size()});
        CHECK(support::same_bits(logits, whole));
    }
}

TEST_CASE("encoder_decoder: inputs without a memory, memories of another model, decoders without an encoder",
          "[models]") {
    const family_golden golden{"bart", group};
    const opened o{golden};
    tw::nn::context c;
    const decoder& network = o.model->decoder();
    tw::nn::kv_cache cache = network.make_cache(20);
    std::vector<float> logits(network.vocab_size());
    const auto run = [&](const tw::nn::kv_cache* memory) {
        const decoder_input next{&cache, std::span{golden.decoder_ids}.first(2), decoder_input::logits::last, memory};
        network.forward(c, std::span{&next, 1}, tw::nn::rows{logits.data(), 1, network.vocab_size()});
    };
    CHECK_THROWS_WITH(run(nullptr), ContainsSubstring("without a memory"));
    const family_golden other{"t5", group};
    const opened t5{other};
    const tw::nn::kv_cache wrong = t5.model->encode(c, other.ids);
    CHECK_THROWS_AS(run(&wrong), tw::shape_error);
    CHECK(cache.size() == 0);
    const tw::nn::kv_cache memory = o.model->encode(c, golden.ids);
    CHECK_NOTHROW(run(&memory));
    CHECK(cache.size() == 2);
    std::vector<float> narrow(15);
    CHECK_THROWS_AS(network.remember(c, tw::nn::const_rows{narrow.data(), 1, 15}), tw::shape_error);
    CHECK_THROWS_WITH(decoder(*o.files->encoder_config(), o.files->weights()),
                      ContainsSubstring("an encoder is no decoder"));
}
