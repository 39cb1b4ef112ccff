// A model whose logits are a function of the tokens so far and nothing else, for tests of what stands above models.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <tokenworks/core/error.hpp>
#include <tokenworks/core/random.hpp>
#include <tokenworks/runtime/token_loop.hpp>

namespace fake {

using tokenworks::runtime::token_id;

/// Follows a script: after token t at place n of the sequence, script[n] has the highest logit. Behind the script all
/// logits are pseudo-random numbers of a hash of the whole sequence.
struct model {
    class state {
    public:
        explicit state(std::size_t capacity) : capacity_{capacity} { tokens.reserve(capacity); }
        [[nodiscard]] std::size_t size() const { return tokens.size(); }
        [[nodiscard]] std::size_t capacity() const { return capacity_; }

        std::vector<token_id> tokens;
        std::vector<std::size_t> chunks; // how the tokens came

    private:
        std::size_t capacity_;
    };

    std::size_t vocab = 300;
    std::vector<token_id> script{};
    std::size_t prompt_size = 0; // script[0] is the token after a prompt of this length
    mutable int throws_in = -1;  // calls of forward until one throws

    [[nodiscard]] std::size_t vocab_size() const { return vocab; }

    void forward(state& s, std::span<const token_id> tokens, std::span<float> logits) const {
        if(throws_in >= 0 && throws_in-- == 0) {
            throw std::runtime_error("forward failed");
        }
        if(tokens.size() > s.capacity() - s.size()) {
            throw tokenworks::capacity_error("fake model: full");
        }
        if(s.chunks.capacity() == 0) {
            s.chunks.reserve(4096);
        }
        s.tokens.insert(s.tokens.end(), tokens.begin(), tokens.end());
        s.chunks.push_back(tokens.size());
        if(logits.empty()) {
            return;
        }
        std::uint64_t hash = 14695981039346656037U;
        for(const token_id t: s.tokens) {
            hash = (hash ^ static_cast<std::uint64_t>(t)) * 1099511628211U;
        }
        for(std::size_t i = 0; i < logits.size(); ++i) {
            logits[i] = 4.0F * tokenworks::uniform<float>(hash, i);
        }
        const std::size_t next = s.tokens.size() - prompt_size;
        if(s.tokens.size() >= prompt_size && next < script.size()) {
            logits[static_cast<std::size_t>(script[next])] = 1000.0F;
        }
    }
};

/// Token i below 256 is the byte i; those above are ends.
struct tokenizer {
    void append_piece(token_id id, std::string& out) const {
        if(id < 256) {
            out += static_cast<char>(static_cast<unsigned char>(id));
        }
    }
    [[nodiscard]] bool is_end(token_id id) const { return id >= 256; }
};

inline std::vector<token_id> bytes(std::string_view text) {
    std::vector<token_id> ids;
    for(const char c: text) {
        ids.push_back(static_cast<unsigned char>(c));
    }
    return ids;
}

} // namespace fake
