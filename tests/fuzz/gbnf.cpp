// Fuzzes grammars in GBNF: one that is accepted reads the rest of the input byte by byte, within the bounds of its
// machine.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include <tokenworks/codec/gbnf.hpp>
#include <tokenworks/codec/grammar_machine.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    namespace codec = tokenworks::codec;
    const std::string_view all{reinterpret_cast<const char*>(data), size};
    const std::string_view text = all.substr(0, all.find('\0'));
    try {
        codec::grammar_machine machine{std::make_shared<const codec::grammar>(codec::parse_gbnf(text))};
        codec::grammar_machine::state_id at = machine.start();
        for(const char c: all.substr(std::min(text.size() + 1, all.size()))) {
            at = machine.next(at, static_cast<std::uint8_t>(c));
            if(at != codec::grammar_machine::dead && machine.is_last(at) && !machine.may_end(at)) {
                __builtin_trap(); // a place that nothing leads away from
            }
        }
    } catch(const tokenworks::error&) { // what is wrong is refused
    }
    return 0;
}
