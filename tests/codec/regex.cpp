#include <tokenworks/codec/regex.hpp>

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "codec/golden.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
using tokenworks::codec::regex;

namespace {

std::vector<regex::range> matches(const std::string& pattern, const std::string& text) {
    std::vector<regex::range> found;
    regex{pattern}.find_all(text, found);
    return found;
}

/// Bytes of the pieces that a text falls into around its matches.
std::vector<std::size_t> pieces(const regex& expression, const std::string& text) {
    std::vector<regex::range> found;
    expression.find_all(text, found);
    std::vector<std::size_t> lengths;
    std::size_t at = 0;
    for(const auto& [begin, end]: found) {
        for(const std::size_t length: {begin - at, end - begin}) {
            if(length > 0) {
                lengths.push_back(length);
            }
        }
        at = end;
    }
    if(at < text.size()) {
        lengths.push_back(text.size() - at);
    }
    return lengths;
}

} // namespace

TEST_CASE("regex: the cuts of the reference", "[codec]") {
    std::ifstream file{std::string{TOKENWORKS_TEST_DATA} + "/tokenizers/regex.txt"};
    REQUIRE(file);
    std::vector<std::string> texts;
    std::string pattern;
    std::size_t next = 0;
    std::size_t compared = 0;
    for(std::string line; std::getline(file, line);) {
        if(line[0] == 'T') {
            texts.push_back(golden::from_hex(line.substr(2)));
        } else if(line[0] == 'P') {
            pattern = golden::from_hex(line.substr(2));
            next = 0;
        } else {
            const std::string& text = texts.at(next++);
            std::istringstream numbers{line.substr(2)};
            std::vector<std::size_t> expected;
            for(std::size_t n = 0; numbers >> n;) {
                expected.push_back(n);
            }
            INFO(tw::printable(pattern, 200) << " on " << tw::printable(text));
            CHECK(pieces(regex{pattern}, text) == expected);
            ++compared;
        }
    }
    CHECK(compared > 800);
}

TEST_CASE("regex: matches, and where they are empty", "[codec]") {
    using list = std::vector<regex::range>;
    CHECK(matches("b+", "abbab") == list{{1, 3}, {4, 5}});
    CHECK(matches("a*", "aab") == list{{0, 2}, {3, 3}}); // none that is empty where the last one ends
    CHECK(matches("", "ab") == list{{0, 0}, {1, 1}, {2, 2}});
    CHECK(matches("x", "").empty());
    CHECK(matches("$", "a\nb") == list{{1, 1}, {3, 3}});
    CHECK(matches(".", "\xC3\xA9\xFF") == list{{0, 2}, {2, 3}}); // a malformed byte is a character
    CHECK(matches("\xEF\xBF\xBD", "\xFF") == list{{0, 1}});      // U+FFFD
}

TEST_CASE("regex: long texts take linear time where an engine that only goes back would not", "[codec]") {
    const std::string run(200'000, 'a');
    CHECK(matches("(?:aa|a)*b", run).empty());
    CHECK(matches("\\s+$", std::string(200'000, ' ') + "x").empty());
    CHECK(matches("a*b", run).empty());
    CHECK(matches("a*+b", run).empty());
    CHECK(matches("(?:a|b)+c|a", run).size() == run.size());
    CHECK(matches("\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+", std::string(200'000, ' ') + "x").size() == 2);
}

TEST_CASE("regex: what takes too many steps is refused", "[codec]") {
    CHECK_THROWS_AS(matches("(?:a*)*b", std::string(5'000, 'a')), tw::limit_error);
    CHECK_THROWS_AS(matches("(?=(?:a|aa)+b)x", std::string(5'000, 'a')), tw::limit_error);
    CHECK_THROWS_WITH(matches("(?:a*)*b", std::string(5'000, 'a')), ContainsSubstring("steps in a text of 5000 bytes"));
}

TEST_CASE("regex: texts that share their steps", "[codec]") {
    const regex expression{"(?:a*)*b"};
    const std::string text(16, 'a');
    std::vector<regex::range> found;
    const std::uint64_t all = regex::step_limit(text.size());
    std::uint64_t left = all;
    expression.find_all(text, found, left);
    const std::uint64_t each = all - left;
    CHECK(each > 1'000);
    expression.find_all(text, found, left);
    CHECK(all - left == 2 * each);
    left = 3 * each - 1;
    expression.find_all(text, found, left);
    expression.find_all(text, found, left);
    CHECK_THROWS_AS(expression.find_all(text, found, left), tw::limit_error);
    // However much is left, one text takes no more than it may alone.
    left = ~std::uint64_t{0};
    CHECK_THROWS_WITH(expression.find_all(std::string(5'000, 'a'), found, left),
                      ContainsSubstring("more than 6000000 steps in a text of 5000 bytes"));
}
