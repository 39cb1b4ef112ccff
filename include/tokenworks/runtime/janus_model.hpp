// Pictures of what a prompt says: a folder of Janus (Chen et al., "Janus-Pro", 2025) as transformers has it (5.24,
// modeling_janus.py, JanusForConditionalGeneration.generate with generation_mode "image").
//
//   auto model = tokenworks::janus_model::load("Janus-Pro-1B");
//   tokenworks::io::picture page = model.draw("a red fox in the snow", {.seed = 3});
//
// A Llama decoder goes on with codes behind the prompt; a head of its own says which, and a picture's decoder makes
// pixels of them. Codes are tokens behind those of text, with rows of the table that the file's aligner makes. Under
// guidance a second sequence has padding in place of the prompt. What it says of pictures is not read.
//
// Needs nlohmann-json.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/tokenizer.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/limits.hpp>
#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/io/picture.hpp>
#include <tokenworks/io/safetensors_reader.hpp>
#include <tokenworks/kernels/activation.hpp>
#include <tokenworks/models/decoder.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hf_config.hpp>
#include <tokenworks/models/json_file.hpp>
#include <tokenworks/models/llama.hpp>
#include <tokenworks/models/load_layers.hpp>
#include <tokenworks/models/read_family.hpp>
#include <tokenworks/models/safetensors_source.hpp>
#include <tokenworks/models/tensor_names.hpp>
#include <tokenworks/models/tokenizer_folder.hpp>
#include <tokenworks/models/vq_autoencoder.hpp>
#include <tokenworks/nn/activations.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/linear.hpp>
#include <tokenworks/quant/convert.hpp>
#include <tokenworks/runtime/image_model.hpp>
#include <tokenworks/runtime/run_alone.hpp>
#include <tokenworks/runtime/text_model.hpp>
#include <tokenworks/sampling/constraint_copies.hpp>
#include <tokenworks/sampling/forced.hpp>
#include <tokenworks/sampling/guidance.hpp>

namespace tokenworks::inline TOKENWORKS_ABI {

namespace detail {

/// A decoder's weights with other rows behind its table's.
class longer_table final: public models::weight_source {
public:
    longer_table(const models::weight_source& source, models::weight table)
        : source_{&source}, table_{std::move(table)} {}

    [[nodiscard]] std::optional<models::weight> find(std::string_view name) const override {
        return name == "token_embd.weight" ? table_ : source_->find(name);
    }
    [[nodiscard]] std::string label() const override { return source_->label(); }
    [[nodiscard]] std::string name_of(std::string_view name) const override { return source_->name_of(name); }
    void release(const models::weight& done) const override { source_->release(done); }

private:
    const models::weight_source* source_;
    models::weight table_;
};

} // namespace detail

/// Immutable once loaded: share it by const reference. It has the form of a causal_model whose tokens are those of text
/// and then the codes, of which only codes come.
class janus_model {
public:
    using token_id = sampling::token_id;

    /// The caches of a sequence. Refers to a context. Not for several threads at once.
    class state {
    public:
        [[nodiscard]] std::size_t size() const noexcept { return with_.size(); }
        [[nodiscard]] std::size_t capacity() const noexcept { return with_.capacity(); }

    private:
        friend class janus_model;
        state(nn::context& c, float scale, nn::kv_cache with) : context_{&c}, scale_{scale}, with_{std::move(with)} {}

        nn::context* context_;
        float scale_;
        nn::kv_cache with_;
        std::optional<nn::kv_cache> without_{};
        std::vector<token_id> tokens_{};
        std::vector<float> hidden_{}; // [2,C]
        std::vector<float> middle_{}; // [2,P]
        std::vector<float> logits_{}; // [2,V] of codes
    };

    /// Whether a folder's config.json names Janus.
    [[nodiscard]] static bool knows(const std::string& path, const limits& bounds = {}) {
        const std::filesystem::path file = std::filesystem::path{path} / "config.json";
        std::error_code none;
        return std::filesystem::is_regular_file(file, none) &&
               models::json_file(file, bounds).text_or("model_type", "") == "janus";
    }

