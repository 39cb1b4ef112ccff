// A plot of series and what follows on them, as SVG: the history, the middle of the forecast, a band around it, and
// what came in the end; a panel a series, one below the other.
//
//   const io::plot_panel panel{.title = "passengers", .history = past, .low = low, .middle = median, .high = high};
//   std::string svg = io::to_svg(std::span{&panel, 1});
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

/// One series. NaN in the history is a gap.
struct plot_panel {
    std::string title{};
    std::span<const float> history{};
    std::span<const float> low{}; ///< of the band; as many as `middle`, or none
    std::span<const float> middle{};
    std::span<const float> high{};
    std::span<const float> actual{}; ///< what came in the end, where that is known: dotted
    std::string first{}; ///< what stands below the first value that is shown, the last, and the end; may be empty
    std::string last{};
    std::string end{};
};

struct plot_options {
    double width = 860; ///< pixels
    double panel_height = 260;
};

namespace detail {

/// A number as short as it can be.
[[nodiscard]] inline std::string short_number(double value, int digits = 6) {
    std::array<char, 64> text{};
    const auto [end, problem] =
        std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::general, digits);
    static_cast<void>(problem); // six digits fit
    return {text.data(), end};
}

/// With two decimals, for coordinates.
[[nodiscard]] inline std::string coordinate(double value) {
    std::array<char, 64> text{};
    const auto [end, problem] = std::to_chars(text.data(), text.data() + text.size(), std::round(value * 100) / 100);
    static_cast<void>(problem);
    return {text.data(), end};
}

/// What may stand in an element of XML; bytes that may not are left out.
[[nodiscard]] inline std::string xml_text(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for(const char c: printable(text)) {
        switch(c) {
        case '&':
            out += "&amp;";
            break;
        case '<':
            out += "&lt;";
            break;
        case '>':
            out += "&gt;";
            break;
        default:
            out += c;
        }
    }
    return out;
}

/// Round numbers between two bounds, a few of them.
[[nodiscard]] inline std::vector<double> ticks_between(double low, double high) {
    const double rough = (high - low) / 4;
    const double power = std::pow(10.0, std::floor(std::log10(rough)));
    const double share = rough / power;
    const double step = power * (share <= 1 ? 1 : share <= 2 ? 2 : share <= 5 ? 5 : 10);
    std::vector<double> ticks;
    for(double tick = std::ceil(low / step) * step; tick <= high + step * 1e-6 && ticks.size() < 12; tick += step) {
        ticks.push_back(std::abs(tick) < step * 1e-6 ? 0 : tick);
    }
    return ticks;
}

class panel_writer {
public:
    panel_writer(const plot_panel& panel, double top, const plot_options& options, std::string& out)
        : panel_{panel},
          out_{out},
          top_{top + 30},
          bottom_{top + options.panel_height - 28},
          right_{options.width - 16} {
        for(const std::span<const float> values: {panel.history, panel.low, panel.middle, panel.high, panel.actual}) {
            for(const float value: values) {
                if(std::isfinite(value)) {
                    low_ = std::min(low_, static_cast<double>(value));
                    high_ = std::max(high_, static_cast<double>(value));
                }
            }
        }
        if(!(low_ <= high_)) {
            low_ = 0;
            high_ = 1;
        }
        const double room = high_ > low_ ? (high_ - low_) * 0.04 : std::max(1.0, std::abs(low_) * 0.1);
        low_ -= room;
        high_ += room;
        count_ = std::max<std::size_t>(2, panel.history.size() + std::max(panel.middle.size(), panel.actual.size()));
    }

    void write() {
        axes();
        const std::size_t past = panel_.history.size();
        if(!panel_.low.empty()) {
            std::string points;
            for(std::size_t i = 0; i < panel_.low.size(); ++i) {
                points += point(past + i, static_cast<double>(panel_.low[i])) + " ";
            }
            for(std::size_t i = panel_.high.size(); i-- > 0;) {
                points += point(past + i, static_cast<double>(panel_.high[i])) + " ";
            }
            out_ += "<polygon class=\"band\" fill=\"#1565c0\" fill-opacity=\"0.2\" points=\"" + points + "\"/>\n";
        }
        lines("history", panel_.history, 0);
        lines("actual", panel_.actual, past);
        lines("middle", panel_.middle, past);
        if(past != 0 && !panel_.middle.empty()) {
            const std::string x = coordinate(x_of(static_cast<double>(past) - 0.5));
            out_ += "<line class=\"now\" stroke=\"#999\" stroke-dasharray=\"3 3\" x1=\"" + x + "\" y1=\"" +
                    coordinate(top_) + "\" x2=\"" + x + "\" y2=\"" + coordinate(bottom_) + "\"/>\n";
        }
    }

private:
    [[nodiscard]] double x_of(double place) const {
        return left + (right_ - left) * place / static_cast<double>(count_ - 1);
    }
    [[nodiscard]] double y_of(double value) const {
        return bottom_ - (bottom_ - top_) * (value - low_) / (high_ - low_);
    }
    [[nodiscard]] std::string point(std::size_t place, double value) const {
        return coordinate(x_of(static_cast<double>(place))) + "," + coordinate(y_of(value));
    }

