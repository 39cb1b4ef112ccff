#include <tokenworks/codec/token_decoder.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/regex.hpp>

#include "support/catch.hpp"

using namespace tokenworks::codec;

TEST_CASE("token_decoder: each step", "[codec]") {
    const auto decoded = [](std::vector<decoder_data> steps, const std::vector<std::string_view>& tokens) {
        text_list list;
        for(const std::string_view t: tokens) {
            list.push_back(t);
        }
        std::string out;
        std::uint64_t regex_steps = regex::step_limit(list.bytes.size());
        token_decoder{steps, true}.decode_to(out, list, regex_steps);
        return out;
    };
    const auto step = [](decoder_kind kind, std::string content = {}) {
        decoder_data d;
        d.kind = kind;
        d.content = std::move(content);
        return d;
    };
    using enum decoder_kind;
    CHECK(decoded({step(byte_level)}, {"\u0120caf", "\u00c3\u00a9", "\u4e2d"}) == " caf\u00e9\u4e2d");
    CHECK(decoded({step(metaspace, "\u2581")}, {"\u2581Hey", "\u2581you"}) == "Hey you");
    CHECK(decoded({step(wordpiece, "##")}, {"a", "##b", "c", "n't", ".", "##"}) == "ab cn't.");
    CHECK(decoded({step(bpe, "</w>")}, {"a", "b</w>", "c</w>"}) == "ab c");
    CHECK(decoded({step(byte_fallback)}, {"<0xC3>", "<0xA9>", "x", "<0xFF>", "<0xF>"}) == "\u00e9x\xFF<0xF>");
    decoder_data blanks = step(decoder_kind::strip, " ");
    blanks.start = 1;
    blanks.stop = 2;
    CHECK(decoded({step(fuse), blanks}, {"  a", "b   "}) == " ab ");
    CHECK(decoded({blanks}, {"  a", "b   "}) == " ab ");
    decoder_data changed = step(decoder_kind::replace, "_");
    changed.pattern = {"[xy]+", true};
    CHECK(decoded({changed}, {"axy", "yb"}) == "a__b");
    CHECK(decoded({}, {"a", "b"}) == "ab");
}

TEST_CASE("token_decoder: without steps, and in the middle of a text", "[codec]") {
    const auto decoded = [](const token_decoder& decoder, token_decoder::place where) {
        text_list list;
        list.push_back("\u2581a");
        list.push_back("b");
        std::string out = "x";
        std::uint64_t regex_steps = 0;
        decoder.decode_to(out, list, regex_steps, where);
        return out;
    };
    using enum token_decoder::place;
    CHECK(decoded({}, whole) == "x\u2581a b");
    decoder_data blanks;
    blanks.kind = decoder_kind::metaspace;
    blanks.content = "\u2581";
    CHECK(decoded(token_decoder{{blanks}, true}, whole) == "xab"); // the blank that encoding has put there
    CHECK(decoded(token_decoder{{blanks}, true}, middle) == "x ab");
}
