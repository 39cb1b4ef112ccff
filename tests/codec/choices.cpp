#include <tokenworks/codec/choices.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "codec/grammar_support.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
namespace codec = tokenworks::codec;
using grammar_support::matches;

namespace {

template <class Error>
std::string refusal(const std::vector<std::string>& texts) {
    try {
        static_cast<void>(codec::choices(texts, "labels"));
    } catch(const Error& problem) {
        return problem.what();
    }
    return "";
}

} // namespace

TEST_CASE("choices: each of the texts, and nothing else", "[codec]") {
    const std::vector<std::string> texts{"no", "yes", "yes, but", "nö", "no", "\xF0\x9F\x98\x80", "a\nb"};
    const codec::grammar g = codec::choices(texts);
    CHECK(g.name() == "choices");
    for(const std::string& text: texts) {
        CHECK(matches(g, text));
        CHECK_FALSE(matches(g, text + "x"));
        CHECK_FALSE(matches(g, "x" + text));
    }
    for(const char* const other: {"", "n", "y", "ye", "yes,", "yes, bu", "n\xC3", "nono", "N", "a"}) {
        CHECK_FALSE(matches(g, other));
    }
}

TEST_CASE("choices: texts that begin alike cost what they differ by", "[codec]") {
    std::vector<std::string> texts;
    const std::string begin(200, 'a');
    for(std::size_t i = 0; i < 20'000; ++i) { // 4 MB of texts, many more than the places that a machine may be at
        texts.push_back(begin + std::to_string(i));
    }
    const codec::grammar g = codec::choices(texts);
    CHECK(g.size() < 50'000);
    CHECK(matches(g, begin + "19999"));
    CHECK(matches(g, begin + "1"));
    CHECK_FALSE(matches(g, begin + "20000"));
    CHECK_FALSE(matches(g, begin));
}

TEST_CASE("choices: what is refused", "[codec]") {
    CHECK(refusal<tw::argument_error>({}) == "labels: there is no text to choose");
    CHECK(refusal<tw::argument_error>({"a", ""}) == "labels: text 1 is empty");
    CHECK(refusal<tw::argument_error>({"a", "b", "c\xFF"}) == "labels: text 2 is no UTF-8 at byte 1");
    std::vector<std::string> many;
    for(std::size_t i = 0; i < 20; ++i) {
        many.push_back(std::string(100'000, static_cast<char>('a' + i)));
    }
    CHECK(refusal<tw::limit_error>(many).find("elements") != std::string::npos);
}
