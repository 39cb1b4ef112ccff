#include <tokenworks/codec/unigram.hpp>

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <tokenworks/codec/token_pipeline.hpp>

#include "support/catch.hpp"

using namespace tokenworks::codec;

namespace {

struct pieces {
    std::vector<std::string> texts;
    std::vector<double> scores;

    [[nodiscard]] tokenizer_data data() const {
        tokenizer_data d;
        d.name = "pieces";
        d.model = token_model::unigram;
        for(std::size_t i = 0; i < texts.size(); ++i) {
            d.tokens.push_back({texts[i], i});
        }
        d.scores = scores;
        d.unk_id = 0;
        d.fuse_unk = true;
        return d;
    }
};

/// The largest sum of scores over all ways to cut a text into pieces.
double best_sum(const pieces& p, std::string_view text) {
    if(text.empty()) {
        return 0;
    }
    double best = -std::numeric_limits<double>::infinity();
    for(std::size_t i = 1; i < p.texts.size(); ++i) {
        if(text.starts_with(p.texts[i])) {
            best = std::max(best, p.scores[i] + best_sum(p, text.substr(p.texts[i].size())));
        }
    }
    return best;
}

} // namespace

TEST_CASE("unigram: the best of all ways to cut a text", "[codec]") {
    std::uint64_t state = 99;
    const auto next = [&](std::uint64_t below) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        return (state >> 33) % below;
    };
    for(int round = 0; round < 40; ++round) {
        pieces p{{"<unk>", "a", "b", "c"}, {0, -3, -3.5, -4}};
        for(int i = 0; i < 12; ++i) {
            std::string text;
            for(std::uint64_t n = 2 + next(3); n > 0; --n) {
                text += static_cast<char>('a' + next(3));
            }
            if(std::find(p.texts.begin(), p.texts.end(), text) == p.texts.end()) {
                p.texts.push_back(text);
                p.scores.push_back(-2 - static_cast<double>(next(800)) / 100);
            }
        }
        const tokenizer tokens = make_tokenizer(p.data());
        for(int i = 0; i < 20; ++i) {
            std::string text;
            for(std::uint64_t n = 1 + next(9); n > 0; --n) {
                text += static_cast<char>('a' + next(3));
            }
            double sum = 0;
            std::string back;
            for(const token_id id: tokens.encode(text)) {
                sum += p.scores[static_cast<std::size_t>(id)];
                back += p.texts[static_cast<std::size_t>(id)];
            }
            CHECK(back == text);
            CHECK(sum == Approx(best_sum(p, text)));
        }
    }
}

TEST_CASE("unigram: unknown characters side by side are one, or their bytes", "[codec]") {
    pieces p{{"<unk>", "a", "<0xC3>", "<0xA9>"}, {0, -1, -9, -9}};
    CHECK(make_tokenizer(p.data()).encode("xya\u00e9z") == std::vector<token_id>{0, 1, 0});
    tokenizer_data bytes = p.data();
    bytes.byte_fallback = true;
    CHECK(make_tokenizer(bytes).encode("\u00e9a") == std::vector<token_id>{2, 3, 1});
    CHECK(make_tokenizer(bytes).encode("\u00e9x") == std::vector<token_id>{0}); // together, and x has no byte
    tokenizer_data apart = p.data();
    apart.fuse_unk = false;
    CHECK(make_tokenizer(apart).encode("xya") == std::vector<token_id>{0, 0, 1});
}

TEST_CASE("unigram: user-defined pieces have a score of their own, control pieces are not matched", "[codec]") {
    pieces p{{"<unk>", "c", "d", "<s>", "abab"}, {0, -5, -6, 0, -1000}};
    tokenizer_data d = p.data();
    d.types = {token_type::unknown, token_type::normal, token_type::normal, token_type::control,
               token_type::user_defined};
    const tokenizer tokens = make_tokenizer(d);
    CHECK(tokens.encode("abab") == std::vector<token_id>{4}); // 4 * -5 - 0.1, against four unknown ones of -16
    CHECK(tokens.encode("c<s>") == std::vector<token_id>{1, 0});
}
