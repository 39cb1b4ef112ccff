// How much energy the processor says it has used: the counters of Intel and AMD (RAPL) that Linux shows as files.
//
//   runtime::rapl_meter meter;
//   const runtime::energy_span work{meter};
//   model.generate("Why is the sky blue?").text();
//   if(const auto joules = work.joules()) std::cout << *joules << " J " << to_string(meter.source) << '\n';
//   else std::cout << "not measurable here: " << meter.obstacle() << '\n';
//
// A counter is the whole processor's: what other programs do meanwhile is in it. What has no counter (the power supply,
// disks, often the memory) is not. Source: the Linux kernel, Documentation/power/powercap/powercap.rst.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/runtime/machine_memory.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

/// Where a number of joules comes from. What is shown to people says which.
enum class energy_source {
    measured, ///< by a counter of the machine
    modelled, ///< from seconds, by constants
};

/// "measured", "modelled".
[[nodiscard]] constexpr std::string_view to_string(energy_source source) noexcept {
    return source == energy_source::measured ? "measured" : "modelled";
}

/// joules(): since the meter was made, or nothing where that cannot be told; never less than before. Where they come
/// from is a constant of the type (M::source), or asked of the meter (meter.source()).
template <class M>
concept energy_meter = requires(M& meter) {
    { meter.joules() } -> std::same_as<std::optional<double>>;
}
&&(
    requires {
        { M::source } -> std::convertible_to<energy_source>;
    } ||
    requires(const M& meter) {
        { meter.source() } -> std::same_as<energy_source>;
    });

/// The energy of all processor packages, and of the memory where it is counted apart from these.
///
/// A counter starts again from zero behind its largest value, at high power after some minutes: joules() must be called
/// more often than that. Counters whose files this user may not read (Linux lets root alone, unless told otherwise) and
/// machines without any make no errors: there are no joules then, and obstacle() says why.
class rapl_meter {
public:
    static constexpr energy_source source = energy_source::measured;

    /// @param folder  where Linux shows its counters
    explicit rapl_meter(const std::string& folder = "/sys/class/powercap") : folder_{folder} {
        std::error_code none;
        for(std::filesystem::directory_iterator at{folder, none}, end; at != end; at.increment(none)) {
            const std::string name = at->path().filename().string();
            if(is_counted(name, detail::text_of(at->path().string() + "/name"))) {
                zones_.push_back({name});
            }
        }
        std::ranges::sort(zones_, {}, &zone::name);
        if(zones_.empty()) {
            obstacle_ = "no RAPL counters in " + folder;
        }
        for(zone& each: zones_) {
            each.most = number(each, "max_energy_range_uj").value_or(0);
            const std::optional<std::uint64_t> now = number(each, "energy_uj");
            if(!now) {
                obstacle_ = folder + "/" + each.name + "/energy_uj cannot be read";
            }
            each.last = now.value_or(0);
        }
    }

    /// Nothing where a counter cannot be read, from then on.
    [[nodiscard]] std::optional<double> joules() {
        for(zone& each: zones_) {
            const std::optional<std::uint64_t> now = number(each, "energy_uj");
            if(!now || (*now < each.last && each.most < each.last)) {
                obstacle_ = folder_ + "/" + each.name + "/energy_uj " +
                            (now ? "went back, and its range is not known" : "cannot be read");
            }
            if(!obstacle_.empty()) {
                return std::nullopt;
            }
            microjoules_ += *now < each.last ? each.most - each.last + *now : *now - each.last;
            each.last = *now;
        }
        return obstacle_.empty() ? std::optional{static_cast<double>(microjoules_) * 1e-6} : std::nullopt;
    }

    /// Why there are no joules; empty where there are.
    [[nodiscard]] const std::string& obstacle() const noexcept { return obstacle_; }
    /// Counters that are added up.
    [[nodiscard]] std::size_t counters() const noexcept { return zones_.size(); }

private:
    struct zone {
        std::string name;       // of its folder
        std::uint64_t last = 0; // microjoules
        std::uint64_t most = 0; // before it starts again
    };

    /// intel-rapl:0 is a package, or the whole system, which would be counted twice. intel-rapl:0:1 is a part of it:
    /// the cores, which the package's counter has in it, or the memory, which it has not.
    [[nodiscard]] static bool is_counted(std::string_view folder, std::string_view kind) {
        constexpr std::string_view prefix = "intel-rapl:";
        if(!folder.starts_with(prefix)) {
            return false;
        }
        const bool is_part = folder.substr(prefix.size()).find(':') != folder.npos;
        return kind.starts_with(is_part ? "dram" : "package");
    }

    [[nodiscard]] std::optional<std::uint64_t> number(const zone& of, const char* file) const {
        return detail::number_behind(detail::text_of(folder_ + "/" + of.name + "/" + file), "");
    }

    std::string folder_;
    std::vector<zone> zones_{};
    std::uint64_t microjoules_ = 0;
    std::string obstacle_{};
};

/// What a meter counts from here on. Refers to it.
template <energy_meter M>
class energy_span {
public:
    explicit energy_span(M& meter) : meter_{&meter}, begin_{meter.joules()} {}

    /// So far, or nothing where that cannot be told.
    [[nodiscard]] std::optional<double> joules() const {
        const std::optional<double> now = meter_->joules();
        return begin_ && now ? std::optional{*now - *begin_} : std::nullopt;
    }

private:
    M* meter_;
    std::optional<double> begin_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
