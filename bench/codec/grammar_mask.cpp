// The mask of the tokens that may come next, over a vocabulary of 131072, by kind of grammar. A text is followed byte
// by byte, with a mask before each: cold, by a grammar that no text has followed, as the first answer meets it; warm,
// by one that has seen such a text; and put on logits. Times are of one mask.
//
// The vocabulary is made up: all bytes, and texts as long as those of a byte-level BPE, of words, numbers, signs,
// blanks and letters of two bytes.
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <benchmark/benchmark.h>

#include <tokenworks/codec/bound_grammar.hpp>
#include <tokenworks/codec/gbnf.hpp>
#include <tokenworks/codec/json_schema.hpp>
#include <tokenworks/codec/regex_automaton.hpp>
#include <tokenworks/codec/token_walk.hpp>

namespace codec = tokenworks::codec;

namespace {

constexpr std::size_t vocab = 131072;

std::vector<std::string> made_up_tokens() {
    constexpr std::array<std::string_view, 40> syllables{
        "a",  "e",  "i",  "o",   "u",  "an", "in", "er", "re",  "on",       "st",       "th",      "le", "ing",
        "ed", "co", "de", "pro", "ti", "al", "ar", "en", "ion", "es",       "is",       "it",      "or", "ra",
        "ve", "ly", "s",  "t",   "ch", "um", "ex", "qu", "ph",  "\xC3\xA9", "\xC3\xBC", "\xD0\xB4"};
    constexpr std::string_view signs = "{}[]()\":,.;-_=+*/<>'\\!?#&|\n\t ";
    std::mt19937 random{1};
    std::set<std::string> known;
    std::vector<std::string> all;
    const auto add = [&](std::string text) {
        if(known.insert(text).second) {
            all.push_back(std::move(text));
        }
    };
    for(int byte = 0; byte < 256; ++byte) {
        add(std::string(1, static_cast<char>(byte)));
    }
    while(all.size() < vocab - 1) {
        std::string text;
        const auto kind = random() % 100;
        if(kind < 85) {
            text = random() % 2 == 0 ? " " : "";
            for(std::size_t left = 1 + random() % 5; left > 0; --left) {
                text += syllables[random() % syllables.size()];
            }
            if(random() % 5 == 0 && text.back() >= 'a' && text.front() >= 'a' && text.front() <= 'z') {
                text.front() = static_cast<char>(text.front() - 'a' + 'A');
            }
        } else if(kind < 90) {
            for(std::size_t left = 1 + random() % 3; left > 0; --left) {
                text += static_cast<char>('0' + random() % 10);
            }
        } else {
            for(std::size_t left = 1 + random() % 6; left > 0; --left) {
                text += signs[random() % signs.size()];
            }
        }
        add(text);
    }
    all.emplace_back("</s>");
    return all;
}

const std::shared_ptr<const codec::token_walk>& tokens() {
    static const std::vector<std::string> texts = made_up_tokens();
    static const auto walk = std::make_shared<const codec::token_walk>(
        texts.size(), [](codec::token_id id) { return std::string_view{texts[static_cast<std::size_t>(id)]}; },
        std::vector<codec::token_id>{static_cast<codec::token_id>(texts.size() - 1)});
    return walk;
}

/// A grammar and a text that follows it.
struct sample {
    std::shared_ptr<const codec::grammar> rules;
    std::string text;
};

sample gbnf() {
    return {
        std::make_shared<const codec::grammar>(codec::parse_gbnf(R"(
        root   ::= object
        value  ::= object | array | string | number | "true" | "false" | "null"
        object ::= "{" ws (string ":" ws value ("," ws string ":" ws value)*)? "}" ws
        array  ::= "[" ws (value ("," ws value)*)? "]" ws
        string ::= "\"" ([^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}))* "\"" ws
        number ::= "-"? ([0-9] | [1-9] [0-9]{0,15}) ("." [0-9]+)? ([eE] [-+]? [0-9]+)? ws
        ws     ::= | " " | "\n" [ \t]{0,20})")),
        R"({"city": "Paris", "people": 2102650, "tags": ["old", "large"], "river": {"name": "Seine", "km": 777.0}})"};
}

sample schema() {
    return {std::make_shared<const codec::grammar>(codec::parse_json_schema(R"({
        "type": "object",
        "properties": {
            "city": {"type": "string", "maxLength": 30},
            "people": {"type": "integer", "minimum": 0, "maximum": 40000000},
            "founded": {"type": "string", "format": "date"},
            "tags": {"type": "array", "items": {"enum": ["old", "large", "port"]}, "maxItems": 3}
        },
        "required": ["city", "people", "founded", "tags"]})")),
            R"({"city": "Lutetia Parisiorum", "people": 2102650, "founded": "1789-07-14", "tags": ["old", "large"]})"};
}

sample regex() {
    return {std::make_shared<const codec::grammar>(
                codec::parse_regex_grammar("(?:[A-Z][a-z]+ ){1,4}on \\d{4}-\\d{2}-\\d{2}, by \\w+(?:, \\w+)*\\.")),
            "Ada Lovelace on 1842-10-01, by Luigi, Charles, Michael."};
}

void compile_and_bind(benchmark::State& state, sample (*of)()) {
    for(auto _: state) {
        const sample made = of();
        benchmark::DoNotOptimize(codec::bound_grammar{made.rules, tokens()}.tokens().size());
    }
}

/// Goes along the text; true where it follows the grammar.
bool follow(const std::shared_ptr<const codec::bound_grammar>& rules, const std::string& text) {
    codec::grammar_matcher match{rules};
    for(const char c: text) {
        const auto id = static_cast<codec::token_id>(static_cast<std::uint8_t>(c));
        const std::uint64_t word = match.allowed()[static_cast<std::size_t>(id) / 64];
        if((word >> (static_cast<std::size_t>(id) % 64) & 1) == 0) {
            return false;
        }
        match.accept(id);
    }
    return match.complete();
}

void count_masks(benchmark::State& state, const sample& of) {
    const auto masks = static_cast<double>(state.iterations()) * static_cast<double>(of.text.size());
    state.counters["per_mask"] = benchmark::Counter(masks, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void cold(benchmark::State& state, sample (*of)()) {
    const sample made = of();
    static_cast<void>(tokens());
    for(auto _: state) {
        if(!follow(std::make_shared<const codec::bound_grammar>(made.rules, tokens()), made.text)) {
            return state.SkipWithError("the text does not follow the grammar");
        }
    }
    count_masks(state, made);
}

void warm(benchmark::State& state, sample (*of)()) {
    const sample made = of();
    const auto rules = std::make_shared<const codec::bound_grammar>(made.rules, tokens());
    if(!follow(rules, made.text)) {
        return state.SkipWithError("the text does not follow the grammar");
    }
    for(auto _: state) {
        benchmark::DoNotOptimize(follow(rules, made.text));
    }
    count_masks(state, made);
}

/// Of a mask that is known.
void on_logits(benchmark::State& state, sample (*of)()) {
    const sample made = of();
    codec::grammar_matcher match{std::make_shared<const codec::bound_grammar>(made.rules, tokens())};
    std::vector<float> logits(vocab, 1.0F);
    for(auto _: state) {
        match.restrict(logits);
        benchmark::ClobberMemory();
    }
}

BENCHMARK_CAPTURE(compile_and_bind, gbnf, gbnf)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(compile_and_bind, json_schema, schema)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(compile_and_bind, regex, regex)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(cold, gbnf, gbnf)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(cold, json_schema, schema)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(cold, regex, regex)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(warm, gbnf, gbnf)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(warm, json_schema, schema)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(warm, regex, regex)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(on_logits, gbnf, gbnf)->Unit(benchmark::kMicrosecond);

} // namespace
