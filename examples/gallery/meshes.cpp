// A closed surface of each class, as shaded pictures, and to turn.
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <tokenworks/core/mesh.hpp>
#include <tokenworks/io/mesh_files.hpp>
#include <tokenworks/io/mesh_picture.hpp>
#include <tokenworks/runtime/mesh_model.hpp>

#include "kinds.hpp"
#include "pictures.hpp"

namespace gallery {

namespace {

constexpr std::size_t picture_size = 160; // pixels

/// For light and for dark screens.
std::string picture_of(const tw::mesh& what, std::size_t size) {
    const auto uri = [&](std::array<std::uint8_t, 3> front, std::array<std::uint8_t, 3> ground) {
        return png_uri(tw::io::draw_mesh(what, {.size = size, .front = front, .ground = ground}));
    };
    return "<picture><source media=\"(prefers-color-scheme: dark)\" srcset=\"" + uri({122, 168, 226}, {35, 39, 46}) +
           "\"><img src=\"" + uri({92, 148, 214}, {243, 241, 236}) + "\" width=\"" + std::to_string(size) +
           "\" height=\"" + std::to_string(size) + "\" alt=\"\"></picture>";
}

/// For the script: corners, triangles, and the file. A float has six decimals that count.
nlohmann::ordered_json json_of(const tw::mesh& what, const std::string& name) {
    nlohmann::ordered_json out{{"name", name}, {"closed", what.is_watertight()}, {"triangles", what.triangles}};
    for(const auto& [x, y, z]: what.vertices) {
        const auto decimals = [](float value) { return std::round(static_cast<double>(value) * 1e6) / 1e6; };
        out["corners"].push_back({decimals(x), decimals(y), decimals(z)});
    }
    out["file"] = data_uri("model/gltf-binary", tw::io::to_glb(what));
    return out;
}

/// JSON inside of a script: nothing in it may end the script.
std::string script_text(const nlohmann::ordered_json& what) {
    std::string out;
    for(const char c: what.dump()) {
        out += c == '<' ? std::string{"\\u003c"} : std::string(1, c);
    }
    return out;
}

} // namespace

section meshes(studio& in) {
    const tw::mesh_model model = tw::mesh_model::load(in.model("mesh.gguf"), in.load);
    std::vector<tw::mesh> made;
    std::size_t tokens = 0;
    const work spent{in};
    for(const std::string& name: model.classes()) {
        const auto ids = model.generate_tokens({.name = name, .seed = in.seed});
        tokens += ids.size();
        made.push_back(model.space().decode(ids));
    }
    const std::vector<fact> facts = spent.facts(std::to_string(in.seed), "Tokens", tokens);

    nlohmann::ordered_json data = nlohmann::ordered_json::array();
    std::string choice;
    std::string prompt = "classes ";
    for(std::size_t i = 0; i < made.size(); ++i) {
        const std::string name = html_text(model.classes()[i]);
        data.push_back(json_of(made[i], model.classes()[i]));
        prompt += (i == 0 ? "" : ", ") + model.classes()[i];
        choice += "<button type=\"button\" data-mesh=\"" + std::to_string(i) + "\" aria-pressed=\"false\">" +
                  picture_of(made[i], picture_size) + "<span>" + name + "</span></button>\n";
    }
    const std::string body =
        "<div class=\"turntable\">\n<figure><canvas id=\"turn\" width=\"1152\" height=\"648\" tabindex=\"0\" "
        "role=\"img\" "
        "aria-label=\"The shape that is chosen. Drag it, or press the arrow keys, to turn it.\"></canvas>\n"
        "<figcaption><span id=\"turn-text\" aria-live=\"polite\"></span> <a id=\"turn-file\" "
        "download>GLB</a></figcaption>"
        "</figure>\n<noscript>Without scripts the shapes do not turn; their pictures are below.</noscript>\n"
        "<div class=\"choice\" role=\"group\" aria-label=\"Shapes\">\n" +
        choice + "</div>\n</div>\n<script type=\"application/json\" id=\"turn-data\">" + script_text(data) +
        "</script>\n";
    return {
        .id = "meshes",
        .title = "3D structures",
        .lead =
            "Closed surfaces, corner by corner and triangle by triangle. Drag the large one, or use the arrow keys; "
            "choose another by its picture.",
        .columns = 7,
        .results = {{prompt, body, facts}}};
}

} // namespace gallery
