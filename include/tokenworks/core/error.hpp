// The typed errors of the library. Everything thrown derives from tokenworks::error; nothing aborts or prints.
//
// A file error names the file, the field and the byte offset; a shape error names the operation and both extents.
// Text that comes from a file is escaped before it enters a message (see printable).
//
// A place that fails lists the parts of its message: raise<shape_error>({"x has K=", k}). The text is put together in
// one function out of line. Adding up std::string there costs every user's compiler temporaries and exception edges.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <tokenworks/config.hpp>

#if !TOKENWORKS_EXCEPTIONS
#include <cstdlib>
#endif

namespace tokenworks::inline TOKENWORKS_ABI {

/// Base of every exception the library throws.
class error: public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Extents that do not fit together, in an operation on tensors.
class shape_error: public error {
public:
    using error::error;
};

/// A value that a caller passed is outside of what the function accepts.
class argument_error: public error {
public:
    using error::error;
};

/// Something valid that this build, machine or version does not offer (an instruction set, a type, an architecture).
class unsupported_error: public error {
public:
    using error::error;
};

/// A documented limit was passed (see core/limits.hpp); the input may be well-formed.
class limit_error: public error {
public:
    using error::error;
};

/// A sequence reached the end of its context, or a cache its capacity.
class capacity_error: public error {
public:
    using error::error;
};

/// More work is waiting than was agreed to: the same call may succeed later.
class overload_error: public error {
public:
    using error::error;
};

/// The caller asked to stop, through a callback that returned false or a stop token.
class cancelled_error: public error {
public:
    using error::error;
};

/// A chat template could not run on a conversation, or refused it (raise_exception): names the file and the line.
class template_error: public argument_error {
public:
    /// @param said  the reason; it is made safe to print for what()
    template_error(const std::string& file, std::uint32_t line, std::string said)
        : argument_error{compose(file, line, said)}, line_{line}, said_{std::move(said)} {}

    /// Of the template, from 1.
    [[nodiscard]] std::uint32_t line() const noexcept { return line_; }
    /// The reason alone; what the template gave to raise_exception stands here as it was.
    [[nodiscard]] const std::string& said() const noexcept { return said_; }

private:
    static std::string compose(const std::string& file, std::uint32_t line, const std::string& said);

    std::uint32_t line_;
    std::string said_;
};

/// The operating system refused: names the file and the reason.
class io_error: public error {
public:
    io_error(std::string file, const std::string& what) : error{file + ": " + what}, file_{std::move(file)} {}

    [[nodiscard]] const std::string& file() const noexcept { return file_; }

private:
    std::string file_;
};

/// A file's content is malformed: names the file, the field and the byte offset.
class format_error: public error {
public:
    static constexpr std::uint64_t no_offset = ~std::uint64_t{0};

    format_error(std::string file, std::string field, std::uint64_t offset, const std::string& what)
        : error{compose(file, field, offset, what)},
          file_{std::move(file)},
          field_{std::move(field)},
          offset_{offset} {}

    [[nodiscard]] const std::string& file() const noexcept { return file_; }
    [[nodiscard]] const std::string& field() const noexcept { return field_; }
    /// Bytes from the start of the file, or no_offset where the error is not at one place.
    [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }

private:
    static std::string compose(const std::string& file, const std::string& field, std::uint64_t offset,
                               const std::string& what) {
        std::string text = file.empty() ? std::string{"<memory>"} : file;
        if(!field.empty()) {
            text += ": " + field;
        }
        if(offset != no_offset) {
            text += " at offset " + std::to_string(offset);
        }
        return text + ": " + what;
    }

    std::string file_;
    std::string field_;
    std::uint64_t offset_;
};

/// Makes text from a file safe to print: control characters and bytes above 126 become \xNN, long text is cut.
[[nodiscard]] inline std::string printable(std::string_view text, std::size_t most = 80) {
    constexpr char digits[] = "0123456789abcdef";
    std::string out;
    for(const char c: text.substr(0, most)) {
        const auto byte = static_cast<unsigned char>(c);
        if(byte < 32 || byte > 126) {
            out += "\\x";
            out += digits[byte >> 4];
            out += digits[byte & 15];
        } else {
            out += c;
        }
    }
    return text.size() > most ? out + "..." : out;
}

inline std::string template_error::compose(const std::string& file, std::uint32_t line, const std::string& said) {
    std::string text = file.empty() ? std::string{"<memory>"} : file;
    text += ": tokenizer.chat_template: line " + std::to_string(line) + ": ";
    return text + printable(said, 400);
}

namespace detail {

/// A piece of a message: a text that it only refers to, or a number. Written as std::to_string writes numbers.
class message_part {
public:
    message_part(const char* text) noexcept : c_string_{text}, kind_{kind::c_string} {}
    message_part(std::string_view text) noexcept : text_{text.data()}, size_{text.size()}, kind_{kind::text} {}
    message_part(const std::string& text) noexcept : text_{text.data()}, size_{text.size()}, kind_{kind::text} {}
    // Shorter integers and float become these by promotion.
    message_part(int value) noexcept : signed_{value}, kind_{kind::signed_number} {}
    message_part(long value) noexcept : signed_{value}, kind_{kind::signed_number} {}
    message_part(long long value) noexcept : signed_{value}, kind_{kind::signed_number} {}
    message_part(unsigned value) noexcept : unsigned_{value}, kind_{kind::unsigned_number} {}
    message_part(unsigned long value) noexcept : unsigned_{value}, kind_{kind::unsigned_number} {}
    message_part(unsigned long long value) noexcept : unsigned_{value}, kind_{kind::unsigned_number} {}
    message_part(double value) noexcept : real_{value}, kind_{kind::real_number} {}
    message_part(bool) = delete;
    message_part(char) = delete;
    message_part(std::nullptr_t) = delete;

    friend message_part escaped(std::string_view text) noexcept;

    void append_to(std::string& out) const {
        switch(kind_) {
        case kind::c_string:
            out += c_string_;
            break;
        case kind::text:
            out.append(text_, size_);
            break;
        case kind::escaped:
            out += printable({text_, size_});
            break;
        case kind::signed_number:
            out += std::to_string(signed_);
            break;
        case kind::unsigned_number:
            out += std::to_string(unsigned_);
            break;
        case kind::real_number:
            out += std::to_string(real_);
            break;
        }
    }

private:
    enum class kind : unsigned char { c_string, text, escaped, signed_number, unsigned_number, real_number };

    union {
        const char* c_string_;
        const char* text_;
        long long signed_;
        unsigned long long unsigned_;
        double real_;
    };
    std::size_t size_ = 0;
    kind kind_;
};

/// A text from a file: it enters the message as printable() gives it.
[[nodiscard]] inline message_part escaped(std::string_view text) noexcept {
    message_part part{text};
    part.kind_ = message_part::kind::escaped;
    return part;
}

using message_parts = std::initializer_list<message_part>;

/// The parts, one after the other.
[[nodiscard]] TOKENWORKS_NOINLINE inline std::string message(message_parts parts) {
    std::string text;
    for(const message_part& part: parts) {
        part.append_to(text);
    }
    return text;
}

/// Throws, or ends the program where exceptions are off (core, quant and kernels build with -fno-exceptions).
template <class Error, class... Args>
[[noreturn]] TOKENWORKS_COLD inline void raise(Args&&... args) {
#if TOKENWORKS_EXCEPTIONS
    throw Error(std::forward<Args>(args)...);
#else
    ((void)args, ...);
    std::abort();
#endif
}

/// The same, with a message of these parts.
template <class Error>
[[noreturn]] TOKENWORKS_COLD inline void raise(message_parts parts) {
#if TOKENWORKS_EXCEPTIONS
    throw Error(message(parts));
#else
    (void)parts;
    std::abort();
#endif
}

[[noreturn]] TOKENWORKS_COLD inline void raise_io(std::string_view file, message_parts what) {
    raise<io_error>(std::string{file}, message(what));
}

[[noreturn]] TOKENWORKS_COLD inline void raise_format(std::string_view file, message_parts field, std::uint64_t offset,
                                                      message_parts what) {
    raise<format_error>(std::string{file}, message(field), offset, message(what));
}

} // namespace detail

} // namespace tokenworks::inline TOKENWORKS_ABI
