// Models of meshes: a class in, a closed surface out, whose file other programs open.
//
//   auto model = tokenworks::mesh_model::load("models/mesh.gguf");
//   tokenworks::mesh chair = model.generate({.name = "chair", .seed = 7});
//   tokenworks::io::write_mesh("chair.glb", chair);
//
// Any decoder whose files say how its tokens mean meshes (models/mesh_config.hpp). Whatever its weights are, what comes
// is a mesh (runtime/mesh_constraint.hpp).
//
// Needs nlohmann-json.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <tokenworks/codec/mesh_tokens.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/limits.hpp>
#include <tokenworks/core/mesh.hpp>
#include <tokenworks/io/gguf_reader.hpp>
#include <tokenworks/io/gguf_writer.hpp>
#include <tokenworks/models/mesh_config.hpp>
#include <tokenworks/models/model_files.hpp>
#include <tokenworks/runtime/load_text_model.hpp>
#include <tokenworks/runtime/request.hpp>
#include <tokenworks/runtime/self_check.hpp>
#include <tokenworks/runtime/text_model.hpp>
#include <tokenworks/sampling/options.hpp>

#if TOKENWORKS_DEFINITIONS
#include <tokenworks/runtime/log_likelihoods.hpp>
#include <tokenworks/runtime/mesh_constraint.hpp>
#include <tokenworks/runtime/run_alone.hpp>
#include <tokenworks/sampling/constraint_copies.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI {

struct mesh_options {
    std::string name{};       ///< one of mesh_model::classes()
    float temperature = 0.7F; ///< 0: the likeliest, without dice
    std::uint64_t seed = 0;
    std::stop_token cancel{}; ///< looked at before every token
};

/// Immutable once loaded: share it by const reference.
class mesh_model {
public:
    /// @throws io_error, format_error, limit_error, cancelled_error; unsupported_error for a model of something else
    [[nodiscard]] static mesh_model load(const std::string& path, const load_options& options = {},
                                         const limits& bounds = {}) {
        return mesh_model{path, options, bounds};
    }

    [[nodiscard]] const std::vector<std::string>& classes() const noexcept { return space_->classes(); }
    [[nodiscard]] const codec::mesh_tokens& space() const noexcept { return *space_; }
    [[nodiscard]] const text_model& network() const noexcept { return *network_; }

    /// What an engine of network() is asked for a mesh: the ids that come are what generate_tokens gives, and
    /// space().decode(ids) is the mesh. Refers to the model.
    /// @throws argument_error for a class that there is not
    [[nodiscard]] runtime::request request_of(const mesh_options& options) const;

    /// Centred on the origin, its longest side 1, y up, seen from outside counterclockwise.
    /// @throws argument_error for a class that there is not, or a temperature below 0; cancelled_error
    [[nodiscard]] mesh generate(const mesh_options& options) const { return space_->decode(generate_tokens(options)); }
    /// The tokens behind the class's.
    [[nodiscard]] std::vector<sampling::token_id> generate_tokens(const mesh_options& options) const;

    /// The natural logarithm of the probability of a mesh's tokens, its class given, token by token.
    /// @throws argument_error as mesh_tokens::encode; capacity_error where it does not fit into the context
    [[nodiscard]] std::vector<float> log_likelihoods(const mesh& what, const std::string& name) const;

    /// A file may carry what a right model says of check_mesh(): the largest difference from that, natural logarithm.
    /// Nothing where it carries none.
    [[nodiscard]] std::optional<double> self_check() const;
    static constexpr runtime::check_bound check_bound{0.25, "of a log-likelihood"};
    /// Says in a file what this model makes of check_mesh().
    void set_check(io::gguf_writer& out) const;
    /// A box of 1 by 0.5 by 0.25.
    [[nodiscard]] static mesh check_mesh();

private:
    static constexpr const char* check_key = "tokenworks.mesh.check.output";

    mesh_model(const std::string& path, const load_options& options, const limits& bounds);

