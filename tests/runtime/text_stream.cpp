#include "support/catch.hpp"

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/codec/utf8.hpp>
#include <tokenworks/runtime/text_stream.hpp>

#include "support/allocations.hpp"

using tokenworks::runtime::text_stream;

namespace {

using strings = std::vector<std::string>;

strings pieces_of(text_stream& stream, const strings& tokens) {
    strings shown;
    for(const auto& token: tokens) {
        shown.emplace_back(stream.push(token));
    }
    shown.emplace_back(stream.finish());
    return shown;
}

} // namespace

TEST_CASE("a character is shown when its last byte has come") {
    text_stream stream;
    // An emoji in four tokens, then one cut between tokens.
    CHECK(pieces_of(stream, {"a\xF0", "\x9F", "\x98", "\x80z", "\xC3", "\xA9"}) ==
          strings{"a", "", "", "\xF0\x9F\x98\x80z", "", "\xC3\xA9", ""});
}

TEST_CASE("bytes that can be no character any more pass as they are") {
    text_stream stream;
    CHECK(pieces_of(stream, {"\xFF", "\xE2\x82", "x", "\x80", "\xED\xA0", "\xF0\x9F"}) ==
          strings{"\xFF", "", "\xE2\x82x", "\x80", "\xED\xA0", "", "\xF0\x9F"});
}

TEST_CASE("a stop string may span tokens; what stands before it is shown, it is not") {
    const strings stop{"\n\nUser:", "END"};
    text_stream across{stop};
    CHECK(pieces_of(across, {"Hello", " E", "N", "D of"}) == strings{"Hello", " ", "", "", ""});
    CHECK(across.stopped());
    text_stream inside{stop};
    CHECK(pieces_of(inside, {"a\n\nUser:b\n", "more"}) == strings{"a", "", ""});
    text_stream almost{stop};
    CHECK(pieces_of(almost, {"E", "NT", "\n", "\n", "U", "x"}) == strings{"", "ENT", "", "", "", "\n\nUx", ""});
    CHECK_FALSE(almost.stopped());
    text_stream unfinished{stop};
    CHECK(pieces_of(unfinished, {"E", "N"}) == strings{"", "", "EN"});
    text_stream again{stop};
    CHECK(pieces_of(again, {"EEN", "EEND"}) == strings{"E", "ENE", ""});
}

TEST_CASE("a stop string and a character may be held back together") {
    const strings stop{"\xF0\x9F\x98\x81"}; // begins like another emoji
    text_stream stream{stop};
    CHECK(pieces_of(stream, {"x\xF0\x9F", "\x98", "\x80", "\xF0\x9F\x98", "\x81"}) ==
          strings{"x", "", "\xF0\x9F\x98\x80", "", "", ""});
    CHECK(stream.stopped());
    // A stop string of a character's last bytes: the first ones can become nothing any more, and pass.
    const strings tail{"\x98\x80"};
    text_stream cut{tail};
    CHECK(pieces_of(cut, {"\xF0\x9F", "\x98", "\x80"}) == strings{"", "", "\xF0\x9F", ""});
}

TEST_CASE("however the bytes are cut, the shown text is the same and no character is cut by a piece") {
    std::mt19937 random{4};
    const strings stop{"stop", "\xE2\x82\xAC\xE2", "opst"};
    const strings alphabet{"s", "t", "o", "p", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xC3", "\xFF", "\xE2"};
    for(int round = 0; round < 3000; ++round) {
        std::string text;
        for(std::size_t n = random() % 30; n > 0; --n) {
            text += alphabet[random() % alphabet.size()];
        }
        text_stream whole{stop};
        std::string expected{whole.push(text)};
        expected += whole.finish();
        std::size_t first = std::string::npos; // where the first stop string to end begins
        for(std::size_t end = 1; end <= text.size() && first == std::string::npos; ++end) {
            for(const auto& s: stop) {
                if(text.substr(0, end).ends_with(s)) {
                    first = std::min(first, end - s.size());
                }
            }
        }
        REQUIRE(expected == text.substr(0, first));
        std::vector<bool> within(text.size() + 1, false); // places inside of a character
        for(std::size_t at = 0; at < text.size();) {
            const auto c = tokenworks::codec::decode_utf8(text, at);
            for(std::size_t i = 1; i < c.length; ++i) {
                within[at + i] = true;
            }
            at += c.length;
        }
        text_stream cut{stop};
        std::string shown;
        for(std::size_t at = 0; at < text.size();) {
            const std::size_t n = random() % 3 + 1;
            shown += cut.push(std::string_view{text}.substr(at, n));
            REQUIRE((cut.stopped() || !within[shown.size()]));
            at += n;
        }
        shown += cut.finish();
        REQUIRE(shown == expected);
        REQUIRE(cut.stopped() == whole.stopped());
    }
}

TEST_CASE("pushing allocates nothing") {
    const strings stop{"never to be seen"};
    text_stream stream{stop};
    std::size_t shown = 0;
    CHECK(support::allocations_during([&] {
              for(int i = 0; i < 5000; ++i) {
                  shown += stream.push(" never to be \xF0\x9F").size();
              }
          }) == 0);
    CHECK(shown > 5000);
}
