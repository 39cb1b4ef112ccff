// LoRA adapters from files: a folder of Hugging Face's PEFT (adapter_config.json, adapter_model.safetensors), or a GGUF
// file as llama.cpp's convert_lora_to_gguf.py writes it.
//
//   const auto folder = models::model_folder::open("base");
//   const models::decoder model{folder.config(), folder.weights()};
//   const auto lora = models::lora::open("my-adapter", folder.names());
//   const nn::adapter adapter = lora.adapter_of(model);         // for some sequences: decoder_input::adapters
//   options.transforms.push_back(models::merge_on_load(lora));  // or for all, in place of the base
//
// The names of a GGUF file are models::adapter_names_of(file).
//
// What those files may hold besides is refused: DoRA, biases, whole modules, embeddings, experts.
//
// Needs nlohmann-json.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <tokenworks/codec/regex.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/limits.hpp>
#include <tokenworks/io/file_bytes.hpp>
#include <tokenworks/io/gguf_reader.hpp>
#include <tokenworks/io/json_tree.hpp>
#include <tokenworks/io/packed_format.hpp>
#include <tokenworks/io/safetensors_reader.hpp>
#include <tokenworks/kernels/matmul.hpp>
#include <tokenworks/kernels/pack.hpp>
#include <tokenworks/models/decoder.hpp>
#include <tokenworks/models/gguf_source.hpp>
#include <tokenworks/models/safetensors_source.hpp>
#include <tokenworks/models/tensor_names.hpp>
#include <tokenworks/models/tokenizer_folder.hpp>
#include <tokenworks/models/weight_loading.hpp>
#include <tokenworks/models/weights.hpp>
#include <tokenworks/nn/adapter.hpp>
#include <tokenworks/quant/convert.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

namespace detail {

/// One of the two matrices that belong to each of a model's, under the name of that one.
class lora_side final: public weight_source {
public:
    lora_side(const weight_source& files, std::string prefix, bool keeps_ending, std::string suffix)
        : files_{&files}, prefix_{std::move(prefix)}, keeps_ending_{keeps_ending}, suffix_{std::move(suffix)} {}

    [[nodiscard]] std::optional<weight> find(std::string_view name) const override {
        return name.ends_with(".weight") ? files_->find(name_of(name)) : std::nullopt;
    }
    [[nodiscard]] std::string label() const override { return files_->label(); }
    [[nodiscard]] std::string name_of(std::string_view name) const override {
        if(!keeps_ending_) {
            name.remove_suffix(std::min<std::size_t>(name.size(), 7)); // .weight
        }
        return prefix_ + std::string{name} + suffix_;
    }

private:
    const weight_source* files_;
    std::string prefix_;
    bool keeps_ending_;
    std::string suffix_;
};

} // namespace detail

/// An adapter's weights. Immutable; cheap to copy.
class lora {
public:
    /// Opens a PEFT folder or a GGUF file.
    /// @param names  of the base's tensors, as its format has them: model_folder::names(), or gguf_names(file)
    /// @param scale  of all that it changes, besides its own
    /// @throws io_error, format_error, limit_error; unsupported_error naming what it does besides
    [[nodiscard]] static lora open(const std::string& path, const tensor_names& names, float scale = 1,
                                   const limits& bounds = {});

    /// The same by the names for its own form: text_model::names(), or adapter_names_of(file).
    /// @throws unsupported_error besides, for a GGUF adapter of a model in a folder, and for a PEFT folder where a GGUF
    ///         file does not tell what its model's folder is like
    [[nodiscard]] static lora open(const std::string& path, const adapter_names& names, float scale = 1,
                                   const limits& bounds = {});

    /// A PEFT folder's two files in the caller's memory; the matrices' must outlive the result.
    /// @param config  adapter_config.json   @param matrices  adapter_model.safetensors
    /// @param name    what errors call the folder   @param names  in PEFT's form
    /// @throws as open
    [[nodiscard]] static lora from_memory(std::span<const std::byte> config, std::span<const std::byte> matrices,
                                          const std::string& name, const tensor_names& names, float scale = 1,
                                          const limits& bounds = {});

