// Sequences of four families, and what a change of each residue would do to one of them.
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/codec/residues.hpp>
#include <tokenworks/io/heat_map.hpp>
#include <tokenworks/runtime/protein_model.hpp>

#include "residues.hpp"

namespace gallery {

namespace {

/// The table of log-odds, a row a residue, in parts of about one length.
/// @param most  columns of a part
std::string heat_map(const std::string& sequence, const std::vector<float>& odds, std::size_t most) {
    constexpr std::string_view all = tw::codec::residues::standard;
    std::vector<std::string> names;
    std::vector<float> rows(odds.size());
    for(std::size_t r = 0; r < all.size(); ++r) {
        names.emplace_back(1, all[r]);
        for(std::size_t at = 0; at < sequence.size(); ++at) {
            rows[r * sequence.size() + at] = odds[at * all.size() + r];
        }
    }
    const std::size_t parts = (sequence.size() + most - 1) / most;
    std::vector<std::size_t> own;
    for(const char residue: sequence) {
        own.push_back(all.find(residue));
    }
    return data_uri("image/svg+xml",
                    tw::io::to_svg(tw::io::heat_map{.title = "Log-odds of each residue, natural logarithm",
                                                    .rows = names,
                                                    .values = rows,
                                                    .columns = sequence.size(),
                                                    .marked = own,
                                                    .columns_a_line = (sequence.size() + parts - 1) / parts,
                                                    .cell = 8}));
}

} // namespace

section proteins(studio& in) {
    const std::array<std::string, 4> families{"globin", "fibronectin_3", "rrm", "ribosomal_s6"};
    const tw::protein_model model = tw::protein_model::load(in.model("protein.gguf"), in.load);
    std::vector<std::string> made;
    std::string lines;
    std::size_t tokens = 0;
    const work making{in};
    for(const std::string& family: families) {
        tw::protein_options how{.family = family, .least = 60, .most = 240, .seed = in.seed};
        how.sampling.temperature = 0.7F;
        made.push_back(model.generate(how));
        tokens += made.back().size() + 1;
    }
    const std::vector<fact> made_facts = making.facts(std::to_string(in.seed), "Tokens", tokens);
    for(std::size_t i = 0; i < families.size(); ++i) {
        lines += "<h3>" + html_text(families[i]) + " <small>" + std::to_string(made[i].size()) +
                 " residues</small></h3>\n" + sequence_element(made[i]) + "\n";
    }
    const work changing{in};
    const std::vector<float> odds = model.mutations(made.front(), families.front());
    const std::vector<fact> odds_facts = changing.facts("no dice", "Values", odds.size());
    const std::string map = picture_element("chart", heat_map(made.front(), odds, 80), heat_map(made.front(), odds, 40),
                                            "A heat map of the log-odds of every residue at every place of the globin");
    return {
        .id = "proteins",
        .title = "Proteins",
        .lead =
            "Sequences that did not exist before, one of each of four families; and for the first, how likely every "
            "other residue is at every place: red fits better than what is there, blue worse.",
        .columns = 12,
        .results = {{"families globin, fibronectin_3, rrm, ribosomal_s6", lines + residue_legend(), made_facts},
                    {"every change of one residue of the globin above", map, odds_facts}}};
}

} // namespace gallery
