// Fuzzes what a model file can do behind its reader: configuration, weights, and two steps of the forward pass. What is
// accepted must run, in memory that the file's size bounds, and give the same logits in one step as in two.
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <tokenworks/core/error.hpp>
#include <tokenworks/models/decoder.hpp>
#include <tokenworks/models/gguf.hpp>

#include "gguf_mutator.hpp"
#include "gguf_oracle.hpp"
#include "support/allocations.hpp"

namespace {

namespace models = tokenworks::models;
namespace nn = tokenworks::nn;

/// Logits [2,V] of the first and the last token, in steps of `chunk`.
std::vector<float> run(const models::decoder& model, std::size_t chunk) {
    const auto last = static_cast<std::int32_t>(model.vocab_size() - 1);
    const std::int32_t ids[] = {0, last};
    nn::context c;
    nn::kv_cache cache = model.make_cache(2);
    std::vector<float> logits(2 * model.vocab_size());
    for(std::size_t at = 0; at < 2; at += chunk) {
        const models::decoder_input input{&cache, std::span{ids}.subspan(at, chunk),
                                          models::decoder_input::logits::all};
        model.forward(c, std::span{&input, 1},
                      nn::rows{logits.data() + at * model.vocab_size(), chunk, model.vocab_size()});
    }
    fuzz::must(cache.size() == 2, "tokens are counted");
    return logits;
}

void check(std::span<const std::byte> bytes) {
    const auto file = tokenworks::io::gguf_file::from_memory(bytes, "input");
    const models::decoder model{models::config_of(file), *models::weights_of(file)};
    const std::vector<float> whole = run(model, 2);
    const std::vector<float> cut = run(model, 1);
    for(std::size_t i = 0; i < whole.size(); ++i) {
        // Weights may be NaN or infinite; which NaN comes of them is nobody's promise.
        fuzz::must(std::bit_cast<std::uint32_t>(whole[i]) == std::bit_cast<std::uint32_t>(cut[i]) ||
                       (std::isnan(whole[i]) && std::isnan(cut[i])),
                   "one step or two, the logits are the same");
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if(size > std::size_t{1} << 18) {
        return 0;
    }
    const std::size_t before = support::allocated_bytes;
    try {
        check(std::as_bytes(std::span{data, size}));
    } catch(const tokenworks::error&) {
    }
    // A matrix of one row takes a panel of 16, and a weight of 1.6 bits a byte and its scales: about 100 times its
    // file. 4096 layers, the scratch memory and what was given back meanwhile come on top.
    const std::size_t most = (std::size_t{32} << 20) + 400 * size;
    fuzz::must(support::allocated_bytes - before <= most, "memory follows the size of the file");
    return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
    return fuzz::mutate_gguf(data, size, most, seed);
}
