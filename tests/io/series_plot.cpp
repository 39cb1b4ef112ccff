#include <tokenworks/io/series_plot.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"

namespace tw = tokenworks;
using tw::io::plot_panel;

namespace {

std::size_t count(std::string_view text, std::string_view part) {
    std::size_t found = 0;
    for(std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) {
        ++found;
    }
    return found;
}

} // namespace

TEST_CASE("series_plot: history, band and middle, with gaps", "[io]") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const std::vector<float> history{1, 2, nan, 4, nan, 5, 6};
    const std::vector<float> low{5, 4};
    const std::vector<float> middle{6, 7};
    const std::vector<float> high{7, 9};
    const plot_panel panel{.title = "a < b & \"c\"",
                           .history = history,
                           .low = low,
                           .middle = middle,
                           .high = high,
                           .first = "1999",
                           .last = "2005",
                           .end = "2007"};
    const std::vector<plot_panel> two{panel, panel};
    const std::string svg = tw::io::to_svg(two);
    CHECK(svg.starts_with("<svg xmlns"));
    CHECK(svg.ends_with("</svg>\n"));
    CHECK(count(svg, "class=\"history\"") == 4);
    CHECK(count(svg, "class=\"history-dot\"") == 2);
    CHECK(count(svg, "class=\"middle\"") == 2);
    CHECK(count(svg, "<polygon class=\"band\"") == 2);
    CHECK(count(svg, ">2007<") == 2);
    CHECK(count(svg, "a &lt; b &amp; \"c\"") == 2);
    CHECK(count(svg, "nan") == 0);
    CHECK(svg.find("height=\"520\"") != svg.npos);
    // The first value stands at the left of the frame, the last of the band at its right.
    CHECK(svg.find("points=\"84,") != svg.npos);
    CHECK(svg.find("844,") != svg.npos);
}

TEST_CASE("series_plot: what is flat, large, single or nothing", "[io]") {
    const std::vector<float> flat(5, 3.0F);
    const std::vector<float> large{1e38F, -1e38F, 1e-30F};
    const std::vector<float> unknown(4, std::numeric_limits<float>::quiet_NaN());
    for(const std::vector<float>& history: {flat, large, unknown, std::vector<float>{2}, std::vector<float>{}}) {
        const plot_panel panel{.history = history};
        const std::string svg = tw::io::to_svg({&panel, 1});
        CHECK(count(svg, "nan") == 0);
        CHECK(count(svg, "inf") == 0);
    }
    const plot_panel wrong{.low = flat, .middle = flat};
    CHECK_THROWS_AS(tw::io::to_svg({&wrong, 1}), tw::argument_error);
}

TEST_CASE("series_plot: round ticks", "[io]") {
    using tw::io::detail::ticks_between;
    CHECK(ticks_between(0, 1) == std::vector<double>{0, 0.5, 1});
    const std::vector<double> hundreds = ticks_between(104, 622);
    CHECK(hundreds == std::vector<double>{200, 400, 600});
    CHECK(ticks_between(-3, 5).front() == -2);
}

TEST_CASE("series_plot: what came in the end has its place, and the scale has room for it", "[io]") {
    const std::vector<float> history{1, 2};
    const std::vector<float> middle{3, 4};
    const std::vector<float> actual{3, 90, 5};
    const plot_panel panel{.history = history, .middle = middle, .actual = actual};
    const std::string svg = tw::io::to_svg(std::span{&panel, 1});
    CHECK(count(svg, "class=\"actual\" fill=\"none\" stroke-width=\"1.5\" stroke=\"#333\" stroke-dasharray") == 1);
    CHECK(count(svg, ">50<") == 1);
    CHECK(count(svg, "points=\"464,") == 2); // both begin at the third of five places
    const plot_panel none{.history = history, .middle = middle};
    CHECK(count(tw::io::to_svg(std::span{&none, 1}), "actual") == 0);
}
