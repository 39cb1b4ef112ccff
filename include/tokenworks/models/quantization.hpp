// Which element type each tensor of a model gets when the model is quantised, and how its rows are encoded.
//
//   models::quantization how = models::quantization::named("q4_k_m");
//   how.rules.push_back({codec::regex{"ffn_down"}, dtype::q8_0});
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/regex.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/io/byte_cursor.hpp>
#include <tokenworks/io/packed_format.hpp>
#include <tokenworks/models/importance_matrix.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/weight_loading.hpp>
#include <tokenworks/models/weights.hpp>
#include <tokenworks/quant/convert.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// The type of the matrices whose name has a match of a regular expression.
struct type_rule {
    codec::regex name;
    dtype type;
};

struct quantization {
    dtype type = dtype::q8_0;
    bool is_mix = false;            ///< the tensors that matter most are Q6_K
    std::vector<type_rule> rules{}; ///< the first that matches counts, before type and mix
    std::shared_ptr<const importance_matrix> importance{};

    /// Names of types and mixes that there are encoders for, for help and errors.
    static constexpr const char* names = "f32 f16 bf16 q8_0 q4_0 q4_1 q5_0 q5_1 q4_k q5_k q6_k iq4_nl q4_k_m q5_k_m";

    /// The type or mix of that name, in small or capital letters.
    /// @throws argument_error
    [[nodiscard]] static quantization named(std::string_view name);
    /// A type that matrices can get.
    /// @throws argument_error
    [[nodiscard]] static dtype type_named(std::string_view name);

    /// Whether a tensor is a matrix of weights: others, positions and what chooses experts keep their type.
    [[nodiscard]] static bool applies_to(std::string_view name, std::size_t rank);

    /// The type that a matrix gets. Where its rows are no whole blocks of the type wanted it is one that fits.
    /// @param name     as GGUF files have it
    /// @param columns  K
    /// @param layers   of the model
    /// @param is_head  whether logits are made with it
    [[nodiscard]] dtype type_of(std::string_view name, std::uint64_t columns, std::size_t layers, bool is_head) const;

    /// A number that changes with what the weights become.
    [[nodiscard]] std::uint64_t identity() const;
};

/// Encodes the rows of a matrix anew, in parallel, a piece at a time.
/// @param w           [N,K] or [E,N,K] of any type
/// @param importance  [K], or [E,K] where w is a stack of matrices; or empty
/// @param sink        gets the bytes of each piece, front to back
/// @throws format_error naming the tensor, where a value does not fit the type; shape_error for an importance of
///         another size
TOKENWORKS_FUNCTION void encode_rows(const weight_source& source, const weight& w, dtype type,
                                     std::span<const float> importance, const execution& how,
                                     const std::function<void(std::span<const std::byte>)>& sink);

/// Weights whose matrices are quantised when they are asked for.
class quantized_weights final: public weight_source {
public:
    /// @param source  under the blocks' names; must outlive this, like `how`'s team
    /// @param layers  of the model
    quantized_weights(const weight_source& source, quantization to, std::size_t layers, const execution& how)
        : source_{&source},
          to_{std::move(to)},
          layers_{layers},
          head_{source.describe("output.weight") ? "output.weight" : "token_embd.weight"},
          how_{how} {}

    [[nodiscard]] std::optional<weight> find(std::string_view name) const override;
    [[nodiscard]] std::optional<weight> describe(std::string_view name) const override;
    [[nodiscard]] std::string label() const override { return source_->label(); }
    [[nodiscard]] std::string name_of(std::string_view name) const override { return source_->name_of(name); }
    void release(const weight& done) const override { source_->release(done); }

private:
    /// The type of a tensor that the source has.
    [[nodiscard]] dtype type_of(std::string_view name, const weight& stored) const;

    const weight_source* source_;
    quantization to_;
    std::size_t layers_;
    std::string_view head_;
    execution how_;
};

/// What load_options::transforms takes.
[[nodiscard]] inline weight_transform quantize_on_load(quantization to) {
    const std::uint64_t identity = to.identity();
    return {[to = std::move(to)](const weight_source& source, const model_config& config, const execution& how) {
                return std::make_unique<quantized_weights>(source, to, config.layers.size(), how);
            },
            identity};
}

