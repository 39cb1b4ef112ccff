#include <tokenworks/runtime/image_model.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/io/gguf_writer.hpp>
#include <tokenworks/models/export_gguf.hpp>
#include <tokenworks/models/model_folder.hpp>
#include <tokenworks/models/quantization.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/family_golden.hpp"
#include "support/kernels.hpp"

namespace tw = tokenworks;
using support::family_golden;

namespace {

/// The transformer and the autoencoder of the golden files as one folder: an untrained model that draws 8 x 8 pixels.
family_golden together() {
    family_golden both{"llamagen", "pictures"};
    const family_golden vq{"vq_llamagen", "pictures"};
    both.config["vq_config"] = vq.config;
    both.config["vocab_size"] = 50;
    both.config["labels"] = {"a", "b", "c", "d", "e"};
    for(auto& tensor: both.tensors) {
        if(tensor[0] == "tok_embeddings.weight" || tensor[0] == "output.weight") {
            tensor[1][0] = 50;
        }
    }
    for(auto tensor: vq.tensors) {
        tensor[0] = "vq_model." + tensor[0].get<std::string>();
        both.tensors.push_back(tensor);
    }
    return both;
}

struct opened {
    files::temporary_folder folder;
    tw::image_model model;

    explicit opened(unsigned threads = 1) : model{load(folder, threads)} {}
    static tw::image_model load(const files::temporary_folder& folder, unsigned threads) {
        together().write_to(folder.string(), tw::dtype::f32);
        return tw::image_model::load(folder.string(), {.threads = threads});
    }
};

} // namespace

TEST_CASE("image_model: a picture is complete, of its seed, and the same on every team", "[runtime]") {
    const opened o;
    CHECK(o.model.width() == 8);
    CHECK(o.model.picture().classes == 5);
    const tw::io::picture first = o.model.draw(1, {.seed = 4});
    CHECK(first.width == 8);
    CHECK(first.height == 8);
    CHECK(first.bytes.size() == 192);
    CHECK(o.model.draw(1, {.seed = 4}) == first);
    CHECK_FALSE(o.model.draw(1, {.seed = 5}) == first);
    CHECK_FALSE(o.model.draw(2, {.seed = 4}) == first);
    CHECK_FALSE(o.model.draw(1, {.seed = 4, .guidance = 1}) == first);
    const opened three{3};
    CHECK(three.model.draw(1, {.seed = 4}) == first);
}

TEST_CASE("image_model: guidance joins what is said of a class and of none", "[runtime]") {
    const opened o;
    tw::nn::context c{o.model.how()};
    const std::vector<std::int32_t> tokens{52, 3, 9, 4};
    const auto logits = [&](const tw::runtime::guided_model& model, std::size_t chunk) {
        auto state = model.make_state(c, 17);
        std::vector<float> out(model.vocab_size());
        for(std::size_t at = 0; at < tokens.size(); at += chunk) {
            model.forward(state, std::span{tokens}.subspan(at, chunk), out);
        }
        return out;
    };
    std::vector<float> without;
    {
        auto state = tw::runtime::guided_model{o.model.decoder(), 1, 55}.make_state(c, 17);
        const std::vector<std::int32_t> none{55, 3, 9, 4};
        without.resize(o.model.decoder().vocab_size());
        tw::runtime::guided_model{o.model.decoder(), 1, 55}.forward(state, none, without);
    }
    const auto with = logits({o.model.decoder(), 1, 55}, 4);
    for(const std::size_t chunk: {1U, 2U, 4U}) {
        const auto guided = logits({o.model.decoder(), 3, 55}, chunk);
        for(std::size_t i = 0; i < guided.size(); ++i) {
            REQUIRE(guided[i] == without[i] + 3.0F * (with[i] - without[i]));
        }
    }
}

