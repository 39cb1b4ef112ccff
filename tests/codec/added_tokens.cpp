#include <tokenworks/codec/added_tokens.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/timing.hpp"

namespace tw = tokenworks;
using namespace tokenworks::codec;

namespace {

added_token token(std::uint32_t id) {
    added_token t;
    t.id = id;
    return t;
}

bool everywhere(std::size_t, std::size_t) { return true; }

using list = std::vector<std::vector<std::size_t>>; // begin, end, id

list found(const added_tokens& tokens, std::string_view text, added_tokens::allowance allowed = everywhere) {
    list out;
    for(const text_part& part: tokens.find(text, allowed)) {
        out.push_back({part.begin, part.end, static_cast<std::size_t>(part.token)});
    }
    return out;
}

} // namespace

TEST_CASE("added_tokens: the leftmost, and of those the longest", "[codec]") {
    const added_tokens tokens{{{"ab", token(1)}, {"abc", token(2)}, {"bcd", token(3)}}};
    CHECK(found(tokens, "abcd") == list{{0, 3, 2}});
    CHECK(found(tokens, "xbcdab") == list{{1, 4, 3}, {4, 6, 1}});
    CHECK(found(tokens, "").empty());
    CHECK(added_tokens{}.empty());
    CHECK(found(added_tokens{}, "abc").empty());
}

TEST_CASE("added_tokens: a special token is matched where it is allowed, and hides others where it is not", "[codec]") {
    added_token special = token(1);
    special.special = true;
    const added_tokens tokens{{{"<s>", special}, {"<", token(2)}}};
    CHECK(found(tokens, "<<s><s>", [](std::size_t begin, std::size_t) { return begin > 3; }) ==
          list{{0, 1, 2}, {4, 7, 1}});
}

TEST_CASE("added_tokens: single words, also between characters of several bytes", "[codec]") {
    added_token word = token(1);
    word.single_word = true;
    const added_tokens tokens{{{"cat", word}}};
    CHECK(found(tokens, "cat cat_ \u00e9cat cat\u4e2d \u2014cat\u2014 cat") ==
          list{{0, 3, 1}, {25, 28, 1}, {32, 35, 1}});
    CHECK(found(tokens, "\x80"
                        "cat\xFF") == list{{1, 4, 1}}); // malformed bytes are no letters
}

TEST_CASE("added_tokens: blanks beside a token", "[codec]") {
    added_token left = token(1);
    left.lstrip = true;
    added_token right = token(2);
    right.rstrip = true;
    const added_tokens tokens{{{"<l>", left}, {"<r>", right}}};
    CHECK(found(tokens, "a \u3000<l> b") == list{{1, 8, 1}});
    CHECK(found(tokens, "a <r> \u3000\n") == list{{2, 10, 2}});
    CHECK(found(tokens, "<r>  <l>") == list{{0, 5, 2}, {5, 8, 1}}); // blanks belong to one of them
    CHECK(found(tokens, "<r><r> <r>  ") == list{{0, 3, 2}, {3, 7, 2}, {7, 12, 2}});
    // A token within the blanks that were taken is found again, with those behind it.
    right.id = 3;
    const added_tokens blanks{{{" ", right}}};
    CHECK(found(blanks, "x   y  ") == list{{1, 4, 3}, {2, 4, 3}, {3, 4, 3}, {5, 7, 3}, {6, 7, 3}});
}

TEST_CASE("added_tokens: a run of blanks is looked through once, however many tokens stand in it", "[codec]") {
    const std::string text(30'000, ' ');
    added_token blank = token(1);
    const added_tokens plain{{{" ", blank}}};
    blank.rstrip = true;
    const added_tokens stripping{{{" ", blank}}};
    const auto time = [&](const added_tokens& tokens) {
        return timing::fastest_of(3, [&] { CHECK(tokens.find(text, everywhere).size() == text.size()); });
    };
    CHECK(time(stripping) < 20 * time(plain)); // looking through it for each token takes 1000 times as long
}
