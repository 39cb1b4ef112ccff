// A grammar of exactly one of several texts: an answer that is a label, and nothing else.
//
//   const std::vector<std::string> labels{"yes", "no", "not known"};
//   const codec::grammar g = codec::choices(labels);
//
// The texts share what they begin with, as a tree of bytes, so that a machine is at one place whatever their number:
// GBNF's "a" | "b" keeps one place for each text that is still possible.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/grammar.hpp>
#include <tokenworks/codec/grammar_builder.hpp>
#include <tokenworks/codec/utf8.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

/// Time O(n log n) in the bytes of the texts; at most two elements a byte.
/// @param texts  UTF-8; one that stands twice counts once
/// @param name   what errors call them
/// @throws argument_error for none, and naming the text's number from 0 where it is empty or no UTF-8; limit_error for
///         over grammar::most_elements of the tree's parts
[[nodiscard]] TOKENWORKS_FUNCTION grammar choices(std::span<const std::string> texts, std::string name = "choices");

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION grammar choices(std::span<const std::string> texts, std::string name) {
    if(texts.empty()) {
        tokenworks::detail::raise<argument_error>({name, ": there is no text to choose"});
    }
    for(std::size_t i = 0; i < texts.size(); ++i) {
        if(texts[i].empty()) {
            tokenworks::detail::raise<argument_error>({name, ": text ", i, " is empty"});
        }
        if(const std::size_t bad = find_invalid_utf8(texts[i]); bad != texts[i].size()) {
            tokenworks::detail::raise<argument_error>({name, ": text ", i, " is no UTF-8 at byte ", bad});
        }
    }
    std::vector<std::string_view> sorted{texts.begin(), texts.end()};
    std::ranges::sort(sorted);
    sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());

    grammar_builder make;
    const grammar_builder::part whole{make.node(), make.node()};
    std::vector<grammar::node_id> path{whole.in}; // path[i]: behind i bytes of the text before
    std::string_view before;
    for(const std::string_view text: sorted) {
        const auto shared = static_cast<std::size_t>(std::ranges::mismatch(before, text).in2 - text.begin());
        path.resize(shared + 1);
        for(const char c: text.substr(shared)) {
            const grammar::node_id next = make.node();
            make.link(path.back(), static_cast<std::uint8_t>(c), static_cast<std::uint8_t>(c), next);
            path.push_back(next);
        }
        make.link(path.back(), whole.out);
        before = text;
    }
    return make.finish(whole, std::move(name));
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
