#include <tokenworks/runtime/residue_constraint.hpp>

#include <string>
#include <vector>

#include "support/catch.hpp"

namespace tw = tokenworks;
using tw::codec::residues;
using tw::runtime::residue_constraint;

namespace {

/// 0: end; 1 … 20: residues; 21: X; 22: MKV; 23: a line break.
residues some_residues() {
    std::vector<std::string> tokens{"<eos>"};
    for(const char c: residues::standard) {
        tokens.emplace_back(1, c);
    }
    tokens.insert(tokens.end(), {"X", "MKV", "\xC4\x8A"});
    return residues{tokens};
}

} // namespace

TEST_CASE("residue constraint: standard residues, never none, and no more than asked for", "[runtime]") {
    const residues space = some_residues();
    residue_constraint c{space, {.end = 0, .least = 2, .most = 5, .line_break = 23}};
    CHECK_FALSE(c.allows(0));
    CHECK_FALSE(c.allows(23)); // not at the beginning
    CHECK_FALSE(c.allows(21));
    CHECK_FALSE(c.allows(-1));
    CHECK_FALSE(c.allows(24));
    CHECK(c.allows(22));
    c.accept(1);
    CHECK_FALSE(c.allows(0)); // one of two
    c.accept(23);
    CHECK_FALSE(c.allows(23)); // not twice
    c.accept(22);
    CHECK(c.count() == 4);
    CHECK(c.allows(0));
    CHECK_FALSE(c.allows(22)); // three more are too many
    CHECK_THROWS_AS(c.accept(22), tw::argument_error);
    c.accept(5);
    CHECK(c.done());
    CHECK_FALSE(c.allows(0));

    residue_constraint ends{space, {.end = 0, .least = 0, .most = 3}};
    CHECK_FALSE(ends.allows(0)); // never none
    ends.accept(3);
    ends.accept(0);
    CHECK(ends.done());
    CHECK(ends.count() == 1);
    CHECK_THROWS_AS((residue_constraint{space, {.end = 0, .least = 3, .most = 2}}), tw::argument_error);
    CHECK_THROWS_AS((residue_constraint{space, {.end = 0, .least = 0, .most = 0}}), tw::argument_error);
}
