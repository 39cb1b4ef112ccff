// Metadata of a GGUF file: one value, and views of arrays that convert their elements while reading.
//
// Nothing is copied: values point into the file's bytes and live as long as these. A file of a million empty strings
// must not cost a hundred times its size in memory, so a string array is walked, with one mark every 32 strings.
// Format: ggml, docs/gguf.md.
#pragma once

#include <array>
#include <cmath>
#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/io/byte_cursor.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

/// Type of a metadata value; the numbers are those of the format.
enum class gguf_kind : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

inline constexpr std::array<std::string_view, 13> gguf_kind_names{"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                                                  "bool", "string", "array", "u64", "i64", "f64"};
inline constexpr std::array<std::uint8_t, 13> gguf_kind_bytes{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

[[nodiscard]] constexpr std::string_view name_of(gguf_kind kind) noexcept {
    return gguf_kind_names[static_cast<std::size_t>(kind)];
}

/// Bytes of one value of that kind; 0 for strings and arrays, which carry a length.
[[nodiscard]] constexpr std::uint64_t size_of(gguf_kind kind) noexcept {
    return gguf_kind_bytes[static_cast<std::size_t>(kind)];
}

/// Numbers that metadata can be asked for: integers (not characters), bool, float and double.
template <class T>
concept gguf_number = (std::integral<T> && !std::same_as<T, char> && !std::same_as<T, wchar_t> &&
                       !std::same_as<T, char8_t> && !std::same_as<T, char16_t> && !std::same_as<T, char32_t>) ||
                      std::same_as<T, float> || std::same_as<T, double>;

namespace detail {

/// Calls visit with the value at data, in its own C++ type.
template <class Visit>
decltype(auto) visit_number(gguf_kind kind, const std::byte* data, Visit&& visit) {
    switch(kind) {
    case gguf_kind::u8:
        return visit(load_unaligned<std::uint8_t>(data));
    case gguf_kind::i8:
        return visit(load_unaligned<std::int8_t>(data));
    case gguf_kind::u16:
        return visit(load_unaligned<std::uint16_t>(data));
    case gguf_kind::i16:
        return visit(load_unaligned<std::int16_t>(data));
    case gguf_kind::u32:
        return visit(load_unaligned<std::uint32_t>(data));
    case gguf_kind::i32:
        return visit(load_unaligned<std::int32_t>(data));
    case gguf_kind::f32:
        return visit(load_unaligned<float>(data));
    case gguf_kind::u64:
        return visit(load_unaligned<std::uint64_t>(data));
    case gguf_kind::i64:
        return visit(load_unaligned<std::int64_t>(data));
    case gguf_kind::f64:
        return visit(load_unaligned<double>(data));
    default:
        return visit(load_unaligned<std::uint8_t>(data) != 0);
    }
}

/// Whether values of a kind may be asked for as T at all: integers as integers, floats as floats, bool as bool.
template <gguf_number T>
[[nodiscard]] constexpr bool convertible(gguf_kind kind) noexcept {
    if constexpr(std::same_as<T, bool>) {
        return kind == gguf_kind::boolean;
    } else if constexpr(std::floating_point<T>) {
        return kind == gguf_kind::f32 || kind == gguf_kind::f64;
    } else {
        return size_of(kind) != 0 && kind != gguf_kind::boolean && kind != gguf_kind::f32 && kind != gguf_kind::f64;
    }
}

/// Whether a value keeps its meaning as T: integers exactly, finite floats finitely.
template <gguf_number T, gguf_number From>
[[nodiscard]] constexpr bool representable(From value) noexcept {
    if constexpr(std::same_as<T, bool> || std::same_as<From, bool>) {
        return std::same_as<T, From>;
    } else if constexpr(std::floating_point<T> && std::floating_point<From>) {
        return !std::isfinite(value) || std::abs(value) <= std::numeric_limits<T>::max();
    } else if constexpr(std::floating_point<T> || std::floating_point<From>) {
        return false;
    } else {
        return std::in_range<T>(value);
    }
}

/// The value at data as T; where it cannot be, some value.
template <gguf_number T>
[[nodiscard]] T convert_number(gguf_kind kind, const std::byte* data) noexcept {
    return visit_number(kind, data, [](auto value) { return static_cast<T>(value); });
}

} // namespace detail

/// A random access iterator over a small view with operator[] that returns by value. It holds a copy of the view, so it
/// may outlive it (not what it looks at).
template <class View>
class index_iterator {
public:
    using value_type = typename View::value_type;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::random_access_iterator_tag;

    index_iterator() = default;
    index_iterator(const View& view, std::size_t at) noexcept : view_{view}, at_{static_cast<std::ptrdiff_t>(at)} {}

    value_type operator*() const noexcept { return view_[static_cast<std::size_t>(at_)]; }
    value_type operator[](difference_type n) const { return *(*this + n); }
    index_iterator& operator++() noexcept { return *this += 1; }
    index_iterator& operator--() noexcept { return *this -= 1; }
    index_iterator operator++(int) noexcept { return std::exchange(*this, *this + 1); }
    index_iterator operator--(int) noexcept { return std::exchange(*this, *this - 1); }
    index_iterator& operator+=(difference_type n) noexcept {
        at_ += n;
        return *this;
    }
    index_iterator& operator-=(difference_type n) noexcept { return *this += -n; }
    friend index_iterator operator+(index_iterator i, difference_type n) noexcept { return i += n; }
    friend index_iterator operator+(difference_type n, index_iterator i) noexcept { return i += n; }
    friend index_iterator operator-(index_iterator i, difference_type n) noexcept { return i -= n; }
    friend difference_type operator-(index_iterator a, index_iterator b) noexcept { return a.at_ - b.at_; }
    friend bool operator==(index_iterator a, index_iterator b) noexcept { return a.at_ == b.at_; }
    friend auto operator<=>(index_iterator a, index_iterator b) noexcept { return a.at_ <=> b.at_; }

private:
    View view_{};
    std::ptrdiff_t at_ = 0;
};

/// An array of numbers in a file, read as T whatever its element type and alignment. A view: copy it freely.
template <gguf_number T>
class array_view {
public:
    using value_type = T;

    array_view() = default;
    /// @pre every element is representable as T, and data has count * size_of(kind) bytes
    array_view(const std::byte* data, std::size_t count, gguf_kind kind) noexcept
        : data_{data}, count_{count}, kind_{kind} {}

    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
    /// @pre i < size()
    [[nodiscard]] T operator[](std::size_t i) const noexcept {
        return detail::convert_number<T>(kind_, data_ + i * static_cast<std::size_t>(size_of(kind_)));
    }
    [[nodiscard]] index_iterator<array_view> begin() const noexcept { return {*this, 0}; }
    [[nodiscard]] index_iterator<array_view> end() const noexcept { return {*this, count_}; }
    [[nodiscard]] std::vector<T> to_vector() const { return {begin(), end()}; }

private:
    const std::byte* data_ = nullptr;
    std::size_t count_ = 0;
    gguf_kind kind_ = gguf_kind::u8;
};

/// An array of strings in a file. Walking it costs nothing; operator[] walks at most 31 strings. The texts live as long
/// as the file; bytes are as the file has them (maybe no UTF-8, maybe with NUL inside).
class string_array {
public:
    using value_type = std::string_view;
    static constexpr std::size_t stride = 32;

    class iterator {
    public:
        using value_type = std::string_view;
        using difference_type = std::ptrdiff_t;
        using iterator_concept = std::forward_iterator_tag;

        iterator() = default;
        iterator(const std::byte* at, std::size_t left) noexcept : at_{at}, left_{left} {}
        std::string_view operator*() const noexcept { return {reinterpret_cast<const char*>(at_) + 8, length()}; }
        iterator& operator++() noexcept {
            at_ += 8 + length();
            --left_;
            return *this;
        }
        iterator operator++(int) noexcept {
            const iterator old = *this;
            ++*this;
            return old;
        }
        [[nodiscard]] const std::byte* position() const noexcept { return at_; }
        friend bool operator==(iterator a, iterator b) noexcept { return a.left_ == b.left_; }

    private:
        [[nodiscard]] std::size_t length() const noexcept {
            return static_cast<std::size_t>(load_unaligned<std::uint64_t>(at_));
        }
        const std::byte* at_ = nullptr;
        std::size_t left_ = 0;
    };

    string_array() = default;
    /// @pre data holds count strings, each with its length (u64) before it, all checked
    string_array(const std::byte* data, std::size_t count) : data_{data}, count_{count} {
        marks_.reserve(count / stride + 1);
        std::size_t i = 0;
        for(iterator at = begin(); at != end(); ++at, ++i) {
            if(i % stride == 0) {
                marks_.push_back(static_cast<std::uint64_t>(at.position() - data_));
            }
        }
    }

    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
    [[nodiscard]] iterator begin() const noexcept { return {data_, count_}; }
    [[nodiscard]] iterator end() const noexcept { return {nullptr, 0}; }
    /// @pre i < size()
    [[nodiscard]] std::string_view operator[](std::size_t i) const noexcept {
        iterator at{data_ + marks_[i / stride], count_ - i / stride * stride};
        for(std::size_t n = i % stride; n > 0; --n) {
            ++at;
        }
        return *at;
    }

private:
    const std::byte* data_ = nullptr;
    std::size_t count_ = 0;
    std::vector<std::uint64_t> marks_;
};

namespace detail {

template <class T>
struct array_element {
    using type = void;
};
template <class T>
struct array_element<array_view<T>> {
    using type = T;
};
template <class T>
struct array_element<std::vector<T>> {
    using type = T;
};

} // namespace detail

/// What gguf_value::to and gguf_file::get can be asked for: a number, bool, std::string_view, std::string,
/// array_view<number>, string_array, and a std::vector of numbers or of std::string.
template <class T>
concept gguf_gettable = gguf_number<T> || std::same_as<T, std::string_view> || std::same_as<T, std::string> ||
    std::same_as<T, string_array> || gguf_number<typename detail::array_element<T>::type> ||
    std::same_as<T, std::vector<std::string>>;

/// What messages call a type that metadata is asked for: "u32", "string", "array of f32".
template <gguf_gettable T>
[[nodiscard]] std::string wanted_name() {
    if constexpr(std::same_as<T, bool>) {
        return "bool";
    } else if constexpr(gguf_number<T>) {
        constexpr const char* letter = std::floating_point<T> ? "f" : std::unsigned_integral<T> ? "u" : "i";
        return tokenworks::detail::message({letter, 8 * sizeof(T)});
    } else if constexpr(std::same_as<T, std::string_view> || std::same_as<T, std::string>) {
        return "string";
    } else if constexpr(std::same_as<T, string_array> || std::same_as<T, std::vector<std::string>>) {
        return "array of string";
    } else {
        return "array of " + wanted_name<typename detail::array_element<T>::type>();
    }
}

/// One key with its value. Points into the file.
class gguf_value {
public:
    /// @pre payload is what the format says for kind (and for element and count, of an array), already checked
    gguf_value(std::string_view key, gguf_kind kind, gguf_kind element, std::uint64_t count,
               std::span<const std::byte> payload, std::uint64_t offset) noexcept
        : key_{key}, payload_{payload}, count_{count}, offset_{offset}, kind_{kind}, element_{element} {}

    [[nodiscard]] std::string_view key() const noexcept { return key_; }
    [[nodiscard]] gguf_kind kind() const noexcept { return kind_; }
    [[nodiscard]] bool is_array() const noexcept { return kind_ == gguf_kind::array; }
    /// Type of an array's elements; of anything else, kind().
    [[nodiscard]] gguf_kind element_kind() const noexcept { return element_; }
    /// Elements of an array; 1 for anything else.
    [[nodiscard]] std::uint64_t size() const noexcept { return count_; }
    /// Where the value starts, bytes from the start of its file.
    [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }
    /// The value as the file has it: a number, a string without its length, or an array's elements (strings among
    /// them with their lengths).
    [[nodiscard]] std::span<const std::byte> payload() const noexcept { return payload_; }

    /// "u32", "array of string" and so on.
    [[nodiscard]] std::string type_name() const {
        return is_array() ? "array of " + std::string{name_of(element_)} : std::string{name_of(kind_)};
    }

    /// Whether the value has a type that to<T>() takes. Its range is another matter.
    template <gguf_gettable T>
    [[nodiscard]] bool is() const noexcept {
        if constexpr(gguf_number<T>) {
            return !is_array() && detail::convertible<T>(kind_);
        } else if constexpr(std::same_as<T, std::string_view> || std::same_as<T, std::string>) {
            return kind_ == gguf_kind::string;
        } else if constexpr(std::same_as<T, string_array> || std::same_as<T, std::vector<std::string>>) {
            return is_array() && element_ == gguf_kind::string;
        } else {
            return is_array() && detail::convertible<typename detail::array_element<T>::type>(element_);
        }
    }

    /// The value as T, or nothing where it has another type or a number does not fit.
    template <gguf_gettable T>
    [[nodiscard]] std::optional<T> to() const {
        if(!is<T>()) {
            return std::nullopt;
        }
        if constexpr(gguf_number<T>) {
            return fits<T>(payload_.data()) ? std::optional{detail::convert_number<T>(kind_, payload_.data())}
                                            : std::nullopt;
        } else if constexpr(std::same_as<T, std::string_view> || std::same_as<T, std::string>) {
            return T{as_text(payload_)};
        } else if constexpr(std::same_as<T, string_array>) {
            return string_array{payload_.data(), static_cast<std::size_t>(count_)};
        } else if constexpr(std::same_as<T, std::vector<std::string>>) {
            const string_array all{payload_.data(), static_cast<std::size_t>(count_)};
            return std::vector<std::string>(all.begin(), all.end());
        } else {
            return to_array<T>();
        }
    }

private:
    template <class T>
    [[nodiscard]] bool fits(const std::byte* data) const noexcept {
        return detail::visit_number(element_, data, [](auto value) { return detail::representable<T>(value); });
    }

    template <class T>
    [[nodiscard]] std::optional<T> to_array() const {
        using element = typename detail::array_element<T>::type;
        const std::size_t step = static_cast<std::size_t>(size_of(element_));
        for(std::size_t at = 0; at < payload_.size(); at += step) {
            if(!fits<element>(payload_.data() + at)) {
                return std::nullopt;
            }
        }
        const array_view<element> view{payload_.data(), static_cast<std::size_t>(count_), element_};
        if constexpr(std::same_as<T, array_view<element>>) {
            return view;
        } else {
            return view.to_vector();
        }
    }

    std::string_view key_;
    std::span<const std::byte> payload_;
    std::uint64_t count_;
    std::uint64_t offset_;
    gguf_kind kind_;
    gguf_kind element_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::io
