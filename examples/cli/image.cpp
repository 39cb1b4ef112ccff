// image: pictures of a class, parts of a picture drawn anew, as PNG files and as blocks in the terminal.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

#include <nlohmann/json.hpp>

#include <tokenworks/io/contact_sheet.hpp>
#include <tokenworks/io/picture.hpp>
#include <tokenworks/io/terminal_picture.hpp>
#include <tokenworks/runtime/diffusion_model.hpp>
#include <tokenworks/runtime/image_model.hpp>
#include <tokenworks/runtime/janus_model.hpp>

#include "load.hpp"
#include "options.hpp"
#include "output.hpp"
#include "picture.hpp"

namespace cli {

using json = nlohmann::ordered_json;

namespace {

/// What is drawn, in blocks on stderr; each state over the one before where that is a terminal.
class preview {
public:
    explicit preview(bool wanted)
        : is_live_{::isatty(STDERR_FILENO) == 1},
          is_shown_{wanted || (is_live_ && std::getenv("NO_COLOR") == nullptr)} {}

    [[nodiscard]] bool is_live() const noexcept { return is_shown_ && is_live_; }
    void show(const tw::io::picture& what) {
        if(lines_ != 0) {
            std::cerr << "\x1b[" << lines_ << 'A';
        }
        const std::string text = tw::io::to_blocks(what);
        lines_ = static_cast<std::size_t>(std::ranges::count(text, '\n'));
        std::cerr << text << std::flush;
    }
    /// The picture is complete.
    void finish(const tw::io::picture& what) {
        if(is_shown_) {
            show(what);
        }
        lines_ = 0;
    }

private:
    bool is_live_;
    bool is_shown_;
    std::size_t lines_ = 0;
};

/// Of an image_model, or a diffusion_model.
template <class Model>
void list_classes(const Model& model, std::size_t count, bool as_json) {
    json all = json::array();
    for(std::size_t i = 0; i < count; ++i) {
        const std::string name = tw::printable(model.label(i));
        if(as_json) {
            all.push_back(name);
        } else {
            std::cout << name << '\n';
        }
    }
    if(as_json) {
        std::cout << json{{"classes", all}}.dump() << '\n';
    }
}

/// Where pictures go as they are made, and what is said of them.
class album {
public:
    explicit album(const image_command& what) : what_{what} {
        if(!what.each.empty()) {
            make_folder(what.each);
        }
    }

