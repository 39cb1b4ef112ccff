// mesh: 3D structures of a class, as OBJ, STL or GLB, and a picture of them.
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <tokenworks/core/mesh.hpp>
#include <tokenworks/io/mesh_files.hpp>
#include <tokenworks/io/mesh_picture.hpp>
#include <tokenworks/runtime/mesh_model.hpp>
#if defined(TOKENWORKS_CLI_PNG)
#include <tokenworks/io/png.hpp>
#endif

#include "load.hpp"
#include "options.hpp"
#include "output.hpp"

namespace cli {

using json = nlohmann::ordered_json;

namespace {

/// Side by side along x, a quarter of a side apart.
tw::mesh in_a_row(const std::vector<tw::mesh>& all) {
    if(all.size() == 1) {
        return all.front();
    }
    tw::mesh row;
    for(std::size_t i = 0; i < all.size(); ++i) {
        const auto first = static_cast<std::uint32_t>(row.vertices.size());
        const float shift = 1.25F * (static_cast<float>(i) - static_cast<float>(all.size() - 1) / 2);
        for(const auto& [x, y, z]: all[i].vertices) {
            row.vertices.push_back({x + shift, y, z});
        }
        for(const auto& [a, b, c]: all[i].triangles) {
            row.triangles.push_back({a + first, b + first, c + first});
        }
    }
    return row;
}

#if defined(TOKENWORKS_CLI_PNG)
/// A picture of each, in rows.
void render(const std::vector<tw::mesh>& all, const std::string& path) {
    const std::size_t size = all.size() == 1 ? 512 : all.size() <= 64 ? 256 : 64;
    const auto columns = static_cast<std::size_t>(std::ceil(std::sqrt(static_cast<double>(all.size()))));
    tw::io::picture sheet{columns * size, (all.size() + columns - 1) / columns * size};
    std::ranges::fill(sheet.bytes, std::uint8_t{250});
    for(std::size_t i = 0; i < all.size(); ++i) {
        sheet.put(tw::io::draw_mesh(all[i], {.size = size}), i % columns * size, i / columns * size);
    }
    tw::io::write_png(path, sheet);
}
#else
void render(const std::vector<tw::mesh>&, const std::string&) {
    throw tw::unsupported_error("--render: this program was built without libpng");
}
#endif

void check(const mesh_command& what) {
    constexpr std::array<std::string_view, 3> formats{"obj", "stl", "glb"};
    const auto is_format = [&](const std::string& ending) {
        return std::ranges::find(formats, ending) != formats.end();
    };
    const std::string ending = std::filesystem::path{what.out}.extension().string();
    if(!what.out.empty() && (ending.empty() || !is_format(ending.substr(1)))) {
        throw usage_error("-o: '" + tw::printable(what.out) + "' ends with none of .obj, .stl, .glb");
    }
    if(!is_format(what.format)) {
        throw usage_error("--format: '" + tw::printable(what.format) + "' is none of obj, stl, glb");
    }
    if(!what.render.empty() && std::filesystem::path{what.render}.extension() != ".png") {
        throw usage_error("--render: '" + tw::printable(what.render) + "' does not end with .png");
    }
    if(!(what.temperature >= 0) || std::isinf(what.temperature)) {
        throw usage_error("--temp: is no number from 0 on");
    }
    if(what.name.empty() && !what.list) {
        throw usage_error("--class is missing; --list prints the classes");
    }
}

} // namespace

int mesh(const common_options& common, const mesh_command& what) {
    check(what);
    common_options options = common;
    options.model = model_or_shipped(common.model, "mesh.gguf");
    const tw::mesh_model model = [&] {
        progress_bar bar{"loading"};
        return tw::mesh_model::load(options.model, load_options(options, bar));
    }();
    if(what.list) {
        for(const std::string& name: model.classes()) {
            std::cout << name << '\n';
        }
        return 0;
    }
    static_cast<void>(model.space().class_token(what.name)); // says which there are, before any is made
    const auto begin = std::chrono::steady_clock::now();
    std::vector<tw::mesh> made;
    std::size_t tokens = 0;
    {
        progress_bar bar{"making"};
        for(std::size_t i = 0; i < what.count; ++i) {
            const auto ids =
                model.generate_tokens({.name = what.name, .temperature = what.temperature, .seed = what.seed + i});
            tokens += ids.size();
            made.push_back(model.space().decode(ids));
            bar(i + 1, what.count);
        }
    }
    const double seconds = seconds_since(begin);

    std::vector<std::string> files;
    if(!what.each.empty()) {
        make_folder(what.each);
        for(std::size_t i = 0; i < made.size(); ++i) {
            files.push_back(numbered_file(what.each, i, what.format));
            tw::io::write_mesh(files.back(), made[i]);
        }
    } else if(!what.out.empty()) {
        tw::io::write_mesh(what.out, in_a_row(made));
        files.push_back(what.out);
    } else if(!common.json) {
        std::cout << tw::io::to_obj(in_a_row(made));
    }
    if(!what.render.empty()) {
        render(made, what.render);
        files.push_back(what.render);
    }
    if(common.json) {
        json out;
        out["class"] = what.name;
        out["files"] = files;
        for(const tw::mesh& each: made) {
            out["meshes"].push_back({{"vertices", each.vertices.size()},
                                     {"triangles", each.triangles.size()},
                                     {"watertight", each.is_watertight()}});
        }
        out["timings"] = {{"tokens", tokens}, {"seconds", seconds}};
        std::cout << out.dump() << '\n';
    }
    return 0;
}

} // namespace cli
