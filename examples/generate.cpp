// Loads a model and streams its answer to a question.
// run: {smollm2}
#include <iostream>
#include <tokenworks/tokenworks.hpp>

int main(int argc, char** argv) {
    const char* const path = argc > 1 ? argv[1] : "models/downloaded/SmolLM2-135M-Instruct.Q4_1.gguf";
    const auto model = tokenworks::text_model::load(path);
    for(std::string_view piece: model.chat("Why is the sky blue?", {.max_tokens = 64})) {
        std::cout << piece << std::flush;
    }
    std::cout << '\n';
}
