// protein: sequences made and filled as FASTA, scored and changed as tables and pictures, embedded as .npy files.
#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <iostream>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <tokenworks/codec/residues.hpp>
#include <tokenworks/io/fasta.hpp>
#include <tokenworks/io/heat_map.hpp>
#include <tokenworks/runtime/protein_model.hpp>

#include "load.hpp"
#include "options.hpp"
#include "output.hpp"

namespace cli {

using json = nlohmann::ordered_json;

namespace {

/// The model, and what it is asked to work on.
struct protein_task {
    tw::protein_model model;
    double load_seconds;
    std::chrono::steady_clock::time_point begin;

    protein_task(const common_options& common, std::chrono::steady_clock::time_point from)
        : model{loaded(common)}, load_seconds{seconds_since(from)}, begin{std::chrono::steady_clock::now()} {}

private:
    static tw::protein_model loaded(const common_options& common) {
        common_options options = common;
        options.model = model_or_shipped(common.model, "protein.gguf");
        progress_bar bar{"loading"};
        return tw::protein_model::load(options.model, load_options(options, bar));
    }
};

/// Prints the families where that is all that is asked for.
/// @throws tw::argument_error for a family that there is not
bool lists_families(const protein_command& what, const tw::protein_model& model) {
    if(!what.list) {
        static_cast<void>(model.format().family(what.family));
    }
    for(std::size_t i = 0; what.list && i < model.families().size(); ++i) {
        std::cout << model.families()[i].name << '\n';
    }
    return what.list;
}

std::vector<tw::io::fasta_record> records_of(const protein_command& what) {
    if(what.list) {
        return {};
    }
    if(what.file.empty()) {
        throw usage_error("FILE is required; --help tells the flags");
    }
    return tw::io::read_fasta(what.file);
}

void require_ending(const std::string& path, std::string_view ending, const std::string& flag) {
    if(!path.empty() && std::filesystem::path{path}.extension() != ending) {
        throw usage_error(flag + ": '" + tw::printable(path) + "' does not end with " + std::string{ending});
    }
}

std::string decimals(double value, int count) {
    std::array<char, 64> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, count).ptr;
    return {text.data(), end};
}

tw::protein_options options_of(const protein_command& what, std::size_t i) {
    tw::protein_options how{.family = what.family, .least = what.least, .most = what.most};
    how.sampling = what.sampling;
    // The first sequence has the seed itself; others have ones that no neighbour has (the golden ratio's bits).
    how.seed = what.sampling.seed + static_cast<std::uint64_t>(i) * 0x9E3779B97F4A7C15U;
    return how;
}

/// Puts records where they belong, and tells of it.
void write_records(const common_options& common, const protein_command& what, const protein_task& task,
                   const std::vector<tw::io::fasta_record>& records) {
    const double seconds = seconds_since(task.begin);
    std::vector<std::string> files;
    std::string all;
    std::size_t residues = 0;
    if(!what.each.empty()) {
        make_folder(what.each);
    }
    for(std::size_t i = 0; i < records.size(); ++i) {
        residues += records[i].sequence.size();
        if(what.each.empty()) {
            tw::io::append_fasta(all, records[i]);
            continue;
        }
        std::string text;
        tw::io::append_fasta(text, records[i]);
        files.push_back(numbered_file(what.each, i, "fasta"));
        write_file(files.back(), text);
    }
    if(!what.out.empty()) {
        write_file(what.out, all);
        files.push_back(what.out);
    }
    if(common.json) {
        json out;
        for(const tw::io::fasta_record& record: records) {
            out["sequences"].push_back({{"id", tw::printable(record.name)}, {"sequence", record.sequence}});
        }
        out["files"] = files;
        out["timings"] = {{"sequences", records.size()},
                          {"residues", residues},
                          {"load_seconds", task.load_seconds},
                          {"generate_seconds", seconds}};
        std::cout << out.dump() << '\n';
    } else if(files.empty()) {
        std::cout << all;
    }
}

} // namespace

int protein_generate(const common_options& common, const protein_command& what) {
    const protein_task task{common, std::chrono::steady_clock::now()};
    if(lists_families(what, task.model)) {
        return 0;
    }
    std::vector<tw::io::fasta_record> made;
    progress_bar bar{"generating"};
    for(std::size_t i = 0; i < what.count; ++i) {
        tw::protein_options how = options_of(what, i);
        how.begin = what.begin;
        tw::io::fasta_record& record = made.emplace_back();
        record.name = (what.family.empty() ? "protein" : what.family) + "_" + std::to_string(i + 1);
        record.sequence = task.model.generate(how);
        bar(i + 1, what.count);
    }
    write_records(common, what, task, made);
    return 0;
}

