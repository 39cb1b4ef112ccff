// Strict, bounded reading of JSON that came in a file, as events: no tree is built, nesting costs no stack, and what
// JSON leaves to the reader is refused here: duplicate keys (compared after unescaping), comments, NaN, text after the
// document, bytes that are no UTF-8, nesting past a limit. Errors carry the offset in the file.
//
// Needs nlohmann-json (3.11 or newer), whose event parser does the tokens.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/io/byte_cursor.hpp>

#if TOKENWORKS_DEFINITIONS
#include <nlohmann/json.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::io {

/// Where events of parse_json go. A handler overrides what it accepts; everything else is refused.
class json_handler {
public:
    json_handler() = default;
    json_handler(const json_handler&) = delete;
    json_handler& operator=(const json_handler&) = delete;
    virtual ~json_handler() = default;

    virtual void begin_object() { unexpected("an object"); }
    virtual void end_object() {}
    virtual void begin_array() { unexpected("an array"); }
    virtual void end_array() {}
    virtual void key(std::string&) {}
    virtual void string(std::string&) { unexpected("a string"); }
    /// A whole number from 0 to 2^64 - 1, written without fraction or exponent.
    virtual void unsigned_integer(std::uint64_t) { unexpected("a number"); }
    virtual void null() { other("null"); }
    virtual void boolean(bool) { other("a bool"); }
    virtual void negative_integer(std::int64_t) { other("a negative number"); }
    /// A number with a fraction, an exponent, or over 64 bits, and as it is written.
    virtual void real(double, const std::string&) { other("a number with a fraction, an exponent, or over 64 bits"); }
    /// Any other scalar, and what the four above do not take: what it is, for messages.
    virtual void other(std::string_view what) { unexpected(what); }

    /// Refuses a value that has no place here.
    [[noreturn]] virtual void unexpected(std::string_view what) { refuse({}, {what, " is not expected"}); }

    /// Throws a format_error at the place that is being read.
    [[noreturn]] TOKENWORKS_COLD void refuse(std::string_view field, tokenworks::detail::message_parts what) const {
        tokenworks::detail::raise_format(file_, {field}, offset(), what);
    }
    [[noreturn]] TOKENWORKS_COLD void refuse(std::string_view field, const std::string& what) const {
        refuse(field, tokenworks::detail::message_parts{what});
    }

    [[nodiscard]] const std::string& file() const noexcept { return file_; }
    /// Bytes from the start of the file to the end of the last token; one further after a number.
    [[nodiscard]] std::uint64_t offset() const noexcept { return base_ + static_cast<std::uint64_t>(at_ - begin_); }

private:
    friend void parse_json(std::span<const std::byte>, const std::string&, std::uint64_t, std::size_t, json_handler&);

    std::string file_;
    std::uint64_t base_ = 0;
    const char* begin_ = nullptr;
    const char* at_ = nullptr;
};

/// Reads one JSON document that fills the text.
/// @param base   where the text starts in its file, bytes, for errors
/// @param depth  objects and arrays that may be open at once
/// @throws format_error, limit_error, and what the handler throws
TOKENWORKS_FUNCTION void parse_json(std::span<const std::byte> text, const std::string& file, std::uint64_t base,
                                    std::size_t depth, json_handler& handler);

#if TOKENWORKS_DEFINITIONS

namespace detail {

/// Steps over text and tells where it is.
class tracking_iterator {
public:
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = const char&;
    using iterator_category = std::input_iterator_tag;

    tracking_iterator(const char* at, const char** where) noexcept : at_{at}, where_{where} {}
    reference operator*() const noexcept { return *at_; }
    tracking_iterator& operator++() noexcept {
        *where_ = ++at_;
        return *this;
    }
    tracking_iterator operator++(int) noexcept {
        const tracking_iterator old = *this;
        ++*this;
        return old;
    }
    friend bool operator==(const tracking_iterator& a, const tracking_iterator& b) noexcept { return a.at_ == b.at_; }

private:
    const char* at_;
    const char** where_;
};

} // namespace detail

/// The adaptor between nlohmann's events and a json_handler; counts depth and remembers the keys of open objects.
template <class Json>
class json_events {
public:
    using number_integer_t = typename Json::number_integer_t;
    using number_unsigned_t = typename Json::number_unsigned_t;
    using number_float_t = typename Json::number_float_t;
    using string_t = typename Json::string_t;
    using binary_t = typename Json::binary_t;

    json_events(json_handler& handler, std::size_t most) : handler_{handler}, most_{most} {}

    bool null() {
        handler_.null();
        return true;
    }
    bool boolean(bool value) {
        handler_.boolean(value);
        return true;
    }
    bool number_integer(number_integer_t value) {
        handler_.negative_integer(value);
        return true;
    }
    bool number_unsigned(number_unsigned_t value) {
        handler_.unsigned_integer(value);
        return true;
    }
    bool number_float(number_float_t value, const string_t& text) {
        handler_.real(value, text);
        return true;
    }
    bool string(string_t& text) {
        handler_.string(text);
        return true;
    }
    bool binary(binary_t&) {
        handler_.other("binary data");
        return true;
    }

    bool start_object(std::size_t) {
        open();
        handler_.begin_object();
        return true;
    }
    bool key(string_t& text) {
        keys_.push_back(text);
        handler_.key(text);
        return true;
    }
    bool end_object() {
        const auto first = keys_.begin() + static_cast<std::ptrdiff_t>(frames_.back());
        std::sort(first, keys_.end());
        const auto twice = std::adjacent_find(first, keys_.end());
        if(twice != keys_.end()) {
            handler_.refuse(printable(*twice), {"the key occurs twice in one object"});
        }
        keys_.erase(first, keys_.end());
        frames_.pop_back();
        handler_.end_object();
        return true;
    }
    bool start_array(std::size_t) {
        open();
        handler_.begin_array();
        return true;
    }
    bool end_array() {
        frames_.pop_back();
        handler_.end_array();
        return true;
    }

    template <class Error>
    bool parse_error(std::size_t, const std::string&, const Error& error) {
        std::string_view what = error.what();
        if(const std::size_t end_of_id = what.find("] "); end_of_id != std::string_view::npos) {
            what.remove_prefix(end_of_id + 2);
        }
        handler_.refuse("JSON", printable(what, 300));
    }

private:
    void open() {
        if(frames_.size() == most_) {
            tokenworks::detail::raise<limit_error>({handler_.file(), ": JSON at offset ", handler_.offset(),
                                                    ": objects and arrays are nested more than ", most_, " deep"});
        }
        frames_.push_back(keys_.size());
    }

    json_handler& handler_;
    std::size_t most_;
    std::deque<std::string> keys_;
    std::vector<std::size_t> frames_;
};

TOKENWORKS_FUNCTION void parse_json(std::span<const std::byte> text, const std::string& file, std::uint64_t base,
                                    std::size_t depth, json_handler& handler) {
    const std::string_view all = as_text(text);
    handler.file_ = file;
    handler.base_ = base;
    handler.begin_ = all.data();
    handler.at_ = all.data();
    // The tokenizer takes NUL for the end of the text, and a byte order mark for nothing.
    if(const std::size_t nul = all.find('\0'); nul != std::string_view::npos) {
        tokenworks::detail::raise_format(file, {"JSON"}, base + nul, {"a NUL byte"});
    }
    if(all.starts_with("\xEF\xBB\xBF")) {
        tokenworks::detail::raise_format(file, {"JSON"}, base, {"a byte order mark"});
    }
    json_events<nlohmann::json> events{handler, depth};
    nlohmann::json::sax_parse(detail::tracking_iterator{all.data(), &handler.at_},
                              detail::tracking_iterator{all.data() + all.size(), &handler.at_}, &events);
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::io
