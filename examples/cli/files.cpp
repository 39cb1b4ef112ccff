// The subcommands that read a model file without running it: info, tokenize, detokenize, quantize.
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <unistd.h>

#include <nlohmann/json.hpp>

#include <tokenworks/codec/tokenizer.hpp>
#include <tokenworks/codec/utf8.hpp>
#include <tokenworks/codec/vocabulary_tokenizer.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/io/gguf.hpp>
#include <tokenworks/io/gguf_writer.hpp>
#include <tokenworks/models/export_gguf.hpp>
#include <tokenworks/models/gguf.hpp>
#include <tokenworks/models/gguf_vocabulary.hpp>
#include <tokenworks/models/model_folder.hpp>
#include <tokenworks/models/quantize_gguf.hpp>
#include <tokenworks/models/tokenizer_folder.hpp>
#include <tokenworks/runtime/plan.hpp>

#include "load.hpp"
#include "options.hpp"
#include "self_check.hpp"
#include "structure.hpp"

namespace cli {

using json = nlohmann::ordered_json;

tw::isa chosen_isa(const common_options& options) {
    std::string name = options.isa;
    if(name == "auto") {
        // The library does not read the environment; this program says that it does.
        const char* const wanted = std::getenv("TOKENWORKS_ISA");
        name = wanted == nullptr || *wanted == '\0' ? name : wanted;
    }
    try {
        return tw::parse_isa(name);
    } catch(const tw::argument_error& problem) {
        throw usage_error(std::string{"--isa: "} + problem.what());
    }
}

void require_stdout() {
    errno = 0;
    if(std::fflush(stdout) != 0 || std::ferror(stdout) != 0 || !std::cout.flush()) {
        const std::string why = errno == 0 ? std::string{} : ": " + std::generic_category().message(errno);
        throw tw::io_error("stdout", "cannot be written" + why);
    }
}

std::vector<std::int32_t> parse_ids(const std::string& text, const std::string& where) {
    std::vector<std::int32_t> ids;
    std::string spaced = text;
    std::ranges::replace(spaced, ',', ' ');
    std::istringstream words{spaced};
    for(std::string word; words >> word;) {
        std::size_t used = 0;
        long long id = -1;
        try {
            id = std::stoll(word, &used);
        } catch(const std::exception&) {
            used = 0;
        }
        if(used != word.size() || id < 0 || id > 2147483647) {
            throw usage_error(where + ": '" + tw::printable(word) + "' is not a token id");
        }
        ids.push_back(static_cast<std::int32_t>(id));
    }
    return ids;
}

std::string read_text(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    if(!file) {
        throw tw::io_error(path, "cannot be opened");
    }
    try {
        return {std::istreambuf_iterator<char>{file}, {}};
    } catch(const std::ios_base::failure&) { // a folder, for one
        throw tw::io_error(path, "cannot be read");
    }
}

void for_each_line(const std::string& path,
                   const std::function<void(const std::string& line, const std::string& where)>& take) {
    std::ifstream lines{path, std::ios::binary};
    if(!lines) {
        throw tw::io_error(path, "cannot be opened");
    }
    std::string line;
    for(std::size_t number = 1; std::getline(lines, line); ++number) {
        take(line, "line " + std::to_string(number));
    }
    if(!lines.eof()) {
        throw tw::io_error(path, "cannot be read to its end");
    }
}

std::string text_of(const input_options& input) {
    if(input.text) {
        return *input.text;
    }
    if(input.file) {
        return read_text(*input.file);
    }
    throw usage_error("no text: give it on the command line, or a file with --file");
}

progress_bar::progress_bar(std::string what) : what_{std::move(what)}, shown_{isatty(2) != 0} {}

progress_bar::~progress_bar() {
    if(shown_ && percent_ >= 0) {
        std::fputs("\r\033[K", stderr);
    }
}

void progress_bar::operator()(std::uint64_t done, std::uint64_t total) {
    const int percent = total == 0 ? 100 : static_cast<int>(std::min<std::uint64_t>(100, done * 100 / total));
    if(!shown_ || percent == percent_) {
        return;
    }
    percent_ = percent;
    constexpr int width = 30;
    const int filled = percent * width / 100;
    std::fprintf(stderr, "\r%s [%s%s] %3d %%", what_.c_str(),
                 std::string(static_cast<std::size_t>(filled), '#').c_str(),
                 std::string(static_cast<std::size_t>(width - filled), '.').c_str(), percent);
}

namespace {

json to_json(const tw::io::gguf_value& value) {
    using tw::io::gguf_kind;
    if(value.is_array()) {
        json array = json::array();
        if(const auto texts = value.to<tw::io::string_array>()) {
            for(const std::string_view text: *texts) {
                array.push_back(std::string{text});
            }
        } else if(value.is<std::vector<double>>()) {
            array = *value.to<std::vector<double>>();
        } else if(value.is<std::vector<std::int64_t>>()) {
            if(const auto numbers = value.to<std::vector<std::int64_t>>()) {
                array = *numbers;
            } else {
                array = value.to<std::vector<std::uint64_t>>().value_or(std::vector<std::uint64_t>{});
            }
        } else {
            return json{{"type", value.type_name()}, {"size", value.size()}};
        }
        return array;
    }
    if(const auto text = value.to<std::string>()) {
        return *text;
    }
    if(const auto flag = value.to<bool>()) {
        return *flag;
    }
    if(const auto real = value.to<double>()) {
        return std::isfinite(*real) ? json(*real) : json(nullptr);
    }
    if(const auto whole = value.to<std::int64_t>()) {
        return *whole;
    }
    return value.to<std::uint64_t>().value_or(0);
}

std::string megabytes(double bytes) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f MB", bytes / 1e6);
    return text;
}

void print_line(const std::string& name, const std::string& value) {
    std::printf("%-16s %s\n", name.c_str(), value.c_str());
}

/// Of a model that has a decoder too.
void print_encoder(const std::optional<tw::models::model_config>& encoder) {
    if(encoder) {
        print_line("encoder", "");
        for(const auto& [name, value]: structure_lines(*encoder)) {
            print_line("  " + name, value);
        }
    }
}

/// info of a Hugging Face model folder.
int folder_info(const common_options& options) {
    const auto folder = tw::models::model_folder::open(options.model);
    const tw::models::model_config& config = folder.config();
    std::uint64_t elements = 0;
    std::uint64_t bytes = 0;
    std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> types; // name -> tensors, bytes
    json tensors = json::array();
    for(const tw::io::safetensor& tensor: folder.file().tensors()) {
        const tw::dtype_info type = tw::info(tensor.type);
        elements += tensor.bytes / type.block_bytes;
        bytes += tensor.bytes;
        auto& row = types[std::string{type.name}];
        ++row.first;
        row.second += tensor.bytes;
        tensors.push_back({{"name", tensor.name},
                           {"type", std::string{type.name}},
                           {"extents", tensor.shape},
                           {"offset", tensor.offset},
                           {"bytes", tensor.bytes}});
    }
    const std::uint64_t cache = tw::runtime::cache_bytes_per_token(config);
    if(options.json) {
        json out;
        out["file"] = options.model;
        out["parts"] = folder.file().parts();
        out["architecture"] = folder.parameters().model_type();
        out["parameters"] = elements;
        out["tensor_bytes"] = bytes;
        out["cache_bytes_per_token"] = cache;
        for(const auto& [name, row]: types) {
            out["tensor_types"][name] = {{"tensors", row.first}, {"bytes", row.second}};
        }
        out["structure"] = structure_json(config);
        if(folder.encoder_config()) {
            out["encoder"] = structure_json(*folder.encoder_config());
        }
        out["metadata"] = json::parse(read_text(options.model + "/config.json"));
        out["tensors"] = tensors;
        std::cout << out.dump(2, ' ', false, json::error_handler_t::replace) << '\n';
        return 0;
    }
    print_line("folder", options.model + ", " + std::to_string(folder.file().parts()) + " safetensors file" +
                             (folder.file().parts() == 1 ? "" : "s"));
    print_line("architecture", tw::printable(folder.parameters().model_type()));
    for(const auto& [name, value]: structure_lines(config)) {
        print_line(name, value);
    }
    print_encoder(folder.encoder_config());
    print_line("parameters", std::to_string(elements));
    for(const auto& [name, row]: types) {
        print_line("  " + name, std::to_string(row.first) + " tensors, " + megabytes(static_cast<double>(row.second)));
    }
    print_line("memory", "about " + megabytes(static_cast<double>(bytes)) + " of weights, and " +
                             megabytes(static_cast<double>(cache) * 1000) +
                             " of keys and values per 1000 tokens (f16)");
    return 0;
}

/// What a file describes; nothing where its architecture is not known, or needs what is not there.
struct structure {
    std::optional<tw::models::model_config> model, encoder;

