// Pictures from files, where the program was built with a library that reads them.
#pragma once

#include <string>

#include <tokenworks/models/image_resize.hpp>

#include "options.hpp"

namespace cli {

/// The pixels of a PNG or JPEG file.
/// @throws tw::io_error; tw::unsupported_error for what is no such file, and where there is nothing to read it with;
///         tw::limit_error for one of more than 64 million pixels
[[nodiscard]] tw::models::rgb_image read_picture(const std::string& path);

} // namespace cli
