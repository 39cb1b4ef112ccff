// An input that a model file carries, and what a right model makes of it.
//
//   tokenworks::forecaster::load("forecaster.gguf", {.replay_check = true});   // or throws format_error
//
// Loading replays it where load_options::replay_check says so: by default in debug builds, that is where the unit that
// loads is compiled without NDEBUG. `tokenworks info --verify` replays it in every build.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/runtime/text_model.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

/// How far a right model may be from what its file says: sets of instructions differ, more so in eight bits.
struct check_bound {
    double most;
    std::string_view unit;
};

/// The largest difference of two results; infinity where one has more values, or a value is no number.
[[nodiscard]] inline double largest_difference(std::span<const float> found, std::span<const float> expected) noexcept {
    double worst = found.size() == expected.size() ? 0 : std::numeric_limits<double>::infinity();
    for(std::size_t i = 0; i < std::min(found.size(), expected.size()); ++i) {
        const double difference = std::abs(static_cast<double>(found[i]) - static_cast<double>(expected[i]));
        worst = difference <= worst      ? worst
                : std::isnan(difference) ? std::numeric_limits<double>::infinity()
                                         : difference;
    }
    return worst;
}

/// @param path  of the file, for the error
/// @throws format_error where the difference is more than may be, or no number
inline void require_checked(const std::string& path, double difference, const check_bound& bound) {
    if(!(difference <= bound.most)) {
        tokenworks::detail::raise_format(
            path, {"check.output"}, format_error::no_offset,
            {"the model makes something else of the input that it carries: a difference of ", difference, " ",
             bound.unit, ", at most ", bound.most, " are expected"});
    }
}

/// The same of a model that has just been loaded; a file that carries no input passes.
/// @param model  has `self_check()`, and `check_bound`
template <class Model>
void replay_check(const Model& model, const std::string& path, const load_options& options) {
    if(!options.wants_check()) {
        return;
    }
    if(const std::optional<double> difference = model.self_check()) {
        require_checked(path, *difference, Model::check_bound);
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
