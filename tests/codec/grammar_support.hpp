// What tests of grammars share.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/grammar.hpp>
#include <tokenworks/codec/grammar_machine.hpp>

namespace grammar_support {

/// Whether a text follows a grammar, byte by byte.
inline bool matches(const tokenworks::codec::grammar& g, std::string_view text) {
    tokenworks::codec::grammar_machine machine{std::make_shared<const tokenworks::codec::grammar>(g)};
    auto at = machine.start();
    for(const char c: text) {
        at = machine.next(at, static_cast<std::uint8_t>(c));
    }
    return machine.may_end(at);
}

} // namespace grammar_support
