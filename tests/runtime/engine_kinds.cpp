// Pictures, films, proteins and meshes out of an engine's batch: bit by bit what the models make alone.
#include <tokenworks/runtime/engine.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tokenworks/runtime/image_model.hpp>
#include <tokenworks/runtime/mesh_model.hpp>
#include <tokenworks/runtime/protein_model.hpp>
#include <tokenworks/runtime/video_model.hpp>

#include "runtime/engine_runs.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
using tw::runtime::engine;
using tw::runtime::engine_options;
using tw::runtime::finish_reason;
using tw::runtime::job;
using tw::runtime::request;
using tw::runtime::token_id;

namespace {

constexpr std::size_t many = 8;

/// The ids of each request, all in one batch, with another that is cancelled on its way.
std::vector<std::vector<token_id>> together(engine& of, const std::vector<request>& all, const request& unwanted) {
    std::vector<job> jobs;
    std::optional<job> cancelled;
    for(std::size_t i = 0; i < all.size(); ++i) {
        if(i == 2) {
            cancelled = of.submit(unwanted);
        }
        jobs.push_back(of.submit(all[i]));
        of.step();
    }
    for(int i = 0; i < 5; ++i) {
        of.step();
    }
    cancelled->cancel();
    engine_runs::run_all(of);
    CHECK(cancelled->wait().samples[0].reason == finish_reason::cancelled);
    std::vector<std::vector<token_id>> ids;
    for(job& each: jobs) {
        ids.push_back(each.wait().samples[0].ids);
    }
    CHECK(of.counts().cache_tokens_used == 0);
    return ids;
}

/// With room for all, and with so little that sequences are put back.
std::vector<engine_options> ways(std::size_t few_tokens) {
    return {{.max_sequences = many + 1}, {.max_sequences = many, .cache_tokens = few_tokens}};
}

} // namespace

TEST_CASE("engine: pictures of a batch are those drawn alone", "[runtime]") {
    const tw::image_model model = tw::image_model::load(TOKENWORKS_TEST_MODELS "/image.gguf", {.threads = 2});
    const auto options = [](std::size_t i) {
        return tw::draw_options{.seed = 5 * i,
                                .guidance = i % 3 == 0 ? std::nullopt : std::optional{static_cast<float>(i)},
                                .top_k = i % 4 == 0 ? 40 : 0,
                                .top_p = i % 2 == 0 ? 0.9F : 1.0F};
    };
    const auto label = [&](std::size_t i) {
        return i == 7 ? std::nullopt : std::optional{i * 3 % model.picture().classes};
    };
    std::vector<request> all;
    std::vector<tw::io::picture> alone;
    for(std::size_t i = 0; i < many; ++i) {
        all.push_back(model.request_of(label(i), options(i)));
        alone.push_back(model.draw(label(i), options(i)));
    }
    for(const engine_options& each: ways(64 * 12)) {
        engine of{model.decoder(), nullptr, model.how(), model.engine_settings(each)};
        const auto ids = together(of, all, model.request_of(1, {.seed = 1000}));
        for(std::size_t i = 0; i < many; ++i) {
            CAPTURE(i);
            CHECK(model.picture_of(ids[i]) == alone[i]);
        }
        CHECK((of.counts().preemptions > 0) == (each.cache_tokens != 0));
    }
    // Samples of one request, and a picture with a part that is given.
    engine of{model.decoder(), nullptr, model.how(), model.engine_settings()};
    request two = all[1];
    two.samples = 2;
    std::vector<token_id> given = model.ids_of(alone[1]);
    for(std::size_t i = 0; i < given.size(); i += 2) {
        given[i] = -1;
    }
    job pair = of.submit(two);
    job filled = of.submit(model.request_of(3, {.seed = 4}, given));
    engine_runs::run_all(of);
    tw::draw_options next = options(1);
    ++next.seed;
    CHECK(model.picture_of(pair.wait().samples[1].ids) == model.draw(label(1), next));
    for(std::size_t i = 1; i < given.size(); i += 2) {
        CHECK(filled.wait().samples[0].ids[i] == given[i]);
    }
    CHECK_THROWS_AS(model.request_of(0, {}, {1, 2}), tw::argument_error);
    given[0] = static_cast<token_id>(model.picture().codes);
    CHECK_THROWS_AS(model.request_of(0, {}, given), tw::argument_error);
    CHECK_THROWS_AS(model.request_of(model.picture().classes), tw::argument_error);
}

