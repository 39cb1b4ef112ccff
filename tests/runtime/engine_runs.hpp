// What the tests of engines do alike: requests that come while others run, and some that leave.
#pragma once

#include <cstddef>
#include <vector>

#include <tokenworks/runtime/engine.hpp>
#include <tokenworks/runtime/text_model.hpp>

#include "support/tiny_model.hpp"

namespace engine_runs {

inline tokenworks::text_model load(unsigned threads = 1, std::size_t context = 512) {
    return tokenworks::text_model::load(support::tiny_model{.context = context}.bytes(), "tiny.gguf",
                                        {.threads = threads});
}

inline void run_all(tokenworks::runtime::engine& of) {
    while(of.step()) {
    }
}

/// Runs requests 0 … count - 1 to their ends, a step after every third. Every `period`th brings another, number
/// i + beyond, which is cancelled on its way or when all have come.
/// @param make  make(i): request number i
template <class Make>
std::vector<tokenworks::runtime::job> run_staggered(tokenworks::runtime::engine& of, std::size_t count,
                                                    std::size_t period, std::size_t beyond, const Make& make) {
    std::vector<tokenworks::runtime::job> jobs;
    std::vector<tokenworks::runtime::job> cancelled;
    for(std::size_t i = 0; i < count; ++i) {
        jobs.push_back(of.submit(make(i)));
        if(i % period == 0) {
            cancelled.push_back(of.submit(make(i + beyond)));
        }
        if(i % 3 == 0) {
            of.step();
        }
        if(i % (2 * period) == 2 * period - 1) {
            cancelled[i / (2 * period)].cancel();
        }
    }
    cancelled.clear();
    run_all(of);
    return jobs;
}

} // namespace engine_runs
