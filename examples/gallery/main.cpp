// gallery: one command makes one page with a result of each kind of output. docs/gallery.md tells more.
//
//   build/bin/gallery -o gallery.html --text-model models/downloaded/SmolLM2-135M-Instruct.Q4_1.gguf
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <iostream>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <tokenworks/core/cpu.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/io/atomic_file.hpp>
#include <tokenworks/version.hpp>

#include "../cli/options.hpp"
#include "../cli/output.hpp"
#include "kinds.hpp"

namespace gallery {

std::string studio::model(const std::string& name) const {
    return cli::model_or_shipped(models.empty() ? "" : (std::filesystem::path{models} / name).string(), name);
}

fact energy_fact(const tw::runtime::energy_span<tw::runtime::rapl_meter>& spent) {
    const auto joules = spent.joules();
    return {"Energy", joules ? rounded(*joules) + " J" : "not measurable here", true};
}

std::vector<fact> work::facts(const std::string& seed, const std::string& what, std::size_t count) const {
    const double seconds = std::chrono::duration<double>(clock::now() - begin_).count();
    return {{"Seed", seed},
            {what, whole(count)},
            {what + "/s", rounded(static_cast<double>(count) / seconds), true},
            energy_fact(energy_)};
}

namespace {

/// In the order of the page. A new kind of output is a function that makes its section, and a line here.
constexpr std::array kinds{numbers, words, meshes, images, videos, proteins, grammars};

struct flags {
    std::string out = "gallery.html";
    std::string text_model;
    std::string models;
    std::uint64_t seed = 2;
    unsigned threads = 0;
};

void make(const flags& what) {
    { const tw::io::atomic_file probe{what.out}; } // before the work: the file can be written
    const auto team = std::make_shared<tw::thread_team>(what.threads);
    studio in{.load = {},
              .seed = what.seed,
              .models = what.models,
              .text_model = what.text_model,
              .meter = tw::runtime::rapl_meter{}};
    in.load.shared_team = team;
    const tw::runtime::energy_span spent{in.meter};
    const auto begin = std::chrono::steady_clock::now();
    std::vector<section> sections;
    for(const auto& kind: kinds) {
        sections.push_back(kind(in));
        std::cerr << sections.back().title << '\n';
    }
    const std::vector<fact> facts{{"Version", TOKENWORKS_VERSION_STRING},
                                  {"Instructions", std::string{tw::name(in.load.set)}, true},
                                  {"Threads", std::to_string(team->size()), true},
                                  {"Time", rounded(cli::seconds_since(begin)) + " s", true},
                                  energy_fact(spent)};
    cli::write_file(what.out, write_page(sections, facts));
}

} // namespace
} // namespace gallery

int main(int argc, char** argv) {
    gallery::flags what;
    CLI::App program{"Makes a page with a result of each kind of output, and nothing to load from elsewhere",
                     "gallery"};
    program.add_option("-o,--out", what.out, "the page")->capture_default_str();
    program.add_option("--text-model", what.text_model,
                       "a language model, a GGUF file or a folder: for words and JSON");
    program.add_option("--models", what.models, "a folder with models in place of those that come with the program");
    program.add_option("--seed", what.seed, "the same seed makes the same page, but for times")->capture_default_str();
    program.add_option("-t,--threads", what.threads, "threads; 0: the usable physical cores")
        ->check(CLI::Range(0, 1024));
    try {
        program.parse(argc, argv);
    } catch(const CLI::ParseError& problem) {
        if(problem.get_exit_code() == 0) {
            return program.exit(problem); // --help
        }
        std::cerr << "gallery: error: " << problem.what() << '\n';
        return 2;
    }
    try {
        gallery::make(what);
        return 0;
    } catch(const std::bad_alloc&) {
        std::cerr << "gallery: error: out of memory\n";
    } catch(const std::exception& problem) {
        std::cerr << "gallery: error: " << problem.what() << '\n';
    }
    return 1;
}
