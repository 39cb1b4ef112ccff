// The best meter of energy that this machine has: its own counters where they can be read, a model of it elsewhere.
//
//   runtime::any_meter meter = runtime::best_meter();
//   const runtime::energy_span work{meter};
//   model.generate("Why is the sky blue?").text();
//   std::cout << work.joules().value_or(0) << " J " << to_string(meter.source()) << '\n';
#pragma once

#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include <tokenworks/config.hpp>
#include <tokenworks/runtime/energy_meter.hpp>
#include <tokenworks/runtime/modelled_meter.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

/// One of both meters. One thread at a time.
class any_meter {
public:
    explicit any_meter(rapl_meter meter) : meter_{std::move(meter)} {}
    /// @param obstacle  why nothing better is used
    explicit any_meter(modelled_meter meter, std::string obstacle = {})
        : meter_{std::move(meter)}, obstacle_{std::move(obstacle)} {}

    [[nodiscard]] energy_source source() const {
        return std::visit([](const auto& meter) { return std::decay_t<decltype(meter)>::source; }, meter_);
    }
    /// As the meter's that it holds.
    [[nodiscard]] std::optional<double> joules() {
        return std::visit([](auto& meter) { return meter.joules(); }, meter_);
    }
    /// Why nothing is measured; empty where something is.
    [[nodiscard]] const std::string& obstacle() const noexcept {
        const rapl_meter* const counters = std::get_if<rapl_meter>(&meter_);
        return counters != nullptr ? counters->obstacle() : obstacle_;
    }

private:
    std::variant<rapl_meter, modelled_meter> meter_;
    std::string obstacle_{};
};

/// The machine's counters where this user may read them; otherwise the model, and obstacle() says why.
/// @param folder  where Linux shows its counters
/// @throws argument_error as modelled_meter
[[nodiscard]] inline any_meter best_meter(energy_constants watts = {},
                                          const std::string& folder = "/sys/class/powercap") {
    modelled_meter model{watts};
    rapl_meter counters{folder};
    return counters.obstacle().empty() ? any_meter{std::move(counters)}
                                       : any_meter{std::move(model), counters.obstacle()};
}

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
