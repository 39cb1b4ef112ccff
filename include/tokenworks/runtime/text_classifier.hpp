// Classes of texts, and documents ranked for a question: an encoder of a Hugging Face folder with a head for classes.
//
//   auto classifier = tokenworks::text_classifier::load("distilbert-sst2");
//   std::cout << classifier.classify("What a film!").label;
//
//   auto reranker = tokenworks::text_classifier::load("ms-marco-MiniLM-L6-v2");
//   std::vector<float> scores = reranker.rerank("Why is the sky blue?", documents);
//
// Scores of classes are those of the pipeline of transformers, scores of documents those of sentence-transformers'
// CrossEncoder.
//
// Needs nlohmann-json.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/tokenizer.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/limits.hpp>
#include <tokenworks/io/json_tree.hpp>
#include <tokenworks/models/encoder.hpp>
#include <tokenworks/models/model_folder.hpp>
#include <tokenworks/models/tokenizer_folder.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/runtime/encoder_folder.hpp>
#include <tokenworks/runtime/text_model.hpp>

namespace tokenworks::inline TOKENWORKS_ABI {

/// What a text is.
struct classification {
    std::size_t index = 0;       ///< of the class with the highest score
    std::string label{};         ///< its name
    float score = 0;             ///< its score
    std::vector<float> scores{}; ///< of all classes, [K]
};

/// Immutable once loaded: share it by const reference.
class text_classifier {
public:
    /// @throws io_error, format_error, limit_error, cancelled_error; unsupported_error, for a folder whose model has no
    ///         head for classes too
    [[nodiscard]] static text_classifier load(const std::string& path, const load_options& options = {},
                                              const limits& bounds = {}) {
        return text_classifier{path, options, bounds};
    }

    [[nodiscard]] const models::encoder& network() const noexcept { return base_.network(); }
    [[nodiscard]] const codec::tokenizer& tokenizer() const noexcept { return base_.tokenizer(); }
    [[nodiscard]] const execution& how() const noexcept { return base_.how(); }
    /// The names of the K classes.
    [[nodiscard]] std::span<const std::string> labels() const noexcept { return head().labels; }
    /// Texts longer than this are cut.
    [[nodiscard]] std::size_t max_tokens() const noexcept { return most_; }

    /// The class of a text.
    [[nodiscard]] classification classify(std::string_view text) const {
        return std::move(classify(std::span{&text, 1}).front());
    }
    /// Of many, computed together. Each is bitwise the same whatever else is asked for.
    [[nodiscard]] std::vector<classification> classify(std::span<const std::string_view> texts) const;
    /// The class of two texts that the model looks at together, such as a premise and a conclusion.
    [[nodiscard]] classification classify_pair(std::string_view first, std::string_view second) const {
        const pair both = encode_pair(first, second);
        const models::encoder_input input = input_of(both);
        return classification_of(logits(std::span{&input, 1}));
    }

    /// How well each document answers a question, in the order of the documents.
    /// @throws unsupported_error where the model has more than one class
    [[nodiscard]] std::vector<float> rerank(std::string_view query, std::span<const std::string_view> documents) const;

    /// The logits of inputs, [N,K].
    [[nodiscard]] std::vector<float> logits(std::span<const models::encoder_input> inputs) const {
        const std::size_t k = network().class_count();
        nn::context c{how()};
        std::vector<float> out(inputs.size() * k);
        runtime::for_each_step(inputs,
                               [&](std::size_t first, std::span<const models::encoder_input> step, std::size_t) {
                                   network().forward_classes(c, step, nn::rows{out.data() + first * k, step.size(), k});
                               });
        return out;
    }

private:
    using kind = models::classifier_config::kind;

    struct pair {
        std::vector<codec::token_id> ids;
        std::vector<std::int32_t> types;
    };

    text_classifier(const std::string& path, const load_options& options, const limits& bounds)
        : text_classifier{models::model_folder::open(path, {.limits = bounds}), options, bounds} {}
    text_classifier(const models::model_folder& folder, const load_options& options, const limits& bounds)
        : text_classifier{runtime::encoder_folder::require_encoder(folder),
                          models::tokenizer_files{folder.path(), bounds}, options} {}
    text_classifier(const models::model_folder& folder, const models::tokenizer_files& files,
                    const load_options& options);

    [[nodiscard]] const models::classifier_config& head() const noexcept { return *network().config().classifier; }
    [[nodiscard]] pair encode_pair(std::string_view first, std::string_view second) const;
    /// Refers to the pair.
    [[nodiscard]] models::encoder_input input_of(const pair& both) const noexcept {
        const bool has_types = with_types_ && network().config().token_types > 1;
        return {both.ids, has_types ? std::span<const std::int32_t>{both.types} : std::span<const std::int32_t>{}};
    }
    [[nodiscard]] classification classification_of(std::span<const float> logits) const;

