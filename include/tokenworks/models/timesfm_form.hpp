// What TimesFM has beside patches and layers, as data; see models/timesfm.hpp.
//
//   models::timesfm_form form{.frequencies = 3};
//   form.frequency_of(2) == 2;
#pragma once

#include <algorithm>
#include <cstddef>

#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

struct timesfm_form {
    /// Kinds of series that have a vector each: 0 values of a day and shorter, 1 of weeks and months, 2 of quarters and
    /// years; 0 kinds: none.
    std::size_t frequencies = 0;
    bool waves = false;      ///< sines and cosines are added to the patches, by where they stand
    float least_period = 1;  ///< of these, in patches and radians
    float most_period = 1e4; ///< likewise
    float tolerance = 1e-6F; ///< the least deviation that values are divided by

    bool is_second = false; ///< version 2.5: each patch is measured by all values up to its end, and all that follows
    std::size_t spread = 0; ///< steps that a second head tells quantiles of; 0: there is none that counts
    std::size_t point = 0;  ///< the output that is the forecast itself: 0 the mean, i the i-th quantile
    bool flip = false;      ///< the forecast is that of the series less that of its negative, halved
    bool positive = false;  ///< of a series without a negative value no forecast is negative

    /// The nearest kind that the model knows.
    [[nodiscard]] std::size_t frequency_of(std::size_t asked) const noexcept {
        return frequencies == 0 ? 0 : std::min(asked, frequencies - 1);
    }
    friend bool operator==(const timesfm_form&, const timesfm_form&) = default;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::models