    std::string path_;
    std::optional<codec::mesh_tokens> space_;
    std::unique_ptr<text_model> network_;
    std::vector<float> check_output_{};
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION mesh_model::mesh_model(const std::string& path, const load_options& options, const limits& bounds)
    : path_{path} {
    {
        const models::model_files files = models::model_files::open(path, bounds);
        const auto tokens = models::mesh_tokens_of(files.parameters());
        if(!tokens || !files.config().causal || files.encoder_config()) {
            detail::raise<unsupported_error>({path, ": '", files.config().architecture, "' makes no meshes"});
        }
        space_.emplace(*tokens);
        if(space_->vocab_size() != files.config().vocab_size) {
            files.parameters().refuse("mesh.levels", {"there are ", space_->vocab_size(),
                                                      " tokens of meshes, the model has ", files.config().vocab_size});
        }
        if(files.config().context_length < runtime::mesh_constraint::least_tokens + 1) {
            files.parameters().refuse("context_length",
                                      {"of ", files.config().context_length, " tokens has no room for a mesh"});
        }
        if(const io::gguf_file* const file = files.gguf(); file != nullptr && file->find(check_key) != nullptr) {
            check_output_ = file->get<std::vector<float>>(check_key);
        }
    }
    network_ = std::make_unique<text_model>(load_text_model(path, options, bounds));
    runtime::replay_check(*this, path, options);
}

TOKENWORKS_FUNCTION runtime::request mesh_model::request_of(const mesh_options& options) const {
    runtime::request what{.prompt = {space_->class_token(options.name)}};
    const std::size_t room = network_->context_length() - what.prompt.size();
    what.options.max_tokens = room;
    what.options.constraint = sampling::copies_of(runtime::mesh_constraint{*space_, room});
    what.options.sampling.temperature = options.temperature;
    what.options.sampling.top_k = 0;
    what.options.sampling.seed = options.seed;
    what.options.ignore_eos = true;
    what.options.cancel = options.cancel;
    return what;
}

TOKENWORKS_FUNCTION std::vector<sampling::token_id> mesh_model::generate_tokens(const mesh_options& options) const {
    std::vector<sampling::token_id> ids;
    text_model::state state = network_->make_state();
    if(runtime::run_alone(*network_, state, request_of(options), ids) != runtime::finish_reason::stop) {
        detail::raise<cancelled_error>({"making a mesh: cancelled"});
    }
    return ids;
}

TOKENWORKS_FUNCTION std::vector<float> mesh_model::log_likelihoods(const mesh& what, const std::string& name) const {
    const std::vector<sampling::token_id> ids = space_->encode(what);
    std::vector<sampling::token_id> all{space_->class_token(name)};
    all.insert(all.end(), ids.begin(), ids.end());
    return runtime::log_likelihoods(*network_, all);
}

TOKENWORKS_FUNCTION mesh mesh_model::check_mesh() {
    mesh box;
    for(unsigned i = 0; i < 8; ++i) {
        box.vertices.push_back(
            {(i & 1U) != 0 ? 1.0F : 0.0F, (i & 4U) != 0 ? 0.5F : 0.0F, (i & 2U) != 0 ? 0.25F : 0.0F});
    }
    box.triangles = {{0, 1, 3}, {0, 3, 2}, {4, 6, 7}, {4, 7, 5}, {0, 4, 5}, {0, 5, 1},
                     {1, 5, 7}, {1, 7, 3}, {3, 7, 6}, {3, 6, 2}, {2, 6, 4}, {2, 4, 0}};
    return box;
}

TOKENWORKS_FUNCTION std::optional<double> mesh_model::self_check() const {
    if(check_output_.empty() || classes().empty()) {
        return std::nullopt;
    }
    return runtime::largest_difference(log_likelihoods(check_mesh(), classes().front()), check_output_);
}

TOKENWORKS_FUNCTION void mesh_model::set_check(io::gguf_writer& out) const {
    if(!classes().empty()) {
        out.set_array(check_key, log_likelihoods(check_mesh(), classes().front()));
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI
