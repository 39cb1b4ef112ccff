// A contact sheet: every picture of it is one sequence of tokens.
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/io/contact_sheet.hpp>
#include <tokenworks/io/png.hpp>
#include <tokenworks/runtime/image_model.hpp>

#include "kinds.hpp"
#include "pictures.hpp"

namespace gallery {

std::string png_uri(std::span<const std::byte> file) {
    return data_uri("image/png", {reinterpret_cast<const char*>(file.data()), file.size()});
}

std::string png_uri(const tw::io::picture& what) {
    const std::vector<std::byte> bytes = tw::io::to_png(what);
    return png_uri(std::span{bytes});
}

section images(studio& in) {
    constexpr std::array<std::string_view, 8> rows{"TOKENWORKS", "TOKENWORKS", "ABCDEFGHIJ",  "KLMNOPQRST",
                                                   "0123456789", "0123456789", "handwritten", "handwritten"};
    const tw::image_model model = tw::image_model::load(in.model("image.gguf"), in.load);
    std::vector<tw::io::picture> all;
    std::size_t tokens = 0;
    const work spent{in};
    for(std::size_t row = 0; row < rows.size(); ++row) {
        for(std::size_t column = 0; column < 10; ++column) {
            const std::string label = rows[row] == "handwritten" ? "handwritten-" + std::to_string(column)
                                                                 : std::string{rows[row].substr(column, 1)};
            all.push_back(model.draw(model.class_of(label), {.seed = in.seed + all.size()}));
            tokens += model.picture().tokens();
        }
    }
    const std::vector<fact> facts =
        spent.facts(std::to_string(in.seed) + "…" + std::to_string(in.seed + all.size() - 1), "Tokens", tokens);
    const tw::io::picture sheet = tw::io::contact_sheet(all, {.columns = 10, .gap = 1, .background = 255});
    return {.id = "images",
            .title = "Images",
            .lead = "Eighty pictures of 32 by 32 pixels, drawn code by code; each has a class and a seed of its own.",
            .columns = 5,
            .results = {{"T O K E N W O R K S, twice; A to T; 0 to 9, twice; handwritten 0 to 9, twice",
                         picture_element("sheet", png_uri(sheet), "",
                                         "Eighty small pictures of letters and digits in eight rows"),
                         facts}}};
}

} // namespace gallery