int protein_infill(const common_options& common, const protein_command& what) {
    const auto begin = std::chrono::steady_clock::now();
    const std::vector<tw::io::fasta_record> records = records_of(what);
    if(!what.list && (what.first == 0 || what.last < what.first)) {
        throw usage_error("--start and --end: residues counted from 1, the first not behind the last");
    }
    for(const tw::io::fasta_record& record: records) {
        if(what.last > record.sequence.size()) {
            throw tw::argument_error(what.file + ": --end " + std::to_string(what.last) + ", but '" +
                                     tw::printable(record.name) + "' has " + std::to_string(record.sequence.size()) +
                                     " residues");
        }
    }
    const protein_task task{common, begin};
    if(lists_families(what, task.model)) {
        return 0;
    }
    std::vector<tw::io::fasta_record> made;
    progress_bar bar{"filling"};
    const std::size_t total = records.size() * what.count;
    for(const tw::io::fasta_record& record: records) {
        const std::string before = record.sequence.substr(0, what.first - 1);
        const std::string after = record.sequence.substr(what.last);
        for(std::size_t i = 0; i < what.count; ++i) {
            tw::io::fasta_record& each = made.emplace_back();
            each.name = record.name + "_" + std::to_string(i + 1);
            each.sequence = before + task.model.infill(before, after, options_of(what, made.size() - 1)) + after;
            bar(made.size(), total);
        }
    }
    write_records(common, what, task, made);
    return 0;
}

int protein_score(const common_options& common, const protein_command& what) {
    const auto begin = std::chrono::steady_clock::now();
    const std::vector<tw::io::fasta_record> records = records_of(what);
    const protein_task task{common, begin};
    if(lists_families(what, task.model)) {
        return 0;
    }
    json rows = json::array();
    if(!common.json) {
        std::cout << "id\tlength\tlog_likelihood\n";
    }
    progress_bar bar{"scoring"};
    std::size_t done = 0;
    for(const tw::io::fasta_record& record: records) {
        const double sum = task.model.log_likelihood(record.sequence, what.family);
        if(common.json) {
            rows.push_back(
                {{"id", tw::printable(record.name)}, {"length", record.sequence.size()}, {"log_likelihood", sum}});
        } else {
            std::cout << tw::printable(record.name) << '\t' << record.sequence.size() << '\t' << decimals(sum, 4)
                      << '\n';
        }
        bar(++done, records.size());
    }
    if(common.json) {
        std::cout << json{{"sequences", rows},
                          {"timings",
                           {{"load_seconds", task.load_seconds}, {"score_seconds", seconds_since(task.begin)}}}}
                         .dump()
                  << '\n';
    }
    return 0;
}

int protein_mutate(const common_options& common, const protein_command& what) {
    constexpr std::string_view all = tw::codec::residues::standard;
    require_ending(what.plot, ".svg", "--plot");
    const auto begin = std::chrono::steady_clock::now();
    const std::vector<tw::io::fasta_record> records = records_of(what);
    if(!what.plot.empty() && records.size() != 1) {
        throw tw::argument_error(what.file + ": has " + std::to_string(records.size()) +
                                 " sequences, --plot draws one");
    }
    const protein_task task{common, begin};
    if(lists_families(what, task.model)) {
        return 0;
    }
    json rows = json::array();
    std::string picture;
    if(!common.json) {
        std::cout << "id\tposition\twild_type";
        for(const char c: all) {
            std::cout << '\t' << c;
        }
        std::cout << '\n';
    }
    for(const tw::io::fasta_record& record: records) {
        progress_bar bar{"mutating"};
        const std::vector<float> table =
            task.model.mutations(record.sequence, what.family, [&](std::size_t done, std::size_t total) {
                bar(done, total);
                return true;
            });
        const std::size_t length = record.sequence.size();
        for(std::size_t t = 0; t < length; ++t) {
            const std::span<const float> row = std::span{table}.subspan(t * all.size(), all.size());
            if(common.json) {
                rows.push_back({{"id", tw::printable(record.name)},
                                {"position", t + 1},
                                {"wild_type", std::string{record.sequence[t]}},
                                {"log_odds", std::vector<float>(row.begin(), row.end())}});
                continue;
            }
            std::cout << tw::printable(record.name) << '\t' << t + 1 << '\t' << record.sequence[t];
            for(const float value: row) {
                std::cout << '\t' << decimals(static_cast<double>(value), 4);
            }
            std::cout << '\n';
        }
        if(!what.plot.empty()) {
            std::vector<std::string> names;
            std::vector<float> columns(table.size());
            std::vector<std::size_t> own(length);
            for(std::size_t r = 0; r < all.size(); ++r) {
                names.emplace_back(1, all[r]);
                for(std::size_t t = 0; t < length; ++t) {
                    columns[r * length + t] = table[t * all.size() + r];
                }
            }
            std::ranges::transform(record.sequence, own.begin(), [&](char c) { return all.find(c); });
            picture = tw::io::to_svg(tw::io::heat_map{.title = record.name + ": log-odds of each residue",
                                                      .rows = names,
                                                      .values = columns,
                                                      .columns = length,
                                                      .marked = own});
        }
    }
    std::vector<std::string> files;
    if(!what.plot.empty()) {
        write_file(what.plot, picture);
        files.push_back(what.plot);
    }
    if(common.json) {
        std::cout << json{{"residues", std::string{all}},
                          {"mutations", rows},
                          {"files", files},
                          {"timings",
                           {{"load_seconds", task.load_seconds}, {"mutate_seconds", seconds_since(task.begin)}}}}
                         .dump()
                  << '\n';
    }
    return 0;
}

