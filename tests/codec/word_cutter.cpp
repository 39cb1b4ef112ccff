#include <tokenworks/codec/word_cutter.hpp>

#include <cstddef>
#include <string>
#include <string_view>

#include "support/catch.hpp"

using namespace tokenworks::codec;
using namespace tokenworks::codec::detail;

TEST_CASE("word_cutter: characters with their class, up to an end", "[codec]") {
    const scanner scan{"aé\xFF 5"};
    CHECK((scan(0, 6).code == 'a' && is_letter(scan(0, 6)) && scan(0, 6).length == 1));
    CHECK((scan(1, 6).code == 0xE9 && scan(1, 6).length == 2));
    CHECK(scan(1, 2).length == 1); // half of it is a malformed byte,
    CHECK(is_rest(scan(1, 2)));    // which counts as a symbol
    CHECK(is_rest(scan(3, 6)));
    CHECK(is_space(scan(4, 6)));
    CHECK(is_number(scan(5, 6)));
    CHECK((scan(6, 6).kind == char_class::none && scan(6, 6).length == 0));
    CHECK(scan.run(0, 6, is_letter) == 3);
    CHECK(scan.run(0, 1, is_letter) == 1);
    CHECK(scan.run(4, 6, is_letter) == 4);
}

TEST_CASE("word_cutter: contractions", "[codec]") {
    const auto length = [](std::string_view text, bool any_case) {
        return contraction(scanner{text}, 0, text.size(), any_case);
    };
    CHECK(length("'s", false) == 2);
    CHECK(length("'re", false) == 3);
    CHECK(length("'ll!", false) == 3);
    CHECK(length("'r", false) == 0);
    CHECK(length("'S", false) == 0);
    CHECK(length("'S", true) == 2);
    CHECK(length("'vE", true) == 3);
    CHECK(length("'\u017F", true) == 3); // the long s, in bytes
    CHECK(length("'\u017F", false) == 0);
    CHECK(length("s", true) == 0);
    CHECK(contraction(scanner{"'re"}, 0, 2, true) == 0); // cut off by the end
}

TEST_CASE("word_cutter: runs of blanks", "[codec]") {
    const auto run = [](std::string_view text) { return blanks(scanner{text}, 0, text.size()); };
    CHECK(run("   a") == 2); // the last one goes to the word
    CHECK(run(" a") == 1);
    CHECK(run("   ") == 3);
    CHECK(run(" \u3000a") == 1);
    const auto line = [](std::string_view text) { return through_newline(scanner{text}, 0, text.size()); };
    CHECK(line(" \n \n a") == 4);
    CHECK(line("  a\n") == 0);
    CHECK(line("\r\n") == 2);
}

TEST_CASE("word_cutter: what matches is cut out, what lies between is kept", "[codec]") {
    const auto cut = [](std::string_view text) {
        std::string all;
        const scanner scan{text};
        cut_out(
            scan, 0, text.size(),
            [&](std::size_t at, std::size_t end) { return blank_and_run(scan, at, end, is_number); },
            [&](std::size_t begin, std::size_t end) {
                all.append(all.empty() ? "" : "|").append(text.substr(begin, end - begin));
            });
        return all;
    };
    CHECK(cut("a 12b3") == "a| 12|b|3");
    CHECK(cut("12 ") == "12| ");
    CHECK(cut("ab") == "ab");
    CHECK(cut("").empty());
}
