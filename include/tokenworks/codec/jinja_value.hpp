// The values of a chat template: what a program passes in (messages, tools, settings), and what the template makes of
// it.
//
// A value is sixteen bytes: a kind and a number or a counted object. Texts, lists and dicts are never changed once
// made, so copies share them, between threads too. Whatever a program passes in is untrusted, unless it says otherwise.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/jinja_text.hpp>
#include <tokenworks/codec/utf8.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/function_ref.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja {

enum class kind : std::uint8_t {
    undefined,
    none,
    boolean,
    integer,
    real,
    string,
    list,
    dict,
    space,   ///< namespace(...)
    macro,   ///< {% macro %}, and caller
    method,  ///< 'a'.upper, before its call
    builtin, ///< range, namespace, dict, raise_exception, strftime_now
    loop     ///< loop inside of {% for %}
};

/// How Python made a sequence: they differ in what they print and allow.
enum class flavour : std::uint8_t { list, tuple, range, keys, values, items, generator };

/// How much of the memory of one rendering its objects hold.
struct meter {
    std::size_t live = 0;
    std::size_t most = 0;
};

/// Base of what values share. Counts are atomic: a template's constants belong to every thread that renders it.
class object {
public:
    object() = default;
    object(const object&) = delete;
    object& operator=(const object&) = delete;
    virtual ~object() {
        if(meter_ != nullptr) {
            meter_->live -= bytes_;
        }
    }

    /// Counts these bytes until the object ends. @pre the meter outlives it
    void charge(meter& used, std::size_t bytes) noexcept {
        meter_ = &used;
        bytes_ += bytes;
        used.live += bytes;
    }
    void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
    void release() noexcept {
        if(references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            delete this;
        }
    }

private:
    std::atomic<std::uint32_t> references_{1};
    meter* meter_ = nullptr;
    std::size_t bytes_ = 0;
};

class string_object: public object {
public:
    string_object(text bytes, bool is_markup) : content{std::move(bytes)}, markup{is_markup} {
        for(std::size_t at = 0; at < content.size(); ++characters) {
            at += decode_utf8(content.view(), at).length;
        }
    }

    [[nodiscard]] bool ascii() const noexcept { return characters == content.size(); }

    const text content;
    const bool markup; // markupsafe.Markup: joining it to other text escapes that
    std::size_t characters = 0;
};

class value {
public:
    using list_type = std::vector<value>;
    using entry = std::pair<value, value>;
    static constexpr std::size_t most_depth = 128; ///< lists in lists

    /// None, or null in JSON.
    value() noexcept = default;
    value(std::nullptr_t) noexcept {}
    value(bool b) noexcept : kind_{kind::boolean}, tainted_{true} { data_.integer = b ? 1 : 0; }
    value(int number) noexcept : value{std::int64_t{number}} {}
    value(std::int64_t number) noexcept : kind_{kind::integer}, tainted_{true} { data_.integer = number; }
    value(double number) noexcept : kind_{kind::real}, tainted_{true} { data_.real = number; }
    /// UTF-8 that somebody wrote: no control token comes of it.
    value(std::string_view untrusted) : value{text{untrusted, false}} {}
    value(const std::string& untrusted) : value{std::string_view{untrusted}} {}
    value(const char* untrusted) : value{std::string_view{untrusted}} {}
    explicit value(text content, bool markup = false) : kind_{kind::string} {
        data_.shared = new string_object{std::move(content), markup};
    }
    /// Text of which control tokens may come: the spelling of a token, say.
    [[nodiscard]] static value trusted(std::string_view bytes) { return value{text{bytes, true}}; }
    /// @throws limit_error for lists and dicts nested deeper than most_depth
    [[nodiscard]] static value list(list_type items, flavour how = flavour::list, bool tainted = true);
    /// In this order; of equal keys the last one counts, at the place of the first.
    [[nodiscard]] static value dict(std::vector<std::pair<std::string, value>> entries);
    [[nodiscard]] static value dict_of(std::vector<entry> unique_entries, bool tainted);
    /// Takes over the caller's reference.
    [[nodiscard]] static value adopt(kind which, object* shared) noexcept {
        value made;
        made.kind_ = which;
        made.data_.shared = shared;
        return made;
    }

