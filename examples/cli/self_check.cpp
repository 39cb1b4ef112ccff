// A model file of numbers, proteins, pictures, meshes or videos carries an input and what a right model makes of it.
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/io/gguf_writer.hpp>
#include <tokenworks/models/export_forecaster.hpp>
#include <tokenworks/models/export_picture.hpp>
#include <tokenworks/models/mesh_config.hpp>
#include <tokenworks/models/model_files.hpp>
#include <tokenworks/runtime/forecaster.hpp>
#include <tokenworks/runtime/image_model.hpp>
#include <tokenworks/runtime/mesh_model.hpp>
#include <tokenworks/runtime/protein_model.hpp>
#include <tokenworks/runtime/video_model.hpp>

#include "options.hpp"
#include "self_check.hpp"

namespace cli {

namespace {

/// What a model's self check says.
struct verdict {
    std::optional<double> difference; ///< none where the file carries no input
    double most;                      ///< what sets of instructions may differ by, with room
    std::string_view unit;
};

verdict checked(const std::string& path, const tw::load_options& load) {
    constexpr std::string_view nats = "of a log-likelihood";
    const tw::models::model_files files = tw::models::model_files::open(path);
    if(files.config().series) {
        return {tw::forecaster::load(path, load).self_check(), 0.1, "deviations of the input"};
    }
    if(files.config().picture) {
        return {tw::image_model::load(path, load).self_check(), 0.1, "of the logits' root mean square"};
    }
    if(tw::models::mesh_tokens_of(files.parameters())) {
        return {tw::mesh_model::load(path, load).self_check(), 0.25, nats};
    }
    if(files.config().video) {
        return {tw::video_model::load(path, load).self_check(), 0.25, nats};
    }
    if(tw::protein_model::knows(path)) {
        return {tw::protein_model::load(path, load).self_check(), 0.1, nats};
    }
    return {};
}

} // namespace

void self_check(const std::string& path, const tw::load_options& load) {
    const verdict found = checked(path, load);
    if(!found.difference) {
        throw tw::unsupported_error(path + ": carries no input to check it with");
    }
    const std::string by = std::to_string(*found.difference) + " " + std::string{found.unit};
    if(!(*found.difference <= found.most)) {
        throw tw::format_error(path, "check.output", tw::format_error::no_offset,
                               "the model makes something else of the input: a difference of " + by);
    }
    std::cerr << "verified: the output differs by " << by << '\n';
}

void add_self_check(const std::string& path, const tw::load_options& load, tw::io::gguf_writer& out) {
    const tw::models::model_files files = tw::models::model_files::open(path);
    const std::string& architecture = files.config().architecture;
    if(files.config().series) {
        const tw::forecaster made = tw::forecaster::load(path, load);
        const std::vector<float> series = tw::models::check_series();
        tw::models::set_check(
            out, architecture,
            made.forecast(series, {.quantiles = made.config().quantiles, .seasons = std::vector<std::size_t>{}})
                .values);
    } else if(files.config().picture) {
        const tw::image_model made = tw::image_model::load(path, load);
        std::vector<std::int32_t> ids(made.picture().tokens());
        for(std::size_t i = 0; i < ids.size(); ++i) { // some codes or other
            ids[i] = static_cast<std::int32_t>((i * i * 7 + i * 31) % made.picture().codes);
        }
        tw::models::set_picture_check(out, architecture, ids, made.check_output(ids));
    } else if(tw::models::mesh_tokens_of(files.parameters())) {
        tw::mesh_model::load(path, load).set_check(out);
    } else if(files.config().video) {
        tw::video_model::load(path, load).set_check(out);
    } else if(tw::protein_model::knows(path)) {
        tw::protein_model::load(path, load).set_check(out);
    } else {
        return;
    }
    out.save(path);
}

} // namespace cli
