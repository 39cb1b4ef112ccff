// Pictures out of noise, step by step: DDIM for models that tell the noise, Euler's method for models that tell a flow.
//
//   const sampling::ddim steps{50};
//   for(std::size_t i = 0; i < steps.size(); ++i) {
//       tell(x, steps.time(i), noise);        // the model
//       steps.advance(i, noise, x);
//   }
//
// Song et al., "Denoising Diffusion Implicit Models", 2021, without noise in between (eta 0), on the schedule of DiT's
// code (commit ed81ce2, diffusion/gaussian_diffusion.py, linear, and respace.py, "ddimN"); Lipman et al., "Flow
// Matching for Generative Modeling", 2023, on the straight paths of SiT: x_t = (1 - t) * noise + t * picture. Both are
// deterministic: the seed is in the noise that one begins with.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::sampling {

/// The noise of training: betas that rise evenly.
struct noise_schedule {
    std::size_t times = 1000; ///< steps of training
    double first = 1e-4;
    double last = 0.02;
};

namespace detail {

inline void require_same_size(const char* operation, std::span<const float> told, std::span<const float> x) {
    if(told.size() != x.size()) {
        tokenworks::detail::raise<shape_error>(
            {operation, ": the model told ", told.size(), " values, x has ", x.size()});
    }
}

} // namespace detail

/// Some steps of the training's, evenly apart, from the noisiest to none.
class ddim {
public:
    /// @param steps  that evenly divide the training's, as a stride does: DiT's code asks for the same
    /// @throws argument_error where no stride gives so many
    explicit ddim(std::size_t steps, const noise_schedule& schedule = {}) {
        std::size_t stride = 0;
        for(std::size_t each = 1; each <= schedule.times && steps != 0; ++each) {
            if((schedule.times + each - 1) / each == steps) {
                stride = each;
                break;
            }
        }
        if(stride == 0 || !(schedule.first > 0 && schedule.last < 1 && schedule.first <= schedule.last)) {
            tokenworks::detail::raise<argument_error>(
                {"ddim: ", schedule.times, " steps of training cannot be made ", steps});
        }
        double kept = 1;
        for(std::size_t t = 0; t < schedule.times; ++t) {
            const double part =
                schedule.times == 1 ? 0 : static_cast<double>(t) / static_cast<double>(schedule.times - 1);
            kept *= 1 - (schedule.first + (schedule.last - schedule.first) * part);
            if(t % stride == 0) {
                times_.push_back(t);
                kept_.push_back(kept);
            }
        }
    }

    [[nodiscard]] std::size_t size() const noexcept { return times_.size(); }
    /// What the model is told before step i: a time of training.
    [[nodiscard]] float time(std::size_t i) const noexcept { return static_cast<float>(times_[size() - 1 - i]); }

    /// @param i      of size() steps
    /// @param noise  that the model tells of x at time(i)
    /// @param x      moves on
    /// @throws shape_error; argument_error for a step that there is not
    void advance(std::size_t i, std::span<const float> noise, std::span<float> x) const {
        detail::require_same_size("ddim", noise, x);
        if(i >= size()) {
            tokenworks::detail::raise<argument_error>({"ddim: step ", i, " of ", size()});
        }
        const std::size_t place = size() - 1 - i;
        const double now = kept_[place];
        const double next = place == 0 ? 1 : kept_[place - 1];
        for(std::size_t n = 0; n < x.size(); ++n) {
            const auto told = static_cast<double>(noise[n]);
            const double clean = (static_cast<double>(x[n]) - std::sqrt(1 - now) * told) / std::sqrt(now);
            x[n] = static_cast<float>(std::sqrt(next) * clean + std::sqrt(1 - next) * told);
        }
    }

private:
    std::vector<std::size_t> times_; // rising
    std::vector<double> kept_;       // share of the picture that is left at each, squared
};

/// A flow from noise at time 0 to a picture at time 1.
class flow {
public:
    /// @throws argument_error for no steps
    explicit flow(std::size_t steps) : steps_{steps} {
        if(steps == 0) {
            tokenworks::detail::raise<argument_error>({"flow: no steps"});
        }
    }

    [[nodiscard]] std::size_t size() const noexcept { return steps_; }
    /// What the model is told before step i.
    [[nodiscard]] float time(std::size_t i) const noexcept {
        return static_cast<float>(static_cast<double>(i) / static_cast<double>(steps_));
    }

    /// @param velocity  that the model tells of x at time(i): what a picture is more than noise
    /// @throws shape_error
    void advance(std::size_t, std::span<const float> velocity, std::span<float> x) const {
        detail::require_same_size("flow", velocity, x);
        const double step = 1.0 / static_cast<double>(steps_);
        for(std::size_t n = 0; n < x.size(); ++n) {
            x[n] = static_cast<float>(static_cast<double>(x[n]) + step * static_cast<double>(velocity[n]));
        }
    }

private:
    std::size_t steps_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::sampling
