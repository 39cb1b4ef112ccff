// How long the line before an engine is, in seconds: whether one more would wait too long.
//
//   runtime::line_estimate line{16, 2.0};    // 16 run at a time; nobody is to wait for more than two seconds
//   line.ended(4.0);                         // one has had its place for 4 seconds
//   line.takes_one_behind(18);               // true: two wait before it, so it begins after 3 * 4 / 16 seconds
//
// Where all places are taken, one falls free every (seconds that a sample has its place) / (places): Little's law,
// which asks nothing of lengths but that those who wait are like those who ended. So whoever has n before him waits for
// n + 1 of these. A bound of seconds keeps the line short where answers are long, and long where they are short. The
// first quarter of the places may wait in any case, so that the batch stays full while a refused client comes again.
#pragma once

#include <algorithm>
#include <cstddef>

#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

class line_estimate {
public:
    /// @param places    samples that run at a time, at least 1
    /// @param max_wait  seconds; 0: no bound
    line_estimate(std::size_t places, double max_wait) : most_places_{places}, places_{places}, max_wait_{max_wait} {}

    /// A sample has ended that had its place for so many seconds. The last 32 count most.
    void ended(double seconds) noexcept {
        count_ += count_ < 32 ? 1 : 0;
        held_ += (seconds - held_) / static_cast<double>(count_);
    }
    /// Places that there are just now: fewer than at first where memory for more is not to be had.
    void set_places(std::size_t places) noexcept { places_ = std::max<std::size_t>(1, places); }

    /// Seconds that one waits with so many before it, those that run among them. 0 before the first has ended.
    [[nodiscard]] double wait_behind(std::size_t in_flight) const noexcept {
        return in_flight < places_
                   ? 0
                   : static_cast<double>(in_flight - places_ + 1) * held_ / static_cast<double>(places_);
    }

    /// Whether one more, with so many before it, is to be let in. Before the first has ended the line takes as many as
    /// there are places.
    [[nodiscard]] bool takes_one_behind(std::size_t in_flight) const noexcept {
        const std::size_t ahead = in_flight - std::min(in_flight, places_);
        if(max_wait_ <= 0 || in_flight < places_ || ahead < std::max<std::size_t>(1, most_places_ / 4)) {
            return true;
        }
        return count_ == 0 ? ahead < most_places_ : wait_behind(in_flight) <= max_wait_;
    }

private:
    std::size_t most_places_;
    std::size_t places_;
    double max_wait_;
    double held_ = 0; // seconds, on average
    std::size_t count_ = 0;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