    explicit structure(const tw::io::gguf_file& file) {
        try {
            encoder = tw::models::encoder_config_of(file);
            model = tw::models::config_of(file);
        } catch(const tw::error&) {
            encoder.reset();
        }
    }
};

} // namespace

int info(const common_options& options, bool verify) {
    if(verify) {
        tw::load_options load;
        load.threads = options.threads;
        load.set = chosen_isa(options);
        self_check(options.model, load);
    }
    static_cast<void>(chosen_isa(options)); // reads, computes nothing; a wrong name is an error all the same
    if(std::filesystem::is_directory(options.model)) {
        return folder_info(options);
    }
    const auto file = tw::io::gguf_file::open(options.model);
    std::uint64_t elements = 0;
    std::uint64_t bytes = 0;
    std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> types; // name -> tensors, bytes
    for(const tw::io::gguf_tensor& tensor: file.tensors()) {
        const tw::dtype_info type = tw::info(tensor.type);
        elements += tensor.bytes / type.block_bytes * type.block_size;
        bytes += tensor.bytes;
        auto& row = types[std::string{type.name}];
        ++row.first;
        row.second += tensor.bytes;
    }
    const bool vocabulary = tw::models::has_vocabulary(file);
    const structure described{file};
    const std::uint64_t cache = described.model ? tw::runtime::cache_bytes_per_token(*described.model) : 0;
    if(options.json) {
        json out;
        out["file"] = options.model;
        out["gguf_version"] = file.version();
        out["alignment"] = file.alignment();
        out["parts"] = file.parts();
        out["architecture"] = std::string{file.architecture()};
        out["parameters"] = elements;
        out["tensor_bytes"] = bytes;
        out["cache_bytes_per_token"] = cache;
        for(const auto& [name, row]: types) {
            out["tensor_types"][name] = {{"tensors", row.first}, {"bytes", row.second}};
        }
        if(described.model) {
            out["structure"] = structure_json(*described.model);
        }
        if(described.encoder) {
            out["encoder"] = structure_json(*described.encoder);
        }
        for(const tw::io::gguf_value& value: file.metadata()) {
            out["metadata"][std::string{value.key()}] = to_json(value);
        }
        for(const tw::io::gguf_tensor& tensor: file.tensors()) {
            json extents = json::array();
            for(std::size_t i = tensor.rank; i > 0; --i) {
                extents.push_back(tensor.extents[i - 1]);
            }
            out["tensors"].push_back({{"name", tensor.name},
                                      {"type", std::string{tw::info(tensor.type).name}},
                                      {"extents", extents},
                                      {"offset", tensor.offset},
                                      {"bytes", tensor.bytes}});
        }
        // Texts in a file need not be UTF-8; JSON must be.
        std::cout << out.dump(2, ' ', false, json::error_handler_t::replace) << '\n';
        return 0;
    }
    const auto line = print_line;
    line("file", options.model + (file.parts() > 1 ? " and " + std::to_string(file.parts() - 1) + " more parts" : "") +
                     ", GGUF version " + std::to_string(file.version()));
    line("name", tw::printable(file.get_or<std::string>("general.name", "(none)")));
    line("architecture", tw::printable(file.architecture()));
    line("licence", tw::printable(file.get_or<std::string>("general.license", "(not given)")));
    if(described.model) {
        for(const auto& [name, value]: structure_lines(*described.model)) {
            line(name, value);
        }
    }
    print_encoder(described.encoder);
    line("parameters", std::to_string(elements));
    for(const auto& [name, row]: types) {
        line("  " + name, std::to_string(row.first) + " tensors, " + megabytes(static_cast<double>(row.second)));
    }
    if(vocabulary) {
        const tw::codec::tokenizer tokenizer = tw::codec::make_tokenizer(tw::models::vocabulary_of(file));
        line("tokenizer", tw::printable(file.get<std::string_view>("tokenizer.ggml.model")) + ", pre-tokenizer " +
                              tw::printable(file.get_or<std::string>("tokenizer.ggml.pre", "default")) + ", " +
                              std::to_string(tokenizer.vocab_size()) + " tokens");
    } else {
        line("tokenizer", "none");
    }
    line("chat template", file.find("tokenizer.chat_template") != nullptr ? "yes" : "none");
    line("memory", "about " + megabytes(static_cast<double>(bytes)) + " of weights, and " +
                       megabytes(static_cast<double>(cache) * 1000) + " of keys and values per 1000 tokens (f16)");
    return 0;
}

