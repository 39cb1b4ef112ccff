#include <string>

#include <tokenworks/codec/jinja_text.hpp>

#include "codec/jinja_run.hpp"
#include "support/catch.hpp"

using jinja_run::trust;
using tokenworks::codec::jinja::text;

TEST_CASE("text: trust belongs to bytes", "[codec]") {
    text t{"ab", true};
    t.append("cd", false);
    t.append("ef", false);
    t.append("", true);
    t.append("g", true);
    CHECK(trust(t) == "ab[cdef]g");
    CHECK(t.runs().size() == 3);
    CHECK(trust(t.sub(1, 4)) == "b[cd]");
    CHECK(trust(t.sub(2, 6)) == "[cdef]");
    CHECK(trust(t.sub(6, 7)) == "g");
    CHECK(t.sub(3, 3).empty());
    CHECK(t.trusted(0, 2));
    CHECK_FALSE(t.trusted(1, 3));
    CHECK(t.trusted(6, 7));
    CHECK(t.trusted(4, 4));
    CHECK_FALSE(t.trusted());
    CHECK(text{}.trusted());
    text joined;
    joined.append(t, 5, 7);
    joined.append(t);
    CHECK(trust(joined) == "[f]gab[cdef]g");
}
