// Continues a series of numbers and tells how sure that is, with the small model that is shipped.
// run: {models}/forecaster.gguf
// prints: month
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <limits>
#include <numbers>
#include <vector>

#include <tokenworks/runtime/forecaster.hpp>

namespace tw = tokenworks;

int main(int argc, char** argv) {
    try {
        // Six years of months: a level that grows, a season that grows with it, and a month that nobody wrote down.
        std::vector<float> sales;
        for(int month = 0; month < 72; ++month) {
            const double season = 1 + 0.3 * std::sin(2 * std::numbers::pi * month / 12);
            sales.push_back(static_cast<float>((100 + 1.5 * month) * season + (month * 37 % 11 - 5)));
        }
        sales[40] = std::numeric_limits<float>::quiet_NaN();

        const tw::forecaster model = tw::forecaster::load(argc > 1 ? argv[1] : "models/forecaster.gguf");
        const tw::series_forecast next = model.forecast(sales, {.horizon = 12, .quantiles = {0.1F, 0.5F, 0.9F}});

        std::puts("month    10 %    50 %    90 %");
        for(std::size_t month = 0; month < next.horizon; ++month) {
            std::printf("%5zu %7.1f %7.1f %7.1f\n", month + 1, static_cast<double>(next.at(0)[month]),
                        static_cast<double>(next.at(1)[month]), static_cast<double>(next.at(2)[month]));
        }
    } catch(const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
