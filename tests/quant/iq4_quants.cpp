#include <algorithm>

#include <tokenworks/quant/iq4_quants.hpp>

#include "quant/golden.hpp"
#include "support/catch.hpp"

using namespace tokenworks;

TEMPLATE_TEST_CASE("four-bit IQ formats decode like gguf", "", quant::iq4_nl, quant::iq4_xs) {
    golden::check_decode<TestType>();
}

TEST_CASE("the codebook rises") { CHECK(std::is_sorted(quant::iq4_values.begin(), quant::iq4_values.end())); }
