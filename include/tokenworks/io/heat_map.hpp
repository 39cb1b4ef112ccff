// A table of numbers as a picture, SVG: a cell a number, blue below zero and red above, or from white to dark.
//
//   const std::vector<std::string> rows{"A", "C"};
//   const io::heat_map map{.title = "HBB", .rows = rows, .values = values, .columns = 147};
//   std::string svg = io::to_svg(map);
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/io/series_plot.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

/// What is drawn.
struct heat_map {
    std::string title{};
    std::span<const std::string> rows{}; ///< names, or none: then rows are counted as columns are
    std::span<const float> values{};     ///< [R,N]
    std::size_t columns = 0;             ///< N
    /// A row for each column, whose cell is marked; or none.
    std::span<const std::size_t> marked{};
    bool diverging = true;           ///< false: zero is white, and nothing is below
    std::size_t columns_a_line = 80; ///< before the table goes on below; 0: all
    double cell = 10;                ///< pixels
};

namespace detail {

class heat_map_writer {
public:
    explicit heat_map_writer(const heat_map& map) : map_{map}, rows_{map.values.size() / map.columns} {
        // Few cells that stand out must not make all others pale: the colours end where 2 of 100 are beyond.
        std::vector<float> sizes;
        sizes.reserve(map.values.size());
        for(const float value: map.values) {
            if(std::isfinite(value)) {
                sizes.push_back(std::abs(value));
            }
        }
        if(!sizes.empty()) {
            const auto at = sizes.begin() + static_cast<std::ptrdiff_t>((sizes.size() - 1) * 98 / 100);
            std::nth_element(sizes.begin(), at, sizes.end());
            most_ = map.diverging ? static_cast<double>(*at) : 1;
        }
        most_ = most_ > 0 ? most_ : 1;
    }

    [[nodiscard]] std::string write() {
        const std::size_t line = map_.columns_a_line == 0 ? map_.columns : std::min(map_.columns_a_line, map_.columns);
        const std::size_t lines = (map_.columns + line - 1) / line;
        const double height = top + static_cast<double>(lines) * line_height() + legend;
        const double width = std::max(left + map_.cell * static_cast<double>(line) + 16, 420.0);
        out_ = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + coordinate(width) + "\" height=\"" +
               coordinate(height) + "\" viewBox=\"0 0 " + coordinate(width) + " " + coordinate(height) +
               "\" font-family=\"sans-serif\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n";
        text(left, 20, "start", map_.title, 14);
        for(std::size_t i = 0; i < lines; ++i) {
            part(i * line, std::min(line, map_.columns - i * line), top + static_cast<double>(i) * line_height());
        }
        scale(height - legend + 6);
        return out_ + "</svg>\n";
    }

private:
    static constexpr double left = 44;
    static constexpr double top = 30;
    static constexpr double legend = 36;
    static constexpr int steps = 12; ///< colours on each side of zero

    [[nodiscard]] double line_height() const { return map_.cell * static_cast<double>(rows_) + 30; }

    void text(double x, double y, std::string_view anchor, std::string_view content, int size) {
        out_ += "<text fill=\"#333\" font-size=\"" + std::to_string(size) + "\" x=\"" + coordinate(x) + "\" y=\"" +
                coordinate(y) + "\" text-anchor=\"" + std::string{anchor} + "\">" + xml_text(content) + "</text>\n";
    }

    /// -steps … steps.
    [[nodiscard]] int step_of(float value) const {
        if(std::isnan(value)) {
            return 0;
        }
        const double share = std::clamp(static_cast<double>(value) / most_, map_.diverging ? -1.0 : 0.0, 1.0);
        return static_cast<int>(std::lround(share * steps));
    }

    [[nodiscard]] static std::string colour(int step) {
        constexpr std::array<double, 3> below{33, 102, 172};
        constexpr std::array<double, 3> above{178, 24, 43};
        const double share = std::abs(step) / static_cast<double>(steps);
        constexpr const char* digits = "0123456789abcdef";
        std::string out = "#";
        for(std::size_t i = 0; i < 3; ++i) {
            const auto byte =
                static_cast<unsigned>(std::lround(255 + ((step < 0 ? below[i] : above[i]) - 255) * share));
            out += digits[byte / 16];
            out += digits[byte % 16];
        }
        return out;
    }

