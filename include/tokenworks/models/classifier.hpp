// Heads that tell the classes of a text, as config.json and the tensors' names describe them: transformers 5.24,
// *ForSequenceClassification.
#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/kernels/activation.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

namespace detail {

/// Whether `architectures` allows it: a head with the same tensors may be one of tokens, or of several choices.
[[nodiscard]] inline bool may_classify_texts(const hyperparameters& from) {
    if(!from.has("architectures")) {
        return true;
    }
    return std::ranges::any_of(from.texts("architectures"),
                               [](const std::string& name) { return name.ends_with("ForSequenceClassification"); });
}

/// K names. transformers leaves out two that are called as it calls them.
[[nodiscard]] inline std::vector<std::string> class_labels(const hyperparameters& from) {
    constexpr std::size_t most_unnamed = 65536;
    if(from.has("classifier.output_labels")) {
        std::vector<std::string> labels = from.texts("classifier.output_labels");
        if(labels.empty()) {
            from.refuse("classifier.output_labels", {"is empty"});
        }
        return labels;
    }
    std::vector<std::string> labels(from.count_or("num_labels", 2, most_unnamed));
    for(std::size_t i = 0; i < labels.size(); ++i) {
        labels[i] = "LABEL_" + std::to_string(i);
    }
    return labels;
}

} // namespace detail

/// Whether documents are ranked by the logits themselves: sentence-transformers names the function that follows on
/// them, as a class. `tokenworks.ranks_by_logits` is what this library writes of it to GGUF files.
[[nodiscard]] inline bool ranks_by_logits(const hyperparameters& from) {
    if(from.is_gguf()) {
        return from.flag_or("tokenworks.ranks_by_logits", false);
    }
    return std::ranges::any_of(std::initializer_list<const char*>{"sentence_transformers.activation_fn",
                                                                  "sbert_ce_default_activation_function"},
                               [&](const char* key) { return from.has(key) && from.text(key).ends_with("Identity"); });
}

/// Describes the head where the file has one.
/// @param dense, output  what the file calls its layers, without ".weight"
/// @throws format_error naming the key
inline void use_classifier(const hyperparameters& from, model_config& config, const std::string& dense,
                           const std::string& output, kernels::activation_kind activation) {
    using enum classifier_config::kind;
    if(!from.has_tensor(dense + ".weight") || !from.has_tensor(output + ".weight") ||
       !detail::may_classify_texts(from)) {
        return;
    }
    classifier_config& head = config.classifier.emplace();
    head.labels = detail::class_labels(from);
    head.activation = activation;
    const std::string problem = from.text_or("problem_type", "");
    head.result = problem == "regression"                                              ? numbers
                  : problem == "multi_label_classification" || head.labels.size() == 1 ? any_number
                                                                                       : one_class;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
