// classify: which class a text is of. rerank: documents in the order in which they answer a question.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <iostream>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <tokenworks/runtime/text_classifier.hpp>

#include "load.hpp"
#include "options.hpp"

namespace cli {

using json = nlohmann::ordered_json;

namespace {

tw::text_classifier load_classifier(const common_options& options) {
    progress_bar bar{"loading"};
    require_merged_loras(options, "a classifier");
    return tw::text_classifier::load(options.model, load_options(options, bar));
}

/// The lines of a text; the last one may lack its end.
std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while(!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        line.remove_suffix(line.ends_with('\r') ? 1 : 0);
        lines.push_back(line);
        text.remove_prefix(std::min(text.size(), end + 1));
    }
    return lines;
}

} // namespace

int classify(const common_options& options, const input_options& input) {
    const std::string text = text_of(input);
    const tw::text_classifier classifier = load_classifier(options);
    const tw::classification found = classifier.classify(text);
    json out{{"label", found.label}, {"score", found.score}, {"scores", json::object()}};
    for(std::size_t i = 0; i < found.scores.size(); ++i) {
        out["scores"][classifier.labels()[i]] = found.scores[i];
    }
    std::cout << out.dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
    return 0;
}

int rerank(const common_options& options, const rerank_options& what) {
    const std::string text = read_text(what.file);
    const std::vector<std::string_view> documents = lines_of(text);
    const tw::text_classifier ranker = load_classifier(options);
    const std::vector<float> scores = ranker.rerank(what.query, documents);
    std::vector<std::size_t> order(documents.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, std::ranges::greater{}, [&](std::size_t i) { return scores[i]; });
    json out{{"results", json::array()}};
    for(const std::size_t i: order) {
        if(options.json) {
            out["results"].push_back({{"index", i}, {"score", scores[i]}, {"document", documents[i]}});
        } else {
            std::array<char, 32> score{};
            std::snprintf(score.data(), score.size(), "%.6g", static_cast<double>(scores[i]));
            std::cout << score.data() << '\t' << i << '\t' << documents[i] << '\n';
        }
    }
    if(options.json) {
        std::cout << out.dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
    }
    return 0;
}

} // namespace cli
