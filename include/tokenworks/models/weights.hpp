// Where a model's weights come from: a name in, a typed matrix out. GGUF files are one source; memory is another.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/kernels/panel_format.hpp>
#include <tokenworks/models/weight_loading.hpp>
#include <tokenworks/quant/convert.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// One tensor of a source. The bytes stay valid as long as the source, or as `memory` where they were made for it.
struct weight {
    std::string name;
    dtype type = dtype::f32;
    std::vector<std::size_t> extents; ///< in elements, slowest axis first: [N,K] for a matrix
    std::span<const std::byte> bytes; ///< row-major, block after block
    std::uint64_t offset = format_error::no_offset;
    std::shared_ptr<const std::vector<std::byte>> memory{};
    std::uint64_t source_bytes = 0; ///< that the source has for it, where they are others; for progress

    [[nodiscard]] std::uint64_t progress_bytes() const noexcept {
        return source_bytes == 0 ? bytes.size() : source_bytes;
    }
    /// Takes over other bytes in place of the source's.
    void own(std::vector<std::byte> made) {
        auto kept = std::make_shared<const std::vector<std::byte>>(std::move(made));
        bytes = *kept;
        memory = std::move(kept);
    }
};

/// A set of named tensors.
class weight_source {
public:
    weight_source() = default;
    weight_source(const weight_source&) = delete;
    weight_source& operator=(const weight_source&) = delete;
    virtual ~weight_source() = default;

    /// The tensor of that name, or nothing.
    [[nodiscard]] virtual std::optional<weight> find(std::string_view name) const = 0;
    /// The same without its bytes: what it is, at the cost of a look into a table.
    [[nodiscard]] virtual std::optional<weight> describe(std::string_view name) const {
        std::optional<weight> found = find(name);
        if(found) {
            found->bytes = {};
            found->memory.reset();
        }
        return found;
    }
    /// What to call the source in messages.
    [[nodiscard]] virtual std::string label() const = 0;
    /// What the source itself calls a tensor, for messages.
    [[nodiscard]] virtual std::string name_of(std::string_view name) const { return std::string{name}; }
    /// Says that the bytes of a tensor are not needed any more, so that mapped pages can go.
    virtual void release(const weight&) const {}
};

/// Throws a format_error about one tensor.
[[noreturn]] TOKENWORKS_COLD inline void raise_weight(const weight_source& source, std::string_view name,
                                                      std::uint64_t offset, tokenworks::detail::message_parts what) {
    tokenworks::detail::raise_format(source.label(), {"tensor ", source.name_of(name)}, offset, what);
}
[[noreturn]] TOKENWORKS_COLD inline void raise_weight(const weight_source& source, std::string_view name,
                                                      std::uint64_t offset, const std::string& what) {
    raise_weight(source, name, offset, tokenworks::detail::message_parts{what});
}

[[nodiscard]] inline std::string extents_text(std::span<const std::size_t> extents) {
    std::string text = "[";
    for(std::size_t i = 0; i < extents.size(); ++i) {
        text += i == 0 ? "" : ",";
        text += std::to_string(extents[i]);
    }
    text += ']';
    return text;
}

/// The tensor of that name with exactly these extents.
/// @param described  without its bytes, see weight_source::describe
/// @throws format_error naming the tensor and both shapes
[[nodiscard]] inline weight require(const weight_source& source, const std::string& name,
                                    std::span<const std::size_t> extents, bool described = false) {
    std::optional<weight> found = described ? source.describe(name) : source.find(name);
    if(!found) {
        raise_weight(source, name, format_error::no_offset, {"missing; expected extents ", extents_text(extents)});
    }
    // Files may leave out leading extents of 1, or write them.
    const auto without_ones = [](std::span<const std::size_t> all) {
        while(all.size() > 1 && all.front() == 1) {
            all = all.subspan(1);
        }
        return all;
    };
    if(!std::ranges::equal(without_ones(found->extents), without_ones(extents))) {
        raise_weight(source, name, found->offset,
                     {"extents ", extents_text(found->extents), ", expected ", extents_text(extents)});
    }
    return *std::move(found);
}

/// The same, of a type that holds real numbers.
/// @throws format_error as above; unsupported_error naming the tensor and its type
[[nodiscard]] inline weight require_real(const weight_source& source, const std::string& name,
                                         std::span<const std::size_t> extents, bool described = false) {
    weight found = require(source, name, extents, described);
    try {
        static_cast<void>(kernels::panel_format_of(found.type));
    } catch(const unsupported_error& problem) {
        tokenworks::detail::raise<unsupported_error>(
            {source.label(), ": tensor ", source.name_of(name), ": ", problem.what()});
    }
    return found;
}

/// A small tensor as floats.
[[nodiscard]] inline std::vector<float> load_values(const weight_source& source, const std::string& name,
                                                    std::span<const std::size_t> extents) {
    const weight found = require_real(source, name, extents);
    std::size_t count = 1;
    for(const std::size_t extent: extents) {
        count *= extent;
    }
    std::vector<float> values(count);
    quant::decode(found.type, found.bytes, values);
    return values;
}

/// A norm or a bias.
[[nodiscard]] inline std::vector<float> load_vector(const weight_source& source, const std::string& name,
                                                    std::size_t length) {
    return load_values(source, name, std::array{length});
}

/// Weights that went through transforms one after the other.
class transformed_weights {
public:
    /// @param source  under the blocks' names; must outlive this
    transformed_weights(const weight_source& source, std::span<const weight_transform> transforms,
                        const model_config& config, const execution& how)
        : last_{&source} {
        for(const weight_transform& transform: transforms) {
            if(!transform.apply) {
                tokenworks::detail::raise<argument_error>({"transformed_weights: a transform that is not bound"});
            }
            made_.push_back(transform.apply(*last_, config, how));
            last_ = made_.back().get();
        }
    }
    [[nodiscard]] const weight_source& get() const noexcept { return *last_; }

private:
    std::vector<std::unique_ptr<weight_source>> made_;
    const weight_source* last_;
};

/// Tensors in the caller's memory, for tests and for models built in a program.
class memory_weights final: public weight_source {
public:
    void add(std::string name, dtype type, std::vector<std::size_t> extents, std::span<const std::byte> bytes) {
        std::string key = name;
        tensors_.insert_or_assign(std::move(key), weight{std::move(name), type, std::move(extents), bytes});
    }
    /// Copies the values.
    void add(const std::string& name, std::vector<std::size_t> extents, std::vector<float> values) {
        const std::vector<float>& kept = owned_.insert_or_assign(name, std::move(values)).first->second;
        add(name, dtype::f32, std::move(extents), std::as_bytes(std::span{kept}));
    }
    [[nodiscard]] std::optional<weight> find(std::string_view name) const override {
        const auto at = tensors_.find(name);
        return at == tensors_.end() ? std::nullopt : std::optional{at->second};
    }
    [[nodiscard]] std::string label() const override { return "<memory>"; }

private:
    std::map<std::string, weight, std::less<>> tensors_;
    std::map<std::string, std::vector<float>> owned_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::models
