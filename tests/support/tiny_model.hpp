// Small model files made in memory: random weights, a vocabulary of the 256 bytes, and room for a test to lie in any
// place.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/byte_alphabet.hpp>
#include <tokenworks/io/gguf.hpp>
#include <tokenworks/quant/convert.hpp>

#include "support/kernels.hpp"

namespace support {

/// A GGUF file in memory and what reads it.
struct gguf_in_memory {
    std::vector<std::byte> bytes;
    tokenworks::io::gguf_file file;

    explicit gguf_in_memory(std::vector<std::byte> content, const std::string& name = "test.gguf")
        : bytes{std::move(content)}, file{tokenworks::io::gguf_file::from_memory(bytes, name)} {}
    explicit gguf_in_memory(const tokenworks::io::gguf_writer& writer) : gguf_in_memory{writer.to_bytes()} {}
};

/// A tokenizer of single bytes, and three control tokens behind them.
struct byte_vocabulary {
    static constexpr std::int32_t im_start = 256, im_end = 257, end_of_text = 258;
    static constexpr std::size_t size = 259;
    static constexpr std::string_view chatml =
        "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + "
        "'\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

    static void write(tokenworks::io::gguf_writer& out) {
        std::vector<std::string> tokens;
        std::vector<std::int32_t> types;
        for(unsigned byte = 0; byte < 256; ++byte) {
            tokens.emplace_back();
            tokenworks::codec::append_utf8(tokens.back(),
                                           tokenworks::codec::byte_letter(static_cast<unsigned char>(byte)));
            types.push_back(1);
        }
        for(const char* control: {"<|im_start|>", "<|im_end|>", "<|endoftext|>"}) {
            tokens.emplace_back(control);
            types.push_back(3);
        }
        out.set("tokenizer.ggml.model", "gpt2");
        out.set("tokenizer.ggml.pre", "default");
        out.set_array("tokenizer.ggml.tokens", tokens);
        out.set_array("tokenizer.ggml.token_type", types);
        out.set("tokenizer.ggml.eos_token_id", std::uint32_t{im_end});
        out.set("tokenizer.chat_template", chatml);
    }
};

/// What a small Llama or Gemma 3 file says, and how large it is.
struct tiny_model {
    std::string architecture = "llama";
    std::size_t vocab = byte_vocabulary::size, width = 32, layers = 2, heads = 4, kv_heads = 2, head_width = 8;
    std::size_t feed_forward = 64, context = 64;
    tokenworks::dtype type = tokenworks::dtype::f16; ///< of matrices; vectors are f32
    bool tied = false;
    bool has_vocabulary = true;
    unsigned seed = 1;
    std::function<void(tokenworks::io::gguf_writer&)> edit{}; ///< last word on the metadata

    struct tensor {
        tokenworks::dtype type;
        std::vector<std::uint64_t> extents; ///< as the file has them, fastest axis first
        std::vector<std::byte> bytes;
    };
    std::map<std::string, tensor> tensors{}; ///< made by fill(); a test may change them before bytes()

    [[nodiscard]] bool is_gemma() const { return architecture == "gemma3"; }

    void add(const std::string& name, tokenworks::dtype of, std::vector<std::uint64_t> extents, float mean = 0) {
        std::size_t count = 1;
        for(const std::uint64_t extent: extents) {
            count *= static_cast<std::size_t>(extent);
        }
        const bool is_matrix = extents.size() == 2 && name != "token_embd.weight";
        const float deviation = is_matrix ? 1 / std::sqrt(static_cast<float>(extents[0])) : mean != 0 ? 0.1F : 1.0F;
        std::vector<float> values = random_floats(count, seed + static_cast<unsigned>(tensors.size()), deviation);
        for(float& value: values) {
            value += mean;
        }
        std::vector<std::byte> bytes(count / tokenworks::info(of).block_size * tokenworks::info(of).block_bytes);
        tokenworks::quant::encode(of, values, bytes);
        tensors[name] = {of, std::move(extents), std::move(bytes)};
    }

    /// Makes the tensors.
    tiny_model& fill() {
        const auto vector = [&](const std::string& name, std::size_t length) {
            add(name + ".weight", tokenworks::dtype::f32, {length}, 1.0F);
        };
        const auto matrix = [&](const std::string& name, std::size_t rows, std::size_t columns) {
            add(name + ".weight", type, {columns, rows});
        };
        matrix("token_embd", vocab, width);
        vector("output_norm", width);
        if(!tied) {
            matrix("output", vocab, width);
        }
        for(std::size_t i = 0; i < layers; ++i) {
            const std::string prefix = "blk." + std::to_string(i) + ".";
            vector(prefix + "attn_norm", width);
            vector(prefix + "ffn_norm", width);
            matrix(prefix + "attn_q", heads * head_width, width);
            matrix(prefix + "attn_k", kv_heads * head_width, width);
            matrix(prefix + "attn_v", kv_heads * head_width, width);
            matrix(prefix + "attn_output", width, heads * head_width);
            matrix(prefix + "ffn_gate", feed_forward, width);
            matrix(prefix + "ffn_up", feed_forward, width);
            matrix(prefix + "ffn_down", width, feed_forward);
            if(is_gemma()) {
                vector(prefix + "post_attention_norm", width);
                vector(prefix + "post_ffw_norm", width);
                vector(prefix + "attn_q_norm", head_width);
                vector(prefix + "attn_k_norm", head_width);
            }
        }
        return *this;
    }

    [[nodiscard]] tokenworks::io::gguf_writer writer() const {
        tokenworks::io::gguf_writer out;
        out.set("general.architecture", architecture);
        const auto set = [&](const std::string& key, auto value) { out.set(architecture + "." + key, value); };
        const auto count = [&](const std::string& key, std::size_t value) {
            set(key, static_cast<std::uint32_t>(value));
        };
        count("context_length", context);
        count("embedding_length", width);
        count("block_count", layers);
        count("feed_forward_length", feed_forward);
        count("attention.head_count", heads);
        count("attention.head_count_kv", kv_heads);
        count("attention.key_length", head_width);
        count("attention.value_length", head_width);
        set("attention.layer_norm_rms_epsilon", 1e-5F);
        if(is_gemma()) {
            count("attention.sliding_window", 8);
        }
        if(has_vocabulary) {
            byte_vocabulary::write(out);
        }
        for(const auto& [name, t]: tensors) {
            out.add_tensor(name, t.type, t.extents, t.bytes);
        }
        if(edit) {
            edit(out);
        }
        return out;
    }

    /// The file; its tensors are made first, unless fill() has.
    [[nodiscard]] std::vector<std::byte> bytes() const {
        if(tensors.empty()) {
            return tiny_model{*this}.fill().writer().to_bytes();
        }
        return writer().to_bytes();
    }
    [[nodiscard]] gguf_in_memory open() const { return gguf_in_memory{bytes()}; }
};

/// Metadata alone, for what needs no weights: a file that says what tiny_model says, with changes.
inline gguf_in_memory metadata_of(tiny_model model, std::function<void(tokenworks::io::gguf_writer&)> edit = {}) {
    model.edit = std::move(edit);
    return gguf_in_memory{model.writer()};
}

} // namespace support
