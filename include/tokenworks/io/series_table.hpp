// Series of numbers from a CSV file: a column each, and perhaps a first column of dates.
//
//   const auto table = io::series_table::open("sales.csv", {.columns = {"shop", "web"}});
//
// A first row that holds anything but numbers and dates names the columns. Empty cells, NA, NaN, null and "none" are
// values that are not known; rows that the dates leave out are rows of such.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/io/csv.hpp>
#include <tokenworks/io/dates.hpp>
#include <tokenworks/io/file_bytes.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

struct series_options {
    std::vector<std::string> columns{};                ///< which to read, by name; none: all, but for dates
    std::uint64_t most_bytes = std::uint64_t{1} << 30; ///< of the file
    std::size_t most_filled = 4;                       ///< rows with those left out, as a multiple of those there
};

/// Dates of rows.
struct series_dates {
    std::string name{};
    std::vector<date> all{}; ///< of every row, those left out included
    date_form form{};
    date_step step{};

    /// Of the row so many steps behind the last.
    [[nodiscard]] std::string after(std::size_t steps) const {
        return to_string(date_after(all.back(), step, static_cast<std::int64_t>(steps)), form);
    }
};

/// What a cell says: a number, NaN for one that is not known, or nothing for what is no number.
/// @param comma  of decimals, where cells are apart by something else
[[nodiscard]] inline std::optional<double> number_in_cell(std::string_view cell, bool comma = false) {
    std::string lower{cell.substr(0, 8)};
    std::ranges::transform(lower, lower.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; });
    if(cell.empty() || (cell.size() <= 4 &&
                        (lower == "na" || lower == "nan" || lower == "n/a" || lower == "null" || lower == "none"))) {
        return std::numeric_limits<double>::quiet_NaN();
    }
    std::string own;
    if(comma && std::ranges::count(cell, ',') == 1 && cell.find('.') == cell.npos) {
        own = cell;
        own[own.find(',')] = '.';
        cell = own;
    }
    if(cell.size() > 1 && cell.front() == '+' && cell[1] != '-') {
        cell.remove_prefix(1);
    }
    double value = 0;
    const auto [last, problem] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
    const bool is_number = last == cell.data() + cell.size() && problem == std::errc{} &&
                           std::abs(value) <= static_cast<double>(std::numeric_limits<float>::max());
    return is_number ? std::optional{value} : std::nullopt;
}

class series_table {
public:
    /// @throws io_error; limit_error for a file that is too large; else as read
    [[nodiscard]] static series_table open(const std::string& path, const series_options& options = {}) {
        const file_bytes bytes = file_bytes::open(path, {.mode = open_mode::read});
        const std::span<const std::byte> all = bytes.bytes();
        return read({reinterpret_cast<const char*>(all.data()), all.size()}, path, options);
    }

    /// @param file  what errors call it
    /// @throws format_error naming file, line and column: text where a number is expected, rows of another length,
    ///         dates that do not follow each other in even steps, no rows; argument_error for a column that there is
    ///         not
    [[nodiscard]] static series_table read(std::string_view text, std::string file,
                                           const series_options& options = {}) {
        if(text.size() > options.most_bytes) {
            tokenworks::detail::raise<limit_error>(
                {file, ": ", text.size(), " bytes are over the limit of ", options.most_bytes});
        }
        series_table table;
        table.parse(csv_reader{text, std::move(file)}, options);
        return table;
    }

    /// The names of the series.
    [[nodiscard]] const std::vector<std::string>& names() const noexcept { return names_; }
    [[nodiscard]] std::span<const float> values(std::size_t series) const { return values_[series]; }
    [[nodiscard]] std::size_t size() const noexcept { return values_.size(); }
    [[nodiscard]] std::size_t rows() const noexcept { return values_.empty() ? 0 : values_.front().size(); }
    [[nodiscard]] const std::optional<series_dates>& dates() const noexcept { return dates_; }

private:
    void parse(csv_reader rows, const series_options& options);
    void choose(const csv_reader& rows, bool is_header, const series_options& options);
    void add_row(const csv_reader& rows);
    void place_rows(const csv_reader& rows, const series_options& options);

    [[nodiscard]] static bool is_year_name(std::string_view name) {
        return name == "year" || name == "Year" || name == "YEAR" || name == "date" || name == "Date";
    }
    /// Plain years are dates where the column is called so; other dates show what they are.
    [[nodiscard]] static bool is_date(std::string_view cell) {
        date_form form;
        return read_date(cell, form) && form.precision != date_form::kind::year;
    }

    std::vector<std::string> names_{};
    std::vector<std::size_t> columns_{}; ///< in the file
    std::vector<std::vector<float>> values_{};
    std::optional<series_dates> dates_{};
    std::vector<std::size_t> lines_{}; ///< of rows, while reading
    std::size_t cells_ = 0;            ///< of a row
};

