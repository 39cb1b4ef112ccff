// The fields of a JSON object that came from a client: each is read by name, with its type and its range checked, and
// what nobody asked for is refused in the end.
//
//   serve::request_fields in{tree.root()};
//   const double heat = in.number("temperature", 0, 2).value_or(0.8);
//   in.finish({"user", "store"});                  // these may be there, and mean nothing here
//
// Errors are format_error with the path of the field: "messages[2].content". A member that is null counts as absent.
//
// Needs nlohmann-json (through io/json_tree.hpp).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <tokenworks/codec/jinja_value.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/io/json_tree.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::serve {

class request_fields {
public:
    /// @param path  how errors call the object; empty for the document
    /// @throws format_error where it is none
    explicit request_fields(io::json_value object, std::string path = {}) : object_{object}, path_{std::move(path)} {
        if(!object.is_object()) {
            object.unexpected({path_}, "an object");
        }
    }

    /// How errors call a member.
    [[nodiscard]] std::string path_of(std::string_view key) const {
        return path_.empty() ? std::string{key} : path_ + "." + std::string{key};
    }

    /// The member, which is known from now on.
    [[nodiscard]] std::optional<io::json_value> find(std::string_view key) {
        known_.emplace_back(key);
        return object_.find(key, {path_});
    }
    /// @throws format_error where it is missing
    [[nodiscard]] io::json_value need(std::string_view key) {
        const std::optional<io::json_value> found = find(key);
        if(!found) {
            object_.refuse({path_of(key)}, {"is missing"});
        }
        return *found;
    }

    [[nodiscard]] std::optional<std::string> string(std::string_view key,
                                                    std::size_t most = std::numeric_limits<std::size_t>::max()) {
        const std::optional<io::json_value> found = find(key);
        if(!found) {
            return std::nullopt;
        }
        const std::string_view text = found->string({path_of(key)});
        if(text.size() > most) {
            found->refuse({path_of(key)}, {"has ", text.size(), " bytes; the most is ", most});
        }
        return std::string{text};
    }
    [[nodiscard]] std::optional<bool> boolean(std::string_view key) {
        const std::optional<io::json_value> found = find(key);
        return found ? std::optional{found->boolean({path_of(key)})} : std::nullopt;
    }
    [[nodiscard]] std::optional<double> number(std::string_view key, double least, double most) {
        const std::optional<io::json_value> found = find(key);
        return found ? std::optional{number_of(*found, path_of(key), least, most)} : std::nullopt;
    }
    [[nodiscard]] std::optional<std::uint64_t> whole(std::string_view key, std::uint64_t least, std::uint64_t most) {
        const std::optional<io::json_value> found = find(key);
        if(!found) {
            return std::nullopt;
        }
        const std::uint64_t value = found->whole({path_of(key)}, most);
        if(value < least) {
            found->refuse({path_of(key)}, {"is ", value, "; the least is ", least});
        }
        return value;
    }

    /// One of these words.
    [[nodiscard]] std::optional<std::string> word(std::string_view key, std::initializer_list<const char*> words) {
        const std::optional<io::json_value> found = find(key);
        if(!found) {
            return std::nullopt;
        }
        std::string text{found->string({path_of(key)})};
        if(std::ranges::find(words, text) == words.end()) {
            std::string all;
            for(const char* each: words) {
                all += (all.empty() ? "" : ", ") + std::string{each};
            }
            found->refuse({path_of(key)}, {"is '", tokenworks::detail::escaped(text), "'; it takes one of ", all});
        }
        return text;
    }

    [[nodiscard]] static double number_of(io::json_value value, const std::string& path, double least, double most) {
        const double number = value.number({path});
        if(!std::isfinite(number) || number < least || number > most) {
            value.refuse({path}, {"is ", number, ", not in ", least, " to ", most});
        }
        return number;
    }

    [[noreturn]] void refuse(std::string_view key, tokenworks::detail::message_parts what) const {
        object_.refuse({path_of(key)}, what);
    }

    /// @param ignored  members that may be there and mean nothing
    /// @throws format_error for a member that was not looked for, is none of these, and is not null
    void finish(std::initializer_list<const char*> ignored = {}) const {
        object_.members({path_}, [&](std::string_view key, io::json_value value) {
            if(!value.is_null() && std::ranges::find(known_, key) == known_.end() &&
               std::ranges::find(ignored, key) == ignored.end()) {
                value.refuse({path_of(printable(key))}, {"is not known here"});
            }
        });
    }

private:
    io::json_value object_;
    std::string path_;
    std::vector<std::string> known_;
};

/// A value as a tree that can be written again. Its depth is bounded by that of the document.
[[nodiscard]] inline nlohmann::ordered_json json_of(io::json_value value) {
    using kind = io::json_value::kind;
    switch(value.type()) {
    case kind::boolean:
        return value.boolean({});
    case kind::whole:
        return value.whole({});
    case kind::negative:
        return static_cast<std::int64_t>(value.number({}));
    case kind::real:
        return value.number({});
    case kind::string:
        return value.string({});
    case kind::array: {
        nlohmann::ordered_json all = nlohmann::ordered_json::array();
        value.elements({}, [&](io::json_value each) { all.push_back(json_of(each)); });
        return all;
    }
    case kind::object: {
        nlohmann::ordered_json::object_t all; // a list of pairs: keys are unique already
        all.reserve(value.size());
        value.members({}, [&](std::string_view key, io::json_value each) {
            all.std::vector<nlohmann::ordered_json::object_t::value_type>::emplace_back(std::string{key},
                                                                                        json_of(each));
        });
        return all;
    }
    case kind::null:
        break;
    }
    return nullptr;
}

/// A value as chat templates take it.
/// @throws limit_error for one that is nested too deeply
[[nodiscard]] inline codec::jinja::value template_value_of(io::json_value value) {
    using kind = io::json_value::kind;
    switch(value.type()) {
    case kind::boolean:
        return value.boolean({});
    case kind::whole: {
        const std::uint64_t number = value.whole({});
        return number <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())
                   ? codec::jinja::value{static_cast<std::int64_t>(number)}
                   : codec::jinja::value{static_cast<double>(number)};
    }
    case kind::negative:
        return static_cast<std::int64_t>(value.number({}));
    case kind::real:
        return value.number({});
    case kind::string:
        return value.string({});
    case kind::array: {
        codec::jinja::value::list_type all;
        value.elements({}, [&](io::json_value each) { all.push_back(template_value_of(each)); });
        return codec::jinja::value::list(std::move(all));
    }
    case kind::object: {
        std::vector<std::pair<std::string, codec::jinja::value>> all;
        value.members({}, [&](std::string_view key, io::json_value each) {
            all.emplace_back(std::string{key}, template_value_of(each));
        });
        return codec::jinja::value::dict(std::move(all));
    }
    case kind::null:
        break;
    }
    return {};
}

} // namespace tokenworks::inline TOKENWORKS_ABI::serve
