// video: frames of a class, or behind frames that are given, as an animated PNG, a GIF or a Y4M file.
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <tokenworks/core/clip.hpp>
#include <tokenworks/io/gif.hpp>
#include <tokenworks/io/y4m.hpp>
#include <tokenworks/runtime/video_model.hpp>
#if defined(TOKENWORKS_CLI_PNG)
#include <tokenworks/io/apng.hpp>
#endif

#include "load.hpp"
#include "options.hpp"
#include "picture.hpp"

namespace cli {

using json = nlohmann::ordered_json;

namespace {

void check(const video_command& what) {
    if(what.list) {
        return;
    }
    if(what.name.empty()) {
        throw usage_error("video: --class C says what moves how; --list names the classes");
    }
    const std::string ending = std::filesystem::path{what.out}.extension().string();
    if(ending != ".png" && ending != ".gif" && ending != ".y4m") {
        throw usage_error("-o: '" + tw::printable(what.out) + "' ends with none of .png, .gif, .y4m");
    }
    if(what.temperature && (!(*what.temperature >= 0) || std::isinf(*what.temperature))) {
        throw usage_error("--temp: is no number from 0 on");
    }
}

/// The frames of files, in their order.
tw::clip frames_of(const std::vector<std::string>& paths, const tw::video_model& model) {
    tw::clip given{.width = model.width(), .height = model.height(), .channels = model.channels()};
    for(const std::string& path: paths) {
        const tw::io::picture frame = read_png(path, model.channels());
        if(frame.width != given.width || frame.height != given.height) {
            throw tw::argument_error(path + ": is " + std::to_string(frame.width) + " x " +
                                     std::to_string(frame.height) + " pixels, the model's frames are " +
                                     std::to_string(given.width) + " x " + std::to_string(given.height));
        }
        given.add(frame.bytes);
    }
    return given;
}

void write(const std::string& path, const tw::clip& film, const tw::io::video_file_options& how) {
    if(path.ends_with(".gif")) {
        tw::io::write_gif(path, film, how);
    } else if(path.ends_with(".y4m")) {
        tw::io::write_y4m(path, film, how);
    } else {
#if defined(TOKENWORKS_CLI_PNG)
        tw::io::write_apng(path, film, how);
#else
        throw tw::unsupported_error(path + ": this program was built without libpng; .gif and .y4m it writes");
#endif
    }
}

} // namespace

int video(const common_options& common, const video_command& what) {
    check(what);
    common_options options = common;
    options.model = model_or_shipped(common.model, "video.gguf");
    const tw::video_model model = [&] {
        progress_bar bar{"loading"};
        return tw::video_model::load(options.model, load_options(options, bar));
    }();
    if(what.list) {
        for(const std::string& name: model.classes()) {
            std::cout << tw::printable(name) << '\n';
        }
        return 0;
    }
    static_cast<void>(model.space().class_token(what.name)); // says which there are, before files are read
    const tw::clip given = frames_of(what.from, model);
    tw::video_options how{.name = what.name,
                          .frames = what.frames.value_or(what.from.empty() ? 16 : 8),
                          .temperature = what.temperature,
                          .seed = what.seed};
    tw::runtime::timings timings;
    const tw::clip film = [&] {
        progress_bar bar{"making"};
        how.on_progress = [&](std::size_t done, std::size_t total) {
            bar(done, total);
            return true;
        };
        return model.generate(how, given, &timings);
    }();
    write(what.out, what.scale == 1 ? film : film.enlarged(what.scale), {.frames_per_second = what.rate});
    if(common.json) {
        json out;
        out["class"] = tw::printable(what.name);
        out["files"] = {what.out};
        out["frames"] = film.frames();
        out["given"] = given.frames();
        out["width"] = film.width * what.scale;
        out["height"] = film.height * what.scale;
        out["timings"] = {{"prompt_tokens", timings.prompt_tokens},
                          {"generated_tokens", timings.generated_tokens},
                          {"decode_seconds", timings.decode_seconds},
                          {"tokens_per_second", timings.decode_tokens_per_second()}};
        std::cout << out.dump() << '\n';
    }
    return 0;
}

} // namespace cli
