// Text from a model, as a range of pieces or through a callback.
//
//   for(std::string_view piece: tokenworks::generate(model, state, tokenizer, prompt_ids, {.max_tokens = 64}))
//       std::cout << piece << std::flush;
//
// A generation is a single-pass range: it makes a token when the loop asks for the next piece, so leaving the loop
// stops it. A thread or a coroutine behind the range was rejected: it costs a stack and buys nothing on the same
// processor.
#pragma once

#include <concepts>
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <tokenworks/config.hpp>
#include <tokenworks/runtime/generate_options.hpp>
#include <tokenworks/runtime/text_stream.hpp>
#include <tokenworks/runtime/timings.hpp>
#include <tokenworks/runtime/token_loop.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

/// What turns ids into text: append_piece(id, text) appends the bytes of a token in the middle of a text, is_end(id)
/// tells whether it ends the text.
template <class T>
concept piece_source = requires(const T& t, token_id id, std::string& text) {
    t.append_piece(id, text);
    { t.is_end(id) } -> std::convertible_to<bool>;
};

/// One generation. Pieces hold whole characters, except for bytes that are no UTF-8, which pass as they are; nothing
/// of a stop string is ever shown. Made by generate().
template <causal_model M, piece_source T>
class generation {
public:
    /// An input iterator over std::string_view; a piece is valid until the iterator moves.
    class iterator {
    public:
        using value_type = std::string_view;
        using difference_type = std::ptrdiff_t;

        [[nodiscard]] std::string_view operator*() const noexcept { return of_->piece_; }
        iterator& operator++() {
            of_->advance();
            return *this;
        }
        void operator++(int) { ++*this; }
        [[nodiscard]] friend bool operator==(const iterator& at, std::default_sentinel_t) noexcept { return at.done(); }

    private:
        friend class generation;
        explicit iterator(generation& of) noexcept : of_{&of} {}
        [[nodiscard]] bool done() const noexcept { return of_->piece_.empty(); }
        generation* of_;
    };

    /// As generate() does.
    generation(const M& model, typename M::state& state, const T& tokenizer, std::span<const token_id> prompt,
               generate_options options)
        : text_{options.stop},
          ignore_eos_{options.ignore_eos},
          tokenizer_{&tokenizer},
          loop_{model, state, prompt, std::move(options)} {}
    generation(const M& model, std::unique_ptr<typename M::state> state, const T& tokenizer,
               std::span<const token_id> prompt, generate_options options)
        : own_state_{std::move(state)},
          text_{options.stop},
          ignore_eos_{options.ignore_eos},
          tokenizer_{&tokenizer},
          loop_{model, *own_state_, prompt, std::move(options)} {}

    /// Makes the first piece, or goes on where an earlier loop was left: with the piece after its last.
    /// @throws what token_loop::next() throws, as does moving the iterator
    [[nodiscard]] iterator begin() {
        advance();
        return iterator{*this};
    }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

    /// Runs to the end and hands every piece to f(std::string_view). Where f returns bool, false cancels.
    template <std::invocable<std::string_view> F>
    runtime::finish_reason run(F&& f) {
        for(const std::string_view piece: *this) {
            if constexpr(std::is_void_v<std::invoke_result_t<F&, std::string_view>>) {
                f(piece);
            } else if(!f(piece)) {
                loop_.finish(runtime::finish_reason::cancelled);
                break;
            }
        }
        return loop_.reason();
    }

    /// Runs to the end and returns all the text that is still to come.
    [[nodiscard]] std::string text() {
        std::string all;
        run([&](std::string_view piece) { all += piece; });
        return all;
    }

    /// Why it ended; none while it has not.
    [[nodiscard]] runtime::finish_reason finish_reason() const noexcept { return loop_.reason(); }
    /// The tokens of the prompt, and those made so far (see token_loop::ids).
    [[nodiscard]] std::span<const token_id> prompt_ids() const noexcept { return loop_.prompt_ids(); }
    [[nodiscard]] std::span<const token_id> ids() const noexcept { return loop_.ids(); }
    [[nodiscard]] const runtime::timings& timings() const noexcept { return loop_.timings(); }

private:
    /// Makes tokens until there is a piece to show; an empty piece is the end.
    void advance() {
        piece_ = {};
        while(piece_.empty() && !flushed_) {
            const std::optional<token_id> id = loop_.finished() ? std::nullopt : loop_.next();
            if(!id) {
                piece_ = text_.finish();
                flushed_ = true;
            } else if(!ignore_eos_ && tokenizer_->is_end(*id)) {
                loop_.finish(runtime::finish_reason::stop);
            } else if(!loop_.finished()) { // a stop token has no text
                piece_ = text_.push([&](std::string& text) { tokenizer_->append_piece(*id, text); });
                if(text_.stopped()) {
                    loop_.finish(runtime::finish_reason::stop);
                }
            }
        }
    }

    std::unique_ptr<typename M::state> own_state_; // empty where the state is the caller's
    text_stream text_;
    bool ignore_eos_;
    const T* tokenizer_;
    token_loop<M> loop_;
    std::string_view piece_;
    bool flushed_ = false;
};

/// Continues the tokens of a prompt. Nothing runs until the first piece is asked for.
/// @param model, tokenizer  must outlive the generation
/// @param state   holds what came before the prompt, maybe nothing, and is extended; must outlive the generation.
///                An rvalue is kept in the generation.
/// @param prompt  ids, each in 0 … V-1, at least one; copied
/// @throws argument_error for an empty prompt, an id outside of the vocabulary, an empty stop string or a sampling
///         setting out of range; capacity_error, naming both numbers, for a prompt that does not fit into the state
template <causal_model M, piece_source T>
[[nodiscard]] generation<M, T> generate(const M& model, typename M::state& state, const T& tokenizer,
                                        std::span<const token_id> prompt, generate_options options = {}) {
    return {model, state, tokenizer, prompt, std::move(options)};
}
template <causal_model M, piece_source T>
[[nodiscard]] generation<M, T> generate(const M& model, typename M::state&& state, const T& tokenizer,
                                        std::span<const token_id> prompt, generate_options options = {}) {
    return {model, std::make_unique<typename M::state>(std::move(state)), tokenizer, prompt, std::move(options)};
}

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime

namespace tokenworks::inline TOKENWORKS_ABI {

using runtime::generate;
using runtime::generate_options;

} // namespace tokenworks::inline TOKENWORKS_ABI
