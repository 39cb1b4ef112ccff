// Text of a language model, token by token.
#include <cstddef>
#include <string>
#include <string_view>

#include <tokenworks/runtime/load_text_model.hpp>

#include "kinds.hpp"

namespace gallery {

section words(studio& in) {
    section made{.id = "words",
                 .title = "Words",
                 .lead = "An answer of a language model, in its own pieces: each shade is a token.",
                 .columns = 5,
                 .results = {}};
    if(in.text_model.empty()) {
        made.results.push_back(
            {"",
             "<p class=\"missing\">No language model comes with the project. These two lines bring one of 98 MB "
             "and make this page again, with its words and its JSON:</p>\n<pre tabindex=\"0\"><code>tools/get-model "
             "smollm2\n"
             "build/bin/gallery --text-model models/downloaded/SmolLM2-135M-Instruct.Q4_1.gguf</code></pre>",
             {}});
        return made;
    }
    const std::string prompt = "Tell a story about a robot who learns to paint, in three sentences.";
    const tw::text_model model = tw::load_text_model(in.text_model, in.load);
    tw::generate_options how{.max_tokens = 160};
    how.sampling.seed = in.seed;
    const work spent{in};
    auto answer = model.chat(prompt, how);
    std::string text;
    for(const std::string_view piece: answer) {
        text += "<span>" + html_text(piece) + "</span>";
    }
    made.results.push_back({prompt, "<blockquote class=\"tokens\">" + text + "</blockquote>",
                            spent.facts(std::to_string(in.seed), "Tokens", answer.timings().generated_tokens)});
    return made;
}

} // namespace gallery