inline void series_table::parse(csv_reader rows, const series_options& options) {
    std::size_t blank = 0; // lines, at the end or as unknown values of a single column
    bool begun = false;
    while(rows.next()) {
        if(rows.cells().size() == 1 && rows.cells()[0].empty()) {
            ++blank;
            continue;
        }
        if(!begun) {
            begun = true;
            blank = 0;
            const auto is_data = [](std::string_view cell) { return number_in_cell(cell) || is_date(cell); };
            const bool is_header = !std::ranges::all_of(rows.cells(), [&](std::string_view cell) {
                return rows.delimiter() == ';' ? number_in_cell(cell, true) || is_date(cell) : is_data(cell);
            });
            cells_ = rows.cells().size();
            choose(rows, is_header, options);
            if(is_header) {
                continue;
            }
        }
        if(rows.cells().size() != cells_) {
            tokenworks::detail::raise_format(rows.file(), {"line ", rows.line()}, format_error::no_offset,
                                             {"has ", rows.cells().size(), " cells, the first row has ", cells_});
        }
        for(; blank != 0; --blank) {
            if(cells_ == 1) {
                values_.front().push_back(std::numeric_limits<float>::quiet_NaN());
                lines_.push_back(0);
            }
        }
        add_row(rows);
    }
    if(lines_.empty()) {
        tokenworks::detail::raise_format(rows.file(), {"rows"}, format_error::no_offset,
                                         {begun ? "there is none below the names" : "the file is empty"});
    }
    if(dates_) {
        place_rows(rows, options);
    }
    lines_ = {};
}

inline void series_table::choose(const csv_reader& rows, bool is_header, const series_options& options) {
    std::vector<std::string> all;
    all.reserve(cells_);
    for(std::size_t i = 0; i < cells_; ++i) {
        const std::string_view cell = rows.cells()[i];
        all.push_back(is_header && !cell.empty() ? std::string{cell} : std::to_string(i + 1));
    }
    // What the first column holds is seen in the first row of values.
    const csv_reader& first = rows;
    csv_reader ahead = rows;
    const bool has_row = is_header ? ahead.next() : true;
    const csv_reader& values = is_header ? ahead : first;
    if(has_row && cells_ > 1 && !values.cells().empty()) {
        const std::string_view cell = values.cells()[0];
        date_form form;
        if(is_date(cell) || (is_header && is_year_name(all[0]) && read_date(cell, form))) {
            dates_.emplace().name = all[0];
        }
    }
    if(options.columns.empty()) {
        for(std::size_t i = dates_ ? 1 : 0; i < cells_; ++i) {
            columns_.push_back(i);
            names_.push_back(all[i]);
        }
    }
    for(const std::string& wanted: options.columns) {
        const auto at = std::ranges::find(all, wanted);
        if(at == all.end()) {
            std::string known;
            for(std::size_t i = 0; i < std::min<std::size_t>(all.size(), 20); ++i) {
                known += (i == 0 ? "" : ", ") + printable(all[i]);
            }
            tokenworks::detail::raise<argument_error>({rows.file(), ": there is no column '", printable(wanted),
                                                       "'; there are ", known, all.size() > 20 ? ", …" : ""});
        }
        columns_.push_back(static_cast<std::size_t>(at - all.begin()));
        names_.push_back(*at);
    }
    values_.resize(columns_.size());
}

inline void series_table::add_row(const csv_reader& rows) {
    if(dates_) {
        date_form form;
        const std::string_view cell = rows.cells()[0];
        const std::optional<date> at = read_date(cell, form);
        if(!at || (!dates_->all.empty() && form != dates_->form)) {
            rows.refuse(0, dates_->name,
                        {"'", printable(cell), "' is no date", at ? " in the form of those before" : ""});
        }
        dates_->form = form;
        dates_->all.push_back(*at);
    }
    for(std::size_t i = 0; i < columns_.size(); ++i) {
        const std::string_view cell = rows.cells()[columns_[i]];
        const std::optional<double> value = number_in_cell(cell, rows.delimiter() != ',');
        if(!value) {
            rows.refuse(columns_[i], names_[i], {"'", printable(cell.substr(0, 80)), "' is no number"});
        }
        values_[i].push_back(static_cast<float>(*value));
    }
    lines_.push_back(rows.line());
}

/// Finds the step of the dates, and makes room for rows that they leave out.
inline void series_table::place_rows(const csv_reader& rows, const series_options& options) {
    std::vector<std::size_t> places;
    std::size_t wrong = 0;
    const std::optional<date_step> step = step_of(dates_->all, places, wrong);
    if(!step && dates_->all.size() < 2) {
        tokenworks::detail::raise_format(rows.file(), {"column 1 '", printable(dates_->name), "'"},
                                         format_error::no_offset, {"one date alone has no step to the next"});
    }
    const std::size_t most = options.most_filled * places.size() + 16;
    if(!step || places.back() >= most) {
        tokenworks::detail::raise_format(
            rows.file(),
            {"line ", lines_[std::min(wrong, lines_.size() - 1)], ", column 1 '", printable(dates_->name), "'"},
            format_error::no_offset, {"dates do not follow each other in even steps"});
    }
    dates_->step = *step;
    const std::size_t count = places.back() + 1;
    if(count == places.size()) {
        return;
    }
    std::vector<date> all;
    all.reserve(count);
    for(std::size_t i = 0; i < count; ++i) {
        all.push_back(date_after(dates_->all.front(), *step, static_cast<std::int64_t>(i)));
    }
    dates_->all = std::move(all);
    for(std::vector<float>& column: values_) {
        std::vector<float> placed(count, std::numeric_limits<float>::quiet_NaN());
        for(std::size_t i = 0; i < places.size(); ++i) {
            placed[places[i]] = column[i];
        }
        column = std::move(placed);
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI::io
