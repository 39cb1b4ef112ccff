// Answers every line of a file, as many at a time as the engine takes, with a bar on stderr. The answers come in the
// file's order.
// run: {smollm2} {models}/../examples/questions.txt
// prints: What is the capital of France?
#include <cstddef>
#include <cstdio>
#include <exception>
#include <fstream>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <tokenworks/runtime/engine.hpp>
#include <tokenworks/runtime/text_model.hpp>

namespace tw = tokenworks;

int main(int argc, char** argv) {
    try {
        const tw::text_model model =
            tw::text_model::load(argc > 1 ? argv[1] : "models/downloaded/SmolLM2-135M-Instruct.Q4_1.gguf");
        const char* const path = argc > 2 ? argv[2] : "examples/questions.txt";
        std::vector<std::string> questions;
        std::ifstream file{path};
        for(std::string line; std::getline(file, line);) {
            questions.push_back(line);
        }
        if(questions.empty()) {
            throw std::runtime_error(std::string{path} + ": no line to answer");
        }

        tw::runtime::engine engine{model, {.max_sequences = 8, .max_waiting = questions.size(), .context = 512}};
        std::vector<tw::runtime::job> jobs;
        for(const std::string& question: questions) {
            const tw::codec::chat_message message{"user", question};
            tw::runtime::request asked{.prompt = model.chat_prompt(std::span{&message, 1})};
            asked.options.max_tokens = 40;
            asked.options.sampling.temperature = 0;
            jobs.push_back(engine.submit(std::move(asked)));
        }

        while(engine.step()) { // no thread is needed: this one has nothing else to do
            const tw::runtime::engine_counts now = engine.counts();
            const std::size_t bar = 30 * now.finished / jobs.size();
            std::fprintf(stderr, "\r[%-30s] %zu of %zu, %zu tokens", std::string(bar, '#').c_str(),
                         static_cast<std::size_t>(now.finished), jobs.size(),
                         static_cast<std::size_t>(now.generated_tokens));
        }
        std::fputc('\n', stderr);
        for(std::size_t i = 0; i < jobs.size(); ++i) {
            std::printf("%s\n  %s\n", questions[i].c_str(), jobs[i].wait().samples.front().text.c_str());
        }
        return 0;
    } catch(const std::exception& problem) {
        std::fprintf(stderr, "batch: %s\n", problem.what());
        return 1;
    }
}
