#include <tokenworks/models/sentencepiece_model.hpp>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <tokenworks/codec/token_pipeline.hpp>
#include <tokenworks/models/tokenizer_folder.hpp>

#include "io/files.hpp"
#include "models/tokenizer_golden.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
using namespace tokenworks::codec;
using tokenworks::models::sentencepiece_model;

namespace {

std::string varint(std::uint64_t value) {
    std::string out;
    for(; value >= 128; value >>= 7) {
        out += static_cast<char>(static_cast<unsigned char>(value | 128));
    }
    return out + static_cast<char>(static_cast<unsigned char>(value));
}
std::string number(std::uint32_t field, std::uint64_t value) { return varint(field << 3) + varint(value); }
std::string bytes(std::uint32_t field, const std::string& value) {
    return varint(field << 3 | 2) + varint(value.size()) + value;
}
std::string piece(const std::string& text, float score, std::uint64_t type = 1) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &score, sizeof bits);
    std::string fixed;
    for(int i = 0; i < 4; ++i) {
        fixed += static_cast<char>(static_cast<unsigned char>(bits >> (8 * i)));
    }
    return bytes(1, bytes(1, text) + varint(2 << 3 | 5) + fixed + number(3, type));
}

std::string small_model() {
    return piece("<unk>", 0, 2) + piece("<s>", 0, 3) + piece("</s>", 0, 3) + piece("a", -1) + piece("b", -2) +
           piece("ab", -1.5F) + piece("\xE2\x96\x81", -3) + bytes(3, number(4, 0));
}

std::string refusal(const std::string& model) {
    return files::refusal<tw::format_error>([&] { sentencepiece_model{files::bytes_of(model), "m.model"}; });
}

} // namespace

TEST_CASE("sentencepiece_model: ids and texts of the reference", "[models]") {
    const std::vector<std::string> strings = tokenizer_golden::strings();
    const std::vector<std::string> names = tokenizer_golden::names(".model");
    REQUIRE(names.size() == 3);
    for(const std::string& name: names) {
        const tokenizer tokens = tw::models::tokenizer_of(tokenizer_golden::path(name + ".model"));
        CHECK(tokenizer_golden::compare(name, tokens, strings, false) > 80);
    }
}

TEST_CASE("sentencepiece_model: special tokens around a text", "[models]") {
    const std::string model = small_model();
    const sentencepiece_model read{files::bytes_of(model), "m.model"};
    const tokenizer plain = make_tokenizer(read.data(false, false));
    CHECK(plain.encode("ab", {.add_special = true}) == std::vector<token_id>{6, 5});
    const tokenizer both = make_tokenizer(read.data(true, true));
    CHECK(both.encode("ab") == std::vector<token_id>{6, 5});
    CHECK(both.encode("ab", {.add_special = true}) == std::vector<token_id>{1, 6, 5, 2});
    CHECK(both.bos() == 1);
    CHECK(both.eos() == 2);
    CHECK(both.is_end(2));
    CHECK(both.vocabulary().add_bos());
    CHECK(both.decode(std::vector<token_id>{1, 6, 5, 6, 3, 2}) == "ab a");
    CHECK(both.encode("a<s>", {.parse_special = true}) == std::vector<token_id>{6, 3, 0}); // never found in a text
}

TEST_CASE("sentencepiece_model: what is malformed is refused with its place", "[models]") {
    CHECK(refusal("") == "m.model: pieces at offset 0: there are none: this is no SentencePiece model");
    CHECK(refusal("\x0A") == "m.model: message at offset 1: ends within a number");
    CHECK(refusal("\x0A\x05zz") == "m.model: message at offset 0: field 1 of 5 bytes; 2 are left");
    CHECK(refusal("\x0B") == "m.model: message at offset 0: field 1 has wire type 3");
    CHECK(refusal("\x0D\x01") == "m.model: message at offset 0: ends within field 1");
    CHECK(refusal(std::string(11, '\xFF')) == "m.model: message at offset 9: a number of over 64 bits");
    CHECK(refusal(piece("", 0)) == "m.model: pieces.piece at offset 2: piece 0 is empty or no UTF-8");
    CHECK(refusal(piece("a\xFF", 0)) == "m.model: pieces.piece at offset 2: piece 0 is empty or no UTF-8");
    CHECK(refusal(piece("a", 0, 7)) == "m.model: pieces.type at offset 2: piece 0 has type 7");
    CHECK(refusal(piece("a", std::numeric_limits<float>::infinity())) ==
          "m.model: pieces.score at offset 2: that of piece 0 is not finite");
    const std::string words = small_model() + bytes(2, number(3, 3));
    CHECK_THROWS_AS((sentencepiece_model{files::bytes_of(words), "m.model"}), tw::unsupported_error);
    // Every cut of a good model is refused or still one; none does harm.
    const std::string whole = small_model();
    for(std::size_t size = 0; size < whole.size(); ++size) {
        try {
            const std::string cut = whole.substr(0, size);
            const sentencepiece_model read{files::bytes_of(cut), "m.model"};
            static_cast<void>(make_tokenizer(read.data(false, false)));
        } catch(const tw::error&) {
        }
    }
}

TEST_CASE("sentencepiece_model: unknown fields are passed over, the last of several counts", "[models]") {
    const std::string model = number(99, 5) + small_model() + bytes(77, "x") + bytes(2, number(41, 2) + number(41, 1));
    const sentencepiece_model read{files::bytes_of(model), "m.model"};
    const tokenizer tokens = make_tokenizer(read.data(true, false));
    CHECK(tokens.bos() == 1);
    CHECK(tokens.vocab_size() == 7);
}
