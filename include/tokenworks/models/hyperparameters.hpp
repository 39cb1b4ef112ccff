// The numbers that describe a model, whatever format they came in.
//
// A family asks for them by the names of GGUF files (ggml, docs/gguf.md), without the architecture in front; a format
// that calls them otherwise translates. So a family is written once and reads every format, and messages name the key
// as the file has it.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

class hyperparameters {
public:
    hyperparameters() = default;
    virtual ~hyperparameters() = default;

    /// What to call the file in messages.
    [[nodiscard]] virtual const std::string& label() const noexcept = 0;
    /// Converters to GGUF change some tensors; a family may have to know who made the file.
    [[nodiscard]] virtual bool is_gguf() const noexcept = 0;
    /// How the file calls a name.
    [[nodiscard]] virtual std::string key(std::string_view name) const = 0;
    [[nodiscard]] virtual bool has(std::string_view name) const = 0;
    [[nodiscard]] virtual bool is_list(std::string_view name) const = 0;

    /// Values as the file has them. @throws format_error naming the key, where it is missing or of another type
    [[nodiscard]] virtual std::uint64_t whole(std::string_view name) const = 0;
    [[nodiscard]] virtual std::vector<std::uint64_t> wholes(std::string_view name) const = 0;
    [[nodiscard]] virtual double number(std::string_view name) const = 0;
    [[nodiscard]] virtual std::vector<float> numbers(std::string_view name) const = 0;
    [[nodiscard]] virtual bool flag(std::string_view name) const = 0;
    [[nodiscard]] virtual std::string text(std::string_view name) const = 0;
    [[nodiscard]] virtual std::vector<std::string> texts(std::string_view name) const = 0;
    /// Factors of rotary pairs: `rope_freqs`, `rope_factors_short`, `rope_factors_long`, or a tensor of config.json's
    /// model; none where there are none.
    [[nodiscard]] virtual std::vector<float> factors(std::string_view name, std::size_t count) const = 0;

    /// V.
    [[nodiscard]] virtual std::size_t vocab_size() const = 0;
    /// Whether the head is the embedding table.
    [[nodiscard]] virtual bool tied_embeddings() const = 0;
    /// Whether there is a tensor of that name; the name is the file's own.
    [[nodiscard]] virtual bool has_tensor(std::string_view name) const = 0;
    /// Its extents, slowest axis first; nothing where there is none.
    [[nodiscard]] virtual std::optional<std::vector<std::size_t>> tensor_extents(std::string_view name) const = 0;

    /// The hyperparameters of a part of the model, where the file keeps them apart.
    /// @throws unsupported_error where it does not
    [[nodiscard]] virtual std::unique_ptr<hyperparameters> part(std::string_view name) const {
        tokenworks::detail::raise<unsupported_error>({label(), ": no part '", name, "'"});
    }

    /// What is wrong with a key, as an error that names the file, the key and where it is.
    [[nodiscard]] virtual format_error refusal(std::string_view name, const std::string& what) const = 0;
    [[noreturn]] TOKENWORKS_COLD void refuse(std::string_view name, const std::string& what) const {
        tokenworks::detail::raise<format_error>(refusal(name, what));
    }
    [[noreturn]] TOKENWORKS_COLD void refuse(std::string_view name, tokenworks::detail::message_parts what) const {
        refuse(name, tokenworks::detail::message(what));
    }

    /// A count that must lie in 1 … most.
    /// @throws format_error naming the key
    [[nodiscard]] std::size_t count(std::string_view name, std::size_t most = std::size_t{1} << 28) const {
        return checked(name, whole(name), most);
    }
    [[nodiscard]] std::size_t count_or(std::string_view name, std::size_t otherwise,
                                       std::size_t most = std::size_t{1} << 28) const {
        return has(name) ? count(name, most) : otherwise;
    }
    /// A count that files may give once or once a layer; only the same for all layers is taken.
    [[nodiscard]] std::size_t uniform_count(std::string_view name, std::size_t layers) const {
        if(!has(name) || !is_list(name)) {
            return count(name);
        }
        const std::vector<std::uint64_t> each = wholes(name);
        if(each.size() != layers) {
            refuse(name, {"has ", each.size(), " entries for ", layers, " layers"});
        }
        for(const std::uint64_t one: each) {
            if(one != each.front()) {
                tokenworks::detail::raise<unsupported_error>({label(), ": ", key(name), ": layers of different width"});
            }
        }
        return checked(name, each.front(), std::size_t{1} << 28);
    }
    /// A whole number that may be 0.
    [[nodiscard]] std::uint64_t whole_or(std::string_view name, std::uint64_t otherwise) const {
        return has(name) ? whole(name) : otherwise;
    }
    /// A finite number.
    [[nodiscard]] float real(std::string_view name) const {
        const auto value = static_cast<float>(number(name));
        if(!std::isfinite(value)) {
            refuse(name, {"is not a finite number"});
        }
        return value;
    }
    [[nodiscard]] float real_or(std::string_view name, float otherwise) const {
        return has(name) ? real(name) : otherwise;
    }
    [[nodiscard]] bool flag_or(std::string_view name, bool otherwise) const {
        return has(name) ? flag(name) : otherwise;
    }
    [[nodiscard]] std::string text_or(std::string_view name, std::string otherwise) const {
        return has(name) ? text(name) : std::move(otherwise);
    }

    /// Refuses what would change the result and is not known here: a flag that is set.
    /// @throws unsupported_error naming the key
    void require_unset(std::string_view name) const {
        if(flag_or(name, false)) {
            tokenworks::detail::raise<unsupported_error>({label(), ": ", key(name), " is set"});
        }
    }

protected:
    hyperparameters(const hyperparameters&) = default;
    hyperparameters& operator=(const hyperparameters&) = default;

private:
    [[nodiscard]] std::size_t checked(std::string_view name, std::uint64_t value, std::size_t most) const {
        if(value == 0 || value > most) {
            refuse(name, {"is ", value, ", not in 1..", most});
        }
        return static_cast<std::size_t>(value);
    }
};

} // namespace tokenworks::inline TOKENWORKS_ABI::models