    value(const value& other) noexcept : data_{other.data_}, kind_{other.kind_}, tainted_{other.tainted_} {
        if(holds_object()) {
            data_.shared->retain();
        }
    }
    value(value&& other) noexcept : data_{other.data_}, kind_{other.kind_}, tainted_{other.tainted_} {
        other.data_.shared = nullptr;
        other.kind_ = kind::none;
    }
    value& operator=(value other) noexcept {
        std::swap(data_, other.data_);
        std::swap(kind_, other.kind_);
        std::swap(tainted_, other.tainted_);
        return *this;
    }
    ~value() {
        if(holds_object()) {
            data_.shared->release();
        }
    }

    [[nodiscard]] kind what() const noexcept { return kind_; }
    [[nodiscard]] bool is(kind which) const noexcept { return kind_ == which; }
    /// Numbers, and what is printed around the items of a list or dict: whether they came from outside of the template.
    [[nodiscard]] bool tainted() const noexcept { return tainted_; }
    [[nodiscard]] value with_taint(bool tainted) const noexcept {
        value copy{*this};
        copy.tainted_ = tainted;
        return copy;
    }

    [[nodiscard]] bool boolean() const noexcept { return data_.integer != 0; }
    [[nodiscard]] std::int64_t integer() const noexcept { return data_.integer; }
    [[nodiscard]] double real() const noexcept { return data_.real; }
    [[nodiscard]] object* shared() const noexcept { return data_.shared; }
    [[nodiscard]] const string_object& string() const noexcept {
        return static_cast<const string_object&>(*data_.shared);
    }
    [[nodiscard]] std::string_view view() const noexcept { return string().content.view(); }
    [[nodiscard]] const list_type& items() const noexcept;
    [[nodiscard]] flavour how() const noexcept;
    [[nodiscard]] const std::vector<entry>& entries() const noexcept;
    /// Nesting: 0 for what holds nothing.
    [[nodiscard]] std::size_t depth() const noexcept;

private:
    [[nodiscard]] bool holds_object() const noexcept {
        return (kind_ >= kind::string || kind_ == kind::undefined) && data_.shared != nullptr;
    }

    union {
        std::int64_t integer = 0;
        double real;
        object* shared;
    } data_;
    kind kind_ = kind::none;
    bool tainted_ = false;
};

class list_object: public object {
public:
    list_object(value::list_type all, flavour made, std::size_t nesting)
        : items{std::move(all)}, how{made}, depth{nesting} {}

    const value::list_type items;
    const flavour how;
    const std::size_t depth;
    std::size_t taken = 0; // generators give each item once
};

class dict_object: public object {
public:
    dict_object(std::vector<value::entry> all, std::size_t nesting) : entries{std::move(all)}, depth{nesting} {}

    const std::vector<value::entry> entries;
    const std::size_t depth;
};

/// An undefined value carries what an error says of it.
class undefined_object: public object {
public:
    explicit undefined_object(std::string said) : hint{std::move(said)} {}
    const std::string hint;
};

/// Bytes of a value with all that it holds.
[[nodiscard]] std::size_t size_of(const value& v);

namespace detail {

/// The places 0 to size - 1, sorted by what `before` says of two of them; those alike stay in order. Any answers will
/// do: not even contradictions lead astray.
[[nodiscard]] std::vector<std::size_t> sorted_places(std::size_t size,
                                                     function_ref<bool(std::size_t, std::size_t)> before);

} // namespace detail

#if TOKENWORKS_DEFINITIONS

