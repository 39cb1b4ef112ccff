// The kinds of output that the gallery shows, a function each.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <tokenworks/runtime/energy_meter.hpp>
#include <tokenworks/runtime/text_model.hpp>

#include "page.hpp"

namespace gallery {

namespace tw = tokenworks;

/// What all of them work with.
struct studio {
    tw::load_options load; ///< of every model: they share a team of threads
    std::uint64_t seed = 0;
    std::string models;     ///< a folder in place of that of the shipped models, or empty
    std::string text_model; ///< a file or a folder, or empty
    tw::runtime::rapl_meter meter;

    /// The file of a shipped model.
    [[nodiscard]] std::string model(const std::string& name) const;
};

/// A piece of work, from when it is made, with what it costs.
class work {
public:
    explicit work(studio& in) : energy_{in.meter} {}

    /// The seed, what was made, how fast, and of what energy; all so far.
    /// @param what  what is counted: "Tokens"
    [[nodiscard]] std::vector<fact> facts(const std::string& seed, const std::string& what, std::size_t count) const;

private:
    using clock = std::chrono::steady_clock;

    tw::runtime::energy_span<tw::runtime::rapl_meter> energy_;
    clock::time_point begin_ = clock::now();
};

/// Joules as people read them.
[[nodiscard]] fact energy_fact(const tw::runtime::energy_span<tw::runtime::rapl_meter>& spent);

section numbers(studio& in);
section words(studio& in);
section proteins(studio& in);
section images(studio& in);
section videos(studio& in);
section meshes(studio& in);
section grammars(studio& in);

} // namespace gallery
