// Sequences of residues in FASTA: a line that begins with ">" names one, the lines below hold its letters.
// Pearson and Lipman, "Improved tools for biological sequence comparison", 1988; the letters are those of IUPAC.
//
//   for(const io::fasta_record& each: io::read_fasta("globins.fasta")) use(each.name, each.sequence);
//   std::string text;
//   io::append_fasta(text, {.name = "made_1", .sequence = "MVLSPADKTNVK"});
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/io/file_bytes.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

struct fasta_record {
    std::string name{};        ///< up to the first blank
    std::string description{}; ///< what follows on it
    std::string sequence{};    ///< capital letters
    std::size_t line = 0;      ///< of the name in its file, from 1
};

struct fasta_options {
    /// The 20 residues; unknown, D or N, E or Q; selenocysteine and pyrrolysine.
    std::string_view alphabet = "ACDEFGHIKLMNPQRSTVWYXBZUO";
    std::uint64_t most_bytes = std::uint64_t{1} << 30; ///< of the file
};

/// Small letters become capital ones, blanks are passed over, and so are a "*" at the end and lines that begin with
/// ";".
/// @param file  what errors call it
/// @throws format_error naming the line: for a text without a sequence, a sequence without a name or without residues,
///         and a letter that the alphabet lacks
[[nodiscard]] inline std::vector<fasta_record> parse_fasta(std::string_view text, const std::string& file,
                                                           const fasta_options& options = {}) {
    const auto refuse = [&](std::size_t line, tokenworks::detail::message_parts what) {
        tokenworks::detail::raise_format(file, {"line ", line}, format_error::no_offset, what);
    };
    const auto require_residues = [&](const fasta_record& record) {
        if(record.sequence.empty()) {
            refuse(record.line, {"'", tokenworks::detail::escaped(record.name), "' has no residues"});
        }
    };
    std::vector<fasta_record> all;
    bool ended = false; // by a "*"
    std::size_t number = 0;
    for(std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        std::string_view line = text.substr(at, end - at);
        at = end + 1;
        ++number;
        if(line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        if(line.starts_with(';')) {
            continue;
        }
        if(line.starts_with('>')) {
            if(!all.empty()) {
                require_residues(all.back());
            }
            line.remove_prefix(1);
            const std::size_t blank = std::min(line.find_first_of(" \t"), line.size());
            fasta_record& record = all.emplace_back();
            record.name = line.substr(0, blank);
            record.description = blank < line.size() ? line.substr(blank + 1) : std::string_view{};
            record.line = number;
            ended = false;
            continue;
        }
        for(const char c: line) {
            if(c == ' ' || c == '\t') {
                continue;
            }
            if(all.empty()) {
                refuse(number, {"residues before the first line that begins with '>'"});
            }
            const char capital = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
            if(ended || (capital != '*' && options.alphabet.find(capital) == options.alphabet.npos)) {
                refuse(number, {"'", tokenworks::detail::escaped({&c, 1}), "' in '",
                                tokenworks::detail::escaped(all.back().name), "' is no residue"});
            }
            if(capital == '*') {
                ended = true;
            } else {
                all.back().sequence += capital;
            }
        }
    }
    if(all.empty()) {
        tokenworks::detail::raise_format(file, {}, format_error::no_offset, {"holds no sequence"});
    }
    require_residues(all.back());
    return all;
}

/// @throws as parse_fasta; io_error; limit_error for a file that is too large
[[nodiscard]] inline std::vector<fasta_record> read_fasta(const std::string& path, const fasta_options& options = {}) {
    const file_bytes file = file_bytes::open(path);
    if(file.bytes().size() > options.most_bytes) {
        tokenworks::detail::raise<limit_error>(
            {path, ": has ", file.bytes().size(), " bytes, at most ", options.most_bytes, " are read"});
    }
    return parse_fasta({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()}, path, options);
}

/// Line breaks in the name and the description become blanks.
/// @param width  residues of a line, not 0
inline void append_fasta(std::string& out, const fasta_record& record, std::size_t width = 60) {
    const auto add_text = [&](std::string_view text) {
        for(const char c: text) {
            out += c == '\n' || c == '\r' ? ' ' : c;
        }
    };
    out += '>';
    add_text(record.name);
    if(!record.description.empty()) {
        out += ' ';
        add_text(record.description);
    }
    out += '\n';
    for(std::size_t at = 0; at < record.sequence.size(); at += width) {
        out += std::string_view{record.sequence}.substr(at, width);
        out += '\n';
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI::io
