// Encoding and decoding with the tokenizer of a file, one thread; bytes_per_second counts bytes of text.
//
//   bench_codec_tokenizer TOKENIZER TEXT [benchmark options]
//
// TOKENIZER is a model folder, a tokenizer.json or a tokenizer.model; the text is encoded line by line.
// bench/tokenizers runs it beside Hugging Face's library.
#include <cstddef>
#include <cstdint>
#include <exception>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <tokenworks/codec/tokenizer.hpp>
#include <tokenworks/models/tokenizer_folder.hpp>

namespace {

using namespace tokenworks;

std::vector<std::string> lines_of(const char* path) {
    std::ifstream file{path, std::ios::binary};
    if(!file) {
        throw io_error(path, "cannot be opened");
    }
    std::vector<std::string> lines;
    for(std::string line; std::getline(file, line);) {
        line += '\n';
        lines.push_back(std::move(line));
    }
    return lines;
}

int run(int count, char** arguments) {
    const codec::tokenizer tokenizer = models::tokenizer_of(arguments[1]);
    const std::vector<std::string> lines = lines_of(arguments[2]);
    std::size_t bytes = 0;
    std::vector<std::vector<codec::token_id>> ids;
    ids.reserve(lines.size());
    for(const std::string& line: lines) {
        bytes += line.size();
        ids.push_back(tokenizer.encode(line, {.add_special = false, .parse_special = true}));
    }
    const auto measure = [&](benchmark::State& state, const auto& once) {
        for(auto _: state) {
            once();
        }
        state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
    };
    benchmark::RegisterBenchmark("encode", [&](benchmark::State& state) {
        measure(state, [&] {
            for(const std::string& line: lines) {
                benchmark::DoNotOptimize(tokenizer.encode(line, {.add_special = false, .parse_special = true}));
            }
        });
    });
    benchmark::RegisterBenchmark("decode", [&](benchmark::State& state) {
        measure(state, [&] {
            for(const std::vector<codec::token_id>& each: ids) {
                benchmark::DoNotOptimize(tokenizer.decode(each));
            }
        });
    });
    count -= 2;
    arguments[2] = arguments[0];
    arguments += 2;
    benchmark::Initialize(&count, arguments);
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}

} // namespace

int main(int count, char** arguments) {
    if(count < 3) {
        std::cerr << "usage: bench_codec_tokenizer TOKENIZER TEXT [benchmark options]\n";
        return 2;
    }
    try {
        return run(count, arguments);
    } catch(const std::exception& problem) {
        std::cerr << problem.what() << '\n';
        return 1;
    }
}
