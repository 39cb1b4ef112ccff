// Rotary position embeddings, the part that is computed once: the frequency of each pair, with the scalings that
// stretch a model beyond the context it was trained on.
//
// Formulas: Su et al., "RoFormer", 2021; Peng et al., "YaRN", 2023; Ding et al., "LongRoPE", 2024; and
// transformers 4.50, modeling_rope_utils.py, whose names the fields have. That code changes frequencies of the dynamic
// and long kinds when a sequence grows past a bound, which would make earlier tokens depend on later ones; here the
// context is an argument of the table, and a token's angle depends on its position alone.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels {

/// Which values of a head are turned together.
enum class rope_pairing : std::uint8_t {
    interleaved, ///< (0,1), (2,3), …: GPT-J, Llama's own checkpoints, GGUF files of architecture llama
    halves,      ///< (0,W/2), (1,W/2+1), …: GPT-NeoX, Hugging Face checkpoints
};

enum class rope_scaling_kind : std::uint8_t {
    none,
    linear,      ///< positions divided by factor
    ntk,         ///< base * factor^(W/(W-2))
    dynamic_ntk, ///< the same with factor * context / original_context - (factor - 1) beyond the original context
    yarn,        ///< slow pairs divided by factor, fast ones left, a ramp between
    llama3,      ///< the same idea by wavelength, Llama 3.1
    longrope,    ///< one factor a pair, short_factors or long_factors by context
};

struct rope_scaling {
    rope_scaling_kind kind = rope_scaling_kind::none;
    double factor = 1;
    std::size_t original_context = 0; ///< tokens the model was trained on, before stretching
    /// Multiplies queries and keys; 0: computed as the kind's paper has it (yarn, longrope), 1 for the others.
    double attention_factor = 0;
    double beta_fast = 32; ///< yarn: turns over the original context above which a pair is left alone
    double beta_slow = 1;  ///< yarn: turns below which a pair is divided by factor
    double mscale = 0;     ///< yarn, DeepSeek's form of the attention factor; used where both are set
    double mscale_all_dim = 0;
    bool truncate = true;               ///< yarn: bounds of the ramp are whole pairs
    double low_freq_factor = 1;         ///< llama3
    double high_freq_factor = 4;        ///< llama3
    std::vector<float> short_factors{}; ///< longrope, [W/2]: up to the original context
    std::vector<float> long_factors{};  ///< longrope, [W/2]: beyond
    friend bool operator==(const rope_scaling&, const rope_scaling&) = default;
};

struct rope_config {
    std::size_t width = 0; ///< W: leading values of a head that are turned; even, at most D
    double base = 10000;
    rope_pairing pairing = rope_pairing::halves;
    rope_scaling scaling{};
    std::vector<float>
        factors{}; ///< [W/2], each pair's frequency is divided by its own: GGUF's rope_freqs; may be empty
    /// Columns of a grid whose cells are the tokens, in rows: the first half of the pairs turns by a token's row, the
    /// other by its column, each with the frequencies of a head half as wide. 0: tokens are a line. LlamaGen.
    std::size_t grid = 0;
    std::size_t before_grid = 0; ///< tokens before the grid; theirs are zeros, as cosines too
    /// Rows of the grid, where grids follow each other: frames of a video. 0: there is one grid.
    std::size_t grid_rows = 0;
    /// With grid_rows: how many pairs turn by a token's frame, then by its row, then by its column; pair i of n of an
    /// axis by base^(-i/n). Three axes as in Qwen2-VL (Wang et al., 2024, section 2.1), each with the frequencies of a
    /// head of its own.
    std::array<std::size_t, 3> sections{};
    std::vector<float> frequencies{}; ///< [W/2], in place of all the above but the pairing, where a file has them
    friend bool operator==(const rope_config&, const rope_config&) = default;
};

/// Frequencies, radians a token, of every pair. Immutable; shared by threads and sequences.
class rope_table {
public:
    rope_table() = default;

