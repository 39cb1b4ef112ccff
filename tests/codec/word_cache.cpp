#include <tokenworks/codec/word_cache.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"

using namespace tokenworks::codec;

namespace {

/// What encode() of a test makes of a word, and how often it was asked.
struct counted {
    std::size_t calls = 0;

    void operator()(std::string_view word, std::vector<token_id>& ids) {
        ++calls;
        for(const char c: word) {
            ids.push_back(static_cast<unsigned char>(c));
        }
        ids.push_back(static_cast<token_id>(word.size()));
    }
};

/// The ids of a text whose words end at blanks.
std::vector<token_id> with_cache(const std::string& text, counted& encode) {
    std::vector<token_id> ids{-7}; // what was there before stays
    word_cache cache{text, ids};
    std::size_t begin = 0;
    while(begin < text.size()) {
        const std::size_t end = std::min(text.find(' ', begin + 1), text.size());
        cache.append(begin, end, [&](std::string_view word) { encode(word, ids); });
        begin = end;
    }
    return ids;
}

std::vector<token_id> without(const std::string& text) {
    std::vector<token_id> ids{-7};
    counted encode;
    std::size_t begin = 0;
    while(begin < text.size()) {
        const std::size_t end = std::min(text.find(' ', begin + 1), text.size());
        encode(std::string_view{text}.substr(begin, end - begin), ids);
        begin = end;
    }
    return ids;
}

} // namespace

TEST_CASE("word_cache: a word that came is not encoded again", "[codec]") {
    std::string text;
    while(text.size() < word_cache::shortest_text) {
        text += " cat dog";
    }
    counted encode;
    CHECK(with_cache(text, encode) == without(text));
    CHECK(encode.calls == 2);
}

TEST_CASE("word_cache: short texts, long words and single bytes go without", "[codec]") {
    counted encode;
    const std::string few = " cat cat";
    CHECK(with_cache(few, encode) == without(few));
    CHECK(encode.calls == 2);
    const std::string word = ' ' + std::string(word_cache::longest_word, 'x');
    std::string text;
    for(int i = 0; i < 20; ++i) {
        text += word;
    }
    encode.calls = 0;
    CHECK(with_cache(text, encode) == without(text));
    CHECK(encode.calls == 20);
    encode.calls = 0;
    const std::string blanks(word_cache::shortest_text, ' '); // a word a blank
    CHECK(with_cache(blanks, encode) == without(blanks));
    CHECK(encode.calls == blanks.size());
}

TEST_CASE("word_cache: more words than places, and words that are parts of each other", "[codec]") {
    std::string text;
    for(int round = 0; round < 2; ++round) {
        for(std::size_t i = 0; i < 3 * word_cache::entries; ++i) {
            text += ' ';
            text += std::to_string(i);
        }
    }
    counted encode;
    CHECK(with_cache(text, encode) == without(text));
    CHECK(encode.calls < 6 * word_cache::entries); // some stayed
}
