// Rows of a table in text, one after the other: CSV (RFC 4180), or the same with semicolons or tabs.
//
//   io::csv_reader rows{text, "sales.csv"};
//   while(rows.next()) use(rows.line(), rows.cells());
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

/// Reads rows. Cells are valid until the next row; those in quotes lose them, blanks around others are cut off.
class csv_reader {
public:
    static constexpr std::size_t most_cells = 65536; ///< of a row

    /// @param text       must outlive the reader; a mark of UTF-8 at its beginning is passed over
    /// @param file       what errors call it
    /// @param delimiter  0: whichever of comma, semicolon and tab the first line has most of
    explicit csv_reader(std::string_view text, std::string file, char delimiter = 0)
        : text_{text}, file_{std::move(file)}, delimiter_{delimiter} {
        if(text_.starts_with("\xEF\xBB\xBF")) {
            at_ = 3;
        }
        if(delimiter_ == 0) {
            delimiter_ = most_frequent(text_.substr(at_, text_.find('\n', at_) - at_));
        }
    }

    [[nodiscard]] const std::string& file() const noexcept { return file_; }
    [[nodiscard]] char delimiter() const noexcept { return delimiter_; }
    /// Where the row begins, counted from 1.
    [[nodiscard]] std::size_t line() const noexcept { return line_; }
    [[nodiscard]] std::span<const std::string_view> cells() const noexcept { return cells_; }

    /// Goes to the next row; false where there is none. A blank line is a row of one empty cell.
    /// @throws format_error for a quote that is not closed or has text behind it; limit_error for too many cells
    [[nodiscard]] bool next() {
        if(at_ >= text_.size()) {
            return false;
        }
        line_ += lines_of_row_;
        lines_of_row_ = 1;
        cells_.clear();
        unquoted_.clear();
        for(;;) {
            if(cells_.size() == most_cells) {
                tokenworks::detail::raise<limit_error>(
                    {file_, ": line ", line_, " has more than ", most_cells, " cells"});
            }
            cells_.push_back(cell());
            if(at_ < text_.size() && text_[at_] == delimiter_) {
                ++at_;
                continue;
            }
            break;
        }
        if(at_ < text_.size() && text_[at_] == '\r') {
            ++at_;
        }
        if(at_ < text_.size() && text_[at_] == '\n') {
            ++at_;
        }
        return true;
    }

    /// What is wrong with a cell of the row, as an error that names file, line and column.
    /// @param column  counted from 0
    [[noreturn]] TOKENWORKS_COLD void refuse(std::size_t column, std::string_view name,
                                             tokenworks::detail::message_parts what) const {
        const std::string quoted =
            name.empty() ? std::string{} : tokenworks::detail::message({" '", printable(name), "'"});
        tokenworks::detail::raise_format(file_, {"line ", line_, ", column ", column + 1, quoted},
                                         format_error::no_offset, what);
    }

private:
    [[nodiscard]] static char most_frequent(std::string_view line) {
        constexpr std::array<char, 3> known{',', ';', '\t'};
        return *std::ranges::max_element(known, {}, [&](char c) { return std::ranges::count(line, c); });
    }

    [[nodiscard]] static std::string_view trimmed(std::string_view cell) {
        const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
        while(!cell.empty() && blank(cell.front())) {
            cell.remove_prefix(1);
        }
        while(!cell.empty() && blank(cell.back())) {
            cell.remove_suffix(1);
        }
        return cell;
    }

    [[nodiscard]] std::string_view cell() {
        const std::size_t begin = at_;
        while(at_ < text_.size() && text_[at_] == ' ') {
            ++at_;
        }
        if(at_ < text_.size() && text_[at_] == '"') {
            return quoted_cell();
        }
        at_ = begin;
        while(at_ < text_.size() && text_[at_] != delimiter_ && text_[at_] != '\n') {
            ++at_;
        }
        return trimmed(text_.substr(begin, at_ - begin));
    }

    [[nodiscard]] std::string_view quoted_cell() {
        const std::size_t begin = ++at_;
        std::size_t doubled = 0;
        for(;; ++at_) {
            if(at_ == text_.size()) {
                refuse(cells_.size(), {}, {"a quote is not closed"});
            }
            lines_of_row_ += text_[at_] == '\n' ? std::size_t{1} : std::size_t{0};
            if(text_[at_] == '"') {
                if(at_ + 1 == text_.size() || text_[at_ + 1] != '"') {
                    break;
                }
                ++doubled;
                ++at_;
            }
        }
        std::string_view content = text_.substr(begin, at_ - begin);
        ++at_;
        while(at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\r')) {
            ++at_;
        }
        if(at_ < text_.size() && text_[at_] != delimiter_ && text_[at_] != '\n') {
            refuse(cells_.size(), {}, {"text behind a closing quote"});
        }
        return doubled == 0 ? content : without_doubled(content);
    }

    [[nodiscard]] std::string_view without_doubled(std::string_view content) {
        std::string& kept = unquoted_.emplace_back();
        kept.reserve(content.size());
        for(std::size_t i = 0; i < content.size(); ++i) {
            kept += content[i];
            i += content[i] == '"' ? std::size_t{1} : std::size_t{0};
        }
        return kept;
    }

    std::string_view text_;
    std::string file_;
    char delimiter_;
    std::size_t at_ = 0;
    std::size_t line_ = 1;
    std::size_t lines_of_row_ = 0;
    std::vector<std::string_view> cells_{};
    std::deque<std::string> unquoted_{}; // a deque, as views of its strings must stay
};

} // namespace tokenworks::inline TOKENWORKS_ABI::io
