#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <tokenworks/codec/tokenizer.hpp>
#include <tokenworks/io/gguf.hpp>
#include <tokenworks/models/gguf_vocabulary.hpp>

#include "codec/golden.hpp"
#include "support/catch.hpp"
#include "support/models.hpp"

using namespace tokenworks::codec;

TEST_CASE("special tokens are matched only where they are asked for", "[codec]") {
    const golden::vocabulary_file file{"bpe"};
    const tokenizer tokens{file.data("gpt2", "gpt-2")};
    const token_id start = *tokens.find("<|im_start|>");
    const std::string text = "a<|im_start|>b";
    const auto plain = tokens.encode(text);
    CHECK(std::ranges::count(plain, start) == 0);
    CHECK(tokens.decode(plain) == text);
    const auto parsed = tokens.encode(text, {.parse_special = true});
    CHECK(std::ranges::count(parsed, start) == 1);
    CHECK(tokens.decode(parsed) == "ab"); // control tokens render as nothing,
    CHECK(tokens.decode(parsed, {.special = true}) == text);
    // User-defined tokens are text, and always matched; the longest wins.
    const token_id longest = *tokens.find("<b></b>");
    CHECK(std::ranges::count(tokens.encode("x<b></b>y"), longest) == 1);
}

TEST_CASE("ids outside of the vocabulary are refused", "[codec]") {
    const golden::vocabulary_file file{"bpe"};
    const tokenizer tokens{file.data("gpt2", "gpt-2")};
    for(const token_id id: {-1, static_cast<token_id>(tokens.vocab_size())}) {
        CHECK_THROWS_AS(tokens.decode(std::vector<token_id>{id}), tokenworks::argument_error);
        CHECK_THROWS_AS(tokens.piece(id), tokenworks::argument_error);
    }
}

TEST_CASE("an unknown pre-tokenizer is refused by name", "[codec]") {
    const golden::vocabulary_file file{"bpe"};
    CHECK_THROWS_WITH(tokenizer(file.data("gpt2", "tokenizer-of-mars")), ContainsSubstring("tokenizer-of-mars"));
    CHECK_THROWS_AS(tokenizer(file.data("gpt2", "tokenizer-of-mars")), tokenworks::unsupported_error);
}

TEST_CASE("random bytes come back, from every kind of tokenizer", "[codec]") {
    const golden::vocabulary_file bpe{"bpe"};
    const golden::vocabulary_file llama{"llama"};
    const golden::vocabulary_file gemma{"gemma"};
    std::vector<tokenizer> all;
    for(const char* pre: {"default", "llama-bpe", "gpt-2", "qwen2", "smollm", "deepseek-llm", "deepseek-coder",
                          "falcon", "starcoder", "command-r", "mpt", "refact"}) {
        all.emplace_back(bpe.data("gpt2", pre));
    }
    vocabulary_data with_prefix = llama.data("llama");
    with_prefix.add_bos = false;
    all.emplace_back(with_prefix);
    vocabulary_data without = gemma.data("llama");
    without.add_bos = false;
    without.add_space_prefix = false;
    all.emplace_back(without);
    std::uint64_t state = 1;
    for(int round = 0; round < 300; ++round) {
        std::string text;
        for(int i = 0; i < round % 41; ++i) {
            state = state * 6364136223846793005U + 1442695040888963407U;
            text += static_cast<char>(static_cast<unsigned char>(round % 3 == 0 ? " aA1.\n\xC3\xA9"[(state >> 40) % 8]
                                                                                : static_cast<char>(state >> 56)));
        }
        for(std::size_t i = 0; i < all.size(); ++i) {
            INFO(i << ": " << tokenworks::printable(text));
            CHECK(all[i].decode(all[i].encode(text)) == text);
        }
    }
}

TEST_CASE("a tokenizer is shared by threads", "[codec]") {
    const golden::vocabulary_file file{"bpe"};
    const tokenizer tokens{file.data("gpt2", "qwen2")};
    const std::string text = "The same text, 123 times.";
    const auto expected = tokens.encode(text);
    std::vector<std::thread> threads;
    std::vector<int> same(4);
    for(std::size_t t = 0; t < same.size(); ++t) {
        threads.emplace_back([&, t] {
            for(int i = 0; i < 200; ++i) {
                same[t] += tokens.encode(text) == expected ? 1 : 0;
            }
        });
    }
    for(std::thread& thread: threads) {
        thread.join();
    }
    CHECK(same == std::vector<int>(4, 200));
}

TEST_CASE("real vocabularies give the ids of the reference on hard strings", "[codec][real]") {
    const auto [name, model] = GENERATE(std::pair{"smollm2", support::smollm2}, std::pair{"gemma3", support::gemma3});
    const auto path = support::real_model(model);
    if(!path) {
        WARN(name << ": " << support::how_to_get);
        return;
    }
    const auto file = tokenworks::io::gguf_file::open(path->string());
    const tokenizer tokens{tokenworks::models::vocabulary_of(file)};
    const std::vector<std::string> strings = golden::strings();
    for(const bool special: {false, true}) {
        const auto expected = golden::ids(std::string{name} + (special ? "_special" : ""));
        REQUIRE(expected.size() == strings.size());
        std::size_t compared = 0;
        std::size_t round_trips = 0;
        for(std::size_t i = 0; i < strings.size(); ++i) {
            INFO(name << ", string " << i << ": " << tokenworks::printable(strings[i]));
            const auto ids = tokens.encode(strings[i], {.parse_special = special});
            if(expected[i]) {
                ++compared;
                CHECK(ids == *expected[i]);
            }
            // SmolLM2 has no tokens for some bytes that its training text lacked.
            const bool has_tokens = std::ranges::all_of(strings[i], [&](char c) {
                return tokens.vocabulary().byte_token(static_cast<unsigned char>(c)).has_value();
            });
            if(!special && has_tokens) {
                ++round_trips;
                CHECK(tokens.decode(ids) == strings[i]);
            }
        }
        CHECK(compared >= 500);
        CHECK((special || round_trips >= 600));
    }
    const auto start = std::chrono::steady_clock::now();
    CHECK(tokens.decode(tokens.encode(std::string(100'000, 'a'))) == std::string(100'000, 'a'));
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds{5}); // quadratic time would be minutes
}
