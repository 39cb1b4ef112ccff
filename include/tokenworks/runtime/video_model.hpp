// Models of videos: a class and some frames in, the frames that follow out.
//
//   auto model = tokenworks::video_model::load("models/video.gguf");
//   tokenworks::clip film = model.generate({.name = "fall", .frames = 16, .seed = 7});
//   tokenworks::clip longer = model.generate({.name = "fall", .frames = 4}, film);   // those 16, then 4 new ones
//
// Frames come patch by patch through the loop of every kind (runtime/run_alone.hpp, runtime/engine.hpp); a constraint
// lets codes come and nothing else, so that what comes is whole frames, whatever the weights are. Any number of frames
// may be asked for: where the context is full, its older half is forgotten.
//
// Needs nlohmann-json.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/frame_tokens.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/clip.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/limits.hpp>
#include <tokenworks/io/gguf_reader.hpp>
#include <tokenworks/io/gguf_writer.hpp>
#include <tokenworks/models/model_files.hpp>
#include <tokenworks/models/video_config.hpp>
#include <tokenworks/runtime/load_text_model.hpp>
#include <tokenworks/runtime/request.hpp>
#include <tokenworks/runtime/self_check.hpp>
#include <tokenworks/runtime/text_model.hpp>
#include <tokenworks/runtime/timings.hpp>
#include <tokenworks/sampling/candidates.hpp>

#if TOKENWORKS_DEFINITIONS
#include <array>
#include <cmath>
#include <stop_token>

#include <tokenworks/models/weights.hpp>
#include <tokenworks/runtime/log_likelihoods.hpp>
#include <tokenworks/runtime/run_alone.hpp>
#include <tokenworks/sampling/constraint.hpp>
#include <tokenworks/sampling/constraint_copies.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI {

struct video_options {
    std::string name{};     ///< of the class, one of video_model::classes()
    std::size_t frames = 8; ///< new ones
    /// 0: the likeliest, without dice. Nothing: 0 where frames are given, otherwise 0.8.
    std::optional<float> temperature{};
    std::uint64_t seed = 0;
    std::function<bool(std::size_t, std::size_t)> on_progress{}; ///< tokens done and their total; false cancels
};

/// Immutable once loaded: share it by const reference.
class video_model {
public:
    class growing_clip;

    /// @throws io_error, format_error, limit_error, cancelled_error; unsupported_error for a model of something else
    [[nodiscard]] static video_model load(const std::string& path, const load_options& options = {},
                                          const limits& bounds = {}) {
        return video_model{path, options, bounds};
    }

    [[nodiscard]] const std::vector<std::string>& classes() const noexcept { return space_->classes(); }
    [[nodiscard]] const codec::frame_tokens& space() const noexcept { return *space_; }
    [[nodiscard]] const text_model& network() const noexcept { return *network_; }
    [[nodiscard]] std::size_t width() const noexcept { return space_->width(); }
    [[nodiscard]] std::size_t height() const noexcept { return space_->height(); }
    [[nodiscard]] std::size_t channels() const noexcept { return space_->channels(); }
    /// Frames that the model sees at once, those that it is making among them.
    [[nodiscard]] std::size_t context_frames() const noexcept { return frames_; }

    /// The frames given, to the bit, then new ones.
    /// @param given  width() x height(), of channels(); may be empty: the class alone says how it begins
    /// @throws argument_error for a class that there is not, frames of another size, or a temperature below 0;
    ///         cancelled_error
    [[nodiscard]] clip generate(const video_options& options, const clip& given = {},
                                runtime::timings* timings = nullptr) const;

    /// The same in requests for an engine of network(), whose other requests share its steps. Refers to the model.
    /// @throws argument_error as generate
    [[nodiscard]] growing_clip start(const video_options& options, const clip& given = {}) const;

    /// The natural logarithm of the probability of each patch of a film, its class given.
    /// @throws as generate; capacity_error for more frames than the model sees at once
    [[nodiscard]] std::vector<float> log_likelihoods(const clip& film, std::string_view name) const;

    /// A file may carry some frames and what a right model says of them: the largest difference from that, natural
    /// logarithm. Nothing where it carries none.
    [[nodiscard]] std::optional<double> self_check() const;
    static constexpr runtime::check_bound check_bound{0.25, "of a log-likelihood"};
    /// Draws frames of every class, and says in a file what this model makes of them.
    void set_check(io::gguf_writer& out) const;

private:
    using token_id = sampling::token_id;

    static constexpr const char* check_input_key = "tokenworks.video.check.input";
    static constexpr const char* check_output_key = "tokenworks.video.check.output";
    static constexpr std::size_t check_frames = 3; ///< of a class

    video_model(const std::string& path, const load_options& options, const limits& bounds);

    [[nodiscard]] std::vector<float> check_output(std::span<const token_id> ids) const;

    std::optional<codec::frame_tokens> space_;
    std::size_t frames_ = 0;
    std::unique_ptr<text_model> network_;
    std::vector<token_id> check_input_{};
    std::vector<float> check_output_{};
};