    /// down [R,K] and up [N,R], the scale included.
    struct change {
        std::size_t rank = 0;
        std::vector<float> down, up;
    };
    /// What it changes in a matrix [N,K], by the name that blocks ask for; nothing where it leaves it alone.
    /// @throws format_error naming a tensor that is missing or of another shape
    [[nodiscard]] std::optional<change> find(std::string_view name, std::size_t rows, std::size_t columns) const;

    [[nodiscard]] bool changes(std::string_view name) const { return parts_->down->describe(name).has_value(); }

    /// The adapter for a decoder that was loaded, which must outlive it.
    /// @throws as find; format_error for an adapter that changes none of its layers, or others too
    [[nodiscard]] nn::adapter adapter_of(const decoder& model, const execution& how = {}) const;

    [[nodiscard]] const std::string& label() const noexcept { return parts_->label; }
    /// A number that changes with its weights.
    [[nodiscard]] std::uint64_t identity() const;

private:
    struct parts {
        std::string label;
        std::optional<io::safetensors_file> file;
        std::optional<io::gguf_file> gguf;
        std::unique_ptr<weight_source> stored, down_stored, up_stored, down, up;
        float scale = 1; ///< times alpha, where that is one for all
        bool by_root = false;
        /// alpha_pattern: for modules whose name has a match, in place of alpha; the first that has one counts.
        std::vector<std::pair<codec::regex, float>> alphas{};
        std::string alphas_text{};
        float alpha = 1;
        std::size_t matrices = 0; ///< that it changes
    };

    static void read_config(parts& made, const io::json_tree& config);
    static void take_matrices(parts& made, io::safetensors_file file);
    [[nodiscard]] static lora finished(std::shared_ptr<parts> made, const tensor_names& names, bool is_folder);
    static void read_gguf(parts& made, const std::string& path, const limits& bounds);
    static void read_alphas(parts& made, const io::json_value& patterns);
    /// What a matrix' product is scaled with, before it is divided by the rank.
    [[nodiscard]] float scale_of(const std::string& name) const;
    static void count(parts& made, std::string_view tensor, std::string_view down, std::string_view up);

    explicit lora(std::shared_ptr<const parts> of) noexcept : parts_{std::move(of)} {}

    std::shared_ptr<const parts> parts_;
};

/// What load_options::transforms takes: the base with an adapter merged into it, in the base's types where there are
/// encoders for them, and else as float32.
[[nodiscard]] TOKENWORKS_FUNCTION weight_transform merge_on_load(const lora& adapter);

/// The same of an adapter that is opened when the base is.
/// @param path, scale  as lora::open takes them, and throws while the base loads
[[nodiscard]] TOKENWORKS_FUNCTION weight_transform merge_on_load(std::string path, float scale = 1,
                                                                 const limits& bounds = {});

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION void lora::count(parts& made, std::string_view tensor, std::string_view down, std::string_view up) {
    if(tensor.ends_with(down)) {
        ++made.matrices;
    } else if(!tensor.ends_with(up)) {
        tokenworks::detail::raise<unsupported_error>(
            {made.label, ": tensor ", tokenworks::detail::escaped(tensor), ": is no part of a low-rank adapter"});
    }
}

TOKENWORKS_FUNCTION void lora::read_config(parts& made, const io::json_tree& config) {
    const io::json_value root = config.root();
    const auto refuse = [&](const char* key) {
        tokenworks::detail::raise<unsupported_error>({config.file(), ": ", key, ": is not supported"});
    };
    const auto at = [&](const char* key) { return root.find(key, {"JSON"}); };
    if(const auto type = at("peft_type"); type && type->string({"peft_type"}) != "LORA") {
        refuse("peft_type");
    }
    for(const char* const key: {"use_dora", "lora_bias", "use_qalora"}) {
        if(const auto flag = at(key); flag && flag->boolean({key})) {
            refuse(key);
        }
    }
    if(const auto bias = at("bias"); bias && bias->string({"bias"}) != "none") {
        refuse("bias");
    }
    // Ranks (rank_pattern) are those of the matrices themselves.
    for(const char* const key: {"modules_to_save", "target_parameters"}) {
        if(const auto list = at(key); list && list->size() != 0) {
            refuse(key);
        }
    }
    const auto alpha = at("lora_alpha");
    if(!alpha) {
        root.refuse({"lora_alpha"}, {"is absent"});
    }
    made.alpha = static_cast<float>(alpha->number({"lora_alpha"}));
    if(const auto patterns = at("alpha_pattern")) {
        read_alphas(made, *patterns);
    }
    const auto root_of_rank = at("use_rslora");
    made.by_root = root_of_rank && root_of_rank->boolean({"use_rslora"});
}

TOKENWORKS_FUNCTION void lora::take_matrices(parts& made, io::safetensors_file file) {
    made.file.emplace(std::move(file));
    made.label = made.file->name();
    made.stored = std::make_unique<safetensors_weights>(*made.file);
    constexpr std::string_view copy = ".base_layer.weight"; // of the base's, which PEFT keeps beside a changed head
    for(const io::safetensor& tensor: made.file->tensors()) {
        if(!tensor.name.ends_with(copy)) {
            count(made, tensor.name, ".lora_A.weight", ".lora_B.weight");
        }
    }
    const std::string prefix = "base_model.model.";
    made.down_stored = std::make_unique<detail::lora_side>(*made.stored, prefix, false, ".lora_A.weight");
    made.up_stored = std::make_unique<detail::lora_side>(*made.stored, prefix, false, ".lora_B.weight");
}

/// As PEFT reads them (utils/other.py, get_pattern_key): a key is an expression for a module's whole name, or for its
/// end behind a point.
TOKENWORKS_FUNCTION void lora::read_alphas(parts& made, const io::json_value& patterns) {
    constexpr std::size_t most = 65536;
    if(patterns.size() > most) {
        patterns.refuse({"alpha_pattern"}, {"has ", patterns.size(), " entries; at most ", most, " are read"});
    }
    patterns.members({"alpha_pattern"}, [&](std::string_view key, const io::json_value& value) {
        const auto alpha = static_cast<float>(value.number({"alpha_pattern"}));
        if(!std::isfinite(alpha)) {
            value.refuse({"alpha_pattern"}, {"is not finite"});
        }
        try {
            made.alphas.emplace_back(codec::regex{"^(?:.*\\.)?(?:" + std::string{key} + ")$"}, alpha);
        } catch(const argument_error& problem) {
            value.refuse({"alpha_pattern"}, {problem.what()});
        }
        made.alphas_text += std::string{key} + '=' + std::to_string(alpha) + '\n';
    });
}

TOKENWORKS_FUNCTION float lora::scale_of(const std::string& name) const {
    if(!parts_->alphas.empty()) {
        std::string module = parts_->down->name_of(name);
        module.resize(module.size() - std::string_view{".weight"}.size());
        std::vector<codec::regex::range> found;
        for(const auto& [pattern, alpha]: parts_->alphas) {
            pattern.find_all(module, found);
            if(!found.empty()) {
                return parts_->scale * alpha;
            }
        }
    }
    return parts_->scale * parts_->alpha;
}

TOKENWORKS_FUNCTION void lora::read_gguf(parts& made, const std::string& path, const limits& bounds) {
    made.gguf.emplace(io::gguf_file::open(path, {.limits = bounds}));
    made.label = path;
    const io::gguf_file& file = *made.gguf;
    if(file.get_or<std::string_view>("general.type", "") != "adapter" ||
       file.get_or<std::string_view>("adapter.type", "") != "lora") {
        tokenworks::detail::raise_format(path, {"general.type"}, format_error::no_offset,
                                         {"this file is no LoRA adapter"});
    }
    made.alpha = file.get<float>("adapter.lora.alpha");
    made.stored = std::make_unique<gguf_weights>(file);
    for(const io::gguf_tensor& tensor: file.tensors()) {
        count(made, tensor.name, ".weight.lora_a", ".weight.lora_b");
    }
    made.down_stored = std::make_unique<detail::lora_side>(*made.stored, "", true, ".lora_a");
    made.up_stored = std::make_unique<detail::lora_side>(*made.stored, "", true, ".lora_b");
}

