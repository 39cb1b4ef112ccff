// What the tests of this layer share: a folder that goes away, files in it, messages of refusals, and GGUF bytes put
// together field by field, so that a test can lie in any one of them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

#include <tokenworks/core/error.hpp>

namespace files {

/// A new folder under the system's temporary one, removed with all it holds.
class temporary_folder {
public:
    temporary_folder() {
        std::string name = (std::filesystem::temp_directory_path() / "tokenworks-test-XXXXXX").string();
        if(::mkdtemp(name.data()) == nullptr) {
            throw std::runtime_error("no temporary folder");
        }
        path_ = name;
    }
    temporary_folder(const temporary_folder&) = delete;
    temporary_folder& operator=(const temporary_folder&) = delete;
    ~temporary_folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] std::string operator/(const std::string& name) const { return (path_ / name).string(); }
    [[nodiscard]] std::string string() const { return path_.string(); }

    /// Names of what is in the folder, sorted.
    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> all;
        for(const auto& entry: std::filesystem::directory_iterator(path_)) {
            all.push_back(entry.path().filename().string());
        }
        std::sort(all.begin(), all.end());
        return all;
    }

private:
    std::filesystem::path path_;
};

inline std::span<const std::byte> bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

inline std::string text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline void write(const std::string& path, std::string_view content) {
    std::ofstream{path, std::ios::binary} << content;
}

inline std::string read(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

/// The message of the error that a call ends with; "accepted" where it ends well, another error's text in front of it.
template <class Error, class Call>
std::string refusal(Call&& call) {
    try {
        call();
    } catch(const Error& e) {
        return e.what();
    } catch(const std::exception& e) {
        return std::string{"another type of error: "} + e.what();
    }
    return "accepted";
}

/// Bytes put together in order. Text is copied as it is, numbers little-endian.
class builder {
public:
    template <class T>
    builder& number(T value) {
        char raw[sizeof(T)];
        std::memcpy(raw, &value, sizeof(T));
        bytes_.append(raw, sizeof(T));
        return *this;
    }
    builder& u8(std::uint8_t value) { return number(value); }
    builder& u32(std::uint32_t value) { return number(value); }
    builder& u64(std::uint64_t value) { return number(value); }
    builder& raw(std::string_view text) {
        bytes_ += text;
        return *this;
    }
    builder& text(std::string_view text) { return u64(text.size()).raw(text); }
    builder& pad(std::size_t alignment) {
        bytes_.append((alignment - bytes_.size() % alignment) % alignment, '\0');
        return *this;
    }
    builder& fill(std::size_t count, char value = 'd') {
        bytes_.append(count, value);
        return *this;
    }

    /// A GGUF file's start.
    builder& gguf(std::uint64_t tensors, std::uint64_t values, std::uint32_t version = 3) {
        return raw("GGUF").u32(version).u64(tensors).u64(values);
    }
    builder& value_u32(std::string_view key, std::uint32_t value) { return text(key).u32(4).u32(value); }
    builder& value_text(std::string_view key, std::string_view value) { return text(key).u32(8).text(value); }
    builder& tensor(std::string_view name, std::vector<std::uint64_t> extents, std::uint32_t type,
                    std::uint64_t offset) {
        text(name).u32(static_cast<std::uint32_t>(extents.size()));
        for(const std::uint64_t extent: extents) {
            u64(extent);
        }
        return u32(type).u64(offset);
    }

    [[nodiscard]] const std::string& string() const { return bytes_; }
    [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_of(bytes_); }

private:
    std::string bytes_;
};

/// A small file that is well-formed: every kind of value, three tensors of different types, a gap of padding.
inline std::string sample_gguf(std::uint32_t version = 3) {
    builder b;
    b.gguf(3, 15, version);
    b.value_text("general.architecture", "llama");
    b.text("u8").u32(0).u8(200);
    b.text("i8").u32(1).number(std::int8_t{-3});
    b.text("u16").u32(2).number(std::uint16_t{60000});
    b.text("i16").u32(3).number(std::int16_t{-300});
    b.value_u32("u32", 4'000'000'000);
    b.text("i32").u32(5).number(std::int32_t{-7});
    b.text("f32").u32(6).number(1.5F);
    b.text("bool").u32(7).u8(1);
    b.text("u64").u32(10).u64(std::uint64_t{1} << 60);
    b.text("i64").u32(11).number(-(std::int64_t{1} << 60));
    b.text("f64").u32(12).number(1e300);
    b.text("texts").u32(9).u32(8).u64(3).text("").text("ab").text("c");
    b.text("numbers").u32(9).u32(2).u64(4).number(std::uint16_t{1}).number(std::uint16_t{2});
    b.number(std::uint16_t{3}).number(std::uint16_t{40000});
    b.text("flags").u32(9).u32(7).u64(2).u8(0).u8(1);
    b.tensor("first", {3, 2}, 0, 0).tensor("second", {32, 2}, 8, 32).tensor("third", {5}, 24, 128);
    return b.pad(32).fill(24, 'a').pad(32).fill(68, 'b').pad(32).fill(5, 'c').string();
}

} // namespace files
