// Writes the tensors of a Hugging Face model folder into a GGUF file: which there are, what each is made of, and its
// encoding while the file is saved. models/export_gguf.hpp writes all else.
//
// Needs nlohmann-json.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/io/gguf_writer.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/model_folder.hpp>
#include <tokenworks/models/quantization.hpp>
#include <tokenworks/models/tensor_names.hpp>
#include <tokenworks/models/weights.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models::detail {

/// A tensor of the file: matrices of the folder one below the other.
struct exported_tensor {
    std::string name{};
    std::vector<std::string> parts{}; ///< names that blocks ask for
    std::size_t stacked = 0;          ///< experts or heads in an axis of their own; 0: none
    std::size_t turned_heads = 0;     ///< of queries or keys whose rows change places; 0: none
    std::size_t first_row = 0;        ///< those before it are left out
};

class tensor_exporter {
public:
    /// @param folder  must stay until the writer has saved, and so must the team
    tensor_exporter(const model_folder& folder, std::shared_ptr<const quantization> how, io::gguf_writer& out,
                    const execution& where)
        : folder_{folder},
          config_{folder.config()},
          weights_{folder.weights()},
          how_{std::move(how)},
          out_{out},
          where_{where} {}

    /// Those of the file, each with the parts that it is made of.
    /// @param names   how the file calls them
    /// @param turned  whether rows of queries and keys change places
    [[nodiscard]] std::vector<exported_tensor> tensors(const tensor_names& names, bool turned) const;

    /// Adds one, a matrix in the type that it gets, all else as float32.
    void add(const exported_tensor& tensor, bool is_head) const;

private:
    [[nodiscard]] std::vector<std::string> block_tensors() const;
    void list_layers(std::vector<std::string>& names, const std::string& part, const model_config& config) const;
    /// Adds a layer's weight and bias, where it has them.
    void list_both(std::vector<std::string>& names, const std::string& name) const {
        for(const char* const end: {".weight", ".bias"}) {
            if(weights_.describe(name + end)) {
                names.push_back(name + end);
            }
        }
    }

    const model_folder& folder_;
    const model_config& config_;
    const weight_source& weights_;
    std::shared_ptr<const quantization> how_;
    io::gguf_writer& out_;
    execution where_;
};

#if TOKENWORKS_DEFINITIONS

/// The names of the tensors that blocks may ask for, one a matrix or vector.
TOKENWORKS_FUNCTION std::vector<std::string> tensor_exporter::block_tensors() const {
    std::vector<std::string> names;
    for(const char* const name: {"token_embd", "token_types", "position_embd", "token_embd_norm", "output_norm"}) {
        list_both(names, name);
    }
    if(!config_.tied_embeddings) {
        list_both(names, "output");
    } else if(config_.causal && weights_.describe("output.bias")) {
        names.emplace_back("output.bias");
    }
    if(config_.classifier) {
        for(const char* const name: {"cls", "cls.norm", "cls.output"}) {
            list_both(names, name);
        }
    }
    if(folder_.encoder_config()) {
        list_layers(names, "enc.", *folder_.encoder_config());
        list_both(names, "enc.output_norm");
        list_layers(names, "dec.", config_);
        list_both(names, "dec.output_norm");
    } else {
        list_layers(names, "", config_);
    }
    return names;
}

TOKENWORKS_FUNCTION void tensor_exporter::list_layers(std::vector<std::string>& names, const std::string& part,
                                                      const model_config& config) const {
    for(std::size_t layer = 0; layer < config.layers.size(); ++layer) {
        const std::string prefix = part + "blk." + std::to_string(layer) + ".";
        for(const char* const name: {"attn_norm",
                                     "attn_rel_b",
                                     "attn_q",
                                     "attn_k",
                                     "attn_v",
                                     "attn_output",
                                     "attn_output_norm",
                                     "post_attention_norm",
                                     "cross_attn_norm",
                                     "cross_attn_q",
                                     "cross_attn_k",
                                     "cross_attn_v",
                                     "cross_attn_output",
                                     "ffn_norm",
                                     "ffn_gate",
                                     "ffn_up",
                                     "ffn_down",
                                     "layer_output_norm",
                                     "post_ffw_norm",
                                     "ffn_gate_inp",
                                     "ffn_gate_inp_shexp",
                                     "ffn_gate_shexp",
                                     "ffn_up_shexp",
                                     "ffn_down_shexp"}) {
            list_both(names, prefix + name);
        }
        if(config.mixture && config.layers[layer].is_mixture) {
            for(std::size_t e = 0; e < config.mixture->routing.experts; ++e) {
                for(const char* const name: {"ffn_gate.", "ffn_up.", "ffn_down."}) {
                    list_both(names, prefix + name + std::to_string(e));
                }
            }
        }
        for(const bool is_query: {true, false}) {
            const std::string name = prefix + (is_query ? "attn_q_norm" : "attn_k_norm");
            list_both(names, name);
            for(std::size_t h = 0; config.qk_norm == qk_norm_kind::own_head && !weights_.describe(name + ".weight") &&
                                   h < (is_query ? config.heads : config.kv_heads);
                ++h) {
                list_both(names, name + "." + std::to_string(h));
            }
        }
    }
}

