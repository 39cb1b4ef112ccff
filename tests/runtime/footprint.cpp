// What a real model takes: memory at its peak, and the time until the first token. CTest runs every file in a process
// of its own, so the peak is this file's.
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>

#include <tokenworks/runtime/text_model.hpp>

#include "support/catch.hpp"
#include "support/memory.hpp"
#include "support/models.hpp"
#include "support/sanitizers.hpp"

namespace tw = tokenworks;

TEST_CASE("footprint: peak memory stays below the file, the cache and 150 MB; load to first token", "[runtime]") {
    const auto path = support::real_model(support::smollm2);
    if(!path) {
        WARN(support::how_to_get);
        return;
    }
    const std::size_t before = support::peak_memory();
    const auto start = std::chrono::steady_clock::now();
    const auto model = tw::text_model::load(path->string());
    const auto ids = model.tokenizer().encode("The capital of France is");
    CHECK(ids.size() == 5);
    auto state = model.make_state({.capacity = 512});
    auto generation =
        tw::generate(model, state, model.tokenizer(), ids, {.max_tokens = 64, .sampling = {.temperature = 0}});
    auto at = generation.begin();
    const std::chrono::duration<double> first_token = std::chrono::steady_clock::now() - start;
    std::string text{*at};
    for(++at; at != generation.end(); ++at) {
        text += *at;
    }
    CHECK_THAT(text, ContainsSubstring("Paris"));
    WARN("load to first token, " << ids.size() << " tokens of prompt, " << model.how().workers()
                                 << " threads: " << first_token.count() << " s");
    if(before == 0 || support::is_sanitized) {
        WARN("peak memory is not measured here");
        return;
    }
    const std::size_t allowed = std::filesystem::file_size(*path) + state.cache().bytes() + (std::size_t{150} << 20);
    WARN("peak memory " << support::peak_memory() / 1'000'000 << " MB, allowed " << allowed / 1'000'000 << " MB");
    CHECK(support::peak_memory() < allowed);
}