    /// @throws io_error, format_error, limit_error, cancelled_error; unsupported_error for what is not read
    [[nodiscard]] static janus_model load(const std::string& path, const load_options& options = {},
                                          const limits& bounds = {}) {
        return janus_model{path, options, bounds};
    }

    [[nodiscard]] std::size_t width() const noexcept { return side_ * vq_->config().scale(); }
    [[nodiscard]] std::size_t height() const noexcept { return width(); }
    [[nodiscard]] std::size_t tokens() const noexcept { return side_ * side_; } ///< of a picture
    [[nodiscard]] std::size_t vocab_size() const noexcept { return decoder_->vocab_size(); }
    [[nodiscard]] std::size_t weight_bytes() const noexcept { return decoder_->weight_bytes() + vq_->weight_bytes(); }

    /// What stands before the codes of a picture: a turn of the user's, the beginning of an answer, and of a picture.
    /// The text never becomes a control token.
    /// @throws unsupported_error where the folder has no tokenizer
    [[nodiscard]] std::vector<token_id> prompt_of(std::string_view text) const {
        if(!tokenizer_) {
            detail::raise<unsupported_error>({path_, ": the folder has no tokenizer.json"});
        }
        const codec::text_segment turn[] = {
            {"<|User|>: ", true}, {std::string{text}, false}, {"\n\n<|Assistant|>:", true}};
        std::vector<token_id> ids = tokenizer_->encode(turn, false);
        ids.insert(ids.begin(), bos_);
        ids.push_back(begin_);
        return ids;
    }

    /// @throws argument_error for a setting out of range; capacity_error for a prompt that does not fit;
    /// cancelled_error
    [[nodiscard]] io::picture draw(std::string_view text, const draw_options& options = {},
                                   runtime::timings* timings = nullptr) const {
        return picture_of(draw_ids(prompt_of(text), options, timings));
    }
    /// The codes behind a prompt's tokens.
    [[nodiscard]] std::vector<token_id> draw_ids(std::span<const token_id> prompt, const draw_options& options = {},
                                                 runtime::timings* timings = nullptr) const;
    /// @param codes  tokens() of them
    [[nodiscard]] io::picture picture_of(std::span<const token_id> codes) const {
        return io::picture_of_values(pixels_of(codes), width(), height(), 3);
    }
    /// The same before it is rounded to bytes: [height*width, 3], about from -1 to 1.
    [[nodiscard]] std::vector<float> pixels_of(std::span<const token_id> codes) const {
        std::vector<float> pixels(width() * height() * 3);
        nn::context c{how_};
        vq_->decode(c, codes, side_, side_, nn::rows{pixels.data(), width() * height(), std::size_t{3}});
        return pixels;
    }

    /// Of a sequence of up to so many tokens.
    /// @param guidance  1: none, and half the work
    [[nodiscard]] state make_state(nn::context& c, std::size_t capacity, float guidance) const {
        state made{c, guidance, decoder_->make_cache(capacity, dtype::f32)};
        if(guidance != 1) {
            made.without_ = decoder_->make_cache(capacity, dtype::f32);
        }
        return made;
    }
    /// @param logits  [V], or none; tokens of text have minus infinity
    void forward(state& s, std::span<const token_id> tokens, std::span<float> logits) const;

private:
    janus_model(const std::string& path, const load_options& options, const limits& bounds);

    /// The rows of codes behind those of text, in the file's type.
    [[nodiscard]] models::weight table_of(const models::weight_source& stored, const models::weight_source& named,
                                          const models::hf_config& json, models::layer_loader& load,
                                          std::size_t width) const;

