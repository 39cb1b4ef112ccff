#include <tokenworks/runtime/beam_search.hpp>

#include <cmath>
#include <cstddef>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/kernels/pack.hpp>
#include <tokenworks/models/model_folder.hpp>
#include <tokenworks/nn/adapter.hpp>
#include <tokenworks/sampling/candidates.hpp>
#include <tokenworks/sampling/penalties.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/family_golden.hpp"

namespace tw = tokenworks;
using support::family_golden;
using tw::beam_options;
using tw::runtime::beam_result;
using tw::runtime::beam_stop;
using tw::sampling::token_id;

namespace {

/// A tiny model of a golden file, a decoder or one with an encoder.
struct opened {
    std::optional<tw::models::decoder> decoder;
    std::optional<tw::models::encoder_decoder> both;

    opened(const std::string& name, const std::string& group) {
        const family_golden golden{name, group};
        const files::temporary_folder folder;
        golden.write_to(folder.string(), tw::dtype::f32);
        const auto files = tw::models::model_folder::open(folder.string());
        if(files.encoder_config()) {
            both.emplace(*files.encoder_config(), files.config(), files.weights());
        } else {
            decoder.emplace(files.config(), files.weights());
        }
    }
};

/// A search of tests/golden/beams, made by tools/golden/beams.py.
struct search {
    std::string group, name;
    std::vector<token_id> ids, decoder_ids;
    beam_options options;
    std::vector<beam_result> expected;

    explicit search(const nlohmann::json& line)
        : group{line.at("group")}, name{line.at("name")}, ids{line.at("ids").get<std::vector<token_id>>()} {
        decoder_ids = line.value("decoder_ids", decoder_ids);
        const nlohmann::json& said = line.at("options");
        options.beams = said.at("num_beams");
        options.max_tokens = said.at("max_new_tokens");
        options.min_tokens = said.value("min_new_tokens", options.min_tokens);
        options.length_penalty = said.value("length_penalty", options.length_penalty);
        options.no_repeat_ngram = said.value("no_repeat_ngram_size", options.no_repeat_ngram);
        options.penalties.repeat = said.value("repetition_penalty", 1.0F);
        options.results = said.value("num_return_sequences", options.results);
        const nlohmann::json& ends = said.at("eos_token_id");
        options.ends =
            ends.is_array() ? ends.get<std::vector<token_id>>() : std::vector<token_id>{ends.get<token_id>()};
        if(said.contains("early_stopping")) {
            options.stop = said.at("early_stopping").is_string() ? beam_stop::never : beam_stop::at_once;
        }
        if(said.contains("forced_bos_token_id")) {
            options.first_token = said.at("forced_bos_token_id").get<token_id>();
        }
        if(said.contains("forced_eos_token_id")) {
            options.last_tokens = {said.at("forced_eos_token_id").get<token_id>()};
        }
        options.cache_type = tw::dtype::f32;
        for(const nlohmann::json& result: line.at("results")) {
            expected.push_back(
                {result[0].get<std::vector<token_id>>(), result[1].is_null() ? NAN : result[1].get<float>()});
        }
    }

    static std::vector<search> all() {
        std::ifstream file{TOKENWORKS_TEST_DATA "/beams/beams.jsonl"};
        std::vector<search> found;
        for(std::string line; std::getline(file, line);) {
            found.emplace_back(nlohmann::json::parse(line));
        }
        return found;
    }

    [[nodiscard]] std::vector<beam_result> run(const opened& model, const tw::execution& how = {}) const {
        tw::nn::context c{how};
        return model.both ? tw::beam_search(c, *model.both, ids, decoder_ids, options)
                          : tw::beam_search(c, *model.decoder, ids, options);
    }
};

bool same(const std::vector<beam_result>& a, const std::vector<beam_result>& b) {
    return std::ranges::equal(a, b, [](const beam_result& x, const beam_result& y) {
        return x.ids == y.ids && !(x.score < y.score) && !(y.score < x.score);
    });
}

} // namespace

TEST_CASE("beam_search: the sequences and scores of transformers", "[runtime]") {
    std::map<std::string, opened> models;
    const std::vector<search> searches = search::all();
    REQUIRE(searches.size() >= 80);
    for(std::size_t i = 0; i < searches.size(); ++i) {
        const search& s = searches[i];
        INFO("line " << i + 1 << ": " << s.name);
        const opened& model = models.try_emplace(s.name, s.name, s.group).first->second;
        const std::vector<beam_result> found = s.run(model);
        REQUIRE(found.size() == s.expected.size());
        for(std::size_t k = 0; k < found.size(); ++k) {
            INFO("sequence " << k);
            CHECK(found[k].ids == s.expected[k].ids);
            if(s.options.beams > 1) {
                CHECK(std::abs(static_cast<double>(found[k].score) - static_cast<double>(s.expected[k].score)) <
                      1e-5 * (1 + std::abs(static_cast<double>(found[k].score))));
            }
        }
        for(const unsigned threads: {2U, 3U}) {
            tw::thread_team team{threads};
            CHECK(same(s.run(model, {.threads = &team}), found));
        }
    }
}

TEST_CASE("beam_search: one beam takes the likeliest token, and the cut of the prompt changes nothing", "[runtime]") {
    const opened model{"llama", "families"};
    const std::vector<token_id> prompt{1, 2, 3, 4, 5};
    tw::nn::context c;
    const auto found = tw::beam_search(c, *model.decoder, prompt, {.beams = 1, .max_tokens = 9});
    REQUIRE(found.size() == 1);
    std::vector<token_id> greedy;
    tw::nn::kv_cache cache = model.decoder->make_cache(20);
    std::vector<token_id> next = prompt;
    for(std::size_t i = 0; i < 9; ++i) {
        const tw::models::decoder_input input{&cache, next};
        token_id id = 0;
        model.decoder->forward_greedy(c, std::span{&input, 1}, std::span{&id, 1});
        greedy.push_back(id);
        next = {id};
    }
    CHECK(found[0].ids == greedy);

    beam_options options{.beams = 3, .max_tokens = 9, .results = 3};
    const auto whole = tw::beam_search(c, *model.decoder, prompt, options);
    options.prefill_chunk = 2;
    CHECK(same(tw::beam_search(c, *model.decoder, prompt, options), whole));
    options.max_tokens = 0;
    CHECK(tw::beam_search(c, *model.decoder, prompt, options).empty());
}

TEST_CASE("beam_search: penalties of a window, by count and by presence", "[runtime]") {
    const opened model{"llama", "families"};
    const std::vector<token_id> prompt{1, 2, 3, 3, 5};
    tw::nn::context c;
    const auto greedy = [&](const tw::sampling::penalty_options& penalties) {
        const auto found =
            tw::beam_search(c, *model.decoder, prompt, {.beams = 1, .max_tokens = 12, .penalties = penalties});
        return found.at(0).ids;
    };
    const tw::sampling::penalty_options all[] = {{-1, 1.4F, 0.3F, 0.1F}, {4, 1.2F, 0.5F, 0}, {100, 1, 0, 0.7F}};
    for(const auto& penalties: all) {
        // Token by token through the sampler's own step.
        std::vector<token_id> history = prompt;
        std::vector<float> logits(model.decoder->vocab_size());
        for(std::size_t i = 0; i < 12; ++i) {
            tw::nn::kv_cache cache = model.decoder->make_cache(history.size());
            const tw::models::decoder_input input{&cache, history};
            model.decoder->forward(c, std::span{&input, 1}, tw::nn::rows{logits.data(), std::size_t{1}, logits.size()});
            tw::sampling::candidates from;
            from.load(logits);
            tw::sampling::penalties{penalties}(from, {.history = history});
            const std::span<const float> row = from.dense_logits();
            history.push_back(static_cast<token_id>(std::ranges::max_element(row) - row.begin()));
        }
        CHECK(greedy(penalties) == std::vector<token_id>(history.begin() + 5, history.end()));
    }
    CHECK(greedy({0, 9, 9, 9}) == greedy({-1, 1, 0, 0})); // nothing is looked back on
    CHECK(greedy({-1, 1, 9, 9}) != greedy({-1, 1, 0, 0}));
    CHECK_THROWS_AS(greedy({-1, 0, 0, 0}), tw::argument_error);
    CHECK_THROWS_AS(greedy({-2, 1, 0, 0}), tw::argument_error);
}