TOKENWORKS_FUNCTION lora lora::open(const std::string& path, const tensor_names& names, float scale,
                                    const limits& bounds) {
    auto made = std::make_shared<parts>();
    made->scale = scale;
    std::error_code none;
    const bool is_folder = std::filesystem::is_directory(path, none);
    if(is_folder) {
        const std::filesystem::path folder{path};
        const std::optional<io::json_tree> config = detail::json_beside(folder, "adapter_config.json", bounds);
        if(!config) {
            tokenworks::detail::raise_io((folder / "adapter_config.json").string(), {"is not there"});
        }
        read_config(*made, *config);
        take_matrices(*made,
                      io::safetensors_file::open((folder / "adapter_model.safetensors").string(), {.limits = bounds}));
    } else {
        read_gguf(*made, path, bounds);
    }
    return finished(std::move(made), names, is_folder);
}

TOKENWORKS_FUNCTION lora lora::from_memory(std::span<const std::byte> config, std::span<const std::byte> matrices,
                                           const std::string& name, const tensor_names& names, float scale,
                                           const limits& bounds) {
    auto made = std::make_shared<parts>();
    made->scale = scale;
    read_config(*made, io::json_tree{config, name + "/adapter_config.json", bounds.json_depth});
    take_matrices(*made, io::safetensors_file::from_memory(matrices, name + "/adapter_model.safetensors", bounds));
    return finished(std::move(made), names, true);
}

TOKENWORKS_FUNCTION lora lora::finished(std::shared_ptr<parts> made, const tensor_names& names, bool is_folder) {
    if(!std::isfinite(made->scale * made->alpha)) {
        tokenworks::detail::raise_format(made->label, {"alpha"}, format_error::no_offset, {"the scale is not finite"});
    }
    // Of a fused matrix all parts have one `down`, and rows of `up`. Neither is transposed where the base is.
    tensor_names rows = names;
    tensor_names whole = names;
    for(tensor_name& row: rows) {
        row.part = {.rows = row.part.rows, .turned = row.part.turned};
    }
    for(tensor_name& row: whole) {
        row.part = {};
    }
    made->down = std::make_unique<named_weights>(*made->down_stored, std::move(whole), !is_folder);
    made->up = std::make_unique<named_weights>(*made->up_stored, std::move(rows), !is_folder);
    return lora{std::move(made)};
}

TOKENWORKS_FUNCTION lora lora::open(const std::string& path, const adapter_names& names, float scale,
                                    const limits& bounds) {
    std::error_code none;
    const bool is_folder = std::filesystem::is_directory(path, none);
    const std::optional<tensor_names>& own = is_folder ? names.folder : names.gguf;
    if(!own) {
        tokenworks::detail::raise<unsupported_error>(
            {path, is_folder ? ": a PEFT adapter, for a GGUF file that does not tell the names of its model's folder"
                             : ": an adapter in a GGUF file is for a model in one, not in a folder"});
    }
    return open(path, *own, scale, bounds);
}

TOKENWORKS_FUNCTION std::optional<lora::change> lora::find(std::string_view name, std::size_t rows,
                                                           std::size_t columns) const {
    const std::string key{name};
    const std::optional<weight> down = parts_->down->find(key);
    if(!down) {
        return std::nullopt;
    }
    constexpr std::size_t most_rank = 65536;
    change found;
    found.rank = down->extents.size() == 2 ? down->extents[0] : 0;
    if(found.rank == 0 || found.rank > most_rank) {
        raise_weight(*parts_->down, key, down->offset,
                     {"extents ", extents_text(down->extents), ", expected [R,", columns, "]"});
    }
    found.down = load_values(*parts_->down, key, std::array{found.rank, columns});
    found.up = load_values(*parts_->up, key, std::array{rows, found.rank});
    const auto rank = static_cast<float>(found.rank);
    const float scale = scale_of(key) / (parts_->by_root ? std::sqrt(rank) : rank);
    for(float& value: found.up) {
        value *= scale;
    }
    return found;
}

TOKENWORKS_FUNCTION nn::adapter lora::adapter_of(const decoder& model, const execution& how) const {
    nn::adapter made;
    std::set<std::string, std::less<>> used; // parts of a fused matrix share one
    for(const auto& [name, matrix]: model.matrices()) {
        const std::optional<change> found = find(name, matrix->rows(), matrix->columns());
        if(!found) {
            continue;
        }
        used.insert(parts_->down->describe(name)->name);
        const auto pack = [&](const std::vector<float>& values, std::size_t n, std::size_t k) {
            return kernels::pack(dtype::f32, std::as_bytes(std::span{values}), n, k, how);
        };
        made.add_change(*matrix, pack(found->down, found->rank, matrix->columns()),
                        pack(found->up, matrix->rows(), found->rank));
    }
    if(used.size() != parts_->matrices || used.empty()) {
        tokenworks::detail::raise_format(label(), {"tensors"}, format_error::no_offset,
                                         {"the adapter changes ", parts_->matrices,
                                          " matrices, of which the model has ", used.size(),
                                          "; it must be for this model, in a form that fits it"});
    }
    return made;
}

