// The style sheet and the script of the page, from gallery.css and gallery.js.
#pragma once

#include <string_view>

namespace gallery {

extern const std::string_view style;
extern const std::string_view script;

} // namespace gallery
