#include <tokenworks/models/decoder.hpp>

#include <cmath>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include <tokenworks/models/gguf.hpp>

#include "support/catch.hpp"

namespace tw = tokenworks;
using tw::models::decoder;
using tw::models::decoder_input;

namespace {

const std::vector<std::string> golden_names{"llama_tied_f16", "llama_rope3_bf16", "llama_yarn_f16", "gemma3_f16",
                                            "gemma3_linear_bf16"};

template <class T>
std::vector<T> read_numbers(const std::string& path) {
    std::ifstream file{path, std::ios::binary | std::ios::ate};
    REQUIRE(file);
    std::vector<T> values(static_cast<std::size_t>(file.tellg()) / sizeof(T));
    file.seekg(0);
    file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(T)));
    return values;
}

struct golden {
    explicit golden(const std::string& name)
        : ids{read_numbers<std::int32_t>(TOKENWORKS_TEST_DATA "/models/" + name + ".ids")},
          logits{read_numbers<float>(TOKENWORKS_TEST_DATA "/models/" + name + ".logits")},
          file{tw::io::gguf_file::open(TOKENWORKS_TEST_DATA "/models/" + name + ".gguf")},
          config{tw::models::config_of(file)} {
        const tw::models::gguf_weights weights{file};
        model.emplace(config, weights);
        REQUIRE(logits.size() == ids.size() * model->vocab_size());
    }

    std::vector<std::int32_t> ids;
    std::vector<float> logits;
    tw::io::gguf_file file;
    tw::models::model_config config;
    std::optional<decoder> model;
};

/// All logits [T,V], the tokens cut into steps of `chunk`.
std::vector<float> run(const decoder& model, std::span<const std::int32_t> ids, std::size_t chunk,
                       const tw::execution& how, tw::dtype cache_type) {
    tw::nn::context c{how};
    tw::nn::kv_cache cache = model.make_cache(ids.size(), cache_type);
    std::vector<float> logits(ids.size() * model.vocab_size());
    for(std::size_t at = 0; at < ids.size(); at += chunk) {
        const std::size_t count = std::min(chunk, ids.size() - at);
        const decoder_input input{&cache, ids.subspan(at, count), decoder_input::logits::all};
        model.forward(c, std::span{&input, 1},
                      tw::nn::rows{logits.data() + at * model.vocab_size(), count, model.vocab_size()});
    }
    return logits;
}

