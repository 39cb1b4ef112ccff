// Fuzzes JSON Schemas: whatever is accepted has a text that follows it, found by taking bytes until it may end.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include <tokenworks/codec/grammar_machine.hpp>
#include <tokenworks/codec/json_schema.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    namespace codec = tokenworks::codec;
    if(size > 4096) { // time grows with the schema
        return 0;
    }
    try {
        const auto rules = std::make_shared<const codec::grammar>(
            codec::parse_json_schema({reinterpret_cast<const char*>(data), size}));
        codec::grammar_machine machine{rules};
        codec::grammar_machine::state_id at = machine.start();
        for(int step = 0; step < 200 && !machine.may_end(at); ++step) {
            codec::grammar_machine::state_id to = codec::grammar_machine::dead;
            for(std::size_t i = rules->byte_classes(); i > 0 && to == codec::grammar_machine::dead; --i) {
                to = machine.next(at, rules->byte_of(i - 1));
            }
            if(to == codec::grammar_machine::dead) {
                __builtin_trap(); // neither complete nor to be completed
            }
            at = to;
        }
    } catch(const tokenworks::error&) { // what is wrong is refused
    }
    return 0;
}
