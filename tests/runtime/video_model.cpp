#include <tokenworks/runtime/video_model.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <tokenworks/io/gguf_writer.hpp>
#include <tokenworks/models/export_gguf.hpp>
#include <tokenworks/models/model_folder.hpp>
#include <tokenworks/models/quantization.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/family_golden.hpp"

namespace tw = tokenworks;

namespace {

const std::string shipped = TOKENWORKS_TEST_DATA "/../../models/video.gguf";

/// An untrained model of frames of 6 x 4 pixels, three of which fit into its context.
struct untrained {
    files::temporary_folder folder;
    explicit untrained(float worst_code = 0) {
        support::family_golden golden{"video", "videos"};
        if(worst_code != 0) {
            golden.tensors.back()[2] = worst_code;
        }
        golden.write_to(folder.string(), tw::dtype::f32);
    }
    [[nodiscard]] tw::video_model load(unsigned threads = 1) const {
        return tw::video_model::load(folder.string(), {.threads = threads});
    }
};

tw::clip first_of(const tw::clip& film, std::size_t count) {
    tw::clip out = film;
    out.bytes.resize(count * film.frame_bytes());
    return out;
}

} // namespace

TEST_CASE("video model: whole frames whatever the weights are, the same on every team", "[runtime]") {
    const untrained o;
    const tw::video_model model = o.load();
    const tw::video_model team = o.load(3);
    CHECK(model.width() == 6);
    CHECK(model.height() == 4);
    CHECK(model.context_frames() == 3);
    for(const std::size_t frames: {std::size_t{1}, std::size_t{3}, std::size_t{4}, std::size_t{11}}) {
        const tw::video_options how{.name = "down", .frames = frames, .temperature = 1.0F, .seed = 5};
        tw::runtime::timings timings;
        const tw::clip film = model.generate(how, {}, &timings);
        CHECK(film.frames() == frames);
        CHECK(timings.generated_tokens == 6 * frames);
        CHECK(film == team.generate(how));
    }
    const auto drawn = [&](std::uint64_t seed) {
        return model.generate({.name = "up", .frames = 3, .temperature = 1.0F, .seed = seed});
    };
    CHECK(drawn(1) == drawn(1));
    CHECK(drawn(1) != drawn(2));
}

TEST_CASE("video model: frames that are given stay to the bit, and decide what follows", "[runtime]") {
    const tw::video_model model = untrained{}.load();
    const tw::clip film = model.generate({.name = "up", .frames = 2, .temperature = 1.0F, .seed = 9});
    tw::clip noisy = film;
    noisy.bytes[5] ^= 1U; // another picture, of the same codes
    const tw::clip longer = model.generate({.name = "up", .frames = 1}, noisy);
    REQUIRE(longer.frames() == 3);
    CHECK(first_of(longer, 2) == noisy);
    // Without dice it is what the model holds for the likeliest, patch by patch.
    const std::vector<float> found = model.log_likelihoods(longer, "up");
    for(std::int32_t other = 0; other < 20; ++other) {
        std::vector<std::int32_t> ids = model.space().encode(longer);
        ids[12] = other;
        CHECK(model.log_likelihoods(model.space().decode(ids), "up")[12] <= found[12]);
    }
    // More frames than the context holds: those at its end count.
    tw::clip many = model.generate({.name = "up", .frames = 7, .temperature = 1.0F, .seed = 3});
    const tw::clip on = model.generate({.name = "up", .frames = 1}, many);
    CHECK(first_of(on, 7) == many);
    many.bytes.erase(many.bytes.begin(), many.bytes.begin() + static_cast<std::ptrdiff_t>(5 * many.frame_bytes()));
    const tw::clip same = model.generate({.name = "up", .frames = 1}, many);
    CHECK(std::ranges::equal(same.frame(2), on.frame(7)));
}