namespace {

void print_ids(const std::vector<std::int32_t>& ids) {
    std::string text;
    for(const std::int32_t id: ids) {
        text += text.empty() ? "" : " ";
        text += std::to_string(id);
    }
    std::cout << text << '\n';
}

/// The tokenizer of a GGUF file, of a model folder, or of a tokenizer.json or tokenizer.model.
tw::codec::tokenizer load_tokenizer(const std::string& path) {
    const std::filesystem::path place{path};
    std::error_code none;
    if(std::filesystem::is_directory(place, none) || place.extension() == ".json" || place.extension() == ".model") {
        return tw::models::tokenizer_of(place);
    }
    const auto file = tw::io::gguf_file::open(path);
    if(!tw::models::has_vocabulary(file)) {
        throw tw::unsupported_error(file.name() + ": the file has no tokenizer");
    }
    return tw::codec::make_tokenizer(tw::models::vocabulary_of(file));
}

} // namespace

int tokenize(const common_options& options, const tokenize_options& what) {
    static_cast<void>(chosen_isa(options));
    const tw::codec::tokenizer tokenizer = load_tokenizer(options.model);
    const tw::codec::encode_options how{what.add_special, what.parse_special};
    const auto print = [&](const std::vector<std::int32_t>& ids) {
        if(options.json) {
            std::cout << json{{"ids", ids}}.dump() << '\n';
        } else {
            print_ids(ids);
        }
    };
    if(what.jsonl) {
        for_each_line(*what.jsonl, [&](const std::string& line, const std::string& where) {
            const json text = json::parse(line, nullptr, false);
            if(!text.is_string()) {
                throw tw::format_error(*what.jsonl, where, tw::format_error::no_offset, "is not a JSON string");
            }
            print(tokenizer.encode(text.get_ref<const std::string&>(), how));
        });
        return 0;
    }
    print(tokenizer.encode(text_of(what.input), how));
    return 0;
}