namespace detail {

/// The name of the tensor that holds all experts, and which of them "blk.1.ffn_up.3.weight" names.
struct expert_name {
    std::string all;
    std::size_t expert = 0;

    explicit expert_name(std::string_view name) : all{name} {
        const std::size_t last = name.rfind('.');
        const std::size_t before = last == name.npos ? name.npos : name.rfind('.', last - 1);
        if(before == name.npos || name.find(".ffn_") == name.npos) {
            return;
        }
        const std::string_view number = name.substr(before + 1, last - before - 1);
        if(!number.empty() && number.size() < 6 &&
           std::ranges::all_of(number, [](char c) { return c >= '0' && c <= '9'; })) {
            all = std::string{name.substr(0, before)} + "_exps" + std::string{name.substr(last)};
            expert = std::stoul(std::string{number});
        }
    }
};

} // namespace detail

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION dtype quantization::type_named(std::string_view name) {
    std::string lower{name};
    std::ranges::transform(lower, lower.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    const auto found = find_dtype(std::string_view{lower});
    // Types above are those of other formats.
    constexpr std::uint32_t gguf_types = 1000;
    if(!found || !quant::can_encode(found->type) || static_cast<std::uint32_t>(found->type) > gguf_types ||
       found->type == dtype::f64) {
        tokenworks::detail::raise<argument_error>(
            {"'", tokenworks::detail::escaped(name), "' is none of the types ", names});
    }
    return found->type;
}

TOKENWORKS_FUNCTION quantization quantization::named(std::string_view name) {
    const auto is = [&](std::string_view mix) {
        return std::ranges::equal(name, mix, [](char a, char b) { return a == b || a == b - 'a' + 'A'; });
    };
    if(is("q4_k_m") || is("q5_k_m")) {
        return {.type = is("q4_k_m") ? dtype::q4_k : dtype::q5_k, .is_mix = true};
    }
    return {.type = type_named(name)};
}

TOKENWORKS_FUNCTION bool quantization::applies_to(std::string_view name, std::size_t rank) {
    if(rank < 2 || !name.ends_with(".weight")) {
        return false;
    }
    return std::ranges::none_of(std::initializer_list<std::string_view>{"_norm.", "ffn_gate_inp", "position_embd",
                                                                        "token_types", "attn_rel_b",
                                                                        "quantize.embedding", "codebook"},
                                [&](std::string_view part) { return name.find(part) != name.npos; });
}

// Which tensors of a mix matter most follows llama.cpp (llama-quant.cpp, use_more_bits), and so does what rows get that
// are no whole blocks, so that files of both are alike.
TOKENWORKS_FUNCTION dtype quantization::type_of(std::string_view name, std::uint64_t columns, std::size_t layers,
                                                bool is_head) const {
    dtype wanted = type;
    if(is_mix) {
        bool better = is_head;
        if(name.starts_with("blk.") && (name.find(".attn_v.") != name.npos || name.find(".ffn_down") != name.npos)) {
            const std::size_t layer = std::strtoull(std::string{name.substr(4, 8)}.c_str(), nullptr, 10);
            better = layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
        }
        wanted = better ? dtype::q6_k : type;
    }
    std::vector<codec::regex::range> found;
    for(const type_rule& rule: rules) {
        rule.name.find_all(name, found);
        if(!found.empty()) {
            wanted = rule.type;
            break;
        }
    }
    if(columns % info(wanted).block_size == 0) {
        return wanted;
    }
    const dtype smaller = wanted == dtype::q4_k ? dtype::q5_0 : wanted == dtype::q5_k ? dtype::q5_1 : dtype::q8_0;
    return columns % info(smaller).block_size == 0 ? smaller : dtype::f16;
}

TOKENWORKS_FUNCTION std::uint64_t quantization::identity() const {
    std::uint64_t sum = (static_cast<std::uint64_t>(type) << 1) + (is_mix ? 1 : 0) + 1;
    for(const type_rule& rule: rules) {
        sum = io::checksum(io::as_bytes_of(rule.name.pattern()), sum) + static_cast<std::uint64_t>(rule.type);
    }
    return importance ? sum ^ importance->identity() : sum;
}

TOKENWORKS_FUNCTION void encode_rows(const weight_source& source, const weight& w, dtype type,
                                     std::span<const float> importance, const execution& how,
                                     const std::function<void(std::span<const std::byte>)>& sink) {
    const std::size_t columns = w.extents.back();
    const dtype_info from = info(w.type);
    const dtype_info to = info(type);
    if(columns % from.block_size != 0) {
        raise_weight(source, w.name, w.offset, {"rows of ", columns, " are no whole blocks of ", from.name});
    }
    const std::size_t in_bytes = columns / from.block_size * from.block_bytes;
    const std::size_t out_bytes = columns / to.block_size * to.block_bytes;
    const std::size_t rows = w.bytes.size() / in_bytes;
    const std::size_t matrices = w.extents.size() > 2 ? w.extents[0] : 1;
    if(!importance.empty() && importance.size() != columns && importance.size() != matrices * columns) {
        raise_weight(source, w.name, w.offset,
                     {"has ", matrices, " x ", columns, " columns, the importance matrix ", importance.size()});
    }
    const std::size_t at_once = std::max<std::size_t>(1, (std::size_t{1} << 20) / columns);
    std::vector<float> values(std::min(at_once, rows) * columns);
    std::vector<std::byte> encoded(std::min(at_once, rows) * out_bytes);
    try {
        for(std::size_t row = 0; row < rows; row += at_once) {
            const std::size_t count = std::min(at_once, rows - row);
            parallel_for(how, count, 1, [&](work_range range) {
                for(std::size_t i = range.begin; i < range.end; ++i) {
                    const std::span<float> line = std::span{values}.subspan(i * columns, columns);
                    quant::decode(from.type, w.bytes.subspan((row + i) * in_bytes, in_bytes), line);
                    const std::size_t matrix = importance.size() > columns ? (row + i) / (rows / matrices) : 0;
                    quant::encode(to.type, line, std::span{encoded}.subspan(i * out_bytes, out_bytes),
                                  importance.empty() ? importance : importance.subspan(matrix * columns, columns));
                }
            });
            sink(std::span{encoded}.first(count * out_bytes));
        }
    } catch(const argument_error& problem) {
        raise_weight(source, w.name, w.offset, {problem.what()});
    }
}

TOKENWORKS_FUNCTION dtype quantized_weights::type_of(std::string_view name, const weight& stored) const {
    return quantization::applies_to(name, stored.extents.size())
               ? to_.type_of(detail::expert_name{name}.all, stored.extents.back(), layers_, name == head_)
               : stored.type;
}

TOKENWORKS_FUNCTION std::optional<weight> quantized_weights::describe(std::string_view name) const {
    std::optional<weight> found = source_->describe(name);
    if(found) {
        found->type = type_of(name, *found);
    }
    return found;
}

TOKENWORKS_FUNCTION std::optional<weight> quantized_weights::find(std::string_view name) const {
    std::optional<weight> found = source_->find(name);
    const dtype type = found ? type_of(name, *found) : dtype::f32;
    if(!found || type == found->type) {
        return found;
    }
    const detail::expert_name tensor{name};
    std::span<const float> importance;
    if(to_.importance) {
        importance = to_.importance->find(tensor.all);
        if(importance.empty()) { // experts may have names of their own
            importance = to_.importance->find(name);
        }
        if(importance.size() > found->extents.back() && found->extents.size() == 2) {
            const std::size_t first = tensor.expert * found->extents.back();
            importance = first + found->extents.back() <= importance.size()
                             ? importance.subspan(first, found->extents.back())
                             : importance;
        }
    }
    std::vector<std::byte> bytes;
    std::size_t elements = 1;
    for(const std::size_t extent: found->extents) {
        elements *= extent;
    }
    bytes.reserve(elements / info(type).block_size * info(type).block_bytes);
    encode_rows(*source_, *found, type, importance, how_,
                [&](std::span<const std::byte> piece) { bytes.insert(bytes.end(), piece.begin(), piece.end()); });
    source_->release(*found);
    found->source_bytes = found->progress_bytes();
    found->type = type;
    found->own(std::move(bytes));
    return found;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::models