TEST_CASE("video model: what cannot be is refused, and making is cancelled", "[runtime]") {
    const tw::video_model model = untrained{}.load();
    CHECK_THROWS_WITH(model.generate({.name = "cat"}), Catch::Contains("up, down"));
    CHECK_THROWS_AS(model.generate({.name = "up", .temperature = -1.0F}), tw::argument_error);
    const tw::clip other{.width = 4, .height = 6, .channels = 3, .bytes = std::vector<std::uint8_t>(72)};
    CHECK_THROWS_WITH(model.generate({.name = "up"}, other), Catch::Contains("4 x 6"));
    std::size_t calls = 0;
    const auto stop = [&](std::size_t done, std::size_t total) {
        ++calls;
        CHECK(done == calls);
        CHECK(total == 30);
        return done < 20;
    };
    CHECK_THROWS_AS(model.generate({.name = "up", .frames = 5, .on_progress = stop}), tw::cancelled_error);
    CHECK(calls == 20);
    const tw::clip four = model.generate({.name = "up", .frames = 4});
    CHECK_THROWS_AS(model.log_likelihoods(four, "up"), tw::capacity_error);
    CHECK_THROWS_WITH(tw::video_model::load(TOKENWORKS_TEST_DATA "/../../models/mesh.gguf"),
                      Catch::Contains("makes no videos"));
    {
        const untrained o;
        support::family_golden larger{"video", "videos"};
        larger.config["tokenworks_video_patch"] = 3; // not what the book of codes has
        larger.write_to(o.folder.string(), tw::dtype::f32);
        CHECK_THROWS_WITH(o.load(), Catch::Contains("model.codebook.weight"));
    }
    CHECK_THROWS_WITH(untrained{500.0F}.load(), Catch::Contains("model.codebook.weight") && Catch::Contains("no byte"));
}

TEST_CASE("video model: a file carries frames of every class and checks itself", "[runtime]") {
    const untrained o;
    CHECK_FALSE(o.load().self_check());
    const std::string path = o.folder / "video.gguf";
    const auto folder = tw::models::model_folder::open(o.folder.string());
    tw::io::gguf_writer out;
    tw::models::export_gguf(folder, tw::models::quantization::named("q8_0"), out);
    out.save(path);
    tw::video_model::load(path, {.threads = 1}).set_check(out);
    out.save(path);
    const tw::video_model model = tw::video_model::load(path, {.threads = 1});
    REQUIRE(model.self_check());
    CHECK(*model.self_check() < 1e-4);
}

TEST_CASE("video model: the shipped one goes on as physics does", "[runtime]") {
    const tw::video_model model = tw::video_model::load(shipped, {.threads = 2});
    REQUIRE(model.self_check());
    CHECK(*model.self_check() < 0.25);
    // A square of 4.5 pixels that glides a pixel a frame to the right; its middle is where its blue is.
    const auto frame = [&](double x) {
        std::vector<std::uint8_t> bytes(24 * 24 * 3);
        for(std::size_t row = 0; row < 24; ++row) {
            for(std::size_t column = 0; column < 24; ++column) {
                const auto covered = [](double at, std::size_t pixel) {
                    return std::clamp(2.75 - std::abs(static_cast<double>(pixel) + 0.5 - at), 0.0, 1.0);
                };
                const double part = covered(x, column) * covered(12, row);
                bytes[(row * 24 + column) * 3 + 1] = static_cast<std::uint8_t>(std::lround(120 * part));
                bytes[(row * 24 + column) * 3 + 2] = static_cast<std::uint8_t>(std::lround(255 * part));
            }
        }
        return bytes;
    };
    tw::clip film{.width = 24, .height = 24, .channels = 3};
    for(int t = 0; t < 8; ++t) {
        film.add(frame(4 + t));
    }
    const tw::clip longer = model.generate({.name = "bounce", .frames = 8}, film);
    REQUIRE(longer.frames() == 16);
    for(std::size_t t = 8; t < 16; ++t) {
        double sum = 0;
        double x = 0;
        for(std::size_t i = 0; i < 24 * 24; ++i) {
            const double blue = longer.frame(t)[3 * i + 2];
            sum += blue;
            x += blue * (static_cast<double>(i % 24) + 0.5);
        }
        CAPTURE(t);
        CHECK(x / sum == Approx(4 + static_cast<double>(t)).margin(1.5));
    }
}