    std::string path_;
    std::shared_ptr<team> team_;
    execution how_;
    std::size_t text_ = 0; ///< tokens of text
    std::size_t side_ = 0; ///< codes each way
    float guidance_ = 5;
    token_id bos_ = 0;
    token_id pad_ = 0;
    token_id begin_ = 0; ///< of a picture
    std::unique_ptr<models::decoder> decoder_;
    std::unique_ptr<models::vq_autoencoder> vq_;
    std::unique_ptr<codec::tokenizer> tokenizer_;
    nn::linear head_in_;
    nn::linear head_out_;
};

#if TOKENWORKS_DEFINITIONS

namespace detail {

[[nodiscard]] inline models::vq_config janus_vq_config(const models::hf_config& from) {
    models::vq_config config;
    config.width = from.count_or("vq_config.base_channels", 128, 65536);
    config.latent = from.count_or("vq_config.latent_channels", 256, 65536);
    config.code_width = from.count_or("vq_config.embed_dim", 8, 65536);
    config.codes = from.count_or("vq_config.num_embeddings", 16384, std::size_t{1} << 24);
    config.blocks = from.count_or("vq_config.num_res_blocks", 2, 64);
    config.unit_latents = false;
    from.require_unset("vq_config.double_latent");
    if(from.has("vq_config.channel_multiplier")) {
        config.decoder_levels.clear();
        for(const std::uint64_t level: from.wholes("vq_config.channel_multiplier")) {
            config.decoder_levels.push_back(static_cast<std::size_t>(std::min<std::uint64_t>(level, 65536)));
        }
        config.encoder_levels = config.decoder_levels;
    }
    if(from.count_or("vq_config.out_channels", 3, 65536) != 3 ||
       from.text_or("vq_config.hidden_act", "gelu") != "gelu") {
        raise<unsupported_error>({from.label(), ": vq_config has other channels than 3, or an activation but gelu"});
    }
    try {
        config.validate();
    } catch(const argument_error& problem) {
        from.refuse("vq_config", std::string{"and its like: "} + problem.what());
    }
    return config;
}

} // namespace detail

TOKENWORKS_FUNCTION models::weight janus_model::table_of(const models::weight_source& stored,
                                                         const models::weight_source& named,
                                                         const models::hf_config& json, models::layer_loader& load,
                                                         std::size_t width) const {
    const models::vq_config& vq = vq_->config();
    const std::size_t projection = json.count_or("vq_config.projection_dim", 2048, 65536);
    const std::size_t layers = json.count_or("vq_config.num_hidden_layers", 2, 64);
    if(projection != width) {
        json.refuse("vq_config.projection_dim", {"is ", projection, ", the width is ", width});
    }
    std::vector<float> rows =
        models::load_values(stored, "model.generation_embeddings.weight", std::array{vq.codes, vq.code_width});
    nn::context c{how_};
    std::vector<float> next(vq.codes * width);
    const auto run = [&](const nn::linear& layer, std::size_t columns) {
        layer(c, nn::activations{c, nn::const_rows{rows.data(), vq.codes, columns}},
              nn::rows{next.data(), vq.codes, width});
        rows = next;
    };
    run(load.linear("model.generation_aligner.fc1", width, vq.code_width), vq.code_width);
    for(std::size_t i = 0; i + 1 < layers; ++i) {
        const nn::rows all{rows.data(), vq.codes, width};
        kernels::activate(kernels::gelu{}, all, all, how_);
        run(load.linear(detail::message({"model.generation_aligner.hidden_layers.", i}), width, width), width);
    }
    models::weight table = models::require_real(named, "token_embd.weight", std::array{text_, width});
    if(table.type != dtype::f32 && table.type != dtype::f16 && table.type != dtype::bf16) {
        detail::raise<unsupported_error>({path_, ": a table of ", info(table.type).name});
    }
    std::vector<std::byte> bytes(table.bytes.begin(), table.bytes.end());
    const std::size_t before = bytes.size();
    bytes.resize(before + rows.size() * info(table.type).block_bytes);
    quant::encode(table.type, rows, std::span{bytes}.subspan(before));
    table.extents[0] = text_ + vq.codes;
    table.own(std::move(bytes));
    return table;
}

TOKENWORKS_FUNCTION janus_model::janus_model(const std::string& path, const load_options& options, const limits& bounds)
    : path_{path}, team_{options.make_team()}, how_{options.set, team_.get()} {
    const std::filesystem::path folder{path};
    std::error_code none;
    models::hf_config json = models::json_file(folder / "config.json", bounds);
    if(json.text_or("model_type", "") != "janus") {
        detail::raise<unsupported_error>({path, ": no folder of Janus"});
    }
    const std::filesystem::path index = folder / "model.safetensors.index.json";
    const io::safetensors_file file = io::safetensors_file::open(
        (std::filesystem::exists(index, none) ? index : folder / "model.safetensors").string(), {.limits = bounds});
    const models::safetensors_weights stored{file};
    json.set_weights(stored);
    const std::unique_ptr<models::hyperparameters> text = json.part("text_config");
    models::model_config config = models::detail::read_config(models::llama_config, *text);
    text_ = config.vocab_size;
    const models::vq_config vq = detail::janus_vq_config(json);
    side_ = json.count_or("vq_config.num_patches", 32, 1024);
    if(side_ * vq.scale() > 16384) {
        detail::raise<limit_error>({path, ": pictures of more than 16384 pixels a side"});
    }
    if(tokens() >= config.context_length) {
        json.refuse("vq_config.num_patches", {"is ", side_, ", the context takes ", config.context_length, " tokens"});
    }
    const models::hf_config generation = models::json_file(folder / "generation_config.json", bounds);
    const auto token = [&](const char* key) {
        const std::uint64_t id = generation.whole(key);
        if(id >= text_) {
            generation.refuse(key, {"is ", id, ", there are ", text_, " tokens"});
        }
        return static_cast<token_id>(id);
    };
    bos_ = token("bos_token_id");
    pad_ = token("pad_token_id");
    begin_ = token("generation_kwargs.boi_token_id");
    guidance_ = generation.real_or("guidance_scale", guidance_);

    models::weight_loading loading;
    loading.precision = options.precision;
    vq_ = std::make_unique<models::vq_autoencoder>(
        vq, models::named_weights{stored, models::janus_vq_names("model.vqmodel.", "vq."), false}, how_, loading,
        "vq.");
    models::layer_loader load{stored, how_, loading};
    const std::size_t middle = json.count_or("vq_config.projection_dim", 2048, 65536);
    head_in_ = load.linear("model.generation_head.proj_out", middle, config.width);
    head_out_ = load.linear("model.generation_head.vision_head", vq.codes, middle);
    const models::named_weights named{stored, models::llama_names(*text, config), false};
    const detail::longer_table table{named, table_of(stored, named, json, load, config.width)};
    config.vocab_size = text_ + vq.codes;
    config.tied_embeddings = true; // the head of text is not asked
    std::uint64_t total = 0;
    for(const io::safetensor& tensor: file.tensors()) {
        total += tensor.bytes;
    }
    if(options.on_progress) {
        loading.progress = [&](std::uint64_t done) { return options.on_progress(std::min(done, total), total); };
    }
    decoder_ = std::make_unique<models::decoder>(config, table, how_, loading);
    if(std::filesystem::exists(folder / "tokenizer.json", none)) {
        tokenizer_ = std::make_unique<codec::tokenizer>(models::tokenizer_of(path, bounds));
        if(tokenizer_->vocab_size() > text_) {
            detail::raise_format(path, {"tokenizer.json"}, format_error::no_offset,
                                 {"has ", tokenizer_->vocab_size(), " tokens, the model has ", text_});
        }
    }
}

TOKENWORKS_FUNCTION void janus_model::forward(state& s, std::span<const token_id> tokens,
                                              std::span<float> logits) const {
    using wanted = models::decoder_input::logits;
    const std::size_t count = s.without_ ? 2 : 1;
    const auto want = logits.empty() ? wanted::none : wanted::last;
    const std::size_t rows = logits.empty() ? 0 : count;
    const std::size_t width = decoder_->config().width;
    s.hidden_.resize(count * width);
    std::vector<models::decoder_input> inputs{{.cache = &s.with_, .tokens = tokens, .want = want}};
    if(s.without_) {
        s.tokens_.assign(tokens.begin(), tokens.end());
        for(token_id& id: s.tokens_) {
            const bool stays = id == bos_ || id == begin_ || static_cast<std::size_t>(id) >= text_;
            id = stays ? id : pad_;
        }
        inputs.push_back({.cache = &*s.without_, .tokens = s.tokens_, .want = want});
    }
    decoder_->forward_hidden(*s.context_, inputs, nn::rows{s.hidden_.data(), rows, width});
    if(rows == 0) {
        return;
    }
    const std::size_t middle = head_in_.out_width();
    const std::size_t codes = vq_->config().codes;
    s.middle_.resize(count * middle);
    s.logits_.resize(count * codes);
    nn::context& c = *s.context_;
    const nn::rows between{s.middle_.data(), count, middle};
    head_in_(c, nn::activations{c, nn::const_rows{s.hidden_.data(), count, width}}, between);
    kernels::activate(kernels::gelu{}, between, between, how_);
    head_out_(c, nn::activations{c, between}, nn::rows{s.logits_.data(), count, codes});
    std::ranges::fill(logits, -std::numeric_limits<float>::infinity());
    const std::span<const float> all = s.logits_;
    const std::span<float> out = logits.subspan(text_, codes);
    if(count == 2) {
        sampling::guide(all.first(codes), all.subspan(codes), s.scale_, out);
    } else {
        std::ranges::copy(all, out.begin());
    }
}

TOKENWORKS_FUNCTION std::vector<janus_model::token_id>
janus_model::draw_ids(std::span<const token_id> prompt, const draw_options& options, runtime::timings* timings) const {
    const float guidance = options.guidance.value_or(guidance_);
    if(!std::isfinite(guidance) || guidance < 0) {
        detail::raise<argument_error>({"draw: the guidance is ", guidance, ", which must be 0 or above"});
    }
    if(prompt.empty() || prompt.size() + tokens() > decoder_->config().context_length) {
        detail::raise<capacity_error>({"draw: a prompt of ", prompt.size(), " tokens and a picture of ", tokens(),
                                       ", the context takes ", decoder_->config().context_length});
    }
    const auto is_code = [text = text_](token_id id) { return static_cast<std::size_t>(id) >= text; };
    runtime::request what{.prompt = {prompt.begin(), prompt.end()}};
    what.options.max_tokens = tokens();
    what.options.constraint = sampling::copies_of(sampling::forced{std::vector<token_id>(tokens(), -1), is_code});
    what.options.sampling = {.temperature = options.temperature.value_or(1),
                             .top_k = options.top_k,
                             .top_p = options.top_p,
                             .min_p = options.min_p,
                             .seed = options.seed};
    what.options.ignore_eos = true;
    bool cancelled = false;
    std::stop_source stop;
    what.options.cancel = stop.get_token();
    nn::context c{how_};
    state s = make_state(c, prompt.size() + tokens(), guidance);
    std::vector<token_id> ids;
    double seconds = 0;
    {
        const runtime::stopwatch watch{seconds};
        runtime::run_alone(*this, s, what, ids, [&](std::size_t made) {
            if(options.on_progress && !options.on_progress(made, tokens())) {
                cancelled = true;
                stop.request_stop();
            }
        });
    }
    if(ids.size() != tokens() || cancelled) {
        detail::raise<cancelled_error>({"draw: cancelled"});
    }
    for(token_id& id: ids) {
        id -= static_cast<token_id>(text_);
    }
    if(timings != nullptr) {
        timings->prompt_tokens += prompt.size();
        timings->generated_tokens += tokens();
        timings->decode_seconds += seconds;
    }
    return ids;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI
