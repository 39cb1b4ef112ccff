// What a configuration says, for people and as JSON.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <tokenworks/models/model_config.hpp>

#include "options.hpp"

namespace cli {

/// Names and values, a line each.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> structure_lines(const tw::models::model_config&);
[[nodiscard]] nlohmann::ordered_json structure_json(const tw::models::model_config&);

} // namespace cli
