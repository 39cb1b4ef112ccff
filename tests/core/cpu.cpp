#include <algorithm>
#include <string>

#include <tokenworks/core/cpu.hpp>
#include <tokenworks/core/execution.hpp>

#include "support/catch.hpp"

using namespace tokenworks;

TEST_CASE("the best instruction set is supported, and portable always is") {
    CHECK(is_supported(isa::portable));
    CHECK(is_supported(best_isa()));
    CHECK(execution{}.set == best_isa());
#if TOKENWORKS_X86
    CHECK(!is_supported(isa::neon));
    CHECK((!is_supported(isa::avx512) || is_supported(isa::avx2)));
#elif TOKENWORKS_ARM64
    CHECK(!is_supported(isa::avx2));
    CHECK(!is_supported(isa::avx512));
#endif
}

TEST_CASE("instruction sets have distinct names, which parse_isa reads") {
    for(const isa set: all_isas) {
        CHECK(std::count_if(all_isas.begin(), all_isas.end(), [&](isa other) { return name(other) == name(set); }) ==
              1);
        if(is_supported(set)) {
            CHECK(parse_isa(name(set)) == set);
        } else {
            CHECK_THROWS_WITH(parse_isa(name(set)), ContainsSubstring(std::string{name(set)}) &&
                                                        ContainsSubstring("this processor does not have it"));
            CHECK_THROWS_AS(parse_isa(name(set)), unsupported_error);
        }
    }
    CHECK(parse_isa("auto") == best_isa());
}

TEST_CASE("parse_isa refuses other words, and escapes them") {
    for(const char* word: {"", "AVX2", "avx", "sse", "best"}) {
        CHECK_THROWS_AS(parse_isa(word), argument_error);
    }
    CHECK_THROWS_WITH(parse_isa("a\nb"), ContainsSubstring("a\\x0ab"));
}
