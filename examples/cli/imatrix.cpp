// The subcommand that makes an importance matrix.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <tokenworks/io/gguf_reader.hpp>
#include <tokenworks/io/gguf_writer.hpp>
#include <tokenworks/models/export_gguf.hpp>
#include <tokenworks/models/gguf.hpp>
#include <tokenworks/models/importance_collector.hpp>
#include <tokenworks/models/model_folder.hpp>
#include <tokenworks/runtime/text_model.hpp>

#include "load.hpp"
#include "options.hpp"

namespace cli {

namespace {

/// How a GGUF file of the model calls its tensors. Where there can be none, a file made here serves the model's folder.
tw::models::tensor_names names_in_gguf(const std::string& path) {
    if(!std::filesystem::is_directory(path)) {
        return tw::models::gguf_names(tw::io::gguf_file::open(path));
    }
    try {
        return tw::models::exported_names(tw::models::model_folder::open(path));
    } catch(const tw::unsupported_error&) {
        return {};
    }
}

} // namespace

int imatrix(const common_options& options, const imatrix_options& what) {
    require_merged_loras(options, "imatrix");
    const std::string text = read_text(what.file);
    const tw::text_model model = load_model(options);
    const text_windows windows{model, text, what.context, "imatrix", "chunk"};
    const std::size_t chunks = what.chunks == 0 ? windows.count() : std::min(windows.count(), what.chunks);
    tw::models::importance_collector collector{model.network(), names_in_gguf(options.model)};
    tw::nn::context c{model.how()};
    progress_bar bar{"reading"};
    for(std::size_t i = 0; i < chunks; ++i) {
        collector.read(c, windows[i]);
        bar(i + 1, chunks);
    }
    tw::io::gguf_writer out;
    collector.write(out, std::span{&what.file, 1}, what.context);
    out.save(what.out);
    if(options.json) {
        std::cout << nlohmann::ordered_json{{"file", what.out},
                                            {"tensors", collector.size()},
                                            {"chunks", chunks},
                                            {"ctx", what.context}}
                         .dump()
                  << '\n';
    }
    return 0;
}

} // namespace cli
