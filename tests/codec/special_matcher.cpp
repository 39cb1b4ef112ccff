#include <tokenworks/codec/special_matcher.hpp>

#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"

using namespace tokenworks::codec;

namespace {

vocabulary made(const std::vector<std::string_view>& tokens, const std::string& name = {}) {
    vocabulary_data d;
    d.model = "gpt2";
    d.general_name = name;
    for(const std::string_view token: tokens) {
        d.tokens.push_back(token);
        d.types.push_back(token.starts_with("u") ? 4 : token.starts_with("<") ? 3 : 1);
    }
    return vocabulary{d};
}

/// The tokens found, by their place.
std::string found(const vocabulary& vocab, const special_matcher& matcher, std::string_view text) {
    std::string all;
    for(const text_part& part: matcher.find(vocab, text)) {
        all += (all.empty() ? "" : " ") + std::to_string(part.begin) + "-" + std::to_string(part.end) + ":" +
               std::string{vocab.text(part.token)};
    }
    return all;
}

} // namespace

TEST_CASE("special_matcher: the longest token first, wherever it is", "[codec]") {
    const vocabulary vocab = made({"<a>", "<a><b", "<b>c", "uu", "uuu", "a"});
    const special_matcher all{vocab, true, true};
    CHECK(all.size() == 5);
    CHECK(found(vocab, all, "x<a>y<a>") == "1-4:<a> 5-8:<a>");
    CHECK(found(vocab, all, "<a><b>c") == "0-5:<a><b"); // longer than <b>c
    CHECK(found(vocab, all, "<a> <b>c") == "0-3:<a> 4-8:<b>c");
    CHECK(found(vocab, all, "uuuu") == "0-3:uuu");
    CHECK(found(vocab, all, "uuuuu") == "0-3:uuu 3-5:uu");
    CHECK(found(vocab, all, "a<a").empty());
    CHECK(found(vocab, all, "").empty());
}

TEST_CASE("special_matcher: a place whose token no longer fits takes a shorter one", "[codec]") {
    const vocabulary vocab = made({"<x", "<x<yy", "<yyyyyy"});
    CHECK(found(vocab, special_matcher{vocab, false, true}, "<x<yyyyyy") == "0-2:<x 2-9:<yyyyyy");
}

TEST_CASE("special_matcher: by type", "[codec]") {
    const vocabulary vocab = made({"<a>", "uu", "a"});
    CHECK(found(vocab, special_matcher{vocab, true, false}, "<a>uua") == "3-5:uu");
    CHECK(found(vocab, special_matcher{vocab, false, true}, "<a>uua") == "0-3:<a>");
    CHECK(special_matcher{vocab, false, false}.size() == 0);
    CHECK(found(vocab, special_matcher{vocab, false, false}, "<a>uua").empty());
}

TEST_CASE("special_matcher: blanks that a token of Phi-3 swallows", "[codec]") {
    const vocabulary vocab = made({"<a>", "<s>"}, "Phi-3 mini");
    const special_matcher all{vocab, false, true};
    CHECK(found(vocab, all, "<a> \n b") == "0-6:<a>");
    CHECK(found(vocab, all, "<a> <a>") == "0-4:<a> 4-7:<a>");
    CHECK(found(vocab, all, "<s> b") == "0-3:<s>");
}
