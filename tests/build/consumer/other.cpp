#include <tokenworks/tokenworks.hpp>

#include <string_view>

std::string_view version_seen_by_the_other_unit() { return TOKENWORKS_VERSION_STRING; }
