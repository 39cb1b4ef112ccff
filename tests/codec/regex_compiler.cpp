#include <tokenworks/codec/regex_compiler.hpp>

#include <cstddef>
#include <string>
#include <string_view>

#include <tokenworks/core/error.hpp>

#include "support/catch.hpp"

namespace tw = tokenworks;
using namespace tokenworks::codec::detail;

namespace {

/// The instructions, one word each with what they go to.
std::string compiled(std::string_view pattern) {
    std::string all;
    for(const regex_instruction& i: compile_regex(pattern).code) {
        const auto to = [](std::uint32_t place) { return std::to_string(place); };
        all += all.empty() ? "" : " ";
        switch(i.code) {
        case regex_code::literal:
            all += static_cast<char>(i.x);
            break;
        case regex_code::one:
            all += "set" + to(i.x);
            break;
        case regex_code::run:
            all += "run" + to(i.x) + ":" + to(i.least) + "-" + (i.most == unbounded ? "" : to(i.most));
            break;
        case regex_code::split:
            all += "split" + to(i.x) + "," + to(i.y);
            break;
        case regex_code::jump:
            all += "jump" + to(i.x);
            break;
        case regex_code::look:
            all += (i.flag ? "not" : "look") + to(i.x);
            break;
        case regex_code::look_one:
            all += (i.flag ? "not-one" : "one") + to(i.x);
            break;
        case regex_code::look_behind:
            all += (i.flag ? "not-behind" : "behind") + to(i.x) + ":" + to(i.least);
            break;
        case regex_code::atomic:
            all += "atomic" + to(i.x);
            break;
        case regex_code::save:
            all += "save" + to(i.x);
            break;
        case regex_code::check:
            all += "check" + to(i.x);
            break;
        case regex_code::match:
            all += "match";
            break;
        default:
            all += "place";
        }
    }
    return all;
}

template <class Error>
std::string refusal(const std::string& pattern) {
    try {
        static_cast<void>(compile_regex(pattern));
    } catch(const Error& problem) {
        return problem.what();
    }
    return "accepted";
}

} // namespace

TEST_CASE("regex_compiler: instructions", "[codec]") {
    CHECK(compiled("") == "match");
    CHECK(compiled("ab") == "a b match");
    CHECK(compiled("a|b|c") == "split1,3 a jump7 split4,6 b jump7 c match");
    CHECK(compiled("a*[b]{2,3}") == "run1:0- run0:2-3 match"); // one character repeated is one instruction
    CHECK(compiled("(?:ab)*") == "split1,4 a b jump0 match");
    CHECK(compiled("(?:ab)*?") == "split4,1 a b jump0 match"); // lazy: out comes first
    CHECK(compiled("(?:ab){1,2}") == "a b split3,5 a b match");
    CHECK(compiled("(?:a?)*") == "split1,5 save0 run0:0-1 check0 jump0 match"); // a round that takes nothing ends it
    CHECK(compiled("(?:ab)++") == "atomic2 jump9 a b split5,8 a b jump4 match match");
    CHECK(compiled("(?=[a])(?![a])") == "one0 not-one1 match");
    CHECK(compiled("(?=ab)(?!a)") == "look2 jump5 a b match not7 jump9 a match match");
    CHECK(compiled("(?<=ab|c)") == "split1,7 behind3:2 jump6 a b match jump11 behind9:1 jump11 c match match");
    CHECK(compiled("(?<!ab|c)") == "not-behind2:2 jump5 a b match not-behind7:1 jump9 c match match");
}

TEST_CASE("regex_compiler: classes have their answers for ASCII", "[codec]") {
    const regex_program program = compile_regex("[^a-c\\d]|(?i:k)");
    REQUIRE(program.sets.size() == 2);
    for(char32_t c = 0; c < 128; ++c) {
        CHECK(program.contains(0, c) == !((c >= 'a' && c <= 'c') || (c >= '0' && c <= '9')));
        CHECK(program.contains(0, c) == program.evaluate(0, c));
        CHECK(program.contains(1, c) == (c == 'k' || c == 'K'));
    }
    CHECK(program.contains(1, 0x212A)); // the Kelvin sign
    CHECK_FALSE(program.contains(0, 0x0663));
}

TEST_CASE("regex_compiler: programs that are too large, and look behinds without a length, are refused", "[codec]") {
    CHECK(refusal<tw::unsupported_error>("(?<=a+)b") ==
          "regular expression \"(?<=a+)b\", at byte 8: a look behind of no fixed length is not supported");
    CHECK_THAT(refusal<tw::limit_error>("(?:ab){100}{100}{100}"), ContainsSubstring("instructions"));
    CHECK_THAT(refusal<tw::limit_error>("(?:){1000}{1000}{1000}"), ContainsSubstring("too many repetitions"));
    CHECK(refusal<tw::error>("(?<=a{3}|bc)d") == "accepted");
}