    void text(double x, double y, std::string_view anchor, std::string_view content, std::string_view kind = "label") {
        const std::string size = kind == "title" ? "14\" font-weight=\"bold" : "11";
        out_ += "<text class=\"" + std::string{kind} + "\" fill=\"#333\" font-size=\"" + size + "\" x=\"" +
                coordinate(x) + "\" y=\"" + coordinate(y) + "\" text-anchor=\"" + std::string{anchor} + "\">" +
                xml_text(content) + "</text>\n";
    }

    void axes() {
        text(left, top_ - 12, "start", panel_.title, "title");
        for(const double tick: ticks_between(low_, high_)) {
            const std::string y = coordinate(y_of(tick));
            out_.append("<line class=\"grid\" stroke=\"#ddd\" x1=\"")
                .append(coordinate(left))
                .append("\" y1=\"")
                .append(y);
            out_.append("\" x2=\"").append(coordinate(right_)).append("\" y2=\"").append(y).append("\"/>\n");
            text(left - 6, y_of(tick) + 4, "end", short_number(tick));
        }
        const double past = static_cast<double>(panel_.history.size());
        text(left, bottom_ + 18, "start", panel_.first);
        if(!panel_.last.empty() && past > 1) {
            text(x_of(past - 1), bottom_ + 18, "middle", panel_.last);
        }
        text(right_, bottom_ + 18, "end", panel_.end);
    }

    /// Runs of values that are known; one alone is a dot.
    void lines(std::string_view kind, std::span<const float> values, std::size_t from) {
        const std::string colour = kind == "middle" ? "#1565c0" : "#333";
        for(std::size_t i = 0; i < values.size();) {
            if(!std::isfinite(values[i])) {
                ++i;
                continue;
            }
            std::string points;
            const std::size_t begin = i;
            for(; i < values.size() && std::isfinite(values[i]); ++i) {
                points += point(from + i, static_cast<double>(values[i]));
                points += ' ';
            }
            if(i - begin == 1) {
                out_.append("<circle class=\"").append(kind).append("-dot\" fill=\"").append(colour);
                out_.append("\" cx=\"").append(coordinate(x_of(static_cast<double>(from + begin))));
                out_.append("\" cy=\"")
                    .append(coordinate(y_of(static_cast<double>(values[begin]))))
                    .append("\" r=\"2\"/>\n");
            } else {
                out_.append("<polyline class=\"")
                    .append(kind)
                    .append("\" fill=\"none\" stroke-width=\"1.5\" stroke=\"");
                out_.append(colour).append(kind == "actual" ? "\" stroke-dasharray=\"1.5 2.5" : "");
                out_.append("\" points=\"").append(points).append("\"/>\n");
            }
        }
    }

    static constexpr double left = 84;

    const plot_panel& panel_;
    std::string& out_;
    double top_;
    double bottom_;
    double right_;
    double low_ = std::numeric_limits<double>::infinity();
    double high_ = -std::numeric_limits<double>::infinity();
    std::size_t count_ = 2;
};

} // namespace detail

/// @throws argument_error where a band has another length than its middle
[[nodiscard]] inline std::string to_svg(std::span<const plot_panel> panels, const plot_options& options = {}) {
    for(const plot_panel& panel: panels) {
        if(panel.low.size() != panel.high.size() || (!panel.low.empty() && panel.low.size() != panel.middle.size())) {
            tokenworks::detail::raise<argument_error>({"plot: a band of ", panel.low.size(), " and ", panel.high.size(),
                                                       " values around ", panel.middle.size()});
        }
    }
    const std::string width = detail::coordinate(options.width);
    const std::string height =
        detail::coordinate(options.panel_height * static_cast<double>(std::max<std::size_t>(1, panels.size())));
    std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + width + "\" height=\"" + height +
                      "\" viewBox=\"0 0 " + width + " " + height +
                      "\" font-family=\"sans-serif\">\n"
                      "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n";
    for(std::size_t i = 0; i < panels.size(); ++i) {
        detail::panel_writer{panels[i], static_cast<double>(i) * options.panel_height, options, out}.write();
    }
    return out + "</svg>\n";
}

} // namespace tokenworks::inline TOKENWORKS_ABI::io
