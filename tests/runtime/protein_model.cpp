#include <tokenworks/runtime/protein_model.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <tokenworks/core/thread_team.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/family_golden.hpp"
#include "support/kernels.hpp"
#include "support/model_folders.hpp"

namespace tw = tokenworks;
using support::family_golden;

namespace {

/// A tiny model with hashed weights, made by tools/golden/proteins.py.
struct opened {
    files::temporary_folder folder;
    family_golden golden;
    std::string sequence, family;
    tw::protein_model model;

    explicit opened(const std::string& name, unsigned threads = 2)
        : golden{name, "proteins"},
          sequence{golden.more.at("sequence").get<std::string>()},
          family{golden.more.value("family", "")},
          model{load(threads)} {}

    tw::protein_model load(unsigned threads) const {
        golden.write_to(folder.string(), tw::dtype::f32);
        std::string vocabulary;
        for(const auto& token: golden.more.at("tokens")) {
            vocabulary += token.get<std::string>() + "\n";
        }
        support::write_text(folder.string(), "vocab.txt", vocabulary);
        return tw::protein_model::load(folder.string(), {.threads = threads});
    }

    [[nodiscard]] std::vector<float> expected(const std::string& key) const {
        const nlohmann::json& rows = golden.more.at(key);
        return rows[0].is_array() ? family_golden::flat(rows) : rows.get<std::vector<float>>();
    }
};

const std::string shipped = TOKENWORKS_TEST_MODELS "/protein.gguf";

} // namespace

TEST_CASE("protein model: what transformers says of a sequence", "[runtime]") {
    constexpr double bound = 1e-5; // a few hundred float operations
    for(const std::string name: {"esm2", "iglm", "progen2"}) {
        INFO(name);
        const opened o{name};
        CHECK(o.model.format().name == name);
        const std::vector<double> found = o.model.log_likelihoods(o.sequence, o.family);
        CHECK(family_golden::worst(std::vector<float>(found.begin(), found.end()), o.expected("likelihoods")) < bound);
        double sum = 0;
        for(const double each: found) {
            sum += each;
        }
        CHECK(o.model.log_likelihood(o.sequence, o.family) == sum);
        CHECK(family_golden::worst(o.model.mutations(o.sequence, o.family), o.expected("mutations")) < bound);
        CHECK(family_golden::worst(o.model.embed(o.sequence, o.family), o.expected("embedding")) < bound);
        if(name == "esm2") {
            CHECK(family_golden::worst(o.model.contacts(o.sequence), o.expected("contacts")) < bound);
        } else {
            CHECK_THROWS_AS(o.model.contacts(o.sequence), tw::unsupported_error);
        }
    }
}

TEST_CASE("protein model: the same bits on every team", "[runtime]") {
    for(const std::string name: {"esm2", "iglm"}) {
        INFO(name);
        const opened one{name, 1};
        const opened three{name, 3};
        CHECK(support::same_bits(one.model.mutations(one.sequence, one.family),
                                 three.model.mutations(one.sequence, one.family)));
        CHECK(one.model.log_likelihood(one.sequence, one.family) ==
              three.model.log_likelihood(one.sequence, one.family));
    }
}

TEST_CASE("protein model: whatever the weights are, standard residues come, so many as asked for", "[runtime]") {
    for(const std::string name: {"iglm", "progen2"}) {
        const opened o{name};
        std::set<std::string> all;
        for(std::uint64_t seed = 0; seed < 20; ++seed) {
            INFO(name << " " << seed);
            tw::protein_options how{.family = o.family, .least = 3, .most = 12, .seed = seed};
            how.sampling.temperature = 5;
            how.sampling.min_p = 0;
            how.sampling.top_p = 1;
            how.begin = "MK";
            const std::string made = o.model.generate(how);
            CHECK(made.find_first_not_of(tw::codec::residues::standard) == std::string::npos);
            CHECK(made.starts_with("MK"));
            CHECK(made.size() >= 5);
            CHECK(made.size() <= 14);
            CHECK(made == o.model.generate(how));
            all.insert(made);
        }
        CHECK(all.size() > 15);
        // No end in sight: as long as the context.
        tw::protein_options greedy{.family = o.family, .least = 40};
        greedy.sampling.temperature = 0;
        CHECK(o.model.generate(greedy).size() >= 40);
        CHECK_THROWS_AS(o.model.generate({.family = o.family, .least = 64}), tw::capacity_error);
        CHECK_THROWS_AS(o.model.generate({.family = o.family, .begin = std::string(64, 'A')}), tw::capacity_error);
        CHECK_THROWS_AS(o.model.generate({.family = o.family, .begin = "M?"}), tw::argument_error);
        CHECK_THROWS_AS(o.model.generate({.family = "none"}), tw::argument_error);
    }
}

