// How much memory this process has taken.
#pragma once

#include <cstddef>
#include <fstream>
#include <string>

namespace support {

/// Bytes that were resident at most so far; 0 where the system does not tell.
inline std::size_t peak_memory() {
    std::ifstream file{"/proc/self/status"};
    for(std::string word; file >> word;) {
        if(word == "VmHWM:") {
            std::size_t kilobytes = 0;
            file >> kilobytes;
            return kilobytes * 1024;
        }
    }
    return 0;
}

} // namespace support