TOKENWORKS_FUNCTION std::vector<exported_tensor> tensor_exporter::tensors(const tensor_names& names,
                                                                          bool turned) const {
    struct placed {
        std::size_t first; // row in the tensor, where that is fused
        std::string part;
    };
    std::vector<std::string> order;
    std::map<std::string, std::vector<placed>, std::less<>> stored;
    std::map<std::string, std::size_t, std::less<>> stacked;
    for(const std::string& part: block_tensors()) {
        const numbered_name asked{part};
        const std::size_t dot = asked.pattern.rfind('.');
        const std::string ending = asked.pattern.substr(dot);
        std::string name = part;
        std::size_t first = 0;
        const auto row = std::ranges::find_if(names, [&](const tensor_name& each) {
            return each.name == asked.pattern || each.name == asked.pattern.substr(0, dot);
        });
        if(row != names.end()) {
            name = asked.filled(row->stored) + (row->name == asked.pattern ? "" : ending);
            first = row->part.rows.first;
        } else if(!asked.numbers[1].empty()) { // heads with norms of their own
            name = part.substr(0, part.rfind('.', part.size() - ending.size() - 1)) + ending;
        }
        auto& parts = stored[name];
        if(parts.empty()) {
            order.push_back(name);
        }
        if(!asked.numbers[1].empty()) {
            ++stacked[name];
        }
        parts.push_back({first, part});
    }
    std::vector<exported_tensor> all;
    for(const std::string& name: order) {
        auto& parts = stored[name];
        std::ranges::stable_sort(parts, {}, &placed::first);
        exported_tensor& tensor = all.emplace_back(exported_tensor{.name = name});
        for(placed& part: parts) {
            tensor.parts.push_back(std::move(part.part));
        }
        if(const auto at = stacked.find(name); at != stacked.end()) {
            tensor.stacked = at->second;
        }
        if(name == "position_embd.weight") {
            tensor.first_row = config_.first_position;
        }
        const bool is_query = name.find(".attn_q.") != name.npos;
        if(turned && (is_query || name.find(".attn_k.") != name.npos)) {
            tensor.turned_heads = is_query ? config_.heads : config_.kv_heads;
        }
    }
    return all;
}

TOKENWORKS_FUNCTION void tensor_exporter::add(const exported_tensor& tensor, bool is_head) const {
    std::vector<std::size_t> shape;
    std::size_t rows = 0;
    for(const std::string& part: tensor.parts) {
        shape = weights_.describe(part)->extents;
        rows += shape[0];
    }
    std::vector<std::uint64_t> extents(shape.rbegin(), shape.rend());
    if(tensor.stacked != 0) {
        extents.push_back(tensor.stacked);
    } else {
        extents.back() = rows - tensor.first_row;
    }
    const bool is_matrix = quantization::applies_to(tensor.name, extents.size());
    const dtype type = is_matrix ? how_->type_of(tensor.name, extents[0], config_.layers.size(), is_head) : dtype::f32;
    const std::size_t width = config_.rope_configs.empty() ? 0 : config_.rope_configs[0].width;
    out_.add_tensor(tensor.name, type, extents,
                    [&weights = weights_, how = how_, where = where_, width, tensor, type](const io::byte_sink& sink) {
                        const std::span<const float> importance =
                            how->importance ? how->importance->find(tensor.name) : std::span<const float>{};
                        for(std::size_t i = 0; i < tensor.parts.size(); ++i) {
                            weight w = *weights.find(tensor.parts[i]);
                            const weight stored = w;
                            const std::size_t columns = w.extents.back();
                            if(tensor.first_row != 0) {
                                w.bytes = w.bytes.subspan(w.bytes.size() / w.extents[0] * tensor.first_row);
                                w.extents[0] -= tensor.first_row;
                            }
                            if(tensor.turned_heads != 0) {
                                const turned_rows by{w.extents[0] / tensor.turned_heads, width};
                                w = with_turned_rows(std::move(w), by);
                            }
                            const bool own = tensor.stacked != 0 && importance.size() == tensor.parts.size() * columns;
                            encode_rows(weights, w, type, own ? importance.subspan(i * columns, columns) : importance,
                                        where, sink);
                            weights.release(stored);
                        }
                    });
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::models::detail
