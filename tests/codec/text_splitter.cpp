#include <tokenworks/codec/text_splitter.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace tokenworks::codec;

namespace {

splitter_data splitter(splitter_kind kind) {
    splitter_data s;
    s.kind = kind;
    return s;
}

/// The words that a step cuts a text into.
std::vector<std::string> words(const splitter_data& step, const std::string& text, bool start = true) {
    cut_text cut;
    cut.text = text;
    cut.pieces = {{0, text.size()}};
    std::uint64_t regex_steps = regex::step_limit(text.size());
    text_splitter{{step}, false}.apply(cut, start, regex_steps);
    std::vector<std::string> out;
    for(const auto& [begin, end]: cut.pieces) {
        out.push_back(cut.text.substr(begin, end - begin));
    }
    return out;
}

} // namespace

TEST_CASE("text_splitter: each step", "[codec]") {
    using enum splitter_kind;
    using list = std::vector<std::string>;
    CHECK(words(splitter(whitespace), " Hey, man! a_b\t9") == list{"Hey", ",", "man", "!", "a_b", "9"});
    CHECK(words(splitter(whitespace_split), " a  b\u3000c ") == list{"a", "b", "c"});
    CHECK(words(splitter(bert), "a,b  c.") == list{"a", ",", "b", "c", "."});
    splitter_data s = splitter(digits);
    CHECK(words(s, "a12b\u00b2") == list{"a", "12", "b", "\u00b2"});
    s.individual_digits = true;
    CHECK(words(s, "a12") == list{"a", "1", "2"});
    s = splitter(metaspace);
    CHECK(words(s, "Hey  you") == list{"\u2581Hey", "\u2581", "\u2581you"});
    s.prepend = prepend_scheme::never;
    CHECK(words(s, "Hey you") == list{"Hey", "\u2581you"});
    s.prepend = prepend_scheme::first;
    CHECK(words(s, "Hey", false) == list{"Hey"});
    CHECK(words(s, "Hey", true) == list{"\u2581Hey"});
    s.split = false;
    CHECK(words(s, "Hey you") == list{"\u2581Hey\u2581you"});
    s = splitter(split);
    s.pattern = {"-", false};
    const std::string text = "the-final--countdown";
    s.behavior = split_behavior::removed;
    CHECK(words(s, text) == list{"the", "final", "countdown"});
    s.behavior = split_behavior::isolated;
    CHECK(words(s, text) == list{"the", "-", "final", "-", "-", "countdown"});
    s.behavior = split_behavior::merged_with_previous;
    CHECK(words(s, text) == list{"the-", "final-", "-", "countdown"});
    s.behavior = split_behavior::merged_with_next;
    CHECK(words(s, text) == list{"the", "-final", "-", "-countdown"});
    s.behavior = split_behavior::contiguous;
    CHECK(words(s, text) == list{"the", "-", "final", "--", "countdown"});
    s.invert = true;
    s.behavior = split_behavior::removed;
    CHECK(words(s, text) == list{"-", "-", "-"});
    s = splitter(splitter_kind::byte_level);
    CHECK(words(s, "a b") == list{"\u0120a", "\u0120b"});
}

TEST_CASE("text_splitter: a step cuts what the step before it left", "[codec]") {
    splitter_data dashes = splitter(splitter_kind::split);
    dashes.pattern = {"-+", true};
    dashes.behavior = split_behavior::removed;
    cut_text cut;
    cut.text = "a1--b22";
    cut.pieces = {{0, cut.text.size()}};
    std::uint64_t regex_steps = regex::step_limit(cut.text.size());
    text_splitter{{dashes, splitter(splitter_kind::digits)}, false}.apply(cut, true, regex_steps);
    CHECK(cut.text == "a1--b22");
    CHECK(cut.pieces == std::vector<cut_text::range>{{0, 1}, {1, 2}, {4, 5}, {5, 7}});
    CHECK(regex_steps < regex::step_limit(cut.text.size()));
    // The last step leaves bytes alone, where it is asked to.
    for(const bool raw: {false, true}) {
        cut.text = " \u00e9";
        cut.pieces = {{0, cut.text.size()}};
        splitter_data bytes = splitter(splitter_kind::byte_level);
        bytes.add_prefix_space = false;
        text_splitter{{bytes}, raw}.apply(cut, true, regex_steps);
        CHECK(cut.text == (raw ? " \u00e9" : "\u0120\u00c3\u00a9"));
    }
    CHECK_THROWS_AS(text_splitter(std::vector<splitter_data>(257, dashes), false), tokenworks::limit_error);
    dashes.pattern = {"(", true};
    CHECK_THROWS_AS(text_splitter({dashes}, false), tokenworks::argument_error);
}
