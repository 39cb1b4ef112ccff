// Fuzzes regular expressions: a pattern, a NUL, and a text. Matches are in order, inside of the text, and begin and end
// between characters; the time is bounded by the count of steps.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include <tokenworks/codec/regex.hpp>
#include <tokenworks/codec/utf8.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    namespace codec = tokenworks::codec;
    const std::string_view all{reinterpret_cast<const char*>(data), size};
    const std::string_view pattern = all.substr(0, all.find('\0'));
    const std::string_view text = all.substr(std::min(pattern.size() + 1, all.size()));
    std::vector<bool> border(text.size() + 1);
    for(std::size_t at = 0; at < text.size(); at += codec::decode_utf8(text, at).length) {
        border[at] = true;
    }
    border[text.size()] = true;
    try {
        const codec::regex expression{pattern};
        std::vector<codec::regex::range> found;
        expression.find_all(text, found);
        std::size_t last = 0;
        for(const auto& [begin, end]: found) {
            if(begin < last || end < begin || end > text.size() || !border[begin] || !border[end]) {
                std::abort();
            }
            last = end;
        }
    } catch(const tokenworks::error&) { // what is wrong is refused
    }
    return 0;
}
