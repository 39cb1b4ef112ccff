#include <tokenworks/models/classifier.hpp>

#include <cstddef>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/models/encoder.hpp>
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

const std::string group = "classifiers";
constexpr double bound = 1e-5; // as in families.cpp

using opened = support::opened_model<encoder>;

std::vector<float> classes_of(const encoder& model, std::span<const encoder_input> inputs,
                              const tw::execution& how = {}) {
    tw::nn::context c{how};
    std::vector<float> logits(inputs.size() * model.class_count());
    model.forward_classes(c, inputs, tw::nn::rows{logits.data(), inputs.size(), model.class_count()});
    return logits;
}

} // namespace

TEST_CASE("classifier: the logits of transformers, with weights of every plain type", "[models]") {
    REQUIRE(family_golden::names(group).size() >= 8);
    for(const std::string& name: family_golden::names(group)) {
        family_golden golden{name, group};
        const std::vector<float> all = golden.logits;
        REQUIRE(golden.salts.size() == 2);
        const std::size_t classes = all.size() / golden.salts.size();
        for(std::size_t i = 0; i < golden.salts.size(); ++i) {
            golden.salt = golden.salts[i];
            golden.logits.assign(all.begin() + static_cast<std::ptrdiff_t>(i * classes),
                                 all.begin() + static_cast<std::ptrdiff_t>((i + 1) * classes));
            for(const tw::dtype type: {tw::dtype::f32, tw::dtype::f16, tw::dtype::bf16}) {
                INFO(name << " " << tw::info(type).name << " weights " << i);
                const opened o{golden, type};
                REQUIRE(o.model->has_classifier());
                CHECK_FALSE(o.model->has_head());
                CHECK(o.model->class_count() == classes);
                const encoder_input input{golden.ids, golden.types};
                support::for_each_isa([&](const tw::execution& how) {
                    CHECK(golden.worst(classes_of(*o.model, std::span{&input, 1}, how)) < bound);
                });
            }
        }
    }
}

TEST_CASE("classifier: a text has the same bits on every team and in every company", "[models]") {
    for(const std::string& name: family_golden::names(group)) {
        INFO(name);
        const family_golden golden{name, group};
        const opened o{golden, tw::dtype::bf16};
        const encoder_input alone{golden.ids, golden.types};
        const std::vector<float> expected = classes_of(*o.model, std::span{&alone, 1});
        const std::vector<std::int32_t> other{golden.ids.rbegin(), golden.ids.rbegin() + 9};
        const encoder_input inputs[] = {{other}, alone, {std::span{other}.first(1)}};
        for(const unsigned threads: {1U, 2U, 3U}) {
            tw::thread_team team{threads};
            const std::vector<float> together = classes_of(*o.model, inputs, {.threads = &team});
            CHECK(support::same_bits(std::span{together}.subspan(expected.size(), expected.size()), expected));
        }
    }
}

TEST_CASE("classifier: what config.json says of its classes", "[models]") {
    using kind = classifier_config::kind;
    family_golden golden{"bert", group};
    const auto head = [&] { return opened{golden}.files->config().classifier; };
    REQUIRE(head());
    CHECK(head()->labels == std::vector<std::string>{"bad", "fair", "good"});
    CHECK(head()->result == kind::one_class);
    golden.config["problem_type"] = "multi_label_classification";
    CHECK(head()->result == kind::any_number);
    golden.config["problem_type"] = "regression";
    CHECK(head()->result == kind::numbers);
    CHECK(opened{family_golden{"bert_pair", group}}.files->config().classifier->result == kind::any_number);
    CHECK(opened{family_golden{"distilbert", group}}.files->config().classifier->labels ==
          std::vector<std::string>{"LABEL_0", "LABEL_1"});

    golden.config["id2label"] = {{"0", "a"}, {"1", "b"}, {"3", "c"}};
    CHECK_THROWS_WITH(head(), ContainsSubstring("id2label: has a key '3'"));
    golden.config["id2label"] = {{"0", "a"}, {"1", "b"}, {"x", "c"}};
    CHECK_THROWS_AS(head(), tw::format_error);
    golden.config["id2label"] = {{"0", "a"}, {"00", "b"}, {"1", "c"}};
    CHECK_THROWS_AS(head(), tw::format_error);
    golden.config["id2label"] = {{"0", 3}};
    CHECK_THROWS_AS(head(), tw::format_error);
    golden.config["id2label"] = nlohmann::json::object();
    CHECK_THROWS_AS(head(), tw::format_error);
    golden.config["id2label"] = {{"0", "a"}, {"1", "b"}};
    CHECK_THROWS_WITH(head(), ContainsSubstring("tensor classifier.weight") && ContainsSubstring("expected [2,16]"));
    golden.config.erase("id2label");
    golden.config["num_labels"] = 3;
    CHECK(head()->labels.back() == "LABEL_2");

    // The same tensors may classify tokens.
    golden.config["architectures"] = {"BertForTokenClassification"};
    CHECK_FALSE(head());
    golden.config.erase("architectures");
    CHECK(head());

    family_golden modern{"modernbert", group};
    modern.config["classifier_pooling"] = "max";
    CHECK_THROWS_WITH(opened{modern}, ContainsSubstring("classifier_pooling"));
}

TEST_CASE("classifier: what it refuses", "[models]") {
    const family_golden golden{"bert", group};
    const opened o{golden};
    tw::nn::context c;
    std::vector<float> rows(16);
    const encoder_input input{golden.ids};
    const auto run = [&](std::size_t count, std::size_t width) {
        o.model->forward_classes(c, std::span{&input, 1}, tw::nn::rows{rows.data(), count, width});
    };
    CHECK_NOTHROW(run(1, 3));
    CHECK_THROWS_AS(run(2, 3), tw::shape_error);
    CHECK_THROWS_AS(run(1, 2), tw::shape_error);
    CHECK_NOTHROW(o.model->forward_classes(c, {}, tw::nn::rows{rows.data(), 0, 3}));
    const opened masked{family_golden{"bert", "encoders"}};
    CHECK_FALSE(masked.model->has_classifier());
    CHECK(masked.model->class_count() == 0);
    CHECK_THROWS_AS(masked.model->forward_classes(c, std::span{&input, 1}, tw::nn::rows{rows.data(), 1, 3}),
                    tw::unsupported_error);
}
