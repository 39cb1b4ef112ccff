// embed: a text or a picture as a vector, or a row for each token or patch.
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

#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/models/decoder.hpp>
#include <tokenworks/models/image_encoder.hpp>
#include <tokenworks/models/image_processor.hpp>
#include <tokenworks/models/image_text_encoder.hpp>
#include <tokenworks/models/model_folder.hpp>
#include <tokenworks/models/tokenizer_folder.hpp>
#include <tokenworks/runtime/pooling.hpp>
#include <tokenworks/runtime/text_encoder.hpp>
#include <tokenworks/runtime/text_model.hpp>

#include "load.hpp"
#include "options.hpp"
#include "picture.hpp"

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
    const adapters with{options, model};
    return {.width = model.config().width, .values = model.hidden(ids, with.all())};
}

/// What stands for a picture, or with a pooling all its rows.
token_rows rows_of_picture(const tw::models::image_encoder& encoder, const tw::models::model_folder& folder,
                           const std::string& path, const embed_options& what, tw::nn::context& c) {
    const tw::models::rgb_image picture = read_picture(*what.image);
    const tw::models::image_processor processor = tw::models::image_processor::open(path);
    const auto extent = processor.result_of({picture.height, picture.width});
    const tw::models::image_config& expected = *encoder.config().image;
    if(extent.height != expected.height || extent.width != expected.width || expected.channels != 3) {
        throw tw::format_error(path + "/preprocessor_config.json", "size", tw::format_error::no_offset,
                               "makes images that are not as large as " + folder.parameters().label() + " has them");
    }
    std::vector<float> pixels(3 * extent.height * extent.width);
    processor(picture.view(),
              tw::view<float, tw::dyn, tw::dyn, tw::dyn>{pixels.data(), std::size_t{3}, extent.height, extent.width},
              c.how);
    const tw::nn::images images{pixels.data(), std::size_t{1}, std::size_t{3}, extent.height, extent.width};
    const bool whole = what.pooling.empty();
    const std::size_t count = whole ? 1 : encoder.rows_per_image();
    token_rows rows{.width = whole ? encoder.pooled_width() : encoder.width()};
    rows.values.resize(count * rows.width);
    const tw::nn::rows out{rows.values.data(), count, rows.width};
    if(whole) {
        encoder.forward_pooled(c, images, out);
    } else {
        encoder.forward(c, images, out);
    }
    return rows;
}

/// Of a model that reads images, and perhaps texts.
token_rows rows_of_images(const common_options& options, const tw::models::model_folder& folder,
                          const embed_options& what) {
    tw::thread_team team{options.threads};
    const tw::execution how{.set = chosen_isa(options), .threads = &team};
    tw::models::weight_loading loading;
    loading.precision = matmul_precision(options.matmul_precision);
    tw::nn::context c{how};
    require_merged_loras(options, "a model of images");
    const std::vector<tw::models::weight_transform> transforms =
        tw::models::bound_transforms(transforms_of(options), {.folder = folder.names()});
    const tw::models::transformed_weights weights{folder.weights(), transforms, folder.config(), how};
    if(!folder.encoder_config()) {
        if(!what.image) {
            throw usage_error("--image: " + options.model + " reads images alone");
        }
        const tw::models::image_encoder encoder{folder.config(), weights.get(), how, loading};
        return rows_of_picture(encoder, folder, options.model, what, c);
    }
    const tw::models::image_text_encoder encoder{folder.config(), *folder.encoder_config(), weights.get(), how,
                                                 loading};
    token_rows rows;
    if(what.image) {
        rows = rows_of_picture(encoder.images(), folder, options.model, what, c);
    } else {
        if(!what.pooling.empty()) {
            throw usage_error("--pooling: texts have one vector in " + options.model);
        }
        const std::vector<std::int32_t> ids =
            what.input.ids ? ids_of(what)
                           : tw::models::tokenizer_of(options.model).encode(text_of(what.input), {.add_special = true});
        rows.width = encoder.width();
        rows.values.resize(rows.width);
        const std::span<const std::int32_t> text{ids};
        encoder.embed_texts(c, std::span{&text, 1}, tw::nn::rows{rows.values.data(), std::size_t{1}, rows.width});
    }
    rows.as.normalize = true;
    return rows;
}

token_rows rows_of(const common_options& options, const embed_options& what) {
    std::error_code none;
    if(std::filesystem::is_directory(options.model, none)) {
        const tw::models::model_folder folder = tw::models::model_folder::open(options.model);
        if(folder.config().image || (folder.encoder_config() && folder.encoder_config()->image)) {
            return rows_of_images(options, folder, what);
        }
    }
    if(!what.image && is_encoder(options.model)) {
        return rows_of_encoder(options, what);
    }
    if(what.image) {
        throw usage_error("--image: " + options.model + " reads no images");
    }
    return rows_of_decoder(options, what);
}

} // namespace

int embed(const common_options& options, const embed_options& what) {
    const int given = int{what.input.text.has_value()} + int{what.input.file.has_value()} +
                      int{what.input.ids.has_value()} + int{what.image.has_value()};
    if(given != 1) {
        throw usage_error("embed takes exactly one of --text, --file, --ids and --image");
    }
    using enum tw::runtime::pooling;
    static constexpr std::pair<const char*, std::optional<tw::runtime::pooling>> kinds[] = {
        {"", std::nullopt}, {"none", std::nullopt}, {"mean", mean}, {"cls", cls}, {"last", last}, {"max", max}};
    const auto* const kind = std::ranges::find_if(kinds, [&](const auto& each) { return each.first == what.pooling; });
    if(kind == std::end(kinds)) {
        throw usage_error("--pooling: '" + tw::printable(what.pooling) + "' is none of none, mean, cls, last, max");
    }
    const token_rows rows = rows_of(options, what);
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
