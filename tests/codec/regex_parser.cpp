#include <tokenworks/codec/regex_parser.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <tokenworks/core/error.hpp>

#include "support/catch.hpp"

namespace tw = tokenworks;
using namespace tokenworks::codec::detail;

namespace {

/// A tree as one line: lists in brackets, the rest by the name of its kind.
std::string shown(const regex_tree& tree, std::uint32_t n) {
    const regex_node& x = tree.nodes[n];
    std::string kids;
    for(const std::uint32_t kid: x.kids) {
        kids += (kids.empty() ? "" : " ") + shown(tree, kid);
    }
    switch(x.what) {
    case regex_node::kind::sequence:
        return "(" + kids + ")";
    case regex_node::kind::alternatives:
        return "<" + kids + ">";
    case regex_node::kind::repeat: {
        constexpr const char* modes[] = {"", "?", "+"};
        return kids + "{" + std::to_string(x.single.least) + "," +
               (x.single.most == unbounded ? "" : std::to_string(x.single.most)) + "}" +
               modes[static_cast<std::size_t>(x.single.mode)];
    }
    case regex_node::kind::look:
        return (x.single.flag ? "not-ahead " : "ahead ") + kids;
    case regex_node::kind::behind:
        return (x.single.flag ? "not-behind " : "behind ") + kids;
    case regex_node::kind::atomic:
        return "atomic " + kids;
    case regex_node::kind::single:
        break;
    }
    if(x.single.code == regex_code::literal) {
        return {static_cast<char>(x.single.x)};
    }
    return x.single.code == regex_code::one ? "set" + std::to_string(x.single.x) : "place";
}

std::string parsed(std::string_view pattern) {
    const regex_tree tree = parse_regex(pattern);
    return shown(tree, tree.root);
}

template <class Error>
std::string refusal(const std::string& pattern) {
    try {
        static_cast<void>(parse_regex(pattern));
    } catch(const Error& problem) {
        return problem.what();
    }
    return "accepted";
}

} // namespace

TEST_CASE("regex_parser: a tree of nodes", "[codec]") {
    CHECK(parsed("") == "()");
    CHECK(parsed("ab|c|") == "<(a b) c ()>");
    CHECK(parsed("a(b|c)d") == "(a <b c> d)");
    CHECK(parsed("ab*c+d?") == "(a b{0,} c{1,} d{0,1})");
    CHECK(parsed("a{2}b{2,}c{,3}d{1,2}?e++") == "(a{2,2} b{2,} c{0,3} d{1,2}? e{1,}+)");
    CHECK(parsed("a{2}?") == "a{2,2}{0,1}"); // x{2}? is (?:x{2})?
    CHECK(parsed("a{x}{,}") == "(a { x } { , })");
    CHECK(parsed("(?=a)(?!b)(?<=c)(?<!d)(?>e)") == "(ahead a not-ahead b behind c not-behind d atomic e)");
    CHECK(parsed("(?<name>a)(?:b)(?#all of it)c") == "(a b c)");
    CHECK(parsed("^a$\\b") == "(place a place place)");
    CHECK(parsed("a(?i)b|c") == "(a <set0 set1>)"); // holds for the rest of the group
    CHECK(parsed("(?i:a)b") == "(set0 b)");
    CHECK(parsed("\\x41\\x{42}\\u0043\\.") == "(A B C .)");
}

TEST_CASE("regex_parser: classes of characters", "[codec]") {
    const auto sets = [](std::string_view pattern) { return parse_regex(pattern).sets; };
    const auto one = sets("[^a-c\\d]");
    REQUIRE(one.size() == 1);
    CHECK(one[0].negated);
    REQUIRE(one[0].any.size() == 2);
    CHECK((one[0].any[0].first == 'a' && one[0].any[0].last == 'c'));
    CHECK(one[0].any[1].what == regex_set::kind::categories);
    CHECK(sets("[]a]")[0].any.size() == 2);    // a bracket that comes first is one
    CHECK(sets("[a-\\d]")[0].any.size() == 3); // a set, a dash, and a range of one
    CHECK(sets("[a-]")[0].any.size() == 2);
    const auto both = sets("[a-z&&[^b]]");
    CHECK(both.back().also.size() == 1);
    CHECK(both.back().any.size() == 1);
}

TEST_CASE("regex_parser: what is malformed or unknown is refused with its place", "[codec]") {
    using tw::argument_error;
    using tw::limit_error;
    using tw::unsupported_error;
    const auto malformed = [](const std::string& pattern, const std::string& why) {
        CHECK_THAT(refusal<argument_error>(pattern), ContainsSubstring(why));
    };
    malformed("a)", "regular expression \"a)\", at byte 1: an unmatched )");
    malformed("(a", "an unclosed group");
    malformed("[a", "an unclosed [");
    malformed("[b-a]", "a range that runs backwards");
    malformed("*", "nothing to repeat");
    malformed("a{3,2}", "most is below its least");
    malformed("a{100001}", "a repetition of over 100000");
    malformed("\\", "it ends too early");
    malformed("\\p{L", "an unclosed property");
    malformed("\\pL", "a property without braces");
    malformed("\\x{110000}", "a wrong code point");
    malformed("\\u12", "too short");
    malformed("[[:alpha", "an unclosed [:");
    malformed("(?<n", "an unclosed name");
    malformed("(?#", "an unclosed comment");
    const auto unknown = [](const std::string& pattern, const std::string& why) {
        CHECK_THAT(refusal<unsupported_error>(pattern), ContainsSubstring(why));
    };
    unknown("(a)\\1", "this escape is not supported");
    unknown("\\X", "this escape");
    unknown("\\p{Klingon}", "this property");
    unknown("(?m:.)", "this kind of group");
    unknown("[[:odd:]]", "this class");
    unknown("\\xff", "a byte above 127");
    CHECK_THAT(refusal<limit_error>(std::string(70'000, 'a')), ContainsSubstring("70000 bytes"));
    CHECK_THAT(refusal<limit_error>(std::string(101, '(') + std::string(101, ')')), ContainsSubstring("nested"));
    CHECK_THAT(refusal<limit_error>("a" + std::string(300, '?')), ContainsSubstring("repetitions of one"));
    CHECK(refusal<tw::error>(std::string(50, '(') + "a" + std::string(50, ')')) == "accepted");
}