/// A clip that grows by windows: what the model sees at once is one request. Where there are more frames to come than
/// it sees, those behind depend on those before.
///
///   video_model::growing_clip film = model.start({.name = "fall", .frames = 16});
///   while(!film.is_complete()) film.add(engine.ask(film.next()).get().samples[0].ids);
///   clip made = film.frames();
class video_model::growing_clip {
public:
    [[nodiscard]] bool is_complete() const noexcept { return made() >= options_.frames * model_->space().cells(); }
    /// Tokens made.
    [[nodiscard]] std::size_t made() const noexcept { return ids_.size() - first_; }
    /// What makes the next frames. @throws argument_error where it is complete
    [[nodiscard]] runtime::request next() const;
    /// Takes all ids of that request.
    /// @throws argument_error for more or fewer, or others than codes
    void add(std::span<const sampling::token_id> ids);
    /// The frames given, and those made so far.
    [[nodiscard]] clip frames() const;

private:
    friend class video_model;
    growing_clip(const video_model& model, const video_options& options, const clip& given);
    [[nodiscard]] std::size_t kept() const noexcept; // frames that the next request begins with
    [[nodiscard]] std::size_t next_frames() const noexcept;

    const video_model* model_;
    video_options options_;
    clip given_;
    sampling::token_id label_;
    std::vector<sampling::token_id> ids_{};
    std::size_t first_ = 0;    // of them that was made
    std::uint64_t window_ = 0; // requests before the next
};

#if TOKENWORKS_DEFINITIONS

namespace detail {

/// The book of codes that a file has.
[[nodiscard]] inline std::vector<std::uint8_t> read_codebook(const models::weight_source& weights,
                                                             const models::video_config& config) {
    const std::string name = "video.codebook.weight";
    const std::vector<float> values =
        models::load_values(weights, name, std::array{config.codes, config.patch_bytes()});
    std::vector<std::uint8_t> book(values.size());
    for(std::size_t i = 0; i < values.size(); ++i) {
        if(!(values[i] >= 0 && values[i] <= 255)) {
            models::raise_weight(weights, name, format_error::no_offset,
                                 {"value ", i, " is ", values[i], ", which is no byte of a pixel"});
        }
        book[i] = static_cast<std::uint8_t>(std::lround(values[i]));
    }
    return book;
}

} // namespace detail

TOKENWORKS_FUNCTION video_model::video_model(const std::string& path, const load_options& options,
                                             const limits& bounds) {
    {
        const models::model_files files = models::model_files::open(path, bounds);
        const std::optional<models::video_config>& config = files.config().video;
        if(!config) {
            detail::raise<unsupported_error>({path, ": '", files.config().architecture, "' makes no videos"});
        }
        frames_ = config->frames;
        space_.emplace(codec::frame_tokens_options{.rows = config->rows,
                                                   .columns = config->columns,
                                                   .patch = config->patch,
                                                   .channels = config->channels,
                                                   .classes = config->classes,
                                                   .codebook = detail::read_codebook(files.weights(), *config)});
        if(const io::gguf_file* const file = files.gguf(); file != nullptr && file->find(check_input_key) != nullptr) {
            for(const std::uint64_t id: file->get<std::vector<std::uint64_t>>(check_input_key)) {
                check_input_.push_back(static_cast<token_id>(std::min<std::uint64_t>(id, space_->vocab_size() - 1)));
            }
            check_output_ = file->get<std::vector<float>>(check_output_key);
        }
    }
    network_ = std::make_unique<text_model>(load_text_model(path, options, bounds));
    runtime::replay_check(*this, path, options);
}

TOKENWORKS_FUNCTION video_model::growing_clip::growing_clip(const video_model& model, const video_options& options,
                                                            const clip& given)
    : model_{&model}, options_{options}, given_{given}, label_{model.space().class_token(options.name)} {
    if(!given.bytes.empty()) {
        ids_ = model.space().encode(given);
    }
    first_ = ids_.size();
}

TOKENWORKS_FUNCTION std::size_t video_model::growing_clip::kept() const noexcept {
    const std::size_t cells = model_->space().cells();
    const std::size_t left = options_.frames - std::min(options_.frames, made() / cells);
    const std::size_t context = model_->context_frames();
    return std::min(ids_.size() / cells, std::max(context / 2, context - std::min(context, left)));
}

TOKENWORKS_FUNCTION std::size_t video_model::growing_clip::next_frames() const noexcept {
    const std::size_t left = options_.frames - std::min(options_.frames, made() / model_->space().cells());
    return std::min(left, model_->context_frames() - kept());
}

