#include <tokenworks/quant/encode_k.hpp>

#include "quant/golden.hpp"
#include "support/catch.hpp"

using namespace tokenworks;

TEST_CASE("q4_k encodes like ggml") { golden::check_encode<quant::q4_k>(0.08); }
TEST_CASE("q5_k encodes like ggml") { golden::check_encode<quant::q5_k>(0.04); }
TEST_CASE("q6_k encodes like ggml") { golden::check_encode<quant::q6_k>(0.02); }
