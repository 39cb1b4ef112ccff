// The page that the gallery is: sections with results, written as one HTML file that needs nothing from outside.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gallery {

/// What is said below a result, or of the whole page.
struct fact {
    std::string name;
    std::string value;
    bool is_measured = false; ///< a time or an energy: another one in every run
};

/// Something that was made.
struct result {
    std::string prompt; ///< what was asked for
    std::string body;   ///< HTML
    std::vector<fact> facts;
};

/// A kind of output.
struct section {
    std::string id;
    std::string title;
    std::string lead;        ///< a sentence or two
    std::size_t columns = 6; ///< of twelve, on a wide screen
    std::vector<result> results;
};

/// A text as it may stand in HTML, also in an attribute; bytes that are no UTF-8 become U+FFFD.
[[nodiscard]] std::string html_text(std::string_view text);
/// The address of content that is its own content.
[[nodiscard]] std::string data_uri(std::string_view type, std::string_view content);
/// A picture; a narrow screen gets another one, where there is another.
/// @param wide, narrow  addresses
[[nodiscard]] std::string picture_element(const std::string& kind, const std::string& wide, const std::string& narrow,
                                          const std::string& alt);

/// 12,345
[[nodiscard]] std::string whole(std::size_t count);
/// With three digits that count, or all before the point.
[[nodiscard]] std::string rounded(double value);

/// @param facts  of the whole page
[[nodiscard]] std::string write_page(std::span<const section> sections, std::span<const fact> facts);

} // namespace gallery
