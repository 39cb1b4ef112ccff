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
#include <tokenworks/runtime/image_model.hpp>

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

void list_classes(const tw::image_model& model, bool as_json) {
    json all = json::array();
    for(std::size_t i = 0; i < model.picture().classes; ++i) {
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

} // namespace

int image(const common_options& common, const image_command& what) {
    check_flags(what);
    common_options options = common;
    options.model = model_or_shipped(common.model, "image.gguf");
    const auto begin = std::chrono::steady_clock::now();
    const tw::image_model model = [&] {
        progress_bar bar{"loading"};
        return tw::image_model::load(options.model, load_options(options, bar));
    }();
    const double loading = seconds_since(begin);
    if(what.list) {
        list_classes(model, common.json);
        return 0;
    }
    const std::optional<std::size_t> label = what.label ? std::optional{model.class_of(*what.label)} : std::nullopt;
    tw::io::picture given;
    tw::io::picture mask;
    if(!what.infill.empty()) {
        given = read_png(what.infill, model.picture().vq.channels);
        mask = read_png(what.mask, 1);
    }
    if(!what.each.empty()) {
        make_folder(what.each);
    }

    tw::draw_options how{.guidance = what.guidance,
                         .temperature = what.temperature,
                         .top_k = what.top_k,
                         .top_p = what.top_p,
                         .min_p = what.min_p};
    preview shown{what.preview};
    tw::runtime::timings timings;
    std::vector<tw::io::picture> all;
    std::vector<std::string> files;
    const std::size_t tokens = model.picture().tokens();
    std::optional<progress_bar> bar;
    if(!shown.is_live()) {
        bar.emplace("drawing");
    }
    how.on_progress = [&](std::size_t done, std::size_t) {
        if(bar) {
            (*bar)(all.size() * tokens + done, what.count * tokens);
        }
        return true;
    };
    if(shown.is_live()) {
        how.on_rows = [&](const tw::io::picture& so_far, std::size_t) { shown.show(so_far); };
    }
    for(std::size_t i = 0; i < what.count; ++i) {
        how.seed = what.seed + i;
        all.push_back(what.infill.empty() ? model.draw(label, how, &timings)
                                          : model.infill(given, mask, label, how, &timings));
        shown.finish(all.back());
        if(!what.each.empty()) {
            files.push_back(numbered_file(what.each, i, "png"));
            write_png(files.back(), all.back());
        }
    }
    bar.reset();
    if(!what.out.empty()) {
        files.push_back(what.out);
        write_png(what.out, all.size() == 1 ? all.front() : tw::io::contact_sheet(all));
    }
    if(common.json) {
        json out;
        out["files"] = files;
        out["images"] = all.size();
        out["width"] = model.width();
        out["height"] = model.height();
        if(label) {
            out["class"] = tw::printable(*what.label);
        }
        out["timings"] = {{"load_seconds", loading},
                          {"generated_tokens", timings.generated_tokens},
                          {"decode_seconds", timings.decode_seconds},
                          {"tokens_per_second", timings.decode_tokens_per_second()}};
        std::cout << out.dump() << '\n';
    }
    return 0;
}

} // namespace cli
