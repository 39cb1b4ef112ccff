// Fills a form from a text: the answer is JSON that is valid under a schema, whatever the model.
// run: {smollm2}
#include <cstdio>
#include <exception>
#include <string>

#include <tokenworks/codec/json_schema.hpp>
#include <tokenworks/runtime/text_model.hpp>

namespace tw = tokenworks;

int main(int argc, char** argv) {
    try {
        const tw::text_model model =
            tw::text_model::load(argc > 1 ? argv[1] : "models/downloaded/SmolLM2-135M-Instruct.Q4_1.gguf");
        const auto form = model.bind(tw::codec::parse_json_schema(R"({
            "type": "object",
            "properties": {
                "name": {"type": "string", "maxLength": 40},
                "date": {"type": "string", "format": "date"},
                "guests": {"type": "integer", "minimum": 1, "maximum": 20},
                "table": {"enum": ["inside", "outside", "no matter"]}
            },
            "required": ["name", "date", "guests", "table"]
        })"));
        const std::string request = "Ada Lovelace asks for a table outside for four people on 2026-12-10. "
                                    "Write name, date, guests and table as JSON.";
        tw::generate_options options{.max_tokens = 200, .constraint = form};
        options.sampling.temperature = 0;
        auto answer = model.chat(request, options);
        std::printf("%s\n", answer.text().c_str());
        std::fprintf(stderr, "[%s]\n", std::string{to_string(answer.finish_reason())}.c_str());
        return 0;
    } catch(const std::exception& problem) {
        std::fprintf(stderr, "structured: %s\n", problem.what());
        return 1;
    }
}
