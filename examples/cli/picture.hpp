// Pictures in files, where the program was built with a library that reads and writes them.
#pragma once

#include <cstddef>
#include <string>

#include <tokenworks/io/picture.hpp>
#include <tokenworks/models/image_resize.hpp>

#include "options.hpp"

namespace cli {

/// The pixels of a PNG or JPEG file.
/// @throws tw::io_error; tw::unsupported_error for what is no such file, and where there is nothing to read it with;
///         tw::limit_error for one of more than 64 million pixels
[[nodiscard]] tw::models::rgb_image read_picture(const std::string& path);

/// As tw::io::read_png and write_png.
/// @throws tw::unsupported_error where the program was built without libpng
[[nodiscard]] tw::io::picture read_png(const std::string& path, std::size_t channels);
void write_png(const std::string& path, const tw::io::picture& what);

} // namespace cli