    [[nodiscard]] std::size_t size() const noexcept { return all_.size(); }
    void add(tw::io::picture made) {
        all_.push_back(std::move(made));
        if(!what_.each.empty()) {
            files_.push_back(numbered_file(what_.each, size() - 1, "png"));
            write_png(files_.back(), all_.back());
        }
    }
    /// Writes the sheet, and the report where one is wanted.
    void close(bool as_json, const json& timings) {
        if(!what_.out.empty()) {
            files_.push_back(what_.out);
            write_png(what_.out, all_.size() == 1 ? all_.front() : tw::io::contact_sheet(all_));
        }
        if(!as_json) {
            return;
        }
        json out;
        out["files"] = files_;
        out["images"] = size();
        out["width"] = all_.front().width;
        out["height"] = all_.front().height;
        if(what_.label) {
            out["class"] = tw::printable(*what_.label);
        }
        out["timings"] = timings;
        std::cout << out.dump() << '\n';
    }

private:
    const image_command& what_;
    std::vector<tw::io::picture> all_;
    std::vector<std::string> files_;
};

void check_flags(const image_command& what) {
    if(what.list) {
        return;
    }
    if(what.out.empty() == what.each.empty()) {
        throw usage_error("image: give either -o OUT.png or --each DIR");
    }
    if(!what.out.empty() && std::filesystem::path{what.out}.extension() != ".png") {
        throw usage_error("-o: '" + tw::printable(what.out) + "' does not end with .png");
    }
    if(what.infill.empty() != what.mask.empty()) {
        throw usage_error("image: --infill IN.png and --mask M.png go together");
    }
    if(!what.label && what.infill.empty()) {
        throw usage_error("image: --class C says what to draw; --list names the classes");
    }
}

/// Pictures out of noise, of a folder of diffusers.
int diffuse(const common_options& options, const image_command& what) {
    if(!what.infill.empty()) {
        throw usage_error("image: --infill is for models that draw token by token");
    }
    if(what.temperature || what.top_k != 0 || what.top_p < 1 || what.min_p > 0) {
        throw usage_error("image: a diffusion model has no --temp, --top-k, --top-p and --min-p");
    }
    const auto begin = std::chrono::steady_clock::now();
    const tw::diffusion_model model = [&] {
        progress_bar bar{"loading"};
        return tw::diffusion_model::load(options.model, load_options(options, bar));
    }();
    const double loading = seconds_since(begin);
    if(what.list) {
        list_classes(model, model.classes(), options.json);
        return 0;
    }
    const std::size_t label = model.class_of(*what.label);
    album made{what};
    preview shown{what.preview};
    std::optional<progress_bar> bar{"drawing"};
    const auto drawing = std::chrono::steady_clock::now();
    for(std::size_t i = 0; i < what.count; ++i) {
        tw::diffusion_options how{.seed = what.seed + i, .steps = what.steps};
        how.guidance = what.guidance.value_or(how.guidance);
        how.on_progress = [&](std::size_t done, std::size_t total) {
            (*bar)(made.size() * total + done, what.count * total);
            return true;
        };
        tw::io::picture drawn = model.draw(label, how);
        shown.finish(drawn);
        made.add(std::move(drawn));
    }
    bar.reset();
    const double seconds = seconds_since(drawing);
    made.close(options.json, {{"load_seconds", loading},
                              {"steps", what.count * what.steps},
                              {"draw_seconds", seconds},
                              {"steps_per_second", static_cast<double>(what.count * what.steps) / seconds}});
    return 0;
}

/// Pictures of what a prompt says, of a folder of Janus.
int illustrate(const common_options& options, const image_command& what) {
    if(what.list || !what.infill.empty()) {
        throw usage_error("image: a model of prompts has no classes to --list, and no --infill");
    }
    const auto begin = std::chrono::steady_clock::now();
    const tw::janus_model model = [&] {
        progress_bar bar{"loading"};
        return tw::janus_model::load(options.model, load_options(options, bar));
    }();
    const double loading = seconds_since(begin);
    album made{what};
    preview shown{what.preview};
    tw::runtime::timings timings;
    std::optional<progress_bar> bar{"drawing"};
    tw::draw_options how{.guidance = what.guidance,
                         .temperature = what.temperature,
                         .top_k = what.top_k,
                         .top_p = what.top_p,
                         .min_p = what.min_p};
    how.on_progress = [&](std::size_t done, std::size_t total) {
        (*bar)(made.size() * total + done, what.count * total);
        return true;
    };
    for(std::size_t i = 0; i < what.count; ++i) {
        how.seed = what.seed + i;
        tw::io::picture drawn = model.draw(*what.label, how, &timings);
        shown.finish(drawn);
        made.add(std::move(drawn));
    }
    bar.reset();
    made.close(options.json, {{"load_seconds", loading},
                              {"prompt_tokens", timings.prompt_tokens},
                              {"generated_tokens", timings.generated_tokens},
                              {"decode_seconds", timings.decode_seconds},
                              {"tokens_per_second", timings.decode_tokens_per_second()}});
    return 0;
}

} // namespace

int image(const common_options& common, const image_command& what) {
    check_flags(what);
    common_options options = common;
    options.model = model_or_shipped(common.model, "image.gguf");
    if(tw::diffusion_model::knows(options.model)) {
        return diffuse(options, what);
    }
    if(tw::janus_model::knows(options.model)) {
        return illustrate(options, what);
    }
    const auto begin = std::chrono::steady_clock::now();
    const tw::image_model model = [&] {
        progress_bar bar{"loading"};
        return tw::image_model::load(options.model, load_options(options, bar));
    }();
    const double loading = seconds_since(begin);
    if(what.list) {
        list_classes(model, model.picture().classes, common.json);
        return 0;
    }
    const std::optional<std::size_t> label = what.label ? std::optional{model.class_of(*what.label)} : std::nullopt;
    tw::io::picture given;
    tw::io::picture mask;
    if(!what.infill.empty()) {
        given = read_png(what.infill, model.picture().vq.channels);
        mask = read_png(what.mask, 1);
    }
    album made{what};
    tw::draw_options how{.guidance = what.guidance,
                         .temperature = what.temperature,
                         .top_k = what.top_k,
                         .top_p = what.top_p,
                         .min_p = what.min_p};
    preview shown{what.preview};
    tw::runtime::timings timings;
    const std::size_t tokens = model.picture().tokens();
    std::optional<progress_bar> bar;
    if(!shown.is_live()) {
        bar.emplace("drawing");
    }
    how.on_progress = [&](std::size_t done, std::size_t) {
        if(bar) {
            (*bar)(made.size() * tokens + done, what.count * tokens);
        }
        return true;
    };
    if(shown.is_live()) {
        how.on_rows = [&](const tw::io::picture& so_far, std::size_t) { shown.show(so_far); };
    }
    for(std::size_t i = 0; i < what.count; ++i) {
        how.seed = what.seed + i;
        tw::io::picture drawn =
            what.infill.empty() ? model.draw(label, how, &timings) : model.infill(given, mask, label, how, &timings);
        shown.finish(drawn);
        made.add(std::move(drawn));
    }
    bar.reset();
    made.close(common.json, {{"load_seconds", loading},
                             {"generated_tokens", timings.generated_tokens},
                             {"decode_seconds", timings.decode_seconds},
                             {"tokens_per_second", timings.decode_tokens_per_second()}});
    return 0;
}

} // namespace cli
