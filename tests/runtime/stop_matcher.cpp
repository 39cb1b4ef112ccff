#include "support/catch.hpp"

#include <chrono>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <tokenworks/runtime/stop_matcher.hpp>

namespace tw = tokenworks;
using tokenworks::runtime::stop_matcher;

namespace {

// The first place where a stop string ends and the longest that ends there, by trying them all.
std::optional<stop_matcher::match> slow_find(const std::vector<std::string>& stops, const std::string& text) {
    for(std::size_t end = 1; end <= text.size(); ++end) {
        std::size_t length = 0;
        for(const auto& s: stops) {
            if(s.size() <= end && text.compare(end - s.size(), s.size(), s) == 0) {
                length = std::max(length, s.size());
            }
        }
        if(length != 0) {
            return stop_matcher::match{end, length};
        }
    }
    return std::nullopt;
}

std::size_t slow_held(const std::vector<std::string>& stops, const std::string& text) {
    std::size_t held = 0;
    for(const auto& s: stops) {
        for(std::size_t n = 1; n <= std::min(s.size(), text.size()); ++n) {
            if(text.compare(text.size() - n, n, s, 0, n) == 0) {
                held = std::max(held, n);
            }
        }
    }
    return held;
}

} // namespace

TEST_CASE("random strings over two letters are found where trying them all finds them, in any pieces") {
    std::mt19937 random{1};
    const auto letters = [&](std::size_t n) {
        std::string s;
        for(std::size_t i = 0; i < n; ++i) {
            s += random() % 2 == 0 ? 'a' : 'b';
        }
        return s;
    };
    for(int round = 0; round < 3000; ++round) {
        std::vector<std::string> stops;
        for(std::size_t n = random() % 4 + 1; n > 0; --n) {
            stops.push_back(letters(random() % 6 + 1));
        }
        const std::string text = letters(random() % 40);
        stop_matcher matcher{stops};
        std::optional<stop_matcher::match> found;
        std::size_t at = 0;
        while(at < text.size() && !found) {
            const std::string piece = text.substr(at, random() % 5);
            found = matcher.feed(piece);
            if(found) {
                found->end += at;
            } else {
                at += piece.size();
                REQUIRE(matcher.held() == slow_held(stops, text.substr(0, at)));
            }
        }
        const auto expected = slow_find(stops, text);
        REQUIRE(found.has_value() == expected.has_value());
        if(found) {
            REQUIRE(found->end == expected->end);
            REQUIRE(found->length == expected->length);
        }
    }
}

TEST_CASE("without strings nothing is found and nothing held") {
    stop_matcher matcher;
    CHECK_FALSE(matcher.feed("anything at all"));
    CHECK(matcher.held() == 0);
}

TEST_CASE("any bytes may be looked for") {
    const std::vector<std::string> stops{std::string{'\0', '\xff'}};
    stop_matcher matcher{stops};
    CHECK_FALSE(matcher.feed(std::string{'\0'}));
    const auto found = matcher.feed(std::string{'\xff'});
    REQUIRE(found);
    CHECK(found->end == 1);
    CHECK(found->length == 2);
}

TEST_CASE("an empty string is refused, and so are too many bytes") {
    const std::vector<std::string> stops{"a", ""};
    REQUIRE_THROWS_WITH(stop_matcher{stops}, ContainsSubstring("string 1 is empty"));
    const std::vector<std::string> huge{std::string(std::size_t{1} << 23, 'a'),
                                        std::string((std::size_t{1} << 23) + 1, 'b')};
    CHECK_THROWS_AS(stop_matcher{huge}, tw::limit_error);
}

TEST_CASE("the worst case is linear") {
    const std::vector<std::string> stops{std::string(20000, 'a') + "b"};
    stop_matcher matcher{stops};
    const std::string text(2000000, 'a');
    const auto start = std::chrono::steady_clock::now();
    CHECK_FALSE(matcher.feed(text));
    CHECK(matcher.held() == 20000);
    CHECK(matcher.feed("b"));
    // Quadratic would be 4e10 steps.
    CHECK(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < 5.0);
}
