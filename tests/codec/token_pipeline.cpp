#include <tokenworks/codec/token_pipeline.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include <tokenworks/codec/tokenizer.hpp>

#include "support/catch.hpp"
#include "support/timing.hpp"

namespace tw = tokenworks;
using namespace tokenworks::codec;

namespace {

/// A vocabulary of single characters: ids are the places in the text.
tokenizer_data letters(const std::vector<std::string_view>& tokens) {
    tokenizer_data d;
    d.name = "letters";
    for(std::size_t i = 0; i < tokens.size(); ++i) {
        d.tokens.push_back({tokens[i], i});
    }
    return d;
}

added_token added(std::string_view content, std::uint32_t id) {
    added_token a;
    a.content = content;
    a.id = id;
    a.normalized = false;
    return a;
}

splitter_data splitter(splitter_kind kind) {
    splitter_data s;
    s.kind = kind;
    return s;
}

/// Fails after 2^n steps for n letters a.
const pattern_data costly{"(?:a*)*b", true};

} // namespace

TEST_CASE("token_pipeline: the rules of added tokens", "[codec]") {
    tokenizer_data d = letters({"a", "b", " ", "."});
    d.added = {added("<x>", 4), added("<x><y>", 5), added("word", 6), added("<l>", 7), added("<r>", 8)};
    d.added[2].single_word = true;
    d.added[3].lstrip = true;
    d.added[4].rstrip = true;
    const tokenizer tokens = make_tokenizer(d);
    using ids = std::vector<token_id>;
    CHECK(tokens.encode("a<x>b") == ids{0, 4, 1});
    CHECK(tokens.encode("<x><y><x>") == ids{5, 4}); // the longest
    CHECK(tokens.encode("word") == ids{6});
    CHECK(tokens.encode("a word.") == ids{0, 2, 6, 3});
    CHECK(tokens.encode("aword worda") == ids{0, 2, 0}); // letters without a token are left out
    CHECK(tokens.encode("a  <l>  b") == ids{0, 7, 2, 2, 1});
    CHECK(tokens.encode("a  <r>  b") == ids{0, 2, 2, 8, 1});
    CHECK(tokens.encode("<r>  <l>") == ids{8, 7}); // blanks belong to one of them
    CHECK(tokens.encode("") == ids{});
}

TEST_CASE("token_pipeline: templates", "[codec]") {
    using enum template_part::source;
    tokenizer_data d = letters({"a", "b", "[", "]"});
    d.single = {{special, {2}, 0}, {first, {}, 0}, {special, {3, 3}, 0}};
    d.pair = {{second, {}, 1}, {special, {3}, 2}, {first, {}, 0}};
    const tokenizer tokens = make_tokenizer(d);
    using ids = std::vector<token_id>;
    CHECK(tokens.encode("ab") == ids{0, 1});
    CHECK(tokens.encode("ab", {.add_special = true}) == ids{2, 0, 1, 3, 3});
    const auto both = tokens.encode_pair("aa", "b", {.add_special = true});
    CHECK(both.ids == ids{1, 3, 0, 0});
    CHECK(both.types == std::vector<std::uint32_t>{1, 2, 0, 0});
    CHECK(tokens.encode_pair("aa", "b").ids == ids{1, 0, 0});
    const auto cut = [&](const char* first, const char* second, std::size_t most) {
        return tokens.encode_pair(first, second, {.add_special = true}, most).ids;
    };
    CHECK(cut("aaaa", "bb", 7) == ids{1, 1, 3, 0, 0, 0, 0});
    CHECK(cut("aaaa", "bb", 5) == ids{1, 1, 3, 0, 0});
    CHECK(cut("aaaa", "bb", 4) == ids{1, 3, 0, 0});
    CHECK(cut("aa", "bbbb", 4) == ids{1, 1, 3, 0});
    CHECK(cut("aaaa", "bb", 2) == ids{3, 0});
    CHECK(cut("aaaa", "bb", 0) == ids{3}); // what stands around the texts is not cut
    d.single.assign(65, {special, {2}, 0});
    CHECK_THROWS_AS(make_tokenizer(d), tw::limit_error);
    d.single = {{special, {9}, 0}};
    CHECK_THROWS_AS(make_tokenizer(d), tw::format_error);
}

TEST_CASE("token_pipeline: BPE's unknown tokens wait for a known one, byte tokens do not", "[codec]") {
    using ids = std::vector<token_id>;
    tokenizer_data d = letters({"?", "a", "<0xC3>", "<0xA9>"});
    d.unk_token = "?";
    CHECK(make_tokenizer(d).encode("xya") == ids{0, 0, 1});
    d.fuse_unk = true;
    CHECK(make_tokenizer(d).encode("xyaz") == ids{0, 1, 0});
    d.byte_fallback = true;
    CHECK(make_tokenizer(d).encode("x\u00e9a") == ids{2, 3, 0, 1}); // as the reference has it
    d.unk_token.reset();
    CHECK(make_tokenizer(d).encode("x\u00e9a") == ids{2, 3, 1});
}

