// A game loop with a storyteller in it: each frame moves the world and gives the engine one step, which is a token of
// the story, or a part of its prompt. No thread, no lock, no frame that waits for a whole answer.
// run: {smollm2}
// prints: frames
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>

#include <tokenworks/runtime/engine.hpp>
#include <tokenworks/runtime/text_model.hpp>

namespace tw = tokenworks;
using namespace std::chrono_literals;

namespace {

struct ball { // the world
    double height = 3, speed = 0;
    int bounces = 0;
    void move(double seconds) {
        speed -= 9.81 * seconds;
        height += speed * seconds;
        if(height < 0) {
            height = -height;
            speed = -0.9 * speed;
            ++bounces;
        }
    }
};

} // namespace

int main(int argc, char** argv) {
    try {
        const tw::text_model model =
            tw::text_model::load(argc > 1 ? argv[1] : "models/downloaded/SmolLM2-135M-Instruct.Q4_1.gguf");
        // At most 16 tokens of a prompt a frame, so that a long one takes more frames, not a longer one.
        tw::runtime::engine engine{model, {.max_sequences = 2, .context = 512, .step_tokens = 16}};
        const tw::codec::chat_message message{"user", "Tell of a ball that wants to reach the sky, in two sentences."};
        tw::runtime::request story{.prompt = model.chat_prompt(std::span{&message, 1})};
        story.options.max_tokens = 60;
        tw::runtime::job told = engine.submit(std::move(story));

        ball world;
        std::size_t frames = 0;
        std::chrono::duration<double, std::milli> longest{};
        for(auto next = std::chrono::steady_clock::now(); !told.finished(); ++frames) {
            const auto begin = std::chrono::steady_clock::now();
            world.move(1.0 / 60);
            engine.step();
            while(const std::optional<tw::runtime::token_event> event = told.poll()) {
                std::fputs(event->text.c_str(), stdout); // a game would draw it
            }
            longest = std::max<decltype(longest)>(longest, std::chrono::steady_clock::now() - begin);
            std::this_thread::sleep_until(next += 16667us);
        }
        std::printf("\n%zu frames, %d bounces\n", frames, world.bounces);
        std::fprintf(stderr, "[the longest frame worked for %.1f ms]\n", longest.count());
        return 0;
    } catch(const std::exception& problem) {
        std::fprintf(stderr, "game: %s\n", problem.what());
        return 1;
    }
}