TEST_CASE("protein model: gaps are filled with residues, and what is far away is left out", "[runtime]") {
    const opened o{"iglm"};
    const std::string gap = o.model.infill("MKTAY", "QRQ", {.family = o.family, .least = 2, .most = 6});
    CHECK(gap.size() >= 2);
    CHECK(gap.size() <= 6);
    CHECK(gap.find_first_not_of(tw::codec::residues::standard) == std::string::npos);
    CHECK_FALSE(o.model.infill(std::string(300, 'M'), std::string(200, 'K'), {.family = o.family, .most = 4}).empty());
    CHECK_THROWS_AS(opened{"progen2"}.model.infill("M", "K", {}), tw::unsupported_error);
    const opened esm{"esm2"};
    CHECK_THROWS_AS(esm.model.infill("M", "K", {}), tw::unsupported_error);
    CHECK_THROWS_AS(esm.model.generate({}), tw::unsupported_error);
}

TEST_CASE("protein model: sequences beyond the context, and none", "[runtime]") {
    const opened o{"progen2"};
    const std::string longer(150, 'M'); // 64 tokens are seen at once
    const std::vector<double> all = o.model.log_likelihoods(longer);
    CHECK(all.size() == 151);
    const std::vector<double> begin = o.model.log_likelihoods(std::string(40, 'M'));
    CHECK(std::equal(begin.begin(), begin.end() - 1, all.begin()));
    CHECK(std::ranges::all_of(all, [](double x) { return std::isfinite(x) && x < 0; }));
    const std::vector<float> mean = o.model.embed(longer);
    CHECK(std::ranges::all_of(mean, [](float x) { return std::isfinite(x); }));
    CHECK_THROWS_AS(o.model.log_likelihood(""), tw::argument_error);
    CHECK_THROWS_AS(o.model.mutations(""), tw::argument_error);
    CHECK_THROWS_AS(o.model.embed(""), tw::argument_error);
    CHECK_THROWS_AS(o.model.log_likelihood("M\nK"), tw::argument_error);
    CHECK_THROWS_AS(o.model.mutations("MK", "", [](std::size_t, std::size_t) { return false; }), tw::cancelled_error);
}

TEST_CASE("protein model: several scored at once are what each is alone", "[runtime]") {
    for(const char* const name: {"progen2", "esm2"}) {
        const opened o{name};
        std::vector<std::string> sequences;
        for(std::size_t i = 0; i < 40; ++i) { // beyond the context too, and more than a step takes
            sequences.push_back(std::string(1 + i * 17 % 90, "MKVLA"[i % 5]) + "GE");
        }
        sequences.push_back(std::string(150, 'M'));
        std::vector<tw::scored_protein> all;
        for(const std::string& each: sequences) {
            all.push_back({each, {}});
        }
        const std::vector<double> found = o.model.log_likelihoods_of(all);
        REQUIRE(found.size() == all.size());
        for(std::size_t i = 0; i < all.size(); ++i) {
            CHECK(found[i] == o.model.log_likelihood(sequences[i]));
        }
        CHECK(o.model.log_likelihoods_of({}).empty());
        all[1].sequence = "";
        CHECK_THROWS_AS(o.model.log_likelihoods_of(all), tw::argument_error);
    }
}

TEST_CASE("protein model: models of something else", "[runtime]") {
    CHECK_THROWS_AS(tw::protein_model::load(TOKENWORKS_TEST_DATA "/models/llama_tied_f16.gguf"), tw::error);
    CHECK_FALSE(tw::protein_model::knows(TOKENWORKS_TEST_DATA "/models/llama_tied_f16.gguf"));
}

TEST_CASE("protein model: the one that comes with the project", "[runtime]") {
    CHECK(tw::protein_model::knows(shipped));
    const tw::protein_model model = tw::protein_model::load(shipped, {.threads = 2});
    const auto difference = model.self_check();
    REQUIRE(difference);
    CHECK(*difference < 0.1);
    CHECK(model.families().size() == 8);
    // It knows a globin from the same residues in another order, and fills a gap with residues.
    const std::string globin{tw::protein_model::check_sequence};
    std::string turned{globin.rbegin(), globin.rend()};
    CHECK(model.log_likelihood(globin) > model.log_likelihood(turned) + 20);
    CHECK(model.log_likelihood(globin, "globin") > model.log_likelihood(globin, "grpe") + 10);
    const std::vector<float> odds = model.mutations(globin);
    // What is there is mostly likelier than what is not.
    std::size_t below = 0;
    for(std::size_t t = 0; t < globin.size(); ++t) {
        const auto row = std::span{odds}.subspan(t * 20, 20);
        CHECK(row[tw::codec::residues::standard.find(globin[t])] == 0);
        double sum = 0;
        for(const float each: row) {
            sum += static_cast<double>(each);
        }
        below += sum < 0 ? 1U : 0U;
    }
    CHECK(10 * below > 6 * globin.size());
    const std::string made = model.generate({.family = "globin", .seed = 3});
    CHECK(made.size() > 80);
    CHECK(made.size() < 250);
}