TOKENWORKS_FUNCTION runtime::request video_model::growing_clip::next() const {
    if(is_complete()) {
        detail::raise<argument_error>({"a film of ", options_.frames, " frames is complete"});
    }
    const codec::frame_tokens& space = model_->space();
    const std::size_t cells = space.cells();
    const std::size_t count = next_frames() * cells;
    runtime::request what{.prompt = {label_}};
    what.prompt.insert(what.prompt.end(), ids_.end() - static_cast<std::ptrdiff_t>(kept() * cells), ids_.end());
    what.options.max_tokens = count;
    what.options.constraint =
        sampling::copies_of(sampling::exactly{count, [&space](sampling::token_id id) { return space.is_code(id); }});
    // A seed of its own for each window, or dice would fall alike in all.
    what.options.sampling = {.temperature = options_.temperature.value_or(first_ == 0 ? 0.8F : 0.0F),
                             .top_k = 0,
                             .top_p = 1,
                             .min_p = 0,
                             .seed = options_.seed + window_ * 0x9E3779B97F4A7C15U};
    what.options.ignore_eos = true;
    return what;
}

TOKENWORKS_FUNCTION void video_model::growing_clip::add(std::span<const sampling::token_id> ids) {
    const codec::frame_tokens& space = model_->space();
    const std::size_t wanted = next_frames() * space.cells();
    if(ids.size() != wanted || !std::ranges::all_of(ids, [&](sampling::token_id id) { return space.is_code(id); })) {
        detail::raise<argument_error>({"a film wants ", wanted, " codes, not ", ids.size(), " tokens of any kind"});
    }
    ids_.insert(ids_.end(), ids.begin(), ids.end());
    ++window_;
}

TOKENWORKS_FUNCTION clip video_model::growing_clip::frames() const {
    clip made = model_->space().decode(std::span{ids_}.subspan(first_));
    made.bytes.insert(made.bytes.begin(), given_.bytes.begin(), given_.bytes.end());
    return made;
}

TOKENWORKS_FUNCTION video_model::growing_clip video_model::start(const video_options& options,
                                                                 const clip& given) const {
    return growing_clip{*this, options, given};
}

TOKENWORKS_FUNCTION clip video_model::generate(const video_options& options, const clip& given,
                                               runtime::timings* timings) const {
    growing_clip made = start(options, given);
    const std::size_t total = options.frames * space_->cells();
    runtime::timings spent;
    while(!made.is_complete()) {
        std::stop_source stop;
        runtime::request what = made.next();
        what.options.cancel = stop.get_token();
        bool is_cancelled = false;
        std::vector<token_id> ids;
        text_model::state state = network_->make_state();
        {
            const runtime::stopwatch watch{spent.decode_seconds};
            runtime::run_alone(*network_, state, what, ids, [&](std::size_t count) {
                if(options.on_progress && !options.on_progress(made.made() + count, total)) {
                    is_cancelled = true;
                    stop.request_stop();
                }
            });
        }
        if(is_cancelled) {
            detail::raise<cancelled_error>({"making frames of class '", options.name, "': cancelled"});
        }
        spent.prompt_tokens += what.prompt.size();
        spent.generated_tokens += ids.size();
        made.add(ids);
    }
    if(timings != nullptr) {
        timings->prompt_tokens += spent.prompt_tokens;
        timings->generated_tokens += spent.generated_tokens;
        timings->decode_seconds += spent.decode_seconds;
    }
    return made.frames();
}

TOKENWORKS_FUNCTION std::vector<float> video_model::log_likelihoods(const clip& film, std::string_view name) const {
    std::vector<token_id> all{space_->class_token(name)};
    const std::vector<token_id> ids = space_->encode(film);
    all.insert(all.end(), ids.begin(), ids.end());
    return runtime::log_likelihoods(*network_, all);
}

/// Of each class of the ids and the frames behind it.
TOKENWORKS_FUNCTION std::vector<float> video_model::check_output(std::span<const token_id> ids) const {
    std::vector<float> all;
    for(std::size_t begin = 0, end = 0; begin < ids.size(); begin = end) {
        end = begin + 1;
        while(end < ids.size() && space_->is_code(ids[end])) {
            ++end;
        }
        const std::vector<float> found = runtime::log_likelihoods(*network_, ids.subspan(begin, end - begin));
        all.insert(all.end(), found.begin(), found.end());
    }
    return all;
}

TOKENWORKS_FUNCTION std::optional<double> video_model::self_check() const {
    if(check_input_.empty()) {
        return std::nullopt;
    }
    return runtime::largest_difference(check_output(check_input_), check_output_);
}

TOKENWORKS_FUNCTION void video_model::set_check(io::gguf_writer& out) const {
    std::vector<std::uint32_t> input;
    std::vector<token_id> ids;
    for(const std::string& name: classes()) {
        ids.push_back(space_->class_token(name));
        const auto frames = std::min(check_frames, frames_);
        const std::vector<token_id> drawn = space_->encode(generate({.name = name, .frames = frames, .seed = 1}));
        ids.insert(ids.end(), drawn.begin(), drawn.end());
    }
    std::ranges::transform(ids, std::back_inserter(input), [](token_id id) { return static_cast<std::uint32_t>(id); });
    out.set_array(check_input_key, input);
    out.set_array(check_output_key, check_output(ids));
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI
