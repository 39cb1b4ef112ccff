// The typed errors of the library. Everything thrown derives from tokenworks::error; nothing aborts or prints.
//
// A file error names the file, the field and the byte offset; a shape error names the operation and both extents.
// Text that comes from a file is escaped before it enters a message (see printable).
#pragma once

#include <cstddef>
#include <cstdint>
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

/// The caller asked to stop, through a callback that returned false or a stop token.
class cancelled_error: public error {
public:
    using error::error;
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

namespace detail {

/// Throws, or ends the program where exceptions are off (core, quant and kernels build with -fno-exceptions).
template <class Error, class... Args>
[[noreturn]] TOKENWORKS_NOINLINE inline void raise(Args&&... args) {
#if TOKENWORKS_EXCEPTIONS
    throw Error(std::forward<Args>(args)...);
#else
    ((void)args, ...);
    std::abort();
#endif
}

} // namespace detail

} // namespace tokenworks::inline TOKENWORKS_ABI