namespace detail {

TOKENWORKS_FUNCTION std::vector<std::size_t> sorted_places(std::size_t size,
                                                           function_ref<bool(std::size_t, std::size_t)> before) {
    std::vector<std::size_t> places(size);
    std::vector<std::size_t> merged(size);
    for(std::size_t i = 0; i < size; ++i) {
        places[i] = i;
    }
    for(std::size_t width = 1; width < size; width *= 2) {
        for(std::size_t begin = 0; begin < size; begin += 2 * width) {
            const std::size_t middle = begin + width < size ? begin + width : size;
            const std::size_t end = middle + width < size ? middle + width : size;
            std::size_t left = begin;
            std::size_t right = middle;
            for(std::size_t i = begin; i < end; ++i) {
                const bool take_right = left == middle || (right < end && before(places[right], places[left]));
                merged[i] = take_right ? places[right++] : places[left++];
            }
        }
        places.swap(merged);
    }
    return places;
}

inline std::size_t deeper(std::size_t depth, const value& item) {
    const std::size_t nested = item.depth() + 1;
    if(nested > value::most_depth) {
        tokenworks::detail::raise<limit_error>(
            {"chat template: lists and dicts are nested deeper than the limit of ", value::most_depth});
    }
    return nested > depth ? nested : depth;
}

} // namespace detail

TOKENWORKS_FUNCTION value value::list(list_type items, flavour how, bool tainted) {
    std::size_t depth = 1;
    for(const value& item: items) {
        depth = detail::deeper(depth, item);
    }
    return adopt(kind::list, new list_object{std::move(items), how, depth}).with_taint(tainted);
}

TOKENWORKS_FUNCTION value value::dict_of(std::vector<entry> unique_entries, bool tainted) {
    std::size_t depth = 1;
    for(const entry& each: unique_entries) {
        depth = detail::deeper(detail::deeper(depth, each.first), each.second);
    }
    return adopt(kind::dict, new dict_object{std::move(unique_entries), depth}).with_taint(tainted);
}

TOKENWORKS_FUNCTION const value::list_type& value::items() const noexcept {
    return static_cast<const list_object&>(*data_.shared).items;
}

TOKENWORKS_FUNCTION flavour value::how() const noexcept { return static_cast<const list_object&>(*data_.shared).how; }

TOKENWORKS_FUNCTION const std::vector<value::entry>& value::entries() const noexcept {
    return static_cast<const dict_object&>(*data_.shared).entries;
}

TOKENWORKS_FUNCTION std::size_t value::depth() const noexcept {
    if(kind_ == kind::list) {
        return static_cast<const list_object&>(*data_.shared).depth;
    }
    return kind_ == kind::dict ? static_cast<const dict_object&>(*data_.shared).depth : 0;
}

TOKENWORKS_FUNCTION value value::dict(std::vector<std::pair<std::string, value>> entries) {
    // Places sorted by key find equal keys without comparing each with each.
    const std::vector<std::size_t> order = detail::sorted_places(
        entries.size(), [&](std::size_t a, std::size_t b) { return entries[a].first < entries[b].first; });
    std::vector<char> drop(entries.size());
    for(std::size_t i = 0; i < order.size();) {
        std::size_t last = i + 1;
        for(; last < order.size() && entries[order[last]].first == entries[order[i]].first; ++last) {
            drop[order[last]] = 1;
            entries[order[i]].second = entries[order[last]].second; // the later value, at the earlier place
        }
        i = last;
    }
    std::vector<entry> unique;
    unique.reserve(entries.size());
    for(std::size_t i = 0; i < entries.size(); ++i) {
        if(drop[i] == 0) {
            unique.emplace_back(value{entries[i].first}, std::move(entries[i].second));
        }
    }
    return dict_of(std::move(unique), true);
}

TOKENWORKS_FUNCTION std::size_t size_of(const value& v) {
    std::size_t bytes = sizeof(value);
    if(v.is(kind::string)) {
        bytes += v.view().size();
    } else if(v.is(kind::list)) {
        for(const value& each: v.items()) {
            bytes += size_of(each);
        }
    } else if(v.is(kind::dict)) {
        for(const value::entry& each: v.entries()) {
            bytes += size_of(each.first) + size_of(each.second);
        }
    }
    return bytes;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja
