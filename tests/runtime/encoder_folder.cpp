#include <tokenworks/runtime/encoder_folder.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/model_folders.hpp"

namespace tw = tokenworks;
using support::family_golden;
using tw::models::encoder_input;

TEST_CASE("encoder_folder: texts are cut where they must be, and keep their last token", "[runtime]") {
    const files::temporary_folder folder;
    support::write_model_folder(folder.string(), family_golden{"bert", "encoders"}, "bert", 700);
    const auto files = tw::models::model_folder::open(folder.string());
    std::vector<std::uint64_t> progress;
    const tw::load_options options{.threads = 1, .on_progress = [&](std::uint64_t done, std::uint64_t total) {
                                       progress.push_back(done);
                                       return done <= total;
                                   }};
    const tw::runtime::encoder_folder loaded{files, options, {}};
    CHECK(progress.size() > 10);
    CHECK(loaded.most_tokens(0) == 32);
    CHECK(loaded.most_tokens(5) == 5);
    CHECK(loaded.most_tokens(1000) == 32);
    const auto whole = loaded.encode("the cat the cat", 100);
    REQUIRE(whole.size() > 5);
    const auto cut = loaded.encode("the cat the cat", 4);
    CHECK(cut == std::vector<tw::codec::token_id>{whole[0], whole[1], whole[2], whole.back()});
}

TEST_CASE("encoder_folder: steps have as many tokens as they should, or one long text", "[runtime]") {
    const std::vector<std::int32_t> ids(5000, 1);
    const auto text = [&](std::size_t count) { return encoder_input{std::span{ids}.first(count)}; };
    const std::vector<encoder_input> inputs{text(2000), text(48), text(1), text(5000), text(1024), text(1024), text(0)};
    std::vector<std::vector<std::size_t>> steps;
    tw::runtime::for_each_step(inputs, [&](std::size_t first, std::span<const encoder_input> step, std::size_t tokens) {
        steps.push_back({first, step.size(), tokens});
    });
    CHECK(steps == std::vector<std::vector<std::size_t>>{{0, 2, 2048}, {2, 1, 1}, {3, 1, 5000}, {4, 3, 2048}});
    tw::runtime::for_each_step({}, [](std::size_t, std::span<const encoder_input>, std::size_t) { FAIL("no step"); });
}

TEST_CASE("encoder_folder: folders that it refuses", "[runtime]") {
    const files::temporary_folder folder;
    const auto load = [&] {
        const auto files = tw::models::model_folder::open(folder.string());
        return tw::runtime::encoder_folder{files, {.threads = 1}, {}};
    };
    support::write_model_folder(folder.string(), family_golden{"llama"}, "bert", 700);
    CHECK_THROWS_WITH(load(), ContainsSubstring("is no encoder"));
    support::write_model_folder(folder.string(), family_golden{"bert", "encoders"}, "bert", 600);
    CHECK_THROWS_WITH(load(), ContainsSubstring("has 700 tokens, the model has 600"));
}
