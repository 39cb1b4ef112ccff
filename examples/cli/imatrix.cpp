// The subcommand that makes an importance matrix.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <tokenworks/io/gguf_writer.hpp>
#include <tokenworks/models/export_gguf.hpp>
#include <tokenworks/models/importance_collector.hpp>
#include <tokenworks/models/model_folder.hpp>
#include <tokenworks/models/tensor_names.hpp>
#include <tokenworks/runtime/text_model.hpp>

#include "load.hpp"
#include "options.hpp"

namespace cli {

namespace {

/// How a GGUF file of the model calls its tensors. Where there can be none, a file made here serves the model's folder.
tw::models::tensor_names names_in_gguf(const tw::text_model& model, const tw::models::model_folder* folder) {
    if(folder == nullptr) {
        return model.names().gguf.value_or(tw::models::tensor_names{});
    }
    try {
        return tw::models::exported_names(*folder);
    } catch(const tw::unsupported_error&) {
        return {};
    }
}

} // namespace

int imatrix(const common_options& options, const imatrix_options& what) {
    require_merged_loras(options, "imatrix");
    const std::string text = read_text(what.file);
    const std::optional<tw::models::model_folder> folder = folder_of(options);
    const tw::text_model model = load_model(options, folder ? &*folder : nullptr);
    const tw::codec::tokenizer& tokenizer = model.tokenizer();
    const bool starts_with_bos = tokenizer.vocabulary().add_bos() && tokenizer.bos();
    std::vector<std::int32_t> tokens;
    if(starts_with_bos) {
        tokens.push_back(*tokenizer.bos());
    }
    tokenizer.encode_to(tokens, text);
    std::size_t chunks = tokens.size() / what.context;
    if(chunks == 0) {
        throw tw::argument_error("imatrix: the text has " + std::to_string(tokens.size()) + " tokens, a chunk " +
                                 std::to_string(what.context));
    }
    chunks = what.chunks == 0 ? chunks : std::min(chunks, what.chunks);
    tw::models::importance_collector collector{model.network(), names_in_gguf(model, folder ? &*folder : nullptr)};
    tw::nn::context c{model.how()};
    progress_bar bar{"reading"};
    for(std::size_t i = 0; i < chunks; ++i) {
        const std::span<std::int32_t> chunk = std::span{tokens}.subspan(i * what.context, what.context);
        if(starts_with_bos) {
            chunk[0] = *tokenizer.bos();
        }
        collector.read(c, chunk);
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
