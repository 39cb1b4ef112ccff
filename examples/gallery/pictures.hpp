// Pictures as addresses.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <tokenworks/io/picture.hpp>

namespace gallery {

/// A PNG file, or a picture as one, as an address.
[[nodiscard]] std::string png_uri(std::span<const std::byte> file);
[[nodiscard]] std::string png_uri(const tokenworks::io::picture& what);

} // namespace gallery
