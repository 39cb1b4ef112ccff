#include <string>

#include <tokenworks/codec/jinja_text.hpp>

#include "support/catch.hpp"

using tokenworks::codec::jinja::text;

namespace {

/// The bytes, untrusted ones in brackets.
std::string shown(const text& t) {
    std::string out;
    std::size_t from = 0;
    for(const text::run& run: t.runs()) {
        const std::string part{t.view().substr(from, run.end - from)};
        out += run.trusted ? part : "[" + part + "]";
        from = run.end;
    }
    return out;
}

} // namespace

TEST_CASE("text: trust belongs to bytes", "[codec]") {
    text t{"ab", true};
    t.append("cd", false);
    t.append("ef", false);
    t.append("", true);
    t.append("g", true);
    CHECK(shown(t) == "ab[cdef]g");
    CHECK(t.runs().size() == 3);
    CHECK(shown(t.sub(1, 4)) == "b[cd]");
    CHECK(shown(t.sub(2, 6)) == "[cdef]");
    CHECK(shown(t.sub(6, 7)) == "g");
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
    CHECK(shown(joined) == "[f]gab[cdef]g");
}
