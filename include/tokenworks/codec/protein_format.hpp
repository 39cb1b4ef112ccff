// How models of proteins frame a sequence: what stands before and behind its residues, and how a part of it is asked
// for.
//
//   tokenworks   <bos> [<family>] residues <eos>; a gap: <bos> [<family>] before <mask> after <infill> the gap <eos>
//   IgLM         [HEAVY] [HUMAN] residues [SEP]; a gap: [HEAVY] [HUMAN] before [MASK] after [SEP] the gap [CLS]
//                (Shuai, Ruffolo and Gray, "IgLM: Infilling language modeling for antibody sequence design", 2023;
//                the package iglm 0.1.0)
//   ProGen2      1 residues 2, from the N-terminus to the C-terminus (Nijkamp et al., "ProGen2: Exploring the
//   boundaries
//                of protein language models", 2023)
//   ProtGPT2     <|endoftext|> residues, a line break before every 60 and behind the last, <|endoftext|> (Ferruz,
//   Schmidt
//                and Höcker, "ProtGPT2 is a deep unsupervised language model for protein design", 2022)
//   ESM-2        <cls> residues <eos>, with <mask> in place of what is asked for (transformers 5.24, EsmTokenizer)
//
//   const auto format = codec::protein_format::of(texts_of_tokens, "models/protein.gguf");
//   for(const codec::protein_family& each: format.families) std::cout << each.name << '\n';
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

/// What a sequence may be said to be.
struct protein_family {
    std::string name{};
    std::vector<std::int32_t> ids{}; ///< what says it
};

/// The tokens of a gap that is filled.
struct protein_infill {
    std::int32_t mask = 0;  ///< where it is
    std::int32_t begin = 0; ///< behind the last residue that is known
    std::int32_t end = 0;   ///< behind the last of the gap
};

struct protein_format {
    std::string name{};                     ///< tokenworks, iglm, progen2, protgpt2 or esm2
    std::vector<std::int32_t> start{};      ///< what a sequence begins with, before its family
    std::vector<protein_family> families{}; ///< in the order of the vocabulary
    bool needs_family = false;              ///< every sequence is of one
    std::int32_t end = 0;                   ///< behind the last residue
    std::optional<protein_infill> infill{}; ///< of a model that fills gaps
    std::optional<std::int32_t> mask{};     ///< of a model that tells what is masked
    std::size_t line = 0;                   ///< residues between two line breaks, where there are any

    /// @param tokens  the text of each id
    /// @param model   what errors call it
    /// @throws unsupported_error where the tokens are those of none of these
    [[nodiscard]] static protein_format of(const std::vector<std::string>& tokens, const std::string& model);

    /// @throws argument_error for a name that is none, and where a family is needed and none is named
    [[nodiscard]] const std::vector<std::int32_t>& family(const std::string& named) const;
};

#if TOKENWORKS_DEFINITIONS

namespace detail {

class protein_tokens {
public:
    explicit protein_tokens(const std::vector<std::string>& tokens) : tokens_{tokens} {}

    [[nodiscard]] bool has(std::initializer_list<std::string_view> all) const {
        return std::ranges::all_of(
            all, [&](std::string_view each) { return std::ranges::find(tokens_, each) != tokens_.end(); });
    }
    [[nodiscard]] std::int32_t id(std::string_view text) const {
        return static_cast<std::int32_t>(std::ranges::find(tokens_, text) - tokens_.begin());
    }
    /// The names between two signs, but for some, in small letters.
    [[nodiscard]] std::vector<protein_family> between(char first, char last,
                                                      std::initializer_list<std::string_view> but) const {
        std::vector<protein_family> all;
        for(std::size_t id = 0; id < tokens_.size(); ++id) {
            const std::string_view text = tokens_[id];
            if(text.size() > 2 && text.front() == first && text.back() == last &&
               std::ranges::find(but, text) == but.end()) {
                protein_family& each = all.emplace_back();
                for(const char c: text.substr(1, text.size() - 2)) {
                    each.name += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
                }
                each.ids.push_back(static_cast<std::int32_t>(id));
            }
        }
        return all;
    }

private:
    const std::vector<std::string>& tokens_;
};

} // namespace detail

TOKENWORKS_FUNCTION protein_format protein_format::of(const std::vector<std::string>& tokens,
                                                      const std::string& model) {
    const detail::protein_tokens in{tokens};
    protein_format made;
    if(in.has({"<bos>", "<eos>", "<mask>", "<infill>"})) {
        made.name = "tokenworks";
        made.start = {in.id("<bos>")};
        made.end = in.id("<eos>");
        made.infill = protein_infill{in.id("<mask>"), in.id("<infill>"), made.end};
        made.families = in.between('<', '>', {"<pad>", "<bos>", "<eos>", "<mask>", "<infill>"});
    } else if(in.has({"[CLS]", "[SEP]", "[MASK]", "[HEAVY]", "[LIGHT]"})) {
        made.name = "iglm";
        made.end = in.id("[SEP]");
        made.infill = protein_infill{in.id("[MASK]"), made.end, in.id("[CLS]")};
        made.needs_family = true;
        for(const char* const chain: {"heavy", "light"}) {
            for(protein_family& species:
                in.between('[', ']', {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[HEAVY]", "[LIGHT]"})) {
                species.name = std::string{chain} + "-" + species.name;
                species.ids.insert(species.ids.begin(), in.id(chain[0] == 'h' ? "[HEAVY]" : "[LIGHT]"));
                made.families.push_back(std::move(species));
            }
        }
    } else if(in.has({"<|bos|>", "1", "2"})) {
        made.name = "progen2";
        made.start = {in.id("1")};
        made.end = in.id("2");
    } else if(in.has({"<cls>", "<eos>", "<mask>", "<pad>"})) {
        made.name = "esm2";
        made.start = {in.id("<cls>")};
        made.end = in.id("<eos>");
        made.mask = in.id("<mask>");
    } else if(in.has({"<|endoftext|>", "\xC4\x8A"})) {
        made.name = "protgpt2";
        made.start = {in.id("<|endoftext|>")};
        made.end = made.start.front();
        made.line = 60;
    } else {
        tokenworks::detail::raise<unsupported_error>(
            {model, ": its tokens are not those of a model of proteins that is known here"});
    }
    return made;
}

TOKENWORKS_FUNCTION const std::vector<std::int32_t>& protein_format::family(const std::string& named) const {
    static const std::vector<std::int32_t> none;
    const auto found = std::ranges::find(families, named, &protein_family::name);
    if(found != families.end()) {
        return found->ids;
    }
    if(named.empty() && !needs_family) {
        return none;
    }
    std::string known;
    for(const protein_family& each: families) {
        known += (known.empty() ? "" : ", ") + each.name;
    }
    const std::string what = named.empty() ? "a family must be named" : "there is no family '" + printable(named) + "'";
    tokenworks::detail::raise<argument_error>({what, known.empty() ? ", the model knows none" : ", there are ", known});
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