TEST_CASE("engine: proteins of a batch are those made alone", "[runtime]") {
    const tw::protein_model model = tw::protein_model::load(TOKENWORKS_TEST_MODELS "/protein.gguf", {.threads = 2});
    const auto options = [&](std::size_t i) {
        tw::protein_options how{.family = model.families()[i % model.families().size()].name, .seed = i};
        how.most = i % 3 == 1 ? 40 * i : 0;
        how.least = i % 2 == 0 ? 30 : 1;
        how.begin = i % 4 == 3 ? "MKTAYIAK" : "";
        how.sampling.temperature = i == 5 ? 0.0F : 0.9F;
        return how;
    };
    std::vector<request> all;
    std::vector<std::string> alone;
    for(std::size_t i = 0; i < many; ++i) {
        all.push_back(model.request_of(options(i)));
        alone.push_back(model.generate(options(i)));
    }
    const std::size_t whole = tw::nn::page_pool::pages_for(model.config().context_length) + 1;
    for(const engine_options& each: ways(64 * whole)) {
        engine of{model.network(), each};
        const auto ids = together(of, all, model.request_of({.least = 200, .seed = 99}));
        for(std::size_t i = 0; i < many; ++i) {
            CAPTURE(i);
            CHECK(model.sequence_of(options(i), ids[i]) == alone[i]);
        }
        CHECK((of.counts().preemptions > 0) == (each.cache_tokens != 0));
    }
}

TEST_CASE("engine: meshes of a batch are those made alone", "[runtime]") {
    const tw::mesh_model model = tw::mesh_model::load(TOKENWORKS_TEST_MODELS "/mesh.gguf", {.threads = 2});
    const auto options = [&](std::size_t i) {
        return tw::mesh_options{.name = model.classes()[i % model.classes().size()],
                                .temperature = i == 4 ? 0.0F : 0.7F + static_cast<float>(i) / 20,
                                .seed = 3 * i};
    };
    std::vector<request> all;
    std::vector<tw::mesh> alone;
    for(std::size_t i = 0; i < many; ++i) {
        all.push_back(model.request_of(options(i)));
        alone.push_back(model.generate(options(i)));
    }
    const std::size_t whole = tw::nn::page_pool::pages_for(model.network().context_length()) + 1;
    for(const engine_options& each: ways(64 * whole)) {
        engine of{model.network(), each};
        const auto ids = together(of, all, model.request_of({.name = model.classes().back(), .seed = 77}));
        for(std::size_t i = 0; i < many; ++i) {
            CAPTURE(i);
            CHECK(model.space().decode(ids[i]) == alone[i]);
        }
        CHECK((of.counts().preemptions > 0) == (each.cache_tokens != 0));
    }
}

TEST_CASE("engine: films of a batch are those made alone, however many windows they take", "[runtime]") {
    const tw::video_model model = tw::video_model::load(TOKENWORKS_TEST_MODELS "/video.gguf", {.threads = 2});
    const tw::clip begun = model.generate({.name = model.classes()[1], .frames = 3, .seed = 8});
    const auto options = [&](std::size_t i) {
        return tw::video_options{.name = model.classes()[i % model.classes().size()],
                                 .frames = i == 3 ? model.context_frames() + 3 : 1 + i % 4,
                                 .temperature = i == 2 ? std::nullopt : std::optional{0.7F},
                                 .seed = i};
    };
    const auto given = [&](std::size_t i) { return i % 3 == 2 ? begun : tw::clip{}; };
    std::vector<tw::clip> alone;
    for(std::size_t i = 0; i < many; ++i) {
        alone.push_back(model.generate(options(i), given(i)));
    }
    const std::size_t whole = tw::nn::page_pool::pages_for(model.network().context_length()) + 1;
    for(const engine_options& each: ways(64 * whole)) {
        engine of{model.network(), each};
        std::vector<tw::video_model::growing_clip> films;
        std::vector<job> jobs;
        for(std::size_t i = 0; i < many; ++i) {
            films.push_back(model.start(options(i), given(i)));
            jobs.push_back(of.submit(films.back().next()));
        }
        job unwanted = of.submit(model.start({.name = model.classes()[0], .frames = 4}).next());
        for(int i = 0; i < 10; ++i) {
            of.step();
        }
        unwanted.cancel();
        std::size_t complete = 0;
        while(of.step() || complete < many) {
            for(std::size_t i = 0; i < many; ++i) {
                while(jobs[i].poll()) {
                }
                if(!films[i].is_complete() && jobs[i].finished()) {
                    films[i].add(jobs[i].wait().samples[0].ids);
                    if(films[i].is_complete()) {
                        ++complete;
                    } else {
                        jobs[i] = of.submit(films[i].next());
                    }
                }
            }
        }
        for(std::size_t i = 0; i < many; ++i) {
            CAPTURE(i);
            CHECK(films[i].frames() == alone[i]);
        }
        CHECK(unwanted.wait().samples[0].reason == finish_reason::cancelled);
        // Windows are short beside a context: whether one must wait again depends on who came when.
        CHECK((each.cache_tokens != 0 || of.counts().preemptions == 0));
        CHECK_THROWS_AS(films[0].next(), tw::argument_error);
    }
    tw::video_model::growing_clip film = model.start(options(0));
    CHECK_THROWS_AS(film.add({}), tw::argument_error);
    CHECK_THROWS_AS(film.add(std::vector<token_id>(film.next().options.max_tokens, -1)), tw::argument_error);
}