TOKENWORKS_FUNCTION std::uint64_t lora::identity() const {
    std::uint64_t sum =
        static_cast<std::uint64_t>(std::hash<float>{}(parts_->scale * parts_->alpha)) + (parts_->by_root ? 1 : 0);
    sum = sum * 31 + static_cast<std::uint64_t>(std::hash<float>{}(parts_->scale));
    sum = io::checksum(io::as_bytes_of(parts_->alphas_text), sum);
    const auto add = [&](const auto& tensors) {
        for(const auto& tensor: tensors) {
            sum = io::checksum(tensor.data, io::checksum(io::as_bytes_of(tensor.name), sum));
        }
    };
    if(parts_->file) {
        add(parts_->file->tensors());
    } else {
        add(parts_->gguf->tensors());
    }
    return sum;
}

namespace detail {

/// A base with an adapter added to its matrices.
class merged_weights final: public weight_source {
public:
    merged_weights(const weight_source& base, lora adapter, const execution& how)
        : base_{&base}, adapter_{std::move(adapter)}, how_{how} {}

    [[nodiscard]] std::optional<weight> find(std::string_view name) const override {
        std::optional<weight> found = base_->find(name);
        if(!found || found->extents.size() != 2) {
            return found;
        }
        const std::size_t rows = found->extents[0];
        const std::size_t columns = found->extents[1];
        const std::optional<lora::change> with = adapter_.find(name, rows, columns);
        if(!with) {
            return found;
        }
        const dtype_info from = info(found->type);
        const std::size_t row_bytes = found->bytes.size() / rows;
        const dtype type = quant::can_encode(found->type) ? found->type : dtype::f32;
        const std::size_t out_bytes = columns / info(type).block_size * info(type).block_bytes;
        std::vector<std::byte> bytes(rows * out_bytes);
        parallel_for(how_, rows, 1, [&](work_range range) {
            std::vector<float> line(columns);
            for(std::size_t row = range.begin; row < range.end; ++row) {
                quant::decode(from.type, found->bytes.subspan(row * row_bytes, row_bytes), line);
                for(std::size_t r = 0; r < with->rank; ++r) {
                    const float factor = with->up[row * with->rank + r];
                    for(std::size_t k = 0; k < columns; ++k) {
                        line[k] += factor * with->down[r * columns + k];
                    }
                }
                quant::encode(type, line, std::span{bytes}.subspan(row * out_bytes, out_bytes));
            }
        });
        base_->release(*found);
        found->source_bytes = found->progress_bytes();
        found->type = type;
        found->own(std::move(bytes));
        return found;
    }
    [[nodiscard]] std::optional<weight> describe(std::string_view name) const override {
        std::optional<weight> found = base_->describe(name);
        if(found && found->extents.size() == 2 && !quant::can_encode(found->type) && adapter_.changes(name)) {
            found->type = dtype::f32;
        }
        return found;
    }
    [[nodiscard]] std::string label() const override { return base_->label(); }
    [[nodiscard]] std::string name_of(std::string_view name) const override { return base_->name_of(name); }
    void release(const weight& done) const override { base_->release(done); }

private:
    const weight_source* base_;
    lora adapter_;
    execution how_;
};

} // namespace detail

TOKENWORKS_FUNCTION weight_transform merge_on_load(const lora& adapter) {
    return {[adapter](const weight_source& base, const model_config&, const execution& how) {
                return std::make_unique<detail::merged_weights>(base, adapter, how);
            },
            adapter.identity()};
}

TOKENWORKS_FUNCTION weight_transform merge_on_load(std::string path, float scale, const limits& bounds) {
    weight_transform made;
    made.bind = [path = std::move(path), scale, bounds](const adapter_names& names) {
        return merge_on_load(lora::open(path, names, scale, bounds));
    };
    return made;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::models
