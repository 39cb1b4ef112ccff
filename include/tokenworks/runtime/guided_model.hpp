// A decoder under classifier-free guidance: each sequence runs twice in a step, with its condition and with none, and
// the logits of both are joined.
//
//   const runtime::guided_model model{decoder, 4.0F, no_class};
//   auto state = model.make_state(context, 257);
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/models/decoder.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/kv_cache.hpp>
#include <tokenworks/sampling/candidates.hpp>
#include <tokenworks/sampling/guidance.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

/// Has the form of a causal_model. Refers to the decoder, which is shared by const reference.
class guided_model {
public:
    using token_id = sampling::token_id;

    /// The caches of one sequence. Refers to a context. Not for several threads at once.
    class state {
    public:
        [[nodiscard]] std::size_t size() const noexcept { return with_.size(); }
        [[nodiscard]] std::size_t capacity() const noexcept { return with_.capacity(); }

    private:
        friend class guided_model;
        state(nn::context& c, nn::kv_cache with) : context_{&c}, with_{std::move(with)} {}

        nn::context* context_;
        nn::kv_cache with_;
        std::optional<nn::kv_cache> without_{};
        std::vector<float> logits_{};    // [2,V]
        std::vector<token_id> tokens_{}; // what the second sequence has in place of the condition
    };

    /// @param scale      1: no guidance, and half the work
    /// @param condition  the tokens of a sequence that are its condition: that many at its beginning
    /// @param nothing    the token that stands in place of each of them where there is no condition
    guided_model(const models::decoder& model, float scale, token_id nothing, std::size_t condition = 1) noexcept
        : model_{&model}, scale_{scale}, nothing_{nothing}, condition_{condition} {}

    [[nodiscard]] std::size_t vocab_size() const noexcept { return model_->vocab_size(); }

    /// Of a sequence of up to so many tokens.
    [[nodiscard]] state make_state(nn::context& c, std::size_t capacity, dtype type = dtype::f32) const {
        state made{c, model_->make_cache(capacity, type)};
        if(scale_ != 1) {
            made.without_ = model_->make_cache(capacity, type);
            made.logits_.resize(2 * vocab_size());
        }
        return made;
    }

    /// @throws as models::decoder::forward
    void forward(state& s, std::span<const token_id> tokens, std::span<float> logits) const {
        using wanted = models::decoder_input::logits;
        const auto want = logits.empty() ? wanted::none : wanted::last;
        const std::size_t rows = logits.empty() ? 0 : 1;
        const models::decoder_input with{&s.with_, tokens, want};
        if(!s.without_) {
            model_->forward(*s.context_, std::span{&with, 1}, nn::rows{logits.data(), rows, logits.size()});
            return;
        }
        s.tokens_.assign(tokens.begin(), tokens.end());
        const std::size_t left = condition_ - std::min(condition_, s.size());
        std::fill_n(s.tokens_.begin(), std::min(left, tokens.size()), nothing_);
        const std::array inputs{with, models::decoder_input{&*s.without_, s.tokens_, want}};
        model_->forward(*s.context_, inputs, nn::rows{s.logits_.data(), 2 * rows, logits.size()});
        if(rows != 0) {
            const std::span<const float> all = s.logits_;
            sampling::guide(all.first(logits.size()), all.subspan(logits.size()), scale_, logits);
        }
    }

private:
    const models::decoder* model_;
    float scale_;
    token_id nothing_;
    std::size_t condition_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
