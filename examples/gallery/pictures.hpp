// Pictures as addresses.
#pragma once

#include <string>

#include <tokenworks/io/picture.hpp>

namespace gallery {

/// A PNG file as an address.
[[nodiscard]] std::string png_uri(const tokenworks::io::picture& what);

} // namespace gallery
