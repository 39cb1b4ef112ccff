// What a model of meshes says of its tokens: in config.json as "tokenworks_mesh_levels", "tokenworks_mesh_vertices" and
// "tokenworks_mesh_classes", in GGUF files as "ARCHITECTURE.mesh.levels" and so on. Any decoder may have them.
#pragma once

#include <optional>
#include <string>

#include <tokenworks/codec/mesh_tokens.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/io/gguf_writer.hpp>
#include <tokenworks/models/hyperparameters.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// Nothing where the model is of something else.
/// @throws format_error naming the key
[[nodiscard]] inline std::optional<codec::mesh_tokens_options> mesh_tokens_of(const hyperparameters& from) {
    if(!from.has("mesh.levels")) {
        return std::nullopt;
    }
    codec::mesh_tokens_options made{.levels = from.count("mesh.levels", 1024),
                                    .most_vertices = from.count("mesh.vertices", 65536)};
    if(from.has("mesh.classes")) {
        made.classes = from.texts("mesh.classes");
    }
    if(made.levels < 2 || made.most_vertices < 4 || made.classes.size() > 65536) {
        from.refuse("mesh.levels", {made.levels, ", with ", made.most_vertices, " vertices and ", made.classes.size(),
                                    " classes, makes no meshes"});
    }
    return made;
}

/// Says the same in a GGUF file.
inline void set_mesh_keys(const codec::mesh_tokens_options& what, const std::string& architecture,
                          io::gguf_writer& out) {
    out.set(architecture + ".mesh.levels", static_cast<std::uint32_t>(what.levels));
    out.set(architecture + ".mesh.vertices", static_cast<std::uint32_t>(what.most_vertices));
    out.set_array(architecture + ".mesh.classes", what.classes);
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