TEST_CASE("beam_search: adapters give what the merged model gives", "[runtime]") {
    const family_golden golden{"llama"};
    const files::temporary_folder base;
    golden.write_to(base.string(), tw::dtype::f32);
    const auto folder = tw::models::model_folder::open(base.string());
    const tw::models::decoder model{folder.config(), folder.weights()};
    // Of one matrix, made by hand, on top of its weights.
    const std::string name = "blk.1.ffn_up.weight";
    const tw::models::weight w = *folder.weights().find(name);
    const std::size_t n = w.extents[0];
    const std::size_t k = w.extents[1];
    std::vector<float> down(k);
    std::vector<float> up(n);
    for(std::size_t i = 0; i < k; ++i) {
        down[i] = static_cast<float>(i % 5) - 2;
    }
    for(std::size_t i = 0; i < n; ++i) {
        up[i] = (static_cast<float>(i % 7) - 3) / 2;
    }
    const auto pack = [](const std::vector<float>& values, std::size_t rows, std::size_t columns) {
        return tw::kernels::pack(tw::dtype::f32, std::as_bytes(std::span{values}), rows, columns);
    };
    tw::nn::adapter adapter;
    for(const auto& [each, matrix]: model.matrices()) {
        if(each == name) {
            adapter.add_change(*matrix, pack(down, 1, k), pack(up, n, 1));
        }
    }
    REQUIRE(adapter.size() == 1);
    std::vector<float> merged = tw::models::load_values(folder.weights(), name, w.extents);
    for(std::size_t i = 0; i < n * k; ++i) {
        merged[i] += up[i / k] * down[i % k];
    }
    class changed final: public tw::models::weight_source {
    public:
        changed(const tw::models::weight_source& from, const std::string& which, std::span<const float> values)
            : from_{from}, which_{which}, values_{values} {}
        [[nodiscard]] std::optional<tw::models::weight> find(std::string_view of) const override {
            auto found = from_.find(of);
            if(of == which_) {
                found->type = tw::dtype::f32;
                found->bytes = std::as_bytes(values_);
            }
            return found;
        }
        [[nodiscard]] std::string label() const override { return from_.label(); }

    private:
        const tw::models::weight_source& from_;
        const std::string& which_;
        std::span<const float> values_;
    };
    const tw::models::decoder wanted{folder.config(), changed{folder.weights(), name, merged}};
    tw::nn::context c;
    beam_options options{.beams = 4, .max_tokens = 10, .results = 4, .cache_type = tw::dtype::f32};
    const auto expected = tw::beam_search(c, wanted, golden.ids, options);
    const auto plain = tw::beam_search(c, model, golden.ids, options);
    options.adapters = {&adapter};
    options.prefill_chunk = 3;
    const auto found = tw::beam_search(c, model, golden.ids, options);
    REQUIRE(found.size() == expected.size());
    for(std::size_t i = 0; i < found.size(); ++i) {
        CHECK(found[i].ids == expected[i].ids);
        CHECK(found[i].score == Approx(expected[i].score).epsilon(1e-4));
    }
    CHECK(std::abs(plain[0].score - found[0].score) > 1e-2F);

    const opened both{"t5", "encoder_decoders"};
    const std::vector<token_id> ids{1, 2, 3};
    CHECK_THROWS_WITH(tw::beam_search(c, *both.both, ids, std::vector<token_id>{3}, options),
                      ContainsSubstring("adapters"));
}

TEST_CASE("beam_search: options that leave nothing to choose", "[runtime]") {
    const opened model{"llama", "families"};
    const std::vector<token_id> prompt{1, 2, 3};
    tw::nn::context c;
    // Every token is used up before so many are made, and an end is not allowed.
    const auto none = tw::beam_search(
        c, *model.decoder, prompt, {.beams = 2, .max_tokens = 25, .min_tokens = 25, .no_repeat_ngram = 1, .ends = {4}});
    CHECK(none.empty());
    const auto few = tw::beam_search(c, *model.decoder, prompt, {.beams = 2, .max_tokens = 8, .vocabulary = 3});
    REQUIRE(few.size() == 1);
    CHECK(std::ranges::all_of(few[0].ids, [](token_id id) { return id < 3; }));
    CHECK(tw::beam_search(c, *model.decoder, prompt, {.vocabulary = 0}).empty());
    // All tokens end.
    beam_options all{.beams = 2, .max_tokens = 5, .results = 2};
    for(token_id id = 0; id < 22; ++id) {
        all.ends.push_back(id);
    }
    const auto ended = tw::beam_search(c, *model.decoder, prompt, all);
    REQUIRE(ended.size() == 2);
    CHECK(ended[0].ids.size() == 1);
}

TEST_CASE("beam_search: what it refuses", "[runtime]") {
    const opened model{"gpt2", "families"};
    tw::nn::context c;
    const std::vector<token_id> prompt{1, 2};
    const auto run = [&](std::span<const token_id> ids, const beam_options& options) {
        return tw::beam_search(c, *model.decoder, ids, options);
    };
    CHECK_NOTHROW(run(prompt, {.beams = 2, .max_tokens = 3}));
    CHECK_THROWS_WITH(run({}, {}), ContainsSubstring("the prompt has no tokens"));
    CHECK_THROWS_WITH(run(prompt, {.beams = 0}), ContainsSubstring("beams is 0"));
    CHECK_THROWS_AS(run(prompt, {.beams = 1025}), tw::argument_error);
    CHECK_THROWS_WITH(run(prompt, {.beams = 2, .results = 3}), ContainsSubstring("results is 3, not in 1..2"));
    CHECK_THROWS_AS(run(prompt, {.length_penalty = INFINITY}), tw::argument_error);
    CHECK_THROWS_AS(run(prompt, {.ends = {22}}), tw::argument_error);
    CHECK_THROWS_AS(run(prompt, {.first_token = -1}), tw::argument_error);
    CHECK_THROWS_AS(run(prompt, {.last_tokens = {22}}), tw::argument_error);
    const std::vector<token_id> bad{22};
    CHECK_THROWS_AS(run(bad, {}), tw::argument_error);
    CHECK_THROWS_AS(run(prompt, {.max_tokens = 40}), tw::capacity_error); // learned positions end
    std::stop_source stop;
    stop.request_stop();
    CHECK_THROWS_AS(run(prompt, {.cancel = stop.get_token()}), tw::cancelled_error);
}
