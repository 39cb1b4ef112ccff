#include <tokenworks/models/vq_config.hpp>

#include <tokenworks/core/error.hpp>

#include "support/catch.hpp"

namespace tw = tokenworks;
using tw::models::vq_config;

TEST_CASE("vq_config: what is left out is VQ-16", "[models]") {
    const vq_config vq16;
    CHECK_NOTHROW(vq16.validate());
    CHECK(vq16.scale() == 16);
    CHECK(tw::models::picture_config{.rows = 3, .columns = 4}.tokens() == 12);
}

TEST_CASE("vq_config: numbers that do not fit are refused by name", "[models]") {
    const auto refused = [](auto change, const char* name) {
        vq_config config;
        change(config);
        CHECK_THROWS_WITH(config.validate(), ContainsSubstring(name));
    };
    refused([](vq_config& c) { c.channels = 0; }, "channels");
    refused([](vq_config& c) { c.width = 48; }, "groups");
    refused([](vq_config& c) { c.blocks = 65; }, "blocks");
    refused([](vq_config& c) { c.codes = (std::size_t{1} << 24) + 1; }, "codes");
    refused([](vq_config& c) { c.code_width = 1 << 20; }, "code_width");
    refused([](vq_config& c) { c.encoder_levels = {}; }, "levels");
    refused([](vq_config& c) { c.encoder_levels = {1, 2}; }, "the encoder has 2 levels, the decoder 5");
    refused([](vq_config& c) { c.decoder_levels[0] = 65; }, "a level is 65");
    refused([](vq_config& c) { c.epsilon = -1; }, "epsilon");
}