    /// @param context  tokens that sequences may reach; matters to dynamic_ntk and longrope only, where 0 stands for
    /// the
    ///                 original context
    /// @throws argument_error naming the field
    explicit rope_table(const rope_config& config, std::size_t context = 0)
        : grid_{config.grid},
          grid_rows_{config.grid_rows},
          before_grid_{config.before_grid},
          ends_{config.grid_rows != 0
                    ? std::array{config.sections[0], config.sections[0] + config.sections[1]}
                    : std::array{config.grid != 0 ? config.width / 4 : config.width / 2, config.width / 2}},
          pairing_{config.pairing} {
        validate(config);
        if(!config.frequencies.empty()) {
            frequencies_.assign(config.frequencies.begin(), config.frequencies.end());
            return;
        }
        const rope_scaling& scaling = config.scaling;
        const auto width = static_cast<double>(config.width);
        double base = config.base;
        if(scaling.kind == rope_scaling_kind::ntk) {
            base *= std::pow(scaling.factor, width / (width - 2));
        } else if(scaling.kind == rope_scaling_kind::dynamic_ntk && context > scaling.original_context) {
            const double stretch = static_cast<double>(context) / static_cast<double>(scaling.original_context);
            base *= std::pow(scaling.factor * stretch - (scaling.factor - 1), width / (width - 2));
        }
        frequencies_.resize(config.width / 2);
        for(std::size_t i = 0; i < frequencies_.size(); ++i) {
            frequencies_[i] = std::pow(base, -2.0 * static_cast<double>(i) / width);
        }
        for(std::size_t i = 0; grid_ != 0 && i < frequencies_.size(); ++i) {
            const std::size_t axis = axis_of(i);
            const std::size_t begin = axis == 0 ? 0 : ends_[axis - 1];
            const std::size_t end = axis == 2 ? frequencies_.size() : ends_[axis];
            frequencies_[i] = std::pow(base, -static_cast<double>(i - begin) / static_cast<double>(end - begin));
        }
        scale(config, context);
        for(std::size_t i = 0; i < config.factors.size(); ++i) {
            frequencies_[i] /= static_cast<double>(config.factors[i]);
        }
    }

    /// W
    [[nodiscard]] std::size_t width() const noexcept { return 2 * frequencies_.size(); }
    [[nodiscard]] rope_pairing pairing() const noexcept { return pairing_; }
    /// [W/2], radians a token
    [[nodiscard]] std::span<const double> frequencies() const noexcept { return frequencies_; }
    /// Where a token stands: on a line; in a row and a column; or in a frame, a row and a column.
    struct place {
        std::array<double, 3> along{}; ///< each axis
        bool is_null = false;          ///< it is not turned but nulled
    };
    [[nodiscard]] place place_of(std::int32_t position) const noexcept {
        if(grid_ == 0) {
            return {.along = {static_cast<double>(position)}};
        }
        const auto token = static_cast<std::size_t>(std::max(position, 0));
        if(token < before_grid_) {
            return {.is_null = true};
        }
        const std::size_t cell = token - before_grid_;
        const std::size_t row = cell / grid_;
        const auto column = static_cast<double>(cell % grid_);
        if(grid_rows_ == 0) {
            return {.along = {static_cast<double>(row), column}};
        }
        const std::size_t frame = row / grid_rows_;
        return {.along = {static_cast<double>(frame), static_cast<double>(row % grid_rows_), column}};
    }
    /// Which of them a pair turns by.
    [[nodiscard]] std::size_t axis_of(std::size_t pair) const noexcept {
        return pair < ends_[0] ? 0 : pair < ends_[1] ? 1 : 2;
    }
    /// What cosines and sines are multiplied by; 1 unless the scaling changes it.
    [[nodiscard]] double magnitude() const noexcept { return magnitude_; }

private:
    [[noreturn]] TOKENWORKS_COLD static void refuse_config(tokenworks::detail::message_parts what) {
        tokenworks::detail::raise<argument_error>({"rope: ", tokenworks::detail::message(what)});
    }

    static void need(bool holds, tokenworks::detail::message_parts what) {
        if(!holds) {
            refuse_config(what);
        }
    }

    /// Nothing in the way of a comparison where a section is out of range.
    [[nodiscard]] static std::size_t sum_of(const std::array<std::size_t, 3>& sections) noexcept {
        std::size_t sum = 0;
        for(const std::size_t each: sections) {
            sum += std::min<std::size_t>(each, 65536);
        }
        return sum;
    }

    static void need_factors(const std::vector<float>& factors, std::size_t pairs, const char* name) {
        need(factors.size() == pairs, {name, " has ", factors.size(), " values for ", pairs, " pairs"});
        need(std::ranges::all_of(factors, [](float f) { return std::isfinite(f) && f > 0; }),
             {name, " has a value that is not above 0"});
    }

