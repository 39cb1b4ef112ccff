// Pictures of a class, code by code, and parts of pictures drawn anew: LlamaGen of a folder, and the GGUF files that
// tokenworks makes of one.
//
//   auto model = tokenworks::image_model::load("image.gguf");
//   tokenworks::io::picture page = model.draw(model.class_of("7"), {.seed = 3});
//
// A picture is complete whatever the weights: a constraint lets codes come, and so many of them.
//
// Needs nlohmann-json.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/limits.hpp>
#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/io/gguf_reader.hpp>
#include <tokenworks/io/picture.hpp>
#include <tokenworks/models/decoder.hpp>
#include <tokenworks/models/model_files.hpp>
#include <tokenworks/models/vq_autoencoder.hpp>
#include <tokenworks/models/weight_loading.hpp>
#include <tokenworks/models/weights.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/page_pool.hpp>
#include <tokenworks/runtime/engine_options.hpp>
#include <tokenworks/runtime/guided_model.hpp>
#include <tokenworks/runtime/request.hpp>
#include <tokenworks/runtime/run_alone.hpp>
#include <tokenworks/runtime/self_check.hpp>
#include <tokenworks/runtime/text_model.hpp>
#include <tokenworks/runtime/timings.hpp>
#include <tokenworks/sampling/constraint_copies.hpp>
#include <tokenworks/sampling/forced.hpp>

namespace tokenworks::inline TOKENWORKS_ABI {

struct draw_options {
    std::uint64_t seed = 0;
    std::optional<float> guidance{};    ///< how much more than the class asks for; 1: none, and twice as fast
    std::optional<float> temperature{}; ///< 0: no dice. Of both nothing: what the file says
    int top_k = 0;                      ///< 0: off
    float top_p = 1;                    ///< 1: off
    float min_p = 0;                    ///< 0: off
    std::function<bool(std::size_t, std::size_t)> on_progress{}; ///< tokens done and their total; false cancels
    /// Called behind every row of codes with the picture so far, whose rows from `rows` on are white.
    std::function<void(const io::picture& so_far, std::size_t rows)> on_rows{};
};

/// Immutable once loaded: share it by const reference.
class image_model {
public:
    using token_id = sampling::token_id;

    /// @throws io_error, format_error, limit_error, cancelled_error; unsupported_error for a model of something else
    [[nodiscard]] static image_model load(const std::string& path, const load_options& options = {},
                                          const limits& bounds = {}) {
        return image_model{path, options, bounds};
    }

    [[nodiscard]] const models::model_config& config() const noexcept { return decoder_->config(); }
    [[nodiscard]] const models::picture_config& picture() const noexcept { return *config().picture; }
    [[nodiscard]] std::size_t width() const noexcept { return picture().columns * picture().vq.scale(); }
    [[nodiscard]] std::size_t height() const noexcept { return picture().rows * picture().vq.scale(); }
    [[nodiscard]] std::size_t weight_bytes() const noexcept { return decoder_->weight_bytes() + vq_->weight_bytes(); }
    [[nodiscard]] const execution& how() const noexcept { return how_; }
    [[nodiscard]] const models::decoder& decoder() const noexcept { return *decoder_; }

    /// The name of a class, or its number where the file names none.
    [[nodiscard]] std::string label(std::size_t which) const {
        return picture().labels.empty() ? std::to_string(which) : picture().labels[which];
    }
    /// The class of a name, or of a number where the file names none.
    /// @throws argument_error for one that there is not
    [[nodiscard]] std::size_t class_of(std::string_view name) const;

    /// A picture of a class.
    /// @param which  below picture().classes; nothing: of no class in particular
    /// @throws argument_error for a class that there is not, or a setting out of range; cancelled_error
    [[nodiscard]] io::picture draw(std::optional<std::size_t> which, const draw_options& options = {},
                                   runtime::timings* timings = nullptr) const {
        return picture_of(make_ids(request_of(which, options), options, timings));
    }

    /// What an engine of decoder() is asked for a picture, which picture_of() makes of the ids: sample i is what draw
    /// gives with seed + i. Two rows in the engine's batch, where there is guidance.
    /// @param given  an id for each place, -1 where one is to come; empty: all are
    /// @throws as draw; argument_error for ids that are no codes, or not one a place
    [[nodiscard]] runtime::request request_of(std::optional<std::size_t> which, const draw_options& options = {},
                                              std::vector<token_id> given = {}) const;
    /// How such an engine is set up: keys and values in the type that draw keeps them in, and room for the two rows of
    /// each sequence where `set` says nothing of it.
    [[nodiscard]] runtime::engine_options engine_settings(runtime::engine_options set = {}) const;

    /// A picture with a part drawn anew: the codes that the part touches are free, all others are the picture's own.
    /// Pixels outside of the mask stay to the bit.
    /// @param given  width() x height(), of 3 channels
    /// @param mask   as large, of 1 channel: what is above 127 is drawn anew
    /// @throws as draw; argument_error for pictures of another size or other channels; unsupported_error where the
    ///         file has no encoder
    [[nodiscard]] io::picture infill(const io::picture& given, const io::picture& mask,
                                     std::optional<std::size_t> which, const draw_options& options = {},
                                     runtime::timings* timings = nullptr) const;

    /// The codes of a picture, row by row, and the picture of codes.
    /// @throws argument_error for a picture of another size or other channels, or codes that there are not;
    ///         unsupported_error where the file has no encoder
    [[nodiscard]] std::vector<token_id> ids_of(const io::picture& given) const;
    [[nodiscard]] io::picture picture_of(std::span<const token_id> ids) const;

    /// What a file may carry to be checked with: codes, and what a right model says behind them and draws of them. The
    /// largest difference, in deviations of the first. Nothing where it carries none.
    [[nodiscard]] std::optional<double> self_check() const;
    static constexpr runtime::check_bound check_bound{0.1, "of the logits' root mean square"};
    /// What the file should carry: the logits behind the first half of some codes of class 0, then the brightness of
    /// each code's square.
    [[nodiscard]] std::vector<float> check_output(std::span<const token_id> ids) const;

private:
    static constexpr dtype cache_type = dtype::f32;

    image_model(const std::string& path, const load_options& options, const limits& bounds);

    [[nodiscard]] std::vector<token_id> make_ids(runtime::request what, const draw_options& options,
                                                 runtime::timings* timings) const;
    /// The rows of codes that are there, in a picture, the rest white.
    [[nodiscard]] io::picture begun_picture(std::span<const token_id> ids) const;
    void check_size(const char* what, const io::picture& given, std::size_t channels) const;

