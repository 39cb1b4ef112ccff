// A model file of numbers, proteins, pictures, meshes or videos carries an input and what a right model makes of it.
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <optional>
#include <string>
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
#include <tokenworks/runtime/self_check.hpp>
#include <tokenworks/runtime/video_model.hpp>

#include "options.hpp"
#include "self_check.hpp"

namespace cli {

namespace {

/// Compares and says so on stderr.
template <class Model>
void check(const std::string& path, const tw::load_options& load) {
    const std::optional<double> difference = Model::load(path, load).self_check();
    if(!difference) {
        throw tw::unsupported_error(path + ": carries no input to check it with");
    }
    tw::runtime::require_checked(path, *difference, Model::check_bound);
    std::cerr << "verified: the output differs by " << std::to_string(*difference) << ' ' << Model::check_bound.unit
              << '\n';
}

} // namespace

void self_check(const std::string& path, const tw::load_options& load) {
    const tw::models::model_files files = tw::models::model_files::open(path);
    tw::load_options how = load;
    how.replay_check = false; // once is enough
    if(files.config().series) {
        check<tw::forecaster>(path, how);
    } else if(files.config().picture) {
        check<tw::image_model>(path, how);
    } else if(tw::models::mesh_tokens_of(files.parameters())) {
        check<tw::mesh_model>(path, how);
    } else if(files.config().video) {
        check<tw::video_model>(path, how);
    } else if(tw::protein_model::knows(path)) {
        check<tw::protein_model>(path, how);
    } else {
        throw tw::unsupported_error(path + ": carries no input to check it with");
    }
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
