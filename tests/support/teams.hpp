// Every way to run a kernel: each instruction set of this machine, on teams of one, two and three.
#pragma once

#include <tokenworks/core/cpu.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/thread_team.hpp>

#include "support/catch.hpp"
#include "support/kernels.hpp"

namespace support {

/// Calls body(execution) for each, and names it where a check fails.
template <class Body>
void for_each_team(Body&& body) {
    for(const unsigned threads: {1U, 2U, 3U}) {
        tokenworks::thread_team team{threads};
        for_each_isa([&](tokenworks::execution how) {
            INFO(threads << " threads on " << tokenworks::name(how.set));
            how.threads = &team;
            body(how);
        });
    }
}

} // namespace support
