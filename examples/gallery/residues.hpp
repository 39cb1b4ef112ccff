// Sequences of proteins as HTML: residues in tens, coloured by what they are like.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "kinds.hpp"

namespace gallery {

/// A letter for CSS, which residues, and what they are called.
struct residue_group {
    std::string_view letter, residues, name;
};
inline constexpr std::array<residue_group, 5> residue_groups{{{"h", "AVLIMFWC", "hydrophobic"},
                                                              {"o", "STNQYH", "polar"},
                                                              {"p", "KR", "positive"},
                                                              {"n", "DE", "negative"},
                                                              {"s", "GP", "special"}}};

/// @param begin, end  a part that is marked, or none
[[nodiscard]] inline std::string sequence_element(std::string_view sequence, std::string_view marked = {}) {
    std::string out = "<p class=\"sequence\">";
    for(std::size_t at = 0; at < sequence.size(); ++at) {
        if(at % 10 == 0) {
            out += at == 0 ? "<span>" : "</span> <span>";
        }
        const char residue = sequence[at];
        for(const residue_group& group: residue_groups) {
            if(group.residues.find(residue) != group.residues.npos) {
                const bool is_marked = at < marked.size() && marked[at] != ' ';
                out.append(is_marked ? "<b class=\"" : "<i class=\"").append(group.letter).append("\">");
                out.append(1, residue).append(is_marked ? "</b>" : "</i>");
            }
        }
    }
    return out + (sequence.empty() ? "</p>" : "</span></p>");
}

[[nodiscard]] inline std::string residue_legend() {
    std::string out = "<p class=\"legend\">";
    for(const residue_group& group: residue_groups) {
        out.append("<span><i class=\"").append(group.letter).append("\">").append(group.residues.substr(0, 1));
        out.append("</i> ").append(group.name).append("</span> ");
    }
    return out + "</p>";
}

} // namespace gallery