    static void validate(const rope_config& config) {
        const rope_scaling& scaling = config.scaling;
        const auto is_any_of = [&](auto... kinds) { return ((scaling.kind == kinds) || ...); };
        using enum rope_scaling_kind;
        need(config.width % 2 == 0 && config.width <= 65536, {"width ", config.width, " is odd or above 65536"});
        need(std::isfinite(config.base) && config.base > 0, {"base ", config.base, " is not above 0"});
        need(config.grid == 0 || (config.width % 4 == 0 && scaling.kind == none),
             {"a grid needs a width that 4 divides, and no scaling"});
        need(config.grid_rows == 0 || (config.grid != 0 && sum_of(config.sections) == config.width / 2),
             {"frames need a grid, and sections that are ", config.width / 2, " pairs together"});
        need(config.factors.empty() || config.factors.size() == config.width / 2,
             {"factors are ", config.factors.size(), " for width ", config.width});
        need(config.frequencies.empty() || config.frequencies.size() == config.width / 2,
             {"frequencies are ", config.frequencies.size(), " for width ", config.width});
        need(std::ranges::all_of(config.frequencies, [](float f) { return std::isfinite(f); }),
             {"frequencies are not finite"});
        if(!config.factors.empty()) {
            need_factors(config.factors, config.width / 2, "factors");
        }
        need(std::isfinite(scaling.factor) && scaling.factor > 0, {"factor ", scaling.factor, " is not above 0"});
        need(std::isfinite(scaling.attention_factor) && scaling.attention_factor >= 0,
             {"attention_factor is negative"});
        need(!is_any_of(ntk, dynamic_ntk) || config.width > 2, {"this scaling needs a width above 2"});
        need(!is_any_of(dynamic_ntk, yarn, llama3, longrope) || scaling.original_context > 0,
             {"this scaling needs original_context"});
        need(scaling.kind != dynamic_ntk || scaling.factor >= 1, {"dynamic_ntk needs a factor of at least 1"});
        need(scaling.kind != yarn || (scaling.beta_fast > 0 && scaling.beta_slow > 0 && config.base != 1),
             {"beta_fast and beta_slow must be above 0, and the base not 1"});
        need(scaling.kind != llama3 ||
                 (scaling.low_freq_factor > 0 && scaling.high_freq_factor > scaling.low_freq_factor),
             {"high_freq_factor must be above low_freq_factor, and both above 0"});
        if(scaling.kind == longrope) {
            need_factors(scaling.short_factors, config.width / 2, "short_factors");
            need_factors(scaling.long_factors, config.width / 2, "long_factors");
        }
    }

    void scale(const rope_config& config, std::size_t context) {
        const rope_scaling& scaling = config.scaling;
        switch(scaling.kind) {
        case rope_scaling_kind::linear:
            for(double& frequency: frequencies_) {
                frequency /= scaling.factor;
            }
            break;
        case rope_scaling_kind::yarn:
            scale_yarn(config);
            break;
        case rope_scaling_kind::llama3:
            scale_llama3(scaling);
            break;
        case rope_scaling_kind::longrope: {
            const auto& factors = context > scaling.original_context ? scaling.long_factors : scaling.short_factors;
            for(std::size_t i = 0; i < frequencies_.size(); ++i) {
                frequencies_[i] /= static_cast<double>(factors[i]);
            }
            if(scaling.factor > 1) {
                magnitude_ =
                    std::sqrt(1 + std::log(scaling.factor) / std::log(static_cast<double>(scaling.original_context)));
            }
            break;
        }
        case rope_scaling_kind::none:
        case rope_scaling_kind::ntk:
        case rope_scaling_kind::dynamic_ntk:
            break;
        }
        if(scaling.attention_factor > 0) {
            magnitude_ = scaling.attention_factor;
        }
    }

    void scale_yarn(const rope_config& config) {
        const rope_scaling& scaling = config.scaling;
        const auto width = static_cast<double>(config.width);
        // The pair that makes that many turns over the original context.
        const auto pair_of = [&](double turns) {
            return width * std::log(static_cast<double>(scaling.original_context) / (turns * 2 * std::numbers::pi)) /
                   (2 * std::log(config.base));
        };
        double low = pair_of(scaling.beta_fast);
        double high = pair_of(scaling.beta_slow);
        if(scaling.truncate) {
            low = std::floor(low);
            high = std::ceil(high);
        }
        low = std::max(low, 0.0);
        high = std::min(high, width - 1);
        if(low == high) {
            high += 0.001;
        }
        for(std::size_t i = 0; i < frequencies_.size(); ++i) {
            const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
            frequencies_[i] = frequencies_[i] / scaling.factor * ramp + frequencies_[i] * (1 - ramp);
        }
        const auto magnitude = [&](double m) {
            return scaling.factor <= 1 ? 1.0 : 0.1 * m * std::log(scaling.factor) + 1.0;
        };
        magnitude_ = scaling.mscale != 0 && scaling.mscale_all_dim != 0
                         ? magnitude(scaling.mscale) / magnitude(scaling.mscale_all_dim)
                         : magnitude(1);
    }

    void scale_llama3(const rope_scaling& scaling) {
        const auto context = static_cast<double>(scaling.original_context);
        for(double& frequency: frequencies_) {
            const double wavelength = 2 * std::numbers::pi / frequency;
            const double smooth =
                (context / wavelength - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor);
            const double keep = std::clamp(smooth, 0.0, 1.0);
            frequency = (1 - keep) * frequency / scaling.factor + keep * frequency;
        }
    }

    std::vector<double> frequencies_;
    double magnitude_ = 1;
    std::size_t grid_ = 0;
    std::size_t grid_rows_ = 0;
    std::size_t before_grid_ = 0;
    std::array<std::size_t, 2> ends_{}; ///< of the pairs of the first and of the second axis
    rope_pairing pairing_ = rope_pairing::halves;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels
