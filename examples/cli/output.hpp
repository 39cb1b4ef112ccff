// Files that subcommands write: whole or not at all.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include <tokenworks/io/atomic_file.hpp>

#include "options.hpp"

namespace cli {

/// @throws tw::io_error; the old file stays then
inline void write_file(const std::string& path, std::string_view content) {
    tw::io::write_whole(path, std::as_bytes(std::span{content.data(), content.size()}));
}

/// A folder for numbered files, made where it is missing.
/// @throws tw::io_error
inline void make_folder(const std::string& path) {
    std::error_code problem;
    std::filesystem::create_directories(path, problem);
    if(problem) {
        throw tw::io_error(path, "cannot make the folder: " + problem.message());
    }
}
/// FOLDER/0000.png and so on.
[[nodiscard]] inline std::string numbered_file(const std::string& folder, std::size_t number,
                                               const std::string& ending) {
    std::string digits = std::to_string(number);
    digits.insert(0, 4 - std::min<std::size_t>(4, digits.size()), '0');
    return (std::filesystem::path{folder} / (digits + "." + ending)).string();
}

/// The header of a version 1.0 .npy file of float32 [rows, columns] (numpy.lib.format).
[[nodiscard]] inline std::string npy_header(std::size_t rows, std::size_t columns) {
    std::string text = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(rows) + ", " +
                       std::to_string(columns) + "), }";
    text.resize((10 + text.size() + 1 + 63) / 64 * 64 - 11, ' ');
    text += '\n';
    std::string header{"\x93NUMPY\x01\x00", 8};
    header += static_cast<char>(text.size() & 0xff);
    header += static_cast<char>(text.size() >> 8);
    return header + text;
}

[[nodiscard]] inline double seconds_since(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

} // namespace cli