    static float sigmoid(float x) noexcept { return static_cast<float>(1 / (1 + std::exp(-static_cast<double>(x)))); }

    runtime::encoder_folder base_;
    std::size_t most_ = 0;
    bool with_types_ = true; // the model is told which text a token is of
    bool raw_ranks_ = false; // documents' scores are the logits
};

inline text_classifier::text_classifier(const models::model_folder& folder, const models::tokenizer_files& files,
                                        const load_options& options)
    : base_{folder, files, options} {
    if(!network().has_classifier()) {
        detail::raise<unsupported_error>({folder.path(), ": this model has no head for the classes of texts"});
    }
    most_ = base_.most_tokens(0);
    if(const std::optional<io::json_tree>& tree = files.config()) {
        // A number as large as 1e30 stands for none.
        const auto told = tree->root().find("model_max_length", {"JSON"});
        if(told && told->type() == io::json_value::kind::whole) {
            most_ = base_.most_tokens(static_cast<std::size_t>(told->whole({"model_max_length"})));
        }
        if(const auto inputs = tree->root().find("model_input_names", {"JSON"})) {
            with_types_ = false;
            inputs->elements({"model_input_names"}, [&](io::json_value name) {
                with_types_ |= name.string({"model_input_names"}) == "token_type_ids";
            });
        }
    }
    // sentence-transformers: the function that follows on the logits, by the name of its class.
    for(const char* const key: {"sentence_transformers.activation_fn", "sbert_ce_default_activation_function"}) {
        raw_ranks_ |= folder.parameters().has(key) && folder.parameters().text(key).ends_with("Identity");
    }
}

inline text_classifier::pair text_classifier::encode_pair(std::string_view first, std::string_view second) const {
    codec::tokenizer::pair_ids both = tokenizer().encode_pair(first, second, {.add_special = true}, most_);
    pair out{std::move(both.ids), {}};
    for(const std::uint32_t type: both.types) {
        out.types.push_back(static_cast<std::int32_t>(type));
    }
    return out;
}

inline classification text_classifier::classification_of(std::span<const float> logits) const {
    classification out;
    out.scores.assign(logits.begin(), logits.end());
    out.index = static_cast<std::size_t>(std::ranges::max_element(logits) - logits.begin());
    if(head().result == kind::any_number) {
        std::ranges::transform(logits, out.scores.begin(), sigmoid);
    } else if(head().result == kind::one_class) {
        const auto most = static_cast<double>(logits[out.index]);
        const auto share = [&](float x) { return std::exp(static_cast<double>(x) - most); };
        double sum = 0;
        for(const float x: logits) {
            sum += share(x);
        }
        std::ranges::transform(logits, out.scores.begin(), [&](float x) { return static_cast<float>(share(x) / sum); });
    }
    out.label = head().labels[out.index];
    out.score = out.scores[out.index];
    return out;
}

inline std::vector<classification> text_classifier::classify(std::span<const std::string_view> texts) const {
    std::vector<std::vector<codec::token_id>> ids;
    for(const std::string_view text: texts) {
        ids.push_back(base_.encode(text, most_));
    }
    std::vector<models::encoder_input> inputs;
    inputs.reserve(ids.size());
    for(const std::vector<codec::token_id>& each: ids) {
        inputs.push_back({each});
    }
    const std::vector<float> all = logits(inputs);
    std::vector<classification> out;
    for(std::size_t i = 0; i < texts.size(); ++i) {
        out.push_back(classification_of(std::span{all}.subspan(i * labels().size(), labels().size())));
    }
    return out;
}

inline std::vector<float> text_classifier::rerank(std::string_view query,
                                                  std::span<const std::string_view> documents) const {
    if(labels().size() != 1) {
        detail::raise<unsupported_error>(
            {"rerank: the model has ", labels().size(), " classes; one that ranks documents has one"});
    }
    std::vector<pair> pairs;
    for(const std::string_view document: documents) {
        pairs.push_back(encode_pair(query, document));
    }
    std::vector<models::encoder_input> inputs;
    inputs.reserve(pairs.size());
    for(const pair& each: pairs) {
        inputs.push_back(input_of(each));
    }
    std::vector<float> scores = logits(inputs);
    if(!raw_ranks_) {
        std::ranges::transform(scores, scores.begin(), sigmoid);
    }
    return scores;
}

} // namespace tokenworks::inline TOKENWORKS_ABI
