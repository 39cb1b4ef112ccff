// A JSON document as a tree, for files that are read here and there and not from front to back: as strict as json.hpp,
// and no larger than the caller allows.
//
// Needs nlohmann-json (through json.hpp), whose value type the tree is made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/io/json.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

namespace detail {

/// Puts events together to a value.
class json_builder final: public json_handler {
public:
    void begin_object() override { open(nlohmann::json::object()); }
    void end_object() override { open_.pop_back(); }
    void begin_array() override { open(nlohmann::json::array()); }
    void end_array() override { open_.pop_back(); }
    void key(std::string& text) override { key_ = std::move(text); }
    void string(std::string& text) override { put(std::move(text)); }
    void unsigned_integer(std::uint64_t value) override { put(value); }
    void negative_integer(std::int64_t value) override { put(value); }
    void real(double value) override { put(value); }
    void boolean(bool value) override { put(value); }
    void null() override { put(nullptr); }

    [[nodiscard]] nlohmann::json take() { return std::move(root_); }

private:
    nlohmann::json& put(nlohmann::json value) {
        if(open_.empty()) {
            root_ = std::move(value);
            return root_;
        }
        nlohmann::json& at = *open_.back();
        if(at.is_array()) {
            at.push_back(std::move(value));
            return at.back();
        }
        return at[std::move(key_)] = std::move(value); // a key that comes twice is refused at the object's end
    }
    void open(nlohmann::json value) { open_.push_back(&put(std::move(value))); }

    nlohmann::json root_;
    std::vector<nlohmann::json*> open_; ///< only the last of them grows, so that the others stay where they are
    std::string key_;
};

} // namespace detail

/// The document that fills the text.
/// @param most   bytes of text, about a twentieth of the memory that the tree may take
/// @param depth  objects and arrays that may be open at once
/// @throws format_error, limit_error
[[nodiscard]] inline nlohmann::json parse_json_tree(std::span<const std::byte> text, const std::string& file,
                                                    std::uint64_t most, std::size_t depth) {
    if(text.size() > most) {
        tokenworks::detail::raise<limit_error>({file, ": JSON of ", text.size(), " bytes is over the limit of ", most});
    }
    detail::json_builder builder;
    parse_json(text, file, 0, depth, builder);
    return builder.take();
}

} // namespace tokenworks::inline TOKENWORKS_ABI::io
