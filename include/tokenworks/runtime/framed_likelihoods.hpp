// How likely a decoder finds tokens that stand already, of several sequences in one batch.
//
//   const runtime::framed_ids all[] = {{first_ids, 1}, {second_ids, 2}};
//   auto found = runtime::framed_likelihoods(network, how, all, window);   // found[1][0]: of second_ids[2]
//
// Each gets the bits that it has alone. What is longer than a window is seen through windows that overlap by half.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/models/decoder.hpp>

#if TOKENWORKS_DEFINITIONS
#include <algorithm>
#include <optional>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/kv_cache.hpp>
#include <tokenworks/runtime/log_sum_exp.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

/// A sequence, and where what is asked for begins in it.
struct framed_ids {
    std::span<const std::int32_t> ids{};
    std::size_t first = 1;
};

/// @param window  tokens that are seen at a time, at least 2
/// @return of each sequence the natural logarithms of the probabilities of the tokens from max(1, first) on, those
///         before them given
/// @throws argument_error for an id that the model has not
[[nodiscard]] TOKENWORKS_FUNCTION std::vector<std::vector<double>>
framed_likelihoods(const models::decoder& network, const execution& how, std::span<const framed_ids> sequences,
                   std::size_t window);

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION std::vector<std::vector<double>> framed_likelihoods(const models::decoder& network,
                                                                        const execution& how,
                                                                        std::span<const framed_ids> sequences,
                                                                        std::size_t window) {
    constexpr std::size_t most_caches = 32;
    const std::size_t vocab = network.vocab_size();
    const std::size_t at_once = std::clamp<std::size_t>((std::size_t{1} << 20) / vocab, 1, 256); // rows of logits
    struct reading {
        std::size_t which;
        std::size_t begin = 0; // of the window
        std::size_t at = 0;
        std::size_t done; // next token that is to be judged
        std::optional<nn::kv_cache> cache{};
    };
    std::vector<std::vector<double>> all(sequences.size());
    std::vector<reading> open;
    std::vector<models::decoder_input> inputs;
    std::vector<float> logits(at_once * vocab);
    nn::context c{how};
    for(std::size_t next = 0; next < sequences.size() || !open.empty();) {
        for(; next < sequences.size() && open.size() < most_caches; ++next) {
            const std::size_t done = std::max<std::size_t>(1, sequences[next].first);
            if(done < sequences[next].ids.size()) {
                open.push_back({.which = next, .done = done});
            }
        }
        inputs.clear();
        std::size_t rows = 0;
        for(reading& each: open) {
            const std::span<const std::int32_t> ids = sequences[each.which].ids;
            const std::size_t end = std::min(each.begin + window, ids.size() - 1);
            if(rows == at_once) {
                break;
            }
            if(!each.cache) {
                each.cache.emplace(network.make_cache(end - each.begin, dtype::f32));
                each.at = each.begin;
            }
            const std::size_t count = std::min(at_once - rows, end - each.at);
            inputs.push_back({.cache = &*each.cache,
                              .tokens = ids.subspan(each.at, count),
                              .want = models::decoder_input::logits::all});
            rows += count;
        }
        if(inputs.empty()) {
            continue;
        }
        network.forward(c, inputs, nn::rows{logits.data(), rows, vocab});
        std::size_t row = 0;
        for(std::size_t i = 0; i < inputs.size(); ++i) {
            reading& each = open[i];
            const std::span<const std::int32_t> ids = sequences[each.which].ids;
            for(const std::size_t end = each.at + inputs[i].tokens.size(); each.at < end; ++each.at, ++row) {
                if(each.at + 1 == each.done) {
                    const std::span<const float> told = std::span{logits}.subspan(row * vocab, vocab);
                    all[each.which].push_back(static_cast<double>(told[static_cast<std::size_t>(ids[each.done])]) -
                                              log_sum_exp(told));
                    ++each.done;
                }
            }
            if(each.at == std::min(each.begin + window, ids.size() - 1)) {
                each.cache.reset();
                each.begin += window / 2;
            }
        }
        std::erase_if(open, [&](const reading& each) { return each.done >= sequences[each.which].ids.size(); });
    }
    return all;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