int detokenize(const common_options& options, const detokenize_options& what) {
    static_cast<void>(chosen_isa(options));
    if(!what.ids && !what.jsonl) {
        throw usage_error("detokenize takes --ids or --jsonl");
    }
    const tw::codec::tokenizer tokenizer = load_tokenizer(options.model);
    if(what.jsonl) {
        for_each_line(*what.jsonl, [&](const std::string& line, const std::string& where) {
            const std::string text = tokenizer.decode(parse_ids(line, *what.jsonl + ": " + where), {.special = true});
            std::cout << json(text).dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
        });
        return 0;
    }
    const std::string text = tokenizer.decode(parse_ids(*what.ids), {.special = true});
    if(options.json) {
        std::cout << json{{"text", text}}.dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
    } else {
        std::cout.write(text.data(), static_cast<std::streamsize>(text.size()));
        std::cout.flush();
    }
    return 0;
}

int quantize(const common_options& options, const quantize_options& what) {
    const tw::models::quantization to = quantization_of(options, what.type);
    tw::thread_team team{options.threads};
    const tw::execution how{.set = chosen_isa(options), .threads = &team};
    std::optional<tw::io::gguf_file> file;
    std::optional<tw::models::model_folder> folder;
    tw::io::gguf_writer out;
    if(std::filesystem::is_directory(what.in)) {
        folder.emplace(tw::models::model_folder::open(what.in));
        tw::models::export_gguf(*folder, to, out, how);
    } else {
        file.emplace(tw::io::gguf_file::open(what.in));
        out = tw::io::gguf_writer{static_cast<std::uint32_t>(file->alignment())};
        tw::models::quantize_gguf(*file, to, out, how);
    }
    progress_bar bar{"quantizing"};
    std::uint64_t bytes = 0;
    out.save(what.out, [&](std::uint64_t done, std::uint64_t total) {
        bar(done, total);
        bytes = total;
        return true;
    });
    if(folder) {
        add_self_check(what.out, {.threads = options.threads, .set = how.set}, out);
    }
    if(options.json) {
        std::cout << json{{"file", what.out},
                          {"type", std::string{tw::info(to.type).name}},
                          {"tensors", out.tensor_count()},
                          {"bytes", bytes}}
                         .dump()
                  << '\n';
    }
    return 0;
}

} // namespace cli