TEST_CASE("token_pipeline: cutting at blanks changes nothing", "[codec]") {
    // With and without a token that has a blank inside, the merges decide alone.
    const std::string blank = "\xE2\x96\x81";
    const std::string ab = blank + "a", b_a = "b" + blank + "a";
    tokenizer_data d = letters({blank, "a", "b", ab, "ab"});
    d.merges = {{blank, "a"}, {"a", "b"}};
    d.normalizers.emplace_back();
    d.normalizers[0].kind = normalizer_kind::replace;
    d.normalizers[0].pattern.text = " ";
    d.normalizers[0].content = blank;
    CHECK(make_tokenizer(d).encode("b ab a") == std::vector<token_id>{2, 3, 2, 3});
    tokenizer_data across = d;
    across.tokens.push_back({b_a, 5});
    across.merges.insert(across.merges.begin() + 1, {"b", ab});
    CHECK(make_tokenizer(across).encode("b ab a") == std::vector<token_id>{5, 5});
}

TEST_CASE("token_pipeline: what belongs to one text shares the steps of regular expressions", "[codec]") {
    const std::string run(12, 'a');
    std::uint64_t steps = regex::step_limit(run.size());
    std::vector<regex::range> found;
    regex{costly.text}.find_all(run, found, steps);
    const std::uint64_t each = regex::step_limit(run.size()) - steps;
    const std::size_t few = regex::step_limit(0) / each;
    const std::size_t many = few + few / 4;
    REQUIRE(few > 4);
    REQUIRE(many * each > regex::step_limit(many * (run.size() + 3)));
    const auto runs = [&](std::size_t count, const std::string& between) {
        std::string text;
        for(std::size_t i = 0; i < count; ++i) {
            text += run + between;
        }
        return text;
    };
    splitter_data expression = splitter(splitter_kind::split);
    expression.pattern = costly;
    expression.behavior = split_behavior::isolated;
    normalizer_data change;
    change.kind = normalizer_kind::replace;
    change.pattern = costly;

    SECTION("pieces that steps before it cut") {
        tokenizer_data d = letters({"a"});
        d.splitters = {splitter(splitter_kind::whitespace_split), expression};
        const tokenizer tokens = make_tokenizer(d);
        CHECK(tokens.encode(runs(few, " ")).size() == few * run.size());
        CHECK_THROWS_AS(tokens.encode(runs(many, " ")), tw::limit_error);
        CHECK(tokens.encode(run).size() == run.size()); // the next text has its own
    }
    SECTION("parts between added tokens") {
        tokenizer_data d = letters({"a"});
        d.added = {added("<x>", 1)};
        d.added.front().normalized = GENERATE(false, true);
        d.splitters = {expression};
        const tokenizer tokens = make_tokenizer(d);
        CHECK(tokens.encode(runs(few, "<x>")).size() == few * (run.size() + 1));
        CHECK_THROWS_AS(tokens.encode(runs(many, "<x>")), tw::limit_error);
    }
    SECTION("normalizers of these") {
        tokenizer_data d = letters({"a"});
        d.added = {added("<x>", 1)};
        d.normalizers = {change};
        const tokenizer tokens = make_tokenizer(d);
        CHECK(tokens.encode(runs(few, "<x>")).size() == few * (run.size() + 1));
        CHECK_THROWS_AS(tokens.encode(runs(many, "<x>")), tw::limit_error);
    }
    SECTION("the spellings of a vocabulary") {
        std::vector<std::string> spelt;
        for(std::size_t i = 0; i < many; ++i) {
            spelt.push_back(run + std::to_string(i));
        }
        const auto with = [&](std::size_t count, bool as_added) {
            tokenizer_data d = letters({});
            for(std::size_t i = 0; i < count; ++i) {
                if(as_added) {
                    d.added.push_back(added(spelt[i], static_cast<std::uint32_t>(i)));
                    d.added.back().normalized = true;
                } else {
                    d.tokens.push_back({spelt[i], i});
                }
            }
            if(as_added) {
                d.normalizers = {change};
            } else {
                decoder_data step;
                step.kind = decoder_kind::replace;
                step.pattern = costly;
                d.decoders = {step};
                d.has_decoder = true;
            }
            return make_tokenizer(d).vocabulary().size();
        };
        const bool as_added = GENERATE(false, true);
        CHECK(with(few / 2, as_added) == few / 2);
        CHECK_THROWS_AS(with(many, as_added), tw::limit_error);
    }
    SECTION("the tokens of an answer") {
        tokenizer_data d = letters({"a", "b"});
        decoder_data step;
        step.kind = decoder_kind::replace;
        step.pattern = costly;
        d.tokens.front().text = run;
        d.decoders = {step};
        d.has_decoder = true;
        const tokenizer tokens = make_tokenizer(d);
        CHECK(tokens.decode(std::vector<token_id>(few, 0)).size() == few * run.size());
        CHECK_THROWS_AS(tokens.decode(std::vector<token_id>(many, 0)), tw::limit_error);
    }
}

TEST_CASE("token_pipeline: added tokens that are normalized to something else cost no more than others", "[codec]") {
    constexpr std::uint32_t count = 40'000;
    const auto time = [&](const std::string& prefix) {
        std::vector<std::string> texts;
        tokenizer_data d = letters({});
        for(std::uint32_t i = 0; i < count; ++i) {
            texts.push_back(prefix + std::to_string(i));
        }
        for(std::uint32_t i = 0; i < count; ++i) {
            d.added.push_back(added(texts[i], i));
            d.added.back().normalized = true;
        }
        normalizer_data lower;
        lower.kind = normalizer_kind::lowercase;
        d.normalizers = {lower};
        return timing::fastest_of(3,
                                  [&] { CHECK(make_tokenizer(d).encode(prefix + "7") == std::vector<token_id>{7}); });
    };
    CHECK(time("A") < 10 * time("a")); // looking through all of them for each takes 60 times as long
}
