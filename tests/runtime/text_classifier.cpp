#include <tokenworks/runtime/text_classifier.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/exported_file.hpp"
#include "support/kernels.hpp"
#include "support/model_folders.hpp"

namespace tw = tokenworks;
using support::family_golden;

namespace {

struct folder_classifier {
    files::temporary_folder folder;
    family_golden golden;

    explicit folder_classifier(const std::string& name, const nlohmann::json& changes = nlohmann::json::object())
        : golden{name, "classifiers"} {
        golden.config.update(changes);
        support::write_model_folder(folder.string(), golden, "bert", 700);
    }
    void write(const std::string& file, std::string_view text) const {
        support::write_text(folder.string(), file, text);
    }
    [[nodiscard]] tw::text_classifier load(unsigned threads = 1) const {
        return tw::text_classifier::load(folder.string(), {.threads = threads});
    }
};

std::vector<float> logits_of(const tw::text_classifier& classifier, const std::vector<std::int32_t>& ids,
                             const std::vector<std::int32_t>& types = {}) {
    const tw::models::encoder_input input{ids, types};
    return classifier.logits(std::span{&input, 1});
}

double sigmoid(float x) { return 1 / (1 + std::exp(-static_cast<double>(x))); }

} // namespace

TEST_CASE("text_classifier: scores are shares, or each by itself, or logits, as config.json says", "[runtime]") {
    const std::string text = "the cat";
    const auto check_kind = [&](const char* problem, auto expected) {
        INFO(problem);
        const tw::text_classifier classifier = folder_classifier{"bert", {{"problem_type", problem}}}.load();
        const std::vector<float> logits =
            logits_of(classifier, classifier.tokenizer().encode(text, {.add_special = true}));
        const tw::classification found = classifier.classify(text);
        REQUIRE(found.scores.size() == 3);
        for(std::size_t i = 0; i < 3; ++i) {
            CHECK(std::abs(static_cast<double>(found.scores[i]) - expected(logits, i)) < 1e-6);
        }
        const auto best = static_cast<std::size_t>(std::ranges::max_element(logits) - logits.begin());
        CHECK(found.index == best);
        CHECK(found.label == classifier.labels()[best]);
        CHECK(found.score == found.scores[best]);
    };
    check_kind("single_label_classification", [](const std::vector<float>& x, std::size_t i) {
        const double sum = std::accumulate(x.begin(), x.end(), 0.0,
                                           [](double s, float v) { return s + std::exp(static_cast<double>(v)); });
        return std::exp(static_cast<double>(x[i])) / sum;
    });
    check_kind("multi_label_classification", [](const std::vector<float>& x, std::size_t i) { return sigmoid(x[i]); });
    check_kind("regression", [](const std::vector<float>& x, std::size_t i) { return static_cast<double>(x[i]); });
}

TEST_CASE("text_classifier: a GGUF file does what its folder does", "[runtime]") {
    for(const char* const problem: {"multi_label_classification", "regression"}) {
        const folder_classifier f{"bert", {{"problem_type", problem}}};
        f.write("tokenizer_config.json", R"({"model_max_length": 6, "model_input_names": ["input_ids"]})");
        const tw::text_classifier folder = f.load();
        const tw::text_classifier file =
            tw::text_classifier::load(support::export_folder(f.folder.string()), {.threads = 1});
        CHECK(file.max_tokens() == 6);
        CHECK(std::ranges::equal(file.labels(), folder.labels()));
        for(const std::string_view text: {"the cat", "a word the word the cat the cat"}) {
            CHECK(support::same_bits(file.classify(text).scores, folder.classify(text).scores));
            CHECK(file.classify(text).label == folder.classify(text).label);
            CHECK(support::same_bits(file.classify_pair(text, "a").scores, folder.classify_pair(text, "a").scores));
        }
    }
    for(const bool raw: {false, true}) {
        nlohmann::json changes;
        if(raw) {
            changes["sbert_ce_default_activation_function"] = "torch.nn.modules.linear.Identity";
        }
        const folder_classifier f{"bert_pair", changes.is_null() ? nlohmann::json::object() : changes};
        const tw::text_classifier file =
            tw::text_classifier::load(support::export_folder(f.folder.string()), {.threads = 1});
        const std::vector<std::string_view> documents{"a cat", "the word", ""};
        CHECK(support::same_bits(file.rerank("the cat", documents), f.load().rerank("the cat", documents)));
    }
    files::temporary_folder plain;
    support::write_model_folder(plain.string(), family_golden{"bert", "encoders"}, "bert", 700);
    CHECK_THROWS_WITH(tw::text_classifier::load(support::export_folder(plain.string())),
                      ContainsSubstring("no head for the classes"));
}

