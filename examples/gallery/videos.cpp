// A film of each class, frame by frame and patch by patch.
#include <cstddef>
#include <string>
#include <vector>

#include <tokenworks/core/clip.hpp>
#include <tokenworks/io/apng.hpp>
#include <tokenworks/io/contact_sheet.hpp>
#include <tokenworks/io/picture.hpp>
#include <tokenworks/runtime/timings.hpp>
#include <tokenworks/runtime/video_model.hpp>

#include "kinds.hpp"
#include "pictures.hpp"

namespace gallery {

namespace {

/// A frame alone.
tw::io::picture picture_of(const tw::clip& film, std::size_t frame) {
    tw::io::picture still{film.width, film.height, film.channels};
    const auto bytes = film.frame(frame);
    still.bytes.assign(bytes.begin(), bytes.end());
    return still;
}

/// It moves, unless the reader asked for less motion: then its last frame is shown. Some frames stand below.
std::string film_element(const tw::clip& film, const std::string& name) {
    constexpr std::size_t shown = 8;
    std::vector<tw::io::picture> some;
    for(std::size_t i = 0; i < shown; ++i) {
        some.push_back(picture_of(film, i * (film.frames() - 1) / (shown - 1)));
    }
    const std::string strip = png_uri(tw::io::contact_sheet(some, {.columns = shown, .gap = 1, .background = 128}));
    return "<figure><picture class=\"film\"><source media=\"(prefers-reduced-motion: reduce)\" srcset=\"" +
           png_uri(some.back()) + "\"><img src=\"" + png_uri(tw::io::to_apng(film, {.frames_per_second = 12})) +
           "\" alt=\"A film of the class " + html_text(name) + "\"></picture>\n<picture class=\"film\"><img src=\"" +
           strip + "\" alt=\"Eight of its frames\"></picture><figcaption>" + html_text(name) +
           "</figcaption></figure>\n";
}

} // namespace

section videos(studio& in) {
    constexpr std::size_t frames = 32;
    const tw::video_model model = tw::video_model::load(in.model("video.gguf"), in.load);
    std::vector<tw::clip> made;
    tw::runtime::timings timings;
    const work spent{in};
    for(const std::string& name: model.classes()) {
        made.push_back(model.generate({.name = name, .frames = frames, .seed = in.seed}, {}, &timings));
    }
    const std::vector<fact> facts = spent.facts(std::to_string(in.seed), "Tokens", timings.generated_tokens);
    std::string films;
    std::string prompt = "classes ";
    for(std::size_t i = 0; i < made.size(); ++i) {
        films += film_element(made[i], model.classes()[i]);
        prompt += (i == 0 ? "" : ", ") + model.classes()[i];
    }
    return {.id = "videos",
            .title = "Videos",
            .lead = "Things that move, " + std::to_string(frames) + " frames of " + std::to_string(model.width()) +
                    " by " + std::to_string(model.height()) + " pixels of each class; no frame was given.",
            .columns = 12,
            .results = {{prompt, "<div class=\"films\">\n" + films + "</div>", facts}}};
}

} // namespace gallery
