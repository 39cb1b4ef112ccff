// An encoder with its tokenizer and threads: what embeds texts and what classifies them share.
//
// Needs nlohmann-json.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/tokenizer.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/models/encoder.hpp>
#include <tokenworks/models/model_files.hpp>
#include <tokenworks/models/tokenizer_folder.hpp>
#include <tokenworks/models/weights.hpp>
#include <tokenworks/runtime/text_model.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

class encoder_folder {
public:
    /// @param files  may be closed afterwards
    /// @param with_tokenizer  false: who asks makes ids by other means, and tokenizer() and encode() are not for them
    /// @throws io_error, format_error, limit_error, cancelled_error; unsupported_error for a decoder
    encoder_folder(const models::model_files& files, const load_options& options, bool with_tokenizer = true)
        : team_{options.make_team()}, how_{options.set, team_.get()} {
        if(files.config().causal) {
            tokenworks::detail::raise<unsupported_error>(
                {files.path(), ": '", files.config().architecture, "' is no encoder"});
        }
        if(with_tokenizer) {
            tokenizer_ = files.tokenizer();
        }
        const std::uint64_t total = files.weight_bytes();
        models::weight_loading loading;
        loading.precision = options.precision;
        if(options.on_progress) {
            loading.progress = [&](std::uint64_t done) { return options.on_progress(std::min(done, total), total); };
        }
        const std::vector<models::weight_transform> transforms =
            models::bound_transforms(options.transforms, files.names());
        const models::transformed_weights weights{files.weights(), transforms, files.config(), how_};
        network_ = std::make_unique<models::encoder>(files.config(), weights.get(), how_, std::move(loading));
    }

    [[nodiscard]] const models::encoder& network() const noexcept { return *network_; }
    [[nodiscard]] const codec::tokenizer& tokenizer() const noexcept { return *tokenizer_; }
    [[nodiscard]] const execution& how() const noexcept { return how_; }

    /// The longest text in tokens.
    /// @param told  by the files, or 0
    [[nodiscard]] std::size_t most_tokens(std::size_t told) const noexcept {
        const std::size_t most = network_->config().context_length;
        return told == 0 ? most : std::min(most, told);
    }

    /// The ids of a text with the special tokens around it, cut to so many: the last one stays what it was.
    [[nodiscard]] std::vector<codec::token_id> encode(std::string_view text, std::size_t most) const {
        std::vector<codec::token_id> ids = tokenizer_->encode(text, {.add_special = true});
        models::cut_ids(ids, most);
        return ids;
    }

private:
    std::shared_ptr<team> team_;
    execution how_;
    std::unique_ptr<codec::tokenizer> tokenizer_;
    std::unique_ptr<models::encoder> network_;
};

/// Calls run(first, inputs, tokens) for one run of inputs after the other, each of no more tokens than a step should
/// have, or a single input.
template <class Run>
void for_each_step(std::span<const models::encoder_input> inputs, const Run& run) {
    constexpr std::size_t tokens_at_once = 2048;
    for(std::size_t first = 0; first < inputs.size();) {
        std::size_t last = first;
        std::size_t tokens = 0;
        do {
            tokens += inputs[last++].tokens.size();
        } while(last < inputs.size() && tokens + inputs[last].tokens.size() <= tokens_at_once);
        run(first, inputs.subspan(first, last - first), tokens);
        first = last;
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
