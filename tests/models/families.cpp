#include <tokenworks/models/families.hpp>

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/models/decoder.hpp>
#include <tokenworks/models/model_folder.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/family_golden.hpp"
#include "support/kernels.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;
using support::family_golden;

namespace {

/// Logits are a few hundred float operations away from the weights; transformers' own float32 and float64 differ by up
/// to 2e-6 of their scale.
constexpr double bound = 1e-5;

decoder open(const std::string& folder, std::size_t tokens) {
    const model_folder opened = model_folder::open(folder);
    model_config config = opened.config();
    config.rope_context = tokens; // transformers decides by the tokens that there are
    return decoder{config, opened.weights()};
}

} // namespace

TEST_CASE("families: the logits of transformers, with weights of every plain type", "[models]") {
    const files::temporary_folder folder;
    for(const std::string& name: family_golden::names()) {
        const family_golden golden{name};
        for(const tw::dtype type: {tw::dtype::f32, tw::dtype::f16, tw::dtype::bf16}) {
            INFO(name << " " << tw::info(type).name);
            golden.write_to(folder.string(), type);
            const decoder model = open(folder.string(), golden.ids.size());
            CHECK(golden.worst(support::all_logits(model, golden.ids, golden.ids.size())) < bound);
        }
    }
}

TEST_CASE("families: logits are the same bits in every cut and team, and in company", "[models]") {
    const files::temporary_folder folder;
    tw::thread_team team{3};
    for(const std::string& name: family_golden::names()) {
        INFO(name);
        const family_golden golden{name};
        golden.write_to(folder.string(), tw::dtype::bf16);
        const decoder model = open(folder.string(), golden.ids.size());
        const std::vector<float> whole = support::all_logits(model, golden.ids, golden.ids.size());
        for(const std::size_t chunk: {1U, 4U}) {
            CHECK(support::same_bits(support::all_logits(model, golden.ids, chunk, {.threads = &team}), whole));
        }
        // Two sequences in one step: the whole, and its first half backwards.
        const std::vector<std::int32_t> other{golden.ids.rend() - 7, golden.ids.rend()};
        tw::nn::context c{{.threads = &team}};
        tw::nn::kv_cache caches[] = {model.make_cache(7, tw::dtype::f32),
                                     model.make_cache(golden.ids.size(), tw::dtype::f32)};
        const decoder_input inputs[] = {{&caches[0], other, decoder_input::logits::none},
                                        {&caches[1], golden.ids, decoder_input::logits::all}};
        std::vector<float> logits(whole.size());
        model.forward(c, inputs, tw::nn::rows{logits.data(), golden.ids.size(), model.vocab_size()});
        CHECK(support::same_bits(logits, whole));
    }
}

TEST_CASE("families: each has a golden file, and a name of its own in each format", "[models]") {
    std::set<std::string> seen{family_golden{"llamagen", "pictures"}.config.at("model_type").get<std::string>()};
    for(const std::string group:
        {"families", "encoders", "encoder_decoders", "image_encoders", "forecasters", "videos"}) {
        for(const std::string& name: family_golden::names(group)) {
            seen.insert(family_golden{name, group}.config.at("model_type").get<std::string>());
        }
    }
    std::set<std::string_view> gguf;
    std::set<std::string_view> hf;
    for(const family& each: families()) {
        INFO(each.gguf << " " << each.hf);
        CHECK_FALSE((each.gguf.empty() && each.hf.empty()));
        CHECK((each.gguf.empty() || gguf.insert(each.gguf).second));
        CHECK((each.hf.empty() || (hf.insert(each.hf).second && seen.contains(std::string{each.hf}))));
    }
}
