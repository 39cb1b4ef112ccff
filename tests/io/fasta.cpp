#include <tokenworks/io/fasta.hpp>

#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "io/files.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
using tw::io::fasta_record;
using tw::io::parse_fasta;

namespace {

std::string refusal(std::string_view text) {
    try {
        static_cast<void>(parse_fasta(text, "f.fasta"));
    } catch(const tw::format_error& problem) {
        return problem.what();
    }
    return "nothing";
}

} // namespace

TEST_CASE("fasta: names, descriptions, lines, small letters and ends", "[io]") {
    const std::vector<fasta_record> all =
        parse_fasta("; a comment\n\n>one first of two\r\nMKv\nL L\t\n\n>two\nacd*\n", "f");
    REQUIRE(all.size() == 2);
    CHECK(all[0].name == "one");
    CHECK(all[0].description == "first of two");
    CHECK(all[0].sequence == "MKVLL");
    CHECK(all[0].line == 3);
    CHECK(all[1].name == "two");
    CHECK(all[1].description.empty());
    CHECK(all[1].sequence == "ACD");
    CHECK(parse_fasta(">\nM", "f").front().name.empty());
    CHECK(parse_fasta(">a\nacgt", "f", {.alphabet = "ACGT"}).front().sequence == "ACGT");
}

TEST_CASE("fasta: what is wrong is named with its line", "[io]") {
    CHECK(refusal("").find("holds no sequence") != std::string::npos);
    CHECK(refusal("\n;x\n").find("holds no sequence") != std::string::npos);
    CHECK(refusal("MKV\n").find("f.fasta: line 1: residues before") != std::string::npos);
    CHECK(refusal(">a\nMK\n>b\n>c\nM").find("line 3: 'b' has no residues") != std::string::npos);
    CHECK(refusal(">a\nMK\n>b\n").find("line 3: 'b' has no residues") != std::string::npos);
    CHECK(refusal(">a\nMK\nM1K").find("line 3: '1' in 'a' is no residue") != std::string::npos);
    CHECK(refusal(">a\nM-K").find("'-'") != std::string::npos);
    CHECK(refusal(">a\nMJK").find("'J'") != std::string::npos);
    CHECK(refusal(">a\nM*K").find("'K' in 'a'") != std::string::npos);
    CHECK(refusal(std::string{">a\nM\0K", 6}).find("\\x00") != std::string::npos);
    CHECK(refusal(">\x1b[31m\n\x07").find('\x1b') == std::string::npos);
}

TEST_CASE("fasta: what is written is read back", "[io]") {
    std::string text;
    for(const std::size_t length:
        {std::size_t{1}, std::size_t{59}, std::size_t{60}, std::size_t{61}, std::size_t{120}}) {
        tw::io::append_fasta(
            text,
            {.name = "n" + std::to_string(length), .description = "two\nlines", .sequence = std::string(length, 'W')});
    }
    const std::vector<fasta_record> all = parse_fasta(text, "f");
    REQUIRE(all.size() == 5);
    CHECK(all[2].name == "n60");
    CHECK(all[2].description == "two lines");
    CHECK(all[3].sequence == std::string(61, 'W'));
    CHECK(text.find(std::string(61, 'W')) == std::string::npos);
    CHECK(text.starts_with(">n1 two lines\nW\n>n59"));
}

TEST_CASE("fasta: files, and how large they may be", "[io]") {
    const files::temporary_folder folder;
    const std::string path = folder.string() + "/a.fasta";
    std::ofstream{path} << ">a\nMKV\n";
    CHECK(tw::io::read_fasta(path).front().sequence == "MKV");
    CHECK_THROWS_AS(tw::io::read_fasta(path, {.most_bytes = 6}), tw::limit_error);
    CHECK_THROWS_AS(tw::io::read_fasta(folder.string() + "/none"), tw::io_error);
    std::ofstream{path, std::ios::trunc};
    CHECK_THROWS_AS(tw::io::read_fasta(path), tw::io_error); // empty
}
