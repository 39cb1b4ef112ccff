// A JSON document as a tree that is read-only, for configurations: strict and bounded as io/json.hpp reads it.
//
// The values lie in one array in the order of the text, 24 bytes each, and their texts in one block: a document of many
// small values takes a small multiple of its size, where a tree of maps takes far more. Values know the file and say
// what is wrong with them; the field is the caller's to name.
//
// Needs nlohmann-json.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/limits.hpp>
#include <tokenworks/io/json.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

class json_tree;

/// A value of a tree, which must outlive it.
class json_value {
public:
    enum class kind : std::uint8_t { null, boolean, whole, negative, real, string, array, object };
    using field = tokenworks::detail::message_parts; ///< how errors call the value

    [[nodiscard]] kind type() const noexcept;
    [[nodiscard]] bool is_null() const noexcept { return type() == kind::null; }
    [[nodiscard]] bool is_string() const noexcept { return type() == kind::string; }
    [[nodiscard]] bool is_array() const noexcept { return type() == kind::array; }
    [[nodiscard]] bool is_object() const noexcept { return type() == kind::object; }
    /// Elements of an array, members of an object; 0 for others.
    [[nodiscard]] std::size_t size() const noexcept;

    // Each throws a format_error that names the file and the field, where the value is of another kind.
    [[nodiscard]] bool boolean(field name) const;
    /// From 0 to `most`.
    [[nodiscard]] std::uint64_t whole(field name, std::uint64_t most = std::numeric_limits<std::uint64_t>::max()) const;
    [[nodiscard]] double number(field name) const;
    [[nodiscard]] std::string_view string(field name) const;

    /// A real number as it is written; nothing for other values.
    [[nodiscard]] std::string_view spelling() const noexcept;

    /// The member of an object; nothing where there is none, or where its value is null.
    /// @throws format_error where this is no object
    [[nodiscard]] std::optional<json_value> find(std::string_view key, field name) const;

    /// Calls take(json_value) for each element. @throws format_error where this is no array
    template <class Take>
    void elements(field name, Take take) const;
    /// Calls take(key, json_value) for each member. @throws format_error where this is no object
    template <class Take>
    void members(field name, Take take) const;

    [[noreturn]] void refuse(field name, tokenworks::detail::message_parts what) const;
    [[noreturn]] void unexpected(field name, std::string_view wanted) const;

private:
    friend class json_tree;

    json_value(const json_tree& tree, std::size_t at) noexcept : tree_{&tree}, at_{at} {}

    const json_tree* tree_;
    std::size_t at_;
};

class json_tree {
public:
    /// @throws format_error, limit_error as parse_json
    json_tree(std::span<const std::byte> text, std::string file, std::size_t depth = tokenworks::limits{}.json_depth);

    [[nodiscard]] json_value root() const noexcept { return {*this, 0}; }
    [[nodiscard]] const std::string& file() const noexcept { return file_; }

private:
    friend class json_value;

    struct node {
        union {
            std::uint64_t whole = 0; // also the place of a string or a real number, and a bool
            std::int64_t negative;
        };
        std::uint32_t size = 0; // bytes of a string, elements, members
        std::uint32_t next = 0; // the node behind this value and all that is in it
        json_value::kind kind = json_value::kind::null;
    };
    class builder;

    [[nodiscard]] std::string_view text_of(const node& n) const noexcept {
        return std::string_view{texts_}.substr(static_cast<std::size_t>(n.whole), n.size);
    }

    std::string file_;
    std::vector<node> nodes_; // of an object: a string for each key, then its value
    std::string texts_;
};

/// Fills a tree from events.
class json_tree::builder: public json_handler {
public:
    explicit builder(json_tree& tree) : tree_{tree} {}

    void begin_object() override { open(json_value::kind::object); }
    void end_object() override { close(); }
    void begin_array() override { open(json_value::kind::array); }
    void end_array() override { close(); }
    void key(std::string& text) override { push_text(text, false); }
    void string(std::string& text) override { push_text(text, true); }
    void null() override { push({}); }
    void boolean(bool value) override {
        node n;
        n.kind = json_value::kind::boolean;
        n.whole = value ? 1 : 0;
        push(n);
    }
    void unsigned_integer(std::uint64_t value) override {
        node n;
        n.kind = json_value::kind::whole;
        n.whole = value;
        push(n);
    }
    void negative_integer(std::int64_t value) override {
        node n;
        n.kind = json_value::kind::negative;
        n.negative = value;
        push(n);
    }
    void real(double, const std::string& text) override { push_text(text, true, json_value::kind::real); }

private:
    void push(node n, bool counts = true) {
        if(tree_.nodes_.size() == std::numeric_limits<std::uint32_t>::max() - 1) {
            tokenworks::detail::raise<limit_error>({file(), ": JSON of more than 2^32 values"});
        }
        if(counts && !open_.empty()) {
            ++tree_.nodes_[open_.back()].size;
        }
        n.next = static_cast<std::uint32_t>(tree_.nodes_.size() + 1);
        tree_.nodes_.push_back(n);
    }
    void push_text(const std::string& text, bool counts, json_value::kind kind = json_value::kind::string) {
        node n;
        n.kind = kind;
        n.whole = tree_.texts_.size();
        n.size = static_cast<std::uint32_t>(text.size());
        if(text.size() > std::numeric_limits<std::uint32_t>::max()) {
            refuse({}, {"a string of over 4 GiB"});
        }
        tree_.texts_ += text;
        push(n, counts);
    }
    void open(json_value::kind kind) {
        node n;
        n.kind = kind;
        push(n);
        open_.push_back(tree_.nodes_.size() - 1);
    }
    void close() {
        tree_.nodes_[open_.back()].next = static_cast<std::uint32_t>(tree_.nodes_.size());
        open_.pop_back();
    }

    json_tree& tree_;
    std::vector<std::size_t> open_;
};

inline json_tree::json_tree(std::span<const std::byte> text, std::string file, std::size_t depth)
    : file_{std::move(file)} {
    builder fill{*this};
    parse_json(text, file_, 0, depth, fill);
}

inline json_value::kind json_value::type() const noexcept { return tree_->nodes_[at_].kind; }

inline std::size_t json_value::size() const noexcept {
    return is_array() || is_object() ? tree_->nodes_[at_].size : std::size_t{0};
}

inline void json_value::refuse(field name, tokenworks::detail::message_parts what) const {
    tokenworks::detail::raise_format(tree_->file_, name, format_error::no_offset, what);
}

inline void json_value::unexpected(field name, std::string_view wanted) const {
    constexpr const char* names[] = {"null",     "a bool",   "a whole number", "a negative number",
                                     "a number", "a string", "an array",       "an object"};
    refuse(name, {"is ", names[static_cast<std::size_t>(type())], ", not ", wanted});
}

inline bool json_value::boolean(field name) const {
    if(type() != kind::boolean) {
        unexpected(name, "a bool");
    }
    return tree_->nodes_[at_].whole != 0;
}

inline std::uint64_t json_value::whole(field name, std::uint64_t most) const {
    if(type() != kind::whole) {
        unexpected(name, "a whole number");
    }
    const std::uint64_t value = tree_->nodes_[at_].whole;
    if(value > most) {
        refuse(name, {"is ", value, "; the most is ", most});
    }
    return value;
}

inline double json_value::number(field name) const {
    switch(type()) {
    case kind::whole:
        return static_cast<double>(tree_->nodes_[at_].whole);
    case kind::negative:
        return static_cast<double>(tree_->nodes_[at_].negative);
    case kind::real:
        break;
    default:
        unexpected(name, "a number");
    }
    const std::string_view text = spelling();
    double value = 0;
    // Out of range is what is too small for a double: too large ones are no JSON for the parser.
    static_cast<void>(std::from_chars(text.data(), text.data() + text.size(), value));
    return value;
}

inline std::string_view json_value::spelling() const noexcept {
    return type() == kind::real ? tree_->text_of(tree_->nodes_[at_]) : std::string_view{};
}

inline std::string_view json_value::string(field name) const {
    if(type() != kind::string) {
        unexpected(name, "a string");
    }
    return tree_->text_of(tree_->nodes_[at_]);
}

template <class Take>
void json_value::elements(field name, Take take) const {
    if(type() != kind::array) {
        unexpected(name, "an array");
    }
    for(std::size_t at = at_ + 1; at < tree_->nodes_[at_].next; at = tree_->nodes_[at].next) {
        take(json_value{*tree_, at});
    }
}

template <class Take>
void json_value::members(field name, Take take) const {
    if(type() != kind::object) {
        unexpected(name, "an object");
    }
    for(std::size_t at = at_ + 1; at < tree_->nodes_[at_].next; at = tree_->nodes_[at + 1].next) {
        take(tree_->text_of(tree_->nodes_[at]), json_value{*tree_, at + 1});
    }
}

inline std::optional<json_value> json_value::find(std::string_view key, field name) const {
    std::optional<json_value> found;
    members(name, [&](std::string_view k, json_value value) {
        if(k == key && !value.is_null()) {
            found = value;
        }
    });
    return found;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::io