TEST_CASE("text_classifier: documents are scored as the second text of a pair", "[runtime]") {
    const folder_classifier f{"bert_pair"};
    const tw::text_classifier ranker = f.load();
    const std::vector<std::string_view> documents{"a cat", "the word", ""};
    const std::vector<float> scores = ranker.rerank("the cat", documents);
    REQUIRE(scores.size() == 3);
    for(std::size_t i = 0; i < documents.size(); ++i) {
        const auto pair = ranker.tokenizer().encode_pair("the cat", documents[i], {.add_special = true});
        const std::vector<std::int32_t> types{pair.types.begin(), pair.types.end()};
        CHECK(std::ranges::count(types, 1) ==
              static_cast<std::ptrdiff_t>(ranker.tokenizer().encode(documents[i]).size() + 1)); // and a [SEP]
        const float logit = logits_of(ranker, pair.ids, types)[0];
        CHECK(std::abs(static_cast<double>(scores[i]) - sigmoid(logit)) < 1e-6);
        CHECK(logits_of(ranker, pair.ids)[0] != logit); // types count
        CHECK(ranker.classify_pair("the cat", documents[i]).score == scores[i]);
    }
    CHECK(ranker.rerank("the cat", {}).empty());

    f.write("tokenizer_config.json", R"({"model_input_names": ["input_ids", "attention_mask"]})");
    const auto pair = ranker.tokenizer().encode_pair("the cat", "a cat", {.add_special = true});
    CHECK(static_cast<double>(f.load().rerank("the cat", documents)[0]) ==
          Approx(sigmoid(logits_of(ranker, pair.ids)[0])));
    f.write("tokenizer_config.json", R"({"model_input_names": ["input_ids", "token_type_ids"]})");
    CHECK(f.load().rerank("the cat", documents)[0] == scores[0]);

    for(const nlohmann::json& said:
        {nlohmann::json{{"sentence_transformers", {{"activation_fn", "torch.nn.modules.linear.Identity"}}}},
         nlohmann::json{{"sbert_ce_default_activation_function", "torch.nn.modules.linear.Identity"}}}) {
        const tw::text_classifier raw = folder_classifier{"bert_pair", said}.load();
        CHECK(std::abs(sigmoid(raw.rerank("the cat", documents)[1]) - static_cast<double>(scores[1])) < 1e-6);
        CHECK(raw.classify("the cat").score == ranker.classify("the cat").score);
    }
    CHECK_THROWS_WITH(folder_classifier{"bert"}.load().rerank("a", documents), ContainsSubstring("has 3 classes"));
}

TEST_CASE("text_classifier: long texts are cut, of a pair the longer one first", "[runtime]") {
    const folder_classifier f{"bert_pair"};
    std::string text;
    for(std::size_t i = 0; i < 100; ++i) {
        text += "the cat ";
    }
    const tw::text_classifier whole = f.load();
    CHECK(whole.max_tokens() == 32);
    CHECK_NOTHROW(whole.classify(text));
    const std::vector<std::string_view> documents{text};
    const auto pair = whole.tokenizer().encode_pair("a", text, {.add_special = true}, 32);
    REQUIRE(pair.ids.size() == 32);
    CHECK(pair.ids.back() == 3); // [SEP]
    const std::vector<std::int32_t> types{pair.types.begin(), pair.types.end()};
    CHECK(static_cast<double>(whole.rerank("a", documents)[0]) ==
          Approx(sigmoid(logits_of(whole, pair.ids, types)[0])));
    f.write("tokenizer_config.json", R"({"model_max_length": 9})");
    CHECK(f.load().max_tokens() == 9);
    f.write("tokenizer_config.json", R"({"model_max_length": 1000000000000000019884624838656})");
    CHECK(f.load().max_tokens() == 32);
}

TEST_CASE("text_classifier: the same bits alone and among others, on every team", "[runtime]") {
    const folder_classifier f{"bert"};
    const std::vector<std::string_view> texts{"the cat", "a", "word the word the cat", ""};
    const tw::text_classifier one = f.load();
    for(const unsigned threads: {1U, 2U, 3U}) {
        const std::vector<tw::classification> together = f.load(threads).classify(texts);
        REQUIRE(together.size() == texts.size());
        for(std::size_t i = 0; i < texts.size(); ++i) {
            CHECK(support::same_bits(together[i].scores, one.classify(texts[i]).scores));
        }
    }
    CHECK(one.classify(std::span<const std::string_view>{}).empty());
}

TEST_CASE("text_classifier: folders that it refuses", "[runtime]") {
    const files::temporary_folder folder;
    support::write_model_folder(folder.string(), family_golden{"bert", "encoders"}, "bert", 700);
    CHECK_THROWS_WITH(tw::text_classifier::load(folder.string()), ContainsSubstring("no head for the classes"));
    support::write_model_folder(folder.string(), family_golden{"llama"}, "bert", 700);
    CHECK_THROWS_WITH(tw::text_classifier::load(folder.string()), ContainsSubstring("is no encoder"));
}
