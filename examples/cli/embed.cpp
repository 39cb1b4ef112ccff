// embed: a text as a vector, or a row for each of its tokens.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <tokenworks/models/decoder.hpp>
#include <tokenworks/models/model_folder.hpp>
#include <tokenworks/runtime/pooling.hpp>
#include <tokenworks/runtime/text_encoder.hpp>
#include <tokenworks/runtime/text_model.hpp>

#include "load.hpp"
#include "options.hpp"

namespace cli {

using json = nlohmann::ordered_json;

namespace {

/// The rows of all tokens and how the model wants them made one.
struct token_rows {
    std::size_t width = 0;
    std::vector<float> values{}; // [T,C]
    tw::embedding_options as{};

    [[nodiscard]] tw::nn::const_rows view() const {
        return tw::nn::const_rows{values.data(), values.size() / width, width};
    }
};

std::vector<std::int32_t> ids_of(const embed_options& what) {
    std::vector<std::int32_t> ids = parse_ids(*what.input.ids);
    if(ids.empty()) {
        throw usage_error("--ids: no token id given");
    }
    return ids;
}

token_rows rows_of_encoder(const common_options& options, const embed_options& what) {
    require_merged_loras(options, "an encoder");
    progress_bar bar{"loading"};
    const tw::text_encoder encoder = tw::text_encoder::load(options.model, load_options(options, bar));
    const std::vector<std::int32_t> ids = what.input.ids ? ids_of(what) : encoder.encode(text_of(what.input));
    return {encoder.width(), encoder.hidden(ids), encoder.defaults()};
}

token_rows rows_of_decoder(const common_options& options, const embed_options& what) {
    const tw::text_model model = load_model(options);
    const std::vector<std::int32_t> ids =
        what.input.ids ? ids_of(what) : model.tokenizer().encode(text_of(what.input), {.add_special = true});
    if(ids.empty()) {
        throw tw::argument_error("embed: the text is empty, and the model adds no token at its start");
    }
    token_rows rows{.width = model.config().width};
    rows.values.resize(ids.size() * rows.width);
    const adapters with{options, model};
    tw::nn::context c{model.how()};
    tw::nn::kv_cache cache = model.network().make_cache(ids.size());
    constexpr std::size_t step = 512;
    for(std::size_t at = 0; at < ids.size(); at += step) {
        const std::span<const std::int32_t> part = std::span{ids}.subspan(at, std::min(step, ids.size() - at));
        const tw::models::decoder_input next{
            .cache = &cache, .tokens = part, .want = tw::models::decoder_input::logits::all, .adapters = with.all()};
        model.network().forward_hidden(c, std::span{&next, 1},
                                       tw::nn::rows{rows.values.data() + at * rows.width, part.size(), rows.width});
    }
    return rows;
}

} // namespace

int embed(const common_options& options, const embed_options& what) {
    const int given =
        int{what.input.text.has_value()} + int{what.input.file.has_value()} + int{what.input.ids.has_value()};
    if(given != 1) {
        throw usage_error("embed takes exactly one of --text, --file and --ids");
    }
    using enum tw::runtime::pooling;
    static constexpr std::pair<const char*, std::optional<tw::runtime::pooling>> kinds[] = {
        {"", std::nullopt}, {"none", std::nullopt}, {"mean", mean}, {"cls", cls}, {"last", last}, {"max", max}};
    const auto* const kind = std::ranges::find_if(kinds, [&](const auto& each) { return each.first == what.pooling; });
    if(kind == std::end(kinds)) {
        throw usage_error("--pooling: '" + tw::printable(what.pooling) + "' is none of none, mean, cls, last, max");
    }
    const token_rows rows =
        is_encoder_folder(options.model) ? rows_of_encoder(options, what) : rows_of_decoder(options, what);
    json out;
    if(what.pooling == "none") {
        for(std::size_t t = 0; t < rows.view().extent(0); ++t) {
            std::vector<float> row(rows.view().row(t).as_span().begin(), rows.view().row(t).as_span().end());
            if(what.normalize) {
                tw::runtime::normalize(row);
            }
            out["embedding"].push_back(row);
        }
    } else {
        std::vector<float> vector(rows.width);
        tw::runtime::pool(kind->second.value_or(rows.as.pooling), rows.view(), vector);
        if(what.normalize || (what.pooling.empty() && rows.as.normalize)) {
            tw::runtime::normalize(vector);
        }
        out["embedding"] = vector;
    }
    std::cout << out.dump() << '\n';
    return 0;
}

} // namespace cli