int protein_embed(const common_options& common, const protein_command& what) {
    if(!what.list && what.out.empty()) {
        throw usage_error("-o is required: a .npy file");
    }
    require_ending(what.out, ".npy", "-o");
    const auto begin = std::chrono::steady_clock::now();
    const std::vector<tw::io::fasta_record> records = records_of(what);
    const protein_task task{common, begin};
    if(lists_families(what, task.model)) {
        return 0;
    }
    std::string content = npy_header(records.size(), task.model.width());
    progress_bar bar{"embedding"};
    std::size_t done = 0;
    for(const tw::io::fasta_record& record: records) {
        const std::vector<float> vector = task.model.embed(record.sequence, what.family);
        content.append(reinterpret_cast<const char*>(vector.data()), vector.size() * sizeof(float));
        bar(++done, records.size());
    }
    write_file(what.out, content);
    if(common.json) {
        std::cout << json{{"files", {what.out}},
                          {"shape", {records.size(), task.model.width()}},
                          {"timings",
                           {{"load_seconds", task.load_seconds}, {"embed_seconds", seconds_since(task.begin)}}}}
                         .dump()
                  << '\n';
    }
    return 0;
}

int protein_contacts(const common_options& common, const protein_command& what) {
    if(!what.list && what.out.empty() && what.plot.empty()) {
        throw usage_error("-o or --plot is required: a .npy file, a .svg file");
    }
    require_ending(what.out, ".npy", "-o");
    require_ending(what.plot, ".svg", "--plot");
    const auto begin = std::chrono::steady_clock::now();
    const std::vector<tw::io::fasta_record> records = records_of(what);
    if(!what.list && records.size() != 1) {
        throw tw::argument_error(what.file + ": has " + std::to_string(records.size()) +
                                 " sequences, contacts takes one");
    }
    const protein_task task{common, begin};
    if(lists_families(what, task.model)) {
        return 0;
    }
    const std::vector<float> map = task.model.contacts(records.front().sequence);
    const std::size_t length = records.front().sequence.size();
    std::vector<std::string> files;
    if(!what.out.empty()) {
        std::string content = npy_header(length, length);
        content.append(reinterpret_cast<const char*>(map.data()), map.size() * sizeof(float));
        write_file(what.out, content);
        files.push_back(what.out);
    }
    if(!what.plot.empty()) {
        write_file(what.plot, tw::io::to_svg(tw::io::heat_map{
                                  .title = records.front().name + ": contacts",
                                  .values = map,
                                  .columns = length,
                                  .diverging = false,
                                  .columns_a_line = 0,
                                  .cell = std::clamp(800.0 / static_cast<double>(length), 1.0, 10.0)}));
        files.push_back(what.plot);
    }
    if(common.json) {
        std::cout << json{{"files", files},
                          {"shape", {length, length}},
                          {"timings",
                           {{"load_seconds", task.load_seconds}, {"contacts_seconds", seconds_since(task.begin)}}}}
                         .dump()
                  << '\n';
    }
    return 0;
}

} // namespace cli
