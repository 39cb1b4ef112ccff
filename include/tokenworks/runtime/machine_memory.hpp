// How much memory a program can still take on this machine.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>

#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

namespace detail {

/// The number behind a name, as in /proc/meminfo and memory.stat; nothing where there is none.
[[nodiscard]] inline std::optional<std::uint64_t> number_behind(std::string_view text, std::string_view name) {
    for(std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        std::string_view line = text.substr(at, end - at);
        at = end + 1;
        if(!line.starts_with(name)) {
            continue;
        }
        line.remove_prefix(name.size());
        const std::size_t digits = line.find_first_not_of(' ');
        line.remove_prefix(std::min(digits, line.size()));
        std::uint64_t value = 0;
        const auto [last, problem] = std::from_chars(line.data(), line.data() + line.size(), value);
        return problem == std::errc{} ? std::optional{value} : std::nullopt;
    }
    return std::nullopt;
}

[[nodiscard]] inline std::string text_of(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream{path, std::ios::binary}.rdbuf();
    return text.str();
}

} // namespace detail

/// Bytes that are free, or that the system would free: what Linux calls available, and what the control group of
/// version 2 that is mounted at `group` leaves. Nothing where the system does not tell.
[[nodiscard]] inline std::optional<std::uint64_t> available_memory(const std::string& meminfo = "/proc/meminfo",
                                                                   const std::string& group = "/sys/fs/cgroup") {
    std::optional<std::uint64_t> available = detail::number_behind(detail::text_of(meminfo), "MemAvailable:");
    if(available) {
        *available *= 1024;
    }
    const auto most = detail::number_behind(detail::text_of(group + "/memory.max"), ""); // "max": no bound
    const auto now = detail::number_behind(detail::text_of(group + "/memory.current"), "");
    if(most && now) {
        const auto files = detail::number_behind(detail::text_of(group + "/memory.stat"), "inactive_file ");
        const std::uint64_t taken = *now - std::min(*now, files.value_or(0));
        const std::uint64_t left = *most - std::min(*most, taken);
        available = std::min(available.value_or(left), left);
    }
    return available;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
