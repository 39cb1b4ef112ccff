#include <tokenworks/codec/protein_format.hpp>

#include <string>
#include <vector>

#include "support/catch.hpp"

namespace tw = tokenworks;
using tw::codec::protein_format;

TEST_CASE("protein format: the tokens tell the kind, its families and its gaps", "[codec]") {
    const auto own =
        protein_format::of({"<pad>", "<bos>", "<eos>", "<mask>", "<infill>", "A", "<Globin>", "<rrm>"}, "m");
    CHECK(own.name == "tokenworks");
    CHECK(own.start == std::vector<std::int32_t>{1});
    CHECK(own.end == 2);
    REQUIRE(own.families.size() == 2);
    CHECK(own.families[0].name == "globin");
    CHECK(own.family("rrm") == std::vector<std::int32_t>{7});
    CHECK(own.family("").empty());
    REQUIRE(own.infill);
    CHECK(own.infill->mask == 3);
    CHECK(own.infill->begin == 4);
    CHECK(own.infill->end == 2);

    const auto iglm = protein_format::of(
        {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "A", "[CAMEL]", "[HUMAN]", "[HEAVY]", "[LIGHT]"}, "m");
    CHECK(iglm.name == "iglm");
    CHECK(iglm.start.empty());
    CHECK(iglm.end == 3);
    CHECK(iglm.infill->end == 2);
    CHECK(iglm.families.size() == 4);
    CHECK(iglm.family("light-human") == std::vector<std::int32_t>{9, 7});

    CHECK(protein_format::of({"<|pad|>", "<|bos|>", "<|eos|>", "1", "2", "A"}, "m").name == "progen2");
    const auto gpt = protein_format::of({"<|endoftext|>", "\xC4\x8A", "A"}, "m");
    CHECK(gpt.name == "protgpt2");
    CHECK(gpt.line == 60);
    const auto esm = protein_format::of({"<cls>", "<pad>", "<eos>", "<unk>", "A", "<mask>"}, "m");
    CHECK(esm.name == "esm2");
    CHECK(esm.mask == 5);
    CHECK_FALSE(esm.infill);
}

TEST_CASE("protein format: other tokens, and families that there are not", "[codec]") {
    CHECK_THROWS_WITH(protein_format::of({"A", "B"}, "some.gguf"), ContainsSubstring("some.gguf"));
    const auto iglm = protein_format::of({"[CLS]", "[SEP]", "[MASK]", "[RAT]", "[HEAVY]", "[LIGHT]"}, "m");
    CHECK_THROWS_WITH(iglm.family(""), ContainsSubstring("heavy-rat, light-rat"));
    CHECK_THROWS_WITH(iglm.family("heavy-\x1b"), ContainsSubstring("\\x1b"));
    CHECK_THROWS_WITH(protein_format::of({"<|endoftext|>", "\xC4\x8A"}, "m").family("globin"),
                      ContainsSubstring("knows none"));
}
