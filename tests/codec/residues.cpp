#include <tokenworks/codec/residues.hpp>

#include <string>
#include <vector>

#include "support/catch.hpp"

namespace tw = tokenworks;
using tw::codec::residues;

namespace {

std::vector<std::string> letters(std::string_view all) {
    std::vector<std::string> tokens{"<bos>"};
    for(const char c: all) {
        tokens.emplace_back(1, c);
    }
    return tokens;
}

} // namespace

TEST_CASE("residues: letters to ids and back", "[codec]") {
    std::vector<std::string> tokens = letters(residues::standard);
    tokens.insert(tokens.end(), {"X", "MK", "\xC4\x8A", "\xC4\x8AMKL", "M1", "A"});
    const residues space{tokens};
    CHECK(space.vocab_size() == 27);
    CHECK(space.encode("ACY") == std::vector<std::int32_t>{1, 2, 20}); // the first of two that are A
    CHECK(space.encode("AB") == std::vector<std::int32_t>{1, 21});     // X stands in
    CHECK(space.decode(space.encode(residues::standard)) == residues::standard);
    const std::vector<std::int32_t> mixed{0, 22, 23, 24, 25, 21, -1, 99};
    CHECK(space.decode(mixed) == "MKMKLX");
    CHECK(space.makes(1));
    CHECK(space.makes(22));
    CHECK(space.makes(24));
    CHECK_FALSE(space.makes(0));
    CHECK_FALSE(space.makes(21)); // X is read and not made
    CHECK_FALSE(space.makes(23)); // a line break alone
    CHECK_FALSE(space.makes(25));
    CHECK_FALSE(space.makes(-1));
    CHECK_FALSE(space.makes(27));
    CHECK(space.find('A') == 1);
    CHECK_FALSE(space.find('J'));
    CHECK_FALSE(space.find('a'));
}

TEST_CASE("residues: what has no token", "[codec]") {
    CHECK_THROWS_WITH(residues{letters("ACDEFGHIKLMNPQRSTVW")}, ContainsSubstring("'Y'"));
    const residues space{letters(residues::standard)};
    CHECK_THROWS_WITH(space.encode("AX"), ContainsSubstring("residue 2 is 'X'"));
    CHECK_THROWS_AS(space.encode("A\n"), tw::argument_error);
}