double worst_difference(std::span<const float> a, std::span<const float> b) {
    double scale = 0;
    double worst = 0;
    for(std::size_t i = 0; i < a.size(); ++i) {
        scale = std::max(scale, std::abs(static_cast<double>(b[i])));
        worst = std::max(worst, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
        if(!(std::abs(static_cast<double>(a[i])) <= 1e30)) {
            return 1e30;
        }
    }
    return worst / scale;
}

bool has_whole_blocks(const tw::models::model_config& config) {
    return config.key_width % 32 == 0 && config.value_width % 32 == 0;
}

bool same_bits(std::span<const float> a, std::span<const float> b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

std::vector<tw::isa> supported_isas() {
    std::vector<tw::isa> sets;
    for(const tw::isa set: tw::all_isas) {
        if(tw::is_supported(set)) {
            sets.push_back(set);
        }
    }
    return sets;
}

} // namespace

TEST_CASE("decoder: logits follow transformers to 1e-4 of their scale", "[models]") {
    for(const std::string& name: golden_names) {
        const golden g{name};
        for(const tw::isa set: supported_isas()) {
            const std::vector<float> logits = run(*g.model, g.ids, g.ids.size(), {.set = set}, tw::dtype::f32);
            INFO(name << " on " << tw::name(set));
            CHECK(worst_difference(logits, g.logits) < 1e-4);
        }
    }
}

TEST_CASE("decoder: medium precision stays near, and keeps its bits in every chunk and on every thread", "[models]") {
    tw::thread_team three{3};
    for(const std::string& name: golden_names) {
        const golden g{name};
        const tw::models::gguf_weights weights{g.file};
        const decoder model{g.config, weights, {}, {.precision = tw::kernels::matmul_precision::medium}};
        for(const tw::isa set: supported_isas()) {
            const std::vector<float> whole = run(model, g.ids, g.ids.size(), {.set = set}, tw::dtype::f32);
            INFO(name << " on " << tw::name(set));
            CHECK(worst_difference(whole, g.logits) < 5e-2); // activations keep 8 bits in every product
            for(const std::size_t chunk: {1U, 7U}) {
                CHECK(same_bits(run(model, g.ids, chunk, {set, &three}, tw::dtype::f32), whole));
            }
        }
    }
}

TEST_CASE("decoder: caches of every type stay near the float cache", "[models]") {
    for(const std::string& name: golden_names) {
        const golden g{name};
        INFO(name);
        // A key or value keeps 11 bits as f16, 8 as bf16, about 7 as q8_0 and 3 as q4_0; the layers add these errors
        // up.
        CHECK(worst_difference(run(*g.model, g.ids, 40, {}, tw::dtype::f16), g.logits) < 5e-3);
        CHECK(worst_difference(run(*g.model, g.ids, 40, {}, tw::dtype::bf16), g.logits) < 4e-2);
        if(has_whole_blocks(g.config)) {
            CHECK(worst_difference(run(*g.model, g.ids, 40, {}, tw::dtype::q8_0), g.logits) < 8e-2);
            CHECK(worst_difference(run(*g.model, g.ids, 40, {}, tw::dtype::q4_0), g.logits) < 1.2);
        } else {
            CHECK_THROWS_AS(g.model->make_cache(4, tw::dtype::q8_0), tw::argument_error);
        }
    }
}

TEST_CASE("decoder: logits are bitwise equal however the prompt is cut and however many threads run", "[models]") {
    tw::thread_team two{2};
    tw::thread_team three{3};
    tw::thread_team eight{8};
    for(const std::string& name: golden_names) {
        const golden g{name};
        for(const tw::isa set: supported_isas()) {
            for(const tw::dtype cache: tw::nn::kv_cache::types) {
                if(tw::info(cache).block_size != 1 && !has_whole_blocks(g.config)) {
                    continue;
                }
                const std::vector<float> whole = run(*g.model, g.ids, g.ids.size(), {.set = set}, cache);
                INFO(name << " on " << tw::name(set) << " cache " << tw::info(cache).name);
                for(const std::size_t chunk: {1U, 7U, 16U, 39U}) {
                    CHECK(same_bits(run(*g.model, g.ids, chunk, {.set = set}, cache), whole));
                }
                CHECK(same_bits(run(*g.model, g.ids, 7, {set, &two}, cache), whole));
                CHECK(same_bits(run(*g.model, g.ids, 40, {set, &three}, cache), whole));
                CHECK(same_bits(run(*g.model, g.ids, 13, {set, &eight}, cache), whole));
            }
        }
    }
}

TEST_CASE("decoder: logits are bitwise equal whatever else is in the batch", "[models]") {
    tw::thread_team two{2};
    for(const std::string name: {"llama_rope3_bf16", "gemma3_f16"}) {
        const golden g{name};
        const decoder& model = *g.model;
        const std::size_t v = model.vocab_size();
        const std::vector<float> alone = run(model, g.ids, g.ids.size(), {}, tw::dtype::f16);

        // Sequence 0 is the one above. Others come and go beside it, at other lengths and with other tokens.
        tw::nn::context c{{.threads = &two}};
        std::vector<tw::nn::kv_cache> caches;
        for(std::size_t i = 0; i < 20; ++i) {
            caches.push_back(model.make_cache(64));
        }
        std::size_t at = 0;
        for(std::size_t step = 0; at < g.ids.size(); ++step) {
            const std::size_t count = std::min<std::size_t>(step % 3 == 0 ? 5 : 1, g.ids.size() - at);
            const std::size_t company = step * 7 % caches.size();
            std::vector<decoder_input> inputs;
            const auto add_company = [&](std::size_t from, std::size_t to) {
                for(std::size_t i = from; i < to; ++i) {
                    const std::size_t n = 1 + (i + step) % 2;
                    if(caches[i].size() + n <= caches[i].capacity()) {
                        inputs.push_back(
                            {&caches[i], std::span{g.ids}.subspan((i + step) % 30, n), decoder_input::logits::last});
                    }
                }
            };
            add_company(1, 1 + company / 2);
            const std::size_t before = inputs.size();
            inputs.push_back({&caches[0], std::span{g.ids}.subspan(at, count), decoder_input::logits::all});
            add_company(1 + company / 2, company);
            std::vector<float> logits((inputs.size() - 1 + count) * v);
            model.forward(c, inputs, tw::nn::rows{logits.data(), inputs.size() - 1 + count, v});
            INFO(name << " token " << at);
            CHECK(same_bits(std::span{logits}.subspan(before * v, count * v),
                            std::span{alone}.subspan(at * v, count * v)));
            at += count;
        }
    }
}

TEST_CASE("decoder: greedy steps choose the highest logit, the lowest id on a tie, without the logits", "[models]") {
    for(const std::string& name: golden_names) {
        INFO(name);
        const golden g{name};
        tw::thread_team two{2};
        const std::size_t v = g.model->vocab_size();
        for(const tw::execution& how: {tw::execution{}, tw::execution{tw::best_isa(), &two}}) {
            const std::vector<float> logits = run(*g.model, g.ids, g.ids.size(), how, tw::dtype::f16);
            tw::nn::context c{how};
            tw::nn::kv_cache cache = g.model->make_cache(g.ids.size());
            std::vector<std::int32_t> chosen(g.ids.size());
            const std::size_t half = g.ids.size() / 2;
            const decoder_input first{&cache, std::span{g.ids}.first(half), decoder_input::logits::all};
            const decoder_input rest{&cache, std::span{g.ids}.subspan(half), decoder_input::logits::all};
            g.model->forward_greedy(c, std::span{&first, 1}, std::span{chosen}.first(half));
            g.model->forward_greedy(c, std::span{&rest, 1}, std::span{chosen}.subspan(half));
            CHECK(cache.size() == g.ids.size());
            for(std::size_t t = 0; t < g.ids.size(); ++t) {
                const auto row = std::span{logits}.subspan(t * v, v);
                CHECK(chosen[t] == std::ranges::max_element(row) - row.begin());
            }
        }
        tw::nn::context c;
        tw::nn::kv_cache cache = g.model->make_cache(4);
        std::vector<std::int32_t> ids(g.ids.begin(), g.ids.begin() + 1);
        const decoder_input one{&cache, ids, decoder_input::logits::last};
        CHECK_THROWS_AS(g.model->forward_greedy(c, std::span{&one, 1}, {}), tw::shape_error);
        CHECK(cache.size() == 0);
        const std::int32_t before = ids[0];
        g.model->forward_greedy(c, std::span{&one, 1}, ids); // in place
        CHECK(cache.size() == 1);
        std::vector<float> logits(v);
        tw::nn::kv_cache other = g.model->make_cache(4);
        const decoder_input same{&other, std::span{&before, 1}, decoder_input::logits::last};
        g.model->forward(c, std::span{&same, 1}, tw::nn::rows{logits.data(), 1, v});
        CHECK(ids[0] == std::ranges::max_element(logits) - logits.begin());
    }
}

TEST_CASE("decoder: a cache cut back continues as if it had never gone further", "[models]") {
    const golden g{"gemma3_f16"};
    const decoder& model = *g.model;
    const std::vector<float> whole = run(model, g.ids, g.ids.size(), {}, tw::dtype::f16);
    tw::nn::context c;
    tw::nn::kv_cache cache = model.make_cache(64);
    std::vector<float> logits(model.vocab_size());
    const auto feed = [&](std::span<const std::int32_t> ids) {
        const decoder_input input{&cache, ids, decoder_input::logits::last};
        model.forward(c, std::span{&input, 1}, tw::nn::rows{logits.data(), 1, model.vocab_size()});
    };
    feed(std::span{g.ids}.first(20));
    feed(std::span{g.ids}.first(17));
    CHECK(cache.size() == 37);
    cache.truncate(20);
    feed(std::span{g.ids}.subspan(20, 11));
    CHECK(same_bits(logits, std::span{whole}.subspan(30 * model.vocab_size(), model.vocab_size())));
}

TEST_CASE("decoder: what it refuses", "[models]") {
    const golden g{"llama_tied_f16"};
    const decoder& model = *g.model;
    tw::nn::context c;
    tw::nn::kv_cache cache = model.make_cache(4);
    std::vector<float> logits(model.vocab_size());
    const tw::nn::rows out{logits.data(), 1, model.vocab_size()};
    const auto feed = [&](std::vector<std::int32_t> ids) {
        const decoder_input input{&cache, ids, decoder_input::logits::last};
        model.forward(c, std::span{&input, 1}, out);
    };
    CHECK_THROWS_WITH(feed({}), ContainsSubstring("without tokens"));
    CHECK_THROWS_WITH(feed({64}), ContainsSubstring("token id 64 is not in 0..63"));
    CHECK_THROWS_WITH(feed({-1}), ContainsSubstring("token id -1"));
    CHECK_THROWS_AS(feed({1, 2, 3, 4, 5}), tw::capacity_error);
    CHECK(cache.size() == 0);
    feed({1, 2, 3, 4});
    CHECK_THROWS_AS(feed({1}), tw::capacity_error);
    CHECK(cache.size() == 4);

    tw::nn::kv_cache other = model.make_cache(4);
    const std::vector<std::int32_t> one{1};
    const std::vector<decoder_input> twice{{&other, one}, {&other, one}};
    CHECK_THROWS_WITH(model.forward(c, twice, out), ContainsSubstring("same cache"));
    const decoder_input input{&other, one, decoder_input::logits::none};
    CHECK_THROWS_AS(model.forward(c, std::span{&input, 1}, out), tw::shape_error);
}
