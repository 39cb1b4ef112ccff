// A golden model as a folder on disk, and what is made of it.
#pragma once

#include <memory>

#include <tokenworks/core/dtype.hpp>
#include <tokenworks/models/model_folder.hpp>

#include "io/files.hpp"
#include "support/family_golden.hpp"

namespace support {

/// @tparam Model  made from the folder's configuration, that of its encoder in front of it if there is one, and weights
template <class Model>
struct opened_model {
    files::temporary_folder folder;
    std::unique_ptr<tokenworks::models::model_folder> files;
    std::unique_ptr<Model> model;

    explicit opened_model(const family_golden& golden, tokenworks::dtype type = tokenworks::dtype::f32) {
        golden.write_to(folder.string(), type);
        files =
            std::make_unique<tokenworks::models::model_folder>(tokenworks::models::model_folder::open(folder.string()));
        const auto& config = files->config();
        const auto& weights = files->weights();
        if constexpr(requires { Model{config, weights}; }) {
            model = std::make_unique<Model>(config, weights);
        } else {
            model = std::make_unique<Model>(files->encoder_config().value(), config, weights);
        }
    }
};

} // namespace support