    std::shared_ptr<team> team_;
    execution how_;
    std::unique_ptr<models::decoder> decoder_;
    std::unique_ptr<models::vq_autoencoder> vq_;
    std::vector<token_id> check_input_{};
    std::vector<float> check_output_{};
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION image_model::image_model(const std::string& path, const load_options& options, const limits& bounds)
    : team_{options.make_team()}, how_{options.set, team_.get()} {
    const models::model_files files = models::model_files::open(path, bounds);
    const models::model_config& config = files.config();
    if(!config.picture) {
        detail::raise<unsupported_error>({path, ": '", config.architecture, "' does not make pictures"});
    }
    if(config.picture->vq.channels != 3 && config.picture->vq.channels != 1) {
        detail::raise<unsupported_error>({path, ": pixels of ", config.picture->vq.channels, " channels"});
    }
    if(std::max(config.picture->rows, config.picture->columns) * config.picture->vq.scale() > 16384) {
        detail::raise<limit_error>({path, ": pictures of more than 16384 pixels a side"});
    }
    models::weight_loading loading;
    loading.precision = options.precision;
    std::uint64_t before = 0;
    std::uint64_t last = 0;
    if(options.on_progress) {
        loading.progress = [&options, &before, &last, total = files.weight_bytes()](std::uint64_t done) {
            before += done < last ? last : 0; // the parts of a model count their own bytes
            last = done;
            return options.on_progress(std::min(before + done, total), total);
        };
    }
    const std::vector<models::weight_transform> transforms =
        models::bound_transforms(options.transforms, files.names());
    const models::transformed_weights weights{files.weights(), transforms, config, how_};
    decoder_ = std::make_unique<models::decoder>(config, weights.get(), how_, loading);
    vq_ = std::make_unique<models::vq_autoencoder>(config.picture->vq, weights.get(), how_, loading, "vq.");
    const std::string input = config.architecture + ".check.input";
    if(const io::gguf_file* const file = files.gguf(); file != nullptr && file->find(input) != nullptr) {
        for(const std::uint64_t id: file->get<std::vector<std::uint64_t>>(input)) {
            check_input_.push_back(static_cast<token_id>(std::min<std::uint64_t>(id, picture().codes - 1)));
        }
        check_output_ = file->get<std::vector<float>>(config.architecture + ".check.output");
        runtime::replay_check(*this, path, options);
    }
}

TOKENWORKS_FUNCTION std::size_t image_model::class_of(std::string_view name) const {
    for(std::size_t i = 0; i < picture().classes; ++i) {
        if(label(i) == name) {
            return i;
        }
    }
    detail::raise<argument_error>({"there is no class '", detail::escaped(name), "' among the ", picture().classes,
                                   " of this model, ", detail::escaped(label(0)), " … ",
                                   detail::escaped(label(picture().classes - 1))});
}

TOKENWORKS_FUNCTION void image_model::check_size(const char* what, const io::picture& given,
                                                 std::size_t channels) const {
    given.check();
    if(given.width != width() || given.height != height() || given.channels != channels) {
        detail::raise<argument_error>({what, " is ", given.width, " x ", given.height, " of ", given.channels,
                                       " channels, the model draws ", width(), " x ", height(), " of ", channels});
    }
}

TOKENWORKS_FUNCTION runtime::request image_model::request_of(std::optional<std::size_t> which,
                                                             const draw_options& options,
                                                             std::vector<token_id> given) const {
    const models::picture_config& config = picture();
    if(which && *which >= config.classes) {
        detail::raise<argument_error>({"draw: class ", *which, ", the model has ", config.classes});
    }
    const float guidance = options.guidance.value_or(config.has_no_class ? config.guidance : 1.0F);
    if(!std::isfinite(guidance) || guidance < 0) {
        detail::raise<argument_error>({"draw: the guidance is ", guidance, ", which must be 0 or above"});
    }
    if(!config.has_no_class && (!which || guidance != 1)) {
        detail::raise<argument_error>(
            {"draw: the model was not trained without classes, so that it needs one, and takes "
             "no guidance but 1"});
    }
    const std::size_t total = config.tokens();
    const auto is_code = [count = config.codes](token_id id) {
        return id >= 0 && static_cast<std::size_t>(id) < count;
    };
    if(given.empty()) {
        given.assign(total, -1);
    } else if(given.size() != total ||
              !std::ranges::all_of(given, [&](token_id id) { return id == -1 || is_code(id); })) {
        detail::raise<argument_error>(
            {"draw: ", given.size(), " ids are given, there are ", total, " places for ", config.codes, " codes"});
    }
    const auto nothing = static_cast<token_id>(config.codes + config.classes);
    runtime::request what{.prompt = {which ? static_cast<token_id>(config.codes + *which) : nothing}};
    if(which && guidance != 1) {
        what.guidance = {.scale = guidance, .without = {nothing}};
    }
    what.options.max_tokens = total;
    what.options.constraint = sampling::copies_of(sampling::forced{std::move(given), is_code});
    what.options.sampling = {.temperature = options.temperature.value_or(config.temperature),
                             .top_k = options.top_k,
                             .top_p = options.top_p,
                             .min_p = options.min_p,
                             .seed = options.seed};
    what.options.ignore_eos = true;
    return what;
}

TOKENWORKS_FUNCTION runtime::engine_options image_model::engine_settings(runtime::engine_options set) const {
    constexpr std::size_t page = nn::page_pool::page_tokens;
    set.cache_type = cache_type;
    if(set.cache_tokens == 0) { // a page a row to copy into
        set.cache_tokens = 2 * set.max_sequences * (nn::page_pool::pages_for(picture().tokens() + 1) + 1) * page;
    }
    return set;
}

TOKENWORKS_FUNCTION io::picture image_model::begun_picture(std::span<const token_id> ids) const {
    std::vector<token_id> all{ids.begin(), ids.end()};
    all.resize(picture().tokens(), ids.back());
    io::picture so_far = picture_of(all);
    const std::size_t rows = ids.size() / picture().columns * picture().vq.scale();
    const auto end = static_cast<std::ptrdiff_t>(rows * so_far.width * so_far.channels);
    std::fill(so_far.bytes.begin() + end, so_far.bytes.end(), std::uint8_t{255});
    return so_far;
}

TOKENWORKS_FUNCTION std::vector<image_model::token_id>
image_model::make_ids(runtime::request what, const draw_options& options, runtime::timings* timings) const {
    const std::size_t total = picture().tokens();
    nn::context c{how_};
    const runtime::guidance guided = what.guidance.value_or(runtime::guidance{.without = what.prompt});
    const runtime::guided_model model{*decoder_, guided.scale, guided.without.front()};
    runtime::guided_model::state state = model.make_state(c, total + 1, cache_type);
    bool cancelled = false;
    std::stop_source stop;
    what.options.cancel = stop.get_token();
    std::vector<token_id> ids;
    double seconds = 0;
    {
        const runtime::stopwatch watch{seconds};
        runtime::run_alone(model, state, what, ids, [&](std::size_t made) {
            if(options.on_rows && made % picture().columns == 0) {
                options.on_rows(begun_picture(ids), made / picture().columns * picture().vq.scale());
            }
            if(options.on_progress && !options.on_progress(made, total)) {
                cancelled = true;
                stop.request_stop();
            }
        });
    }
    if(ids.size() != total || cancelled) {
        detail::raise<cancelled_error>({"draw: cancelled"});
    }
    if(timings != nullptr) {
        timings->prompt_tokens += 1;
        timings->generated_tokens += total;
        timings->decode_seconds += seconds;
    }
    return ids;
}

TOKENWORKS_FUNCTION io::picture image_model::infill(const io::picture& given, const io::picture& mask,
                                                    std::optional<std::size_t> which, const draw_options& options,
                                                    runtime::timings* timings) const {
    check_size("infill: the mask", mask, 1);
    std::vector<token_id> ids = ids_of(given);
    const std::size_t scale = picture().vq.scale();
    const auto is_drawn = [&](std::size_t x, std::size_t y) { return mask.at(x, y)[0] > 127; };
    for(std::size_t y = 0; y < mask.height; ++y) {
        for(std::size_t x = 0; x < mask.width; ++x) {
            if(is_drawn(x, y)) {
                ids[y / scale * picture().columns + x / scale] = -1;
            }
        }
    }
    const io::picture drawn = picture_of(make_ids(request_of(which, options, std::move(ids)), options, timings));
    io::picture out = given;
    for(std::size_t y = 0; y < mask.height; ++y) {
        for(std::size_t x = 0; x < mask.width; ++x) {
            if(is_drawn(x, y)) {
                std::ranges::copy(drawn.at(x, y), out.at(x, y).begin());
            }
        }
    }
    return out;
}

TOKENWORKS_FUNCTION std::vector<image_model::token_id> image_model::ids_of(const io::picture& given) const {
    const std::size_t channels = picture().vq.channels;
    check_size("the picture", given, channels);
    std::vector<float> pixels(given.bytes.size());
    std::ranges::transform(given.bytes, pixels.begin(),
                           [](std::uint8_t byte) { return static_cast<float>(byte) / 127.5F - 1.0F; });
    std::vector<token_id> ids(picture().tokens());
    nn::context c{how_};
    vq_->encode(c, nn::const_rows{pixels.data(), given.width * given.height, channels}, given.height, given.width, ids);
    return ids;
}

TOKENWORKS_FUNCTION io::picture image_model::picture_of(std::span<const token_id> ids) const {
    const std::size_t channels = picture().vq.channels;
    std::vector<float> pixels(width() * height() * channels);
    nn::context c{how_};
    vq_->decode(c, ids, picture().rows, picture().columns, nn::rows{pixels.data(), width() * height(), channels});
    return io::picture_of_values(pixels, width(), height(), channels);
}

TOKENWORKS_FUNCTION std::vector<float> image_model::check_output(std::span<const token_id> ids) const {
    nn::context c{how_};
    const runtime::guided_model model{*decoder_, 1.0F, 0};
    runtime::guided_model::state state = model.make_state(c, ids.size() + 1);
    std::vector<token_id> tokens{static_cast<token_id>(picture().codes)};
    tokens.insert(tokens.end(), ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(ids.size() / 2));
    std::vector<float> out(decoder_->vocab_size());
    model.forward(state, tokens, out);
    out.resize(picture().codes);
    const io::picture drawn = picture_of(ids);
    const std::size_t scale = picture().vq.scale();
    for(std::size_t i = 0; i < picture().tokens(); ++i) {
        float sum = 0;
        for(std::size_t y = 0; y < scale; ++y) {
            for(std::size_t x = 0; x < scale; ++x) {
                sum += static_cast<float>(
                    drawn.at(i % picture().columns * scale + x, i / picture().columns * scale + y)[0]);
            }
        }
        out.push_back(sum / static_cast<float>(scale * scale) / 127.5F);
    }
    return out;
}

TOKENWORKS_FUNCTION std::optional<double> image_model::self_check() const {
    if(check_input_.empty()) {
        return std::nullopt;
    }
    if(check_input_.size() != picture().tokens()) {
        return std::numeric_limits<double>::infinity();
    }
    const std::vector<float> found = check_output(check_input_);
    double squares = 0;
    const std::size_t logits = std::min(picture().codes, check_output_.size());
    for(const float logit: std::span{check_output_}.first(logits)) {
        squares += static_cast<double>(logit) * static_cast<double>(logit);
    }
    return runtime::largest_difference(found, check_output_) /
           std::sqrt(squares / static_cast<double>(picture().codes));
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI
