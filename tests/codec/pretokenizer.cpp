#include <tokenworks/codec/pretokenizer.hpp>

#include <string>
#include <string_view>

#include "codec/golden.hpp"
#include "support/catch.hpp"

using namespace tokenworks::codec;

namespace {

std::string words(pretokenizer kind, std::string_view text) {
    std::string all;
    split_words(kind, text, [&](std::size_t begin, std::size_t end) {
        all.append(all.empty() ? "" : "|").append(text.substr(begin, end - begin));
    });
    return all;
}

constexpr pretokenizer every[] = {pretokenizer::gpt2,         pretokenizer::digits_gpt2,   pretokenizer::llama3,
                                  pretokenizer::qwen2,        pretokenizer::falcon,        pretokenizer::standard,
                                  pretokenizer::deepseek_llm, pretokenizer::deepseek_coder};

} // namespace

// Expected words: Hugging Face's tokenizers 0.23, Split by the expressions at each name.
TEST_CASE("pretokenizer: the words of each way to cut", "[codec]") {
    using enum pretokenizer;
    const std::string_view text = "It's 12345 o'clock,  I'LL go\n\n x+=1;";
    CHECK(words(gpt2, text) == "It|'s| 12345| o|'|clock|,| | I|'|LL| go|\n\n| x|+=|1|;");
    CHECK(words(digits_gpt2, text) == "It|'s| |1|2|3|4|5| o|'|clock|,| | I|'|LL| go|\n\n| x|+=|1|;");
    CHECK(words(llama3, text) == "It|'s| |123|45| o|'clock|,| | I|'LL| go|\n\n| x|+=|1|;");
    CHECK(words(qwen2, text) == "It|'s| |1|2|3|4|5| o|'clock|,| | I|'LL| go|\n\n| x|+=|1|;");
    CHECK(words(falcon, text) == "It|'|s| |123|45| o|'|clock|,| | I|'|LL| go|\n\n| x|+=|1|;");
    CHECK(words(standard, text) == "It|'|s| |123|45| o|'|clock|,| | I|'|LL| go|\n\n| x|+=|1|;");
    const std::string_view mixed = "`x` 2024年 $5";
    CHECK(words(gpt2, mixed) == "`|x|`| 2024|年| $|5");
    CHECK(words(digits_gpt2, mixed) == "`|x|`| |2|0|2|4|年| $|5");
    CHECK(words(llama3, mixed) == "`x|`| |202|4|年| $|5");
    CHECK(words(qwen2, mixed) == "`x|`| |2|0|2|4|年| $|5");
    CHECK(words(falcon, mixed) == "`|x|`| |202|4|年| |$|5");
    CHECK(words(standard, mixed) == "`|x|`| |202|4|年| |$|5");
    CHECK(words(deepseek_coder, mixed) == "`|x|` |2|0|2|4|年| $|5");
}

TEST_CASE("pretokenizer: words cover every text, one behind the other", "[codec]") {
    for(const pretokenizer kind: every) {
        for(const std::string& text: golden::strings()) {
            std::size_t at = 0;
            bool good = true;
            split_words(kind, text, [&](std::size_t begin, std::size_t end) {
                good = good && begin == at && end > begin;
                at = end;
            });
            CHECK((good && at == text.size()));
        }
    }
}

TEST_CASE("pretokenizer: names of GGUF files", "[codec]") {
    CHECK(pretokenizer_named("") == pretokenizer::standard);
    CHECK(pretokenizer_named("default") == pretokenizer::standard);
    CHECK(pretokenizer_named("llama-bpe") == pretokenizer::llama3);
    CHECK(pretokenizer_named("starcoder") == pretokenizer::digits_gpt2);
    CHECK_FALSE(pretokenizer_named("Llama-bpe"));
    CHECK_FALSE(pretokenizer_named("llama"));
}
