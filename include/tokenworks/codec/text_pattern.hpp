// What is looked for in a text: a text, or a regular expression.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <tokenworks/codec/regex.hpp>
#include <tokenworks/codec/text_budget.hpp>
#include <tokenworks/codec/tokenizer_data.hpp>
#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

class text_pattern {
public:
    using range = std::pair<std::size_t, std::size_t>;

    /// @throws as regex
    explicit text_pattern(const pattern_data& data) {
        if(data.is_regex) {
            what_.emplace<regex>(data.text);
        } else {
            what_.emplace<std::string>(data.text);
        }
    }

    /// Appends the places where a text has it, from the left, without overlaps. An empty text is found nowhere.
    /// @throws limit_error as regex::find_all
    void find_all(std::string_view text, std::vector<range>& found, const text_budget& budget) const {
        if(const auto* expression = std::get_if<regex>(&what_)) {
            expression->find_all(text, found, budget.regex_steps());
            return;
        }
        const std::string& wanted = std::get<std::string>(what_);
        for(std::size_t at = wanted.empty() ? text.npos : text.find(wanted); at != text.npos;
            at = text.find(wanted, at + wanted.size())) {
            found.push_back({at, at + wanted.size()});
        }
    }

private:
    std::variant<std::string, regex> what_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
