// Threads of a program ask the same engine, each for itself, and wait for a future. The engine batches what they ask.
// run: {smollm2}
// prints: 4 threads
#include <array>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <future>
#include <span>
#include <string>
#include <thread>
#include <utility>

#include <tokenworks/runtime/engine.hpp>
#include <tokenworks/runtime/text_model.hpp>

namespace tw = tokenworks;

int main(int argc, char** argv) {
    try {
        const tw::text_model model =
            tw::text_model::load(argc > 1 ? argv[1] : "models/downloaded/SmolLM2-135M-Instruct.Q4_1.gguf");
        tw::runtime::engine engine{model, {.max_sequences = 4, .context = 512}};
        const tw::runtime::engine_thread works{engine};

        const std::array<const char*, 4> questions{"What do cows drink?", "What is two plus three?",
                                                   "Which season comes after winter?", "What is ice made of?"};
        std::array<std::string, 4> answers;
        {
            std::array<std::jthread, 4> threads;
            for(std::size_t i = 0; i < threads.size(); ++i) {
                threads[i] = std::jthread{[&, i] {
                    try {
                        const tw::codec::chat_message message{"user", questions[i]};
                        tw::runtime::request asked{.prompt = model.chat_prompt(std::span{&message, 1})};
                        asked.options.max_tokens = 30;
                        asked.options.sampling.temperature = 0;
                        std::future<tw::runtime::completion> answer = engine.ask(std::move(asked));
                        answers[i] = answer.get().samples.front().text; // or what ended it, as an exception
                    } catch(const std::exception& problem) {
                        answers[i] = problem.what();
                    }
                }};
            }
        } // all have been answered
        for(std::size_t i = 0; i < answers.size(); ++i) {
            std::printf("%s\n  %s\n", questions[i], answers[i].c_str());
        }
        const tw::runtime::engine_counts all = engine.counts();
        std::printf("%zu threads, %zu tokens in %zu steps\n", answers.size(),
                    static_cast<std::size_t>(all.generated_tokens), static_cast<std::size_t>(all.steps));
        return 0;
    } catch(const std::exception& problem) {
        std::fprintf(stderr, "futures: %s\n", problem.what());
        return 1;
    }
}
