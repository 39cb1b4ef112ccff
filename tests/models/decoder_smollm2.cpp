// The numeric contract on a real model of quantised weights: one row, one answer.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tokenworks/codec/tokenizer.hpp>
#include <tokenworks/models/decoder.hpp>
#include <tokenworks/models/gguf.hpp>
#include <tokenworks/models/gguf_vocabulary.hpp>

#include "support/catch.hpp"
#include "support/kernels.hpp"
#include "support/models.hpp"

namespace tw = tokenworks;
using tw::models::decoder;
using tw::models::decoder_input;

namespace {

constexpr std::string_view text = "It was the best of times, it was the worst of times, it was the age of wisdom, it "
                                  "was the age of foolishness, it was "
                                  "the epoch of belief, it was the epoch of incredulity, it was the season of Light, "
                                  "it was the season of Darkness, it "
                                  "was the spring of hope.";

/// Logits of every token, the tokens cut into steps of `chunk`, in the company of sequences that come and go.
std::vector<float> run(const decoder& model, std::span<const std::int32_t> ids, std::size_t chunk, std::size_t company,
                       const tw::execution& how) {
    tw::nn::context c{how};
    std::vector<tw::nn::kv_cache> caches;
    for(std::size_t i = 0; i < company + 1; ++i) {
        caches.push_back(model.make_cache(ids.size()));
    }
    const std::size_t v = model.vocab_size();
    std::vector<float> logits(ids.size() * v);
    for(std::size_t at = 0; at < ids.size(); at += chunk) {
        const std::size_t count = std::min(chunk, ids.size() - at);
        std::vector<decoder_input> inputs;
        const auto add_company = [&](std::size_t from, std::size_t to) {
            for(std::size_t i = from; i < to; ++i) {
                const std::size_t n = 1 + i % 2;
                if((at / chunk + i) % 3 != 0 && caches[i].size() + n <= caches[i].capacity()) {
                    inputs.push_back(
                        {&caches[i], ids.subspan((i + at) % (ids.size() - n), n), decoder_input::logits::none});
                }
            }
        };
        add_company(1, 1 + company / 2);
        inputs.push_back({caches.data(), ids.subspan(at, count), decoder_input::logits::all});
        add_company(1 + company / 2, 1 + company);
        model.forward(c, inputs, tw::nn::rows{logits.data() + at * v, count, v});
    }
    return logits;
}

} // namespace

TEST_CASE("decoder: SmolLM2's logits are the same bits in every cut, team and company", "[models]") {
    const auto path = support::real_model(support::smollm2);
    if(!path) {
        WARN(support::how_to_get);
        return;
    }
    const tw::io::gguf_file file = tw::io::gguf_file::open(path->string());
    const tw::codec::tokenizer tokenizer{tw::models::vocabulary_of(file)};
    const std::vector<std::int32_t> ids = tokenizer.encode(text);
    REQUIRE(ids.size() >= 65);
    const tw::models::gguf_weights weights{file};
    tw::thread_team two{2};
    tw::thread_team three{3};
    const decoder model{tw::models::config_of(file), weights, {.threads = &two}};
    support::for_each_isa([&](const tw::execution& alone) {
        const bool is_slow = alone.set == tw::isa::portable;
        const std::span<const std::int32_t> some = std::span{ids}.first(is_slow ? 20 : ids.size());
        const std::vector<float> expected = run(model, some, some.size(), 0, alone);
        for(const std::size_t chunk: {std::size_t{1}, std::size_t{7}, std::size_t{64}, some.size()}) {
            for(tw::team* threads:
                {static_cast<tw::team*>(nullptr), static_cast<tw::team*>(&two), static_cast<tw::team*>(&three)}) {
                if(is_slow && (chunk != 7 || threads != &two)) {
                    continue;
                }
                const std::size_t company = threads == nullptr ? 0 : chunk == 1 ? 7 : 3;
                INFO(tw::name(alone.set) << " chunk " << chunk << " company " << company << " threads "
                                         << tw::execution{.threads = threads}.workers());
                CHECK(support::same_bits(run(model, some, chunk, company, {alone.set, threads}), expected));
            }
        }
    });
}
