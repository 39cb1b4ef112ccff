#include <string>
#include <vector>

#include <tokenworks/codec/bpe.hpp>
#include <tokenworks/codec/tokenizer.hpp>

#include "codec/golden.hpp"
#include "support/catch.hpp"

using namespace tokenworks::codec;

namespace {

vocabulary_data letters() {
    vocabulary_data d;
    d.name = "letters.gguf";
    d.model = "gpt2";
    d.pre = "gpt-2";
    d.tokens = {"a", "b", "c", "ab", "bc", "abc", "aa", "aaaa"};
    d.merges = {"b c", "a b", "ab c", "a a", "aa aa"};
    return d;
}

std::vector<token_id> encode(const vocabulary_data& d, std::string_view text) {
    const vocabulary vocab{d};
    const byte_level_bpe bpe{d, vocab};
    std::vector<token_id> ids;
    bpe.encode(vocab, text, ids);
    return ids;
}

} // namespace

TEST_CASE("merges go by rank, then from the left", "[codec]") {
    const vocabulary_data d = letters();
    CHECK(encode(d, "") == std::vector<token_id>{});
    CHECK(encode(d, "a") == std::vector<token_id>{0});
    CHECK(encode(d, "ab") == std::vector<token_id>{3});
    CHECK(encode(d, "abc") == std::vector<token_id>{0, 4}); // "b c" first, and nothing merges "a" with "bc"
    CHECK(encode(d, "aaa") == std::vector<token_id>{6, 0});
    CHECK(encode(d, "aaaaaaa") == std::vector<token_id>{7, 6, 0});
    CHECK(encode(d, "cab") == std::vector<token_id>{2, 3});
}

TEST_CASE("a byte without a token is left out and separates its neighbours", "[codec]") {
    CHECK(encode(letters(), "ab!ab") == std::vector<token_id>{3, 3});
    vocabulary_data d = letters();
    d.tokens.insert(d.tokens.end(), {"\xC3\xAF", "\xC2\xBB", "\xC2\xBD"}); // the bytes EF BB and BD, as they are spelt
    CHECK(encode(d, "\xEF") == std::vector<token_id>{8});
    CHECK(encode(d, "\xFF") == std::vector<token_id>{8, 10}); // U+FFFD, as far as there are tokens
    CHECK(encode(d, "a\xFF"
                    "b") == std::vector<token_id>{0, 8, 10, 1});
}

TEST_CASE("long words merge as short ones do", "[codec]") {
    const golden::vocabulary_file file{"bpe"};
    vocabulary_data d = file.data("gpt2", "gpt-2");
    const vocabulary vocab{d};
    // Twice the same text: as one word of letters, where the heap is used, and against merging by hand.
    const merge_table merges{d, vocab};
    std::uint64_t state = 12345;
    for(std::size_t length: {31U, 32U, 33U, 34U, 60U, 200U, 1000U}) {
        std::string word;
        for(std::size_t i = 0; i < length; ++i) {
            state = state * 6364136223846793005U + 1442695040888963407U;
            word += "etaoinshrd"[(state >> 33) % 10];
        }
        std::vector<token_id> slow;
        for(const char c: word) {
            slow.push_back(*vocab.byte_token(static_cast<unsigned char>(c)));
        }
        for(;;) {
            std::size_t best = slow.size();
            merge lowest;
            for(std::size_t i = 0; i + 1 < slow.size(); ++i) {
                const merge m = merges.find(slow[i], slow[i + 1]);
                if(m.rank < lowest.rank) {
                    lowest = m;
                    best = i;
                }
            }
            if(best == slow.size()) {
                break;
            }
            slow[best] = lowest.result;
            slow.erase(slow.begin() + static_cast<std::ptrdiff_t>(best) + 1);
        }
        const byte_level_bpe bpe{d, vocab};
        std::vector<token_id> fast;
        bpe.encode(vocab, word, fast);
        CHECK(fast == slow);
    }
}

TEST_CASE("byte-level BPE gives the ids of the reference", "[codec]") {
    const golden::vocabulary_file file{"bpe"};
    const std::vector<std::string> strings = golden::strings();
    REQUIRE(strings.size() >= 600);
    const std::string kind =
        GENERATE("gpt-2", "smollm", "llama-bpe", "qwen2", "falcon", "deepseek-llm", "deepseek-coder", "default");
    const tokenizer tokens{file.data("gpt2", kind)};
    const auto expected = golden::ids(kind);
    REQUIRE(expected.size() == strings.size());
    std::size_t compared = 0;
    for(std::size_t i = 0; i < strings.size(); ++i) {
        INFO(kind << ", string " << i << ": " << tokenworks::printable(strings[i]));
        const std::vector<token_id> ids = tokens.encode(strings[i]);
        CHECK(tokens.decode(ids) == strings[i]);
        if(expected[i]) {
            ++compared;
            CHECK(ids == *expected[i]);
        }
    }
    CHECK(compared >= 550);
}

TEST_CASE("a hundred thousand letters take no quadratic time", "[codec]") {
    const golden::vocabulary_file file{"bpe"};
    const tokenizer tokens{file.data("gpt2", "gpt-2")};
    const std::string text =
        GENERATE(std::string(100'000, 'a'), std::string(100'000, ' '), std::string(100'000, '\n'),
                 std::string(100'000, '7'), std::string(100'000, '!'), std::string(100'000, '\xFF'));
    // A quadratic method would look at 10^10 pairs, which takes minutes; the test's time limit catches that.
    const std::vector<token_id> ids = tokens.encode(text);
    CHECK(tokens.decode(ids) == text);
}

TEST_CASE("models with whole words take a token before they look at merges", "[codec]") {
    vocabulary_data d = letters();
    d.add_bos = false;
    CHECK(encode(d, "abc") == std::vector<token_id>{0, 4});
    d.pre = "llama-bpe";
    CHECK(encode(d, "abc") == std::vector<token_id>{5});
    d.pre = "phi-3"; // cuts like llama-bpe, but follows the merges
    CHECK(encode(d, "abc") == std::vector<token_id>{0, 4});
}

TEST_CASE("what byte-level BPE refuses", "[codec]") {
    vocabulary_data d = letters();
    d.pre = "no-such\n";
    REQUIRE_THROWS_AS(tokenizer{d}, tokenworks::unsupported_error);
    REQUIRE_THROWS_WITH(tokenizer{d}, "letters.gguf: tokenizer.ggml.pre: unknown pre-tokenizer \"no-such\\x0a\"");
    d = letters();
    d.merges.clear();
    REQUIRE_THROWS_WITH(tokenizer{d},
                        "letters.gguf: tokenizer.ggml.merges: absent, although token 3 is longer than a byte");
}
