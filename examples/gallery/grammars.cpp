// Outputs that are bound to a grammar: of proteins a motif, of words a form.
#include <cstddef>
#include <regex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <tokenworks/codec/json_schema.hpp>
#include <tokenworks/codec/regex_automaton.hpp>
#include <tokenworks/codec/residues.hpp>
#include <tokenworks/runtime/load_text_model.hpp>
#include <tokenworks/runtime/protein_model.hpp>

#include "kinds.hpp"
#include "residues.hpp"

namespace gallery {

namespace {

/// The zinc finger C2H2, PROSITE's pattern PS00028, with some residues before and behind. x is any residue.
constexpr std::string_view motif = "x{8,12}(C)x{2,4}(C)x{3}([LIVMFYWC])x{8}(H)x{3,5}(H)x{8,16}";

std::string pattern() {
    std::string out;
    for(const char c: motif) {
        out += c == 'x' ? "[" + std::string{tw::codec::residues::standard} + "]" : std::string(1, c);
    }
    return out;
}

/// A sign below each residue that the motif names.
std::string named_residues(const std::string& sequence) {
    std::string marks(sequence.size(), ' ');
    std::smatch found;
    if(std::regex_match(sequence, found, std::regex{pattern()})) {
        for(std::size_t i = 1; i < found.size(); ++i) {
            marks[static_cast<std::size_t>(found.position(i))] = '^';
        }
    }
    return marks;
}

result bound_protein(studio& in) {
    const std::string path = in.model("protein.gguf");
    const tw::protein_model proteins = tw::protein_model::load(path, in.load);
    const tw::text_model model = tw::load_text_model(path, in.load);
    tw::generate_options how{.constraint = model.bind(tw::codec::parse_regex_grammar(pattern(), "motif"))};
    how.sampling.seed = in.seed;
    const work spent{in};
    auto made = model.continue_ids(proteins.format().start, how);
    const std::string sequence = made.text();
    const std::vector<fact> facts = spent.facts(std::to_string(in.seed), "Tokens", made.timings().generated_tokens);
    return {"a protein with a zinc finger: C-x(2,4)-C-x(3)-[LIVMFYWC]-x(8)-H-x(3,5)-H",
            sequence_element(sequence, named_residues(sequence)) +
                "<p class=\"note\">Marked: the residues that hold the zinc, where the grammar wants them.</p>",
            facts};
}

result bound_json(studio& in) {
    const std::string prompt = "Ada Lovelace asks for a table outside for four people on 2026-12-10. "
                               "Write name, date, guests and outside as JSON.";
    const tw::text_model model = tw::load_text_model(in.text_model, in.load);
    tw::generate_options how{.max_tokens = 200};
    how.constraint = model.bind(tw::codec::parse_json_schema(R"({
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 40},
            "date": {"type": "string", "format": "date"},
            "guests": {"type": "integer", "minimum": 1, "maximum": 20},
            "outside": {"type": "boolean"}
        },
        "required": ["name", "date", "guests", "outside"]
    })"));
    how.sampling.temperature = 0;
    const work spent{in};
    auto answer = model.chat(prompt, how);
    std::string text = answer.text();
    const std::vector<fact> facts = spent.facts("no dice", "Tokens", answer.timings().generated_tokens);
    if(answer.finish_reason() == tw::runtime::finish_reason::stop) {
        text = nlohmann::ordered_json::parse(text).dump(2);
    }
    return {prompt,
            "<pre tabindex=\"0\"><code>" + html_text(text) +
                "</code></pre>\n<p class=\"note\">By a JSON Schema: a name, a date, 1 to 20 guests, true or false.</p>",
            facts};
}

} // namespace

section grammars(studio& in) {
    section made{.id = "grammars",
                 .title = "Bound to a grammar",
                 .lead =
                     "Only tokens that some valid text goes on with may come: whatever the model thinks, the result is "
                     "of the form that was asked for.",
                 .columns = 12,
                 .results = {bound_protein(in)}};
    if(!in.text_model.empty()) {
        made.results.push_back(bound_json(in));
    }
    return made;
}

} // namespace gallery
