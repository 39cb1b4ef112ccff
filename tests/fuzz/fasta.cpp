// Fuzzes sequences in FASTA: what is read has a name's line and residues of the alphabet, and written it reads as the
// same again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/io/fasta.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    namespace io = tokenworks::io;
    std::vector<io::fasta_record> all;
    try {
        all = io::parse_fasta({reinterpret_cast<const char*>(data), size}, "fuzz.fasta");
    } catch(const tokenworks::error&) { // what is wrong is refused
        return 0;
    }
    std::string text;
    std::size_t line = 0;
    for(const io::fasta_record& each: all) {
        if(each.line <= line || each.sequence.empty() ||
           each.sequence.find_first_not_of(io::fasta_options{}.alphabet) != each.sequence.npos) {
            std::abort();
        }
        line = each.line;
        io::append_fasta(text, each, 1 + size % 70);
    }
    const std::vector<io::fasta_record> again = io::parse_fasta(text, "again.fasta"); // throws for none of these
    if(again.size() != all.size()) {
        std::abort();
    }
    for(std::size_t i = 0; i < all.size(); ++i) {
        // A line break in a name has become a blank, which ends it.
        const bool is_plain = all[i].name.find('\r') == std::string::npos;
        if(again[i].sequence != all[i].sequence || (is_plain && again[i].name != all[i].name)) {
            std::abort();
        }
    }
    return 0;
}