TEST_CASE("image_model: pixels outside of a mask stay, those inside are drawn", "[runtime]") {
    const opened o;
    tw::io::picture given{8, 8};
    for(std::size_t i = 0; i < given.bytes.size(); ++i) {
        given.bytes[i] = static_cast<std::uint8_t>(i * 37 % 256);
    }
    tw::io::picture mask{8, 8, 1};
    mask.at(3, 2)[0] = 255;
    mask.at(4, 2)[0] = 128;
    mask.at(5, 2)[0] = 127;
    const tw::io::picture out = o.model.infill(given, mask, std::nullopt, {.seed = 2});
    std::size_t changed = 0;
    for(std::size_t y = 0; y < 8; ++y) {
        for(std::size_t x = 0; x < 8; ++x) {
            const bool same = std::ranges::equal(out.at(x, y), given.at(x, y));
            changed += same ? std::size_t{0} : std::size_t{1};
            CHECK((same || mask.at(x, y)[0] > 127));
        }
    }
    CHECK(changed == 2);
    CHECK_THROWS_WITH(o.model.infill(tw::io::picture{8, 7}, mask, 0),
                      ContainsSubstring("8 x 7") && ContainsSubstring("8 x 8"));
    CHECK_THROWS_AS(o.model.infill(given, tw::io::picture{8, 8, 3}, 0), tw::argument_error);
}

TEST_CASE("image_model: what is drawn is shown row by row, and can be stopped", "[runtime]") {
    const opened o;
    std::size_t shown = 0;
    std::size_t counted = 0;
    tw::draw_options how;
    how.on_rows = [&](const tw::io::picture& so_far, std::size_t rows) {
        ++shown;
        CHECK(rows == 2 * shown);
        CHECK((rows == 8 || so_far.at(0, rows)[0] == 255));
    };
    how.on_progress = [&](std::size_t done, std::size_t total) {
        CHECK(done == ++counted);
        CHECK(total == 16);
        return true;
    };
    static_cast<void>(o.model.draw(0, how));
    CHECK(shown == 4);
    CHECK(counted == 16);
    how.on_progress = [](std::size_t done, std::size_t) { return done < 3; };
    CHECK_THROWS_AS(o.model.draw(0, how), tw::cancelled_error);
}

TEST_CASE("image_model: what there is not is refused", "[runtime]") {
    const opened o;
    CHECK(o.model.class_of("c") == 2);
    CHECK_THROWS_WITH(o.model.class_of("f"), ContainsSubstring("no class 'f'"));
    CHECK_THROWS_AS(o.model.draw(5), tw::argument_error);
    CHECK_THROWS_AS(o.model.draw(1, {.guidance = -1}), tw::argument_error);
    CHECK_THROWS_AS(o.model.draw(1, {.temperature = -1}), tw::argument_error);
    CHECK_THROWS_AS(o.model.picture_of(std::vector<std::int32_t>(15)), tw::shape_error);
    const files::temporary_folder folder;
    const family_golden words{"llama", "families"};
    words.write_to(folder.string(), tw::dtype::f32);
    CHECK_THROWS_WITH(tw::image_model::load(folder.string()), ContainsSubstring("does not make pictures"));
}

TEST_CASE("image_model: a GGUF file draws what its folder does, and carries what to check it with", "[runtime]") {
    const opened o;
    const auto folder = tw::models::model_folder::open(o.folder.string());
    tw::io::gguf_writer out;
    tw::models::export_gguf(folder, tw::models::quantization::named("f32"), out);
    const std::string path = o.folder / "m.gguf";
    out.save(path);
    const auto plain = tw::image_model::load(path, {.threads = 1});
    CHECK(plain.draw(1, {.seed = 4}) == o.model.draw(1, {.seed = 4}));
    CHECK(plain.class_of("e") == 4);
    CHECK_FALSE(plain.self_check());
    std::vector<std::int32_t> ids(16);
    for(std::size_t i = 0; i < ids.size(); ++i) {
        ids[i] = static_cast<std::int32_t>(i * 3);
    }
    auto output = plain.check_output(ids);
    tw::models::set_picture_check(out, "llamagen", ids, output);
    out.save(path);
    CHECK(tw::image_model::load(path).self_check().value() < 1e-4);
    output.back() += 1;
    tw::models::set_picture_check(out, "llamagen", ids, output);
    out.save(path);
    CHECK(tw::image_model::load(path, {.replay_check = false}).self_check().value() > 0.1);
}
