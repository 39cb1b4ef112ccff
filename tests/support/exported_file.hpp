// A Hugging Face folder as a GGUF file beside its files.
#pragma once

#include <string>

#include <tokenworks/io/gguf_writer.hpp>
#include <tokenworks/models/export_gguf.hpp>
#include <tokenworks/models/model_folder.hpp>
#include <tokenworks/models/quantization.hpp>

namespace support {

/// @return its path
inline std::string export_folder(const std::string& folder, const std::string& type = "f32") {
    const auto opened = tokenworks::models::model_folder::open(folder);
    tokenworks::io::gguf_writer out;
    tokenworks::models::export_gguf(opened, tokenworks::models::quantization::named(type), out);
    std::string path = folder + "/" + type + ".gguf";
    out.save(path);
    return path;
}

} // namespace support