    /// Columns from one on. One path a colour, as there may be many cells.
    void part(std::size_t first, std::size_t count, double y) {
        const std::string size = coordinate(map_.cell);
        std::string square = "h";
        square.append(size).append("v").append(size).append("h").append(coordinate(-map_.cell)).append("z");
        std::array<std::string, 2 * steps + 1> paths;
        for(std::size_t r = 0; r < rows_; ++r) {
            const std::string row = coordinate(y + map_.cell * static_cast<double>(r));
            for(std::size_t i = 0; i < count; ++i) {
                const int step = step_of(map_.values[r * map_.columns + first + i]);
                if(step != 0) {
                    const int shade = step + steps;
                    paths[static_cast<std::size_t>(shade)]
                        .append("M")
                        .append(coordinate(left + map_.cell * static_cast<double>(i)))
                        .append(" ")
                        .append(row)
                        .append(square);
                }
            }
            const bool named = !map_.rows.empty() || r % 10 == 9 || r == 0;
            if(named) {
                text(left - 6, y + map_.cell * (static_cast<double>(r) + 0.85), "end",
                     map_.rows.empty() ? std::to_string(r + 1) : map_.rows[r], 9);
            }
        }
        for(std::size_t s = 0; s < paths.size(); ++s) {
            if(!paths[s].empty()) {
                out_ += "<path class=\"cells\" fill=\"" + colour(static_cast<int>(s) - steps) + "\" d=\"" + paths[s] +
                        "\"/>\n";
            }
        }
        out_ += "<rect fill=\"none\" stroke=\"#999\" x=\"" + coordinate(left) + "\" y=\"" + coordinate(y) +
                "\" width=\"" + coordinate(map_.cell * static_cast<double>(count)) + "\" height=\"" +
                coordinate(map_.cell * static_cast<double>(rows_)) + "\"/>\n";
        for(std::size_t i = 0; i < count; ++i) {
            const double x = left + map_.cell * (static_cast<double>(i) + 0.5);
            if(!map_.marked.empty() && map_.marked[first + i] < rows_) {
                out_ += "<circle class=\"mark\" fill=\"#333\" r=\"" + coordinate(map_.cell * 0.18) + "\" cx=\"" +
                        coordinate(x) + "\" cy=\"" +
                        coordinate(y + map_.cell * (static_cast<double>(map_.marked[first + i]) + 0.5)) + "\"/>\n";
            }
            if(i == 0 || (first + i) % 10 == 9) {
                text(x, y + map_.cell * static_cast<double>(rows_) + 12, "middle", std::to_string(first + i + 1), 9);
            }
        }
    }

    /// Which colours are which numbers.
    void scale(double y) {
        const int lowest = map_.diverging ? -steps : 0;
        for(int step = lowest; step <= steps; ++step) {
            out_ += "<rect fill=\"" + colour(step) + "\" x=\"" + coordinate(left + 8.0 * (step - lowest)) + "\" y=\"" +
                    coordinate(y) + "\" width=\"8\" height=\"8\"/>\n";
        }
        text(left, y + 20, "start", map_.diverging ? short_number(-most_, 3) : "0", 9);
        text(left + 8.0 * (steps - lowest + 1), y + 20, "end", short_number(most_, 3), 9);
    }

    const heat_map& map_;
    std::size_t rows_;
    double most_ = 1;
    std::string out_{};
};

} // namespace detail

/// @throws argument_error for a table without cells, or whose rows, names or marks are not as many as they should be
[[nodiscard]] inline std::string to_svg(const heat_map& map) {
    if(map.columns == 0 || map.values.empty() || map.values.size() % map.columns != 0 ||
       (!map.rows.empty() && map.rows.size() != map.values.size() / map.columns) ||
       (!map.marked.empty() && map.marked.size() != map.columns) || !(map.cell > 0)) {
        tokenworks::detail::raise<argument_error>({"heat map: ", map.values.size(), " values in ", map.columns,
                                                   " columns, ", map.rows.size(), " names of rows, ", map.marked.size(),
                                                   " marks"});
    }
    return detail::heat_map_writer{map}.write();
}

} // namespace tokenworks::inline TOKENWORKS_ABI::io
