// Writes a Llama model of any shape with random weights in f16, to measure speed with where no published model has that
// shape. Tokenizer and other metadata come from a model that is at hand; `tokenworks quantize` makes other types of it.
//
//   bench_random_model LIKE.gguf OUT.gguf [layers=22] [width=2048] [heads=32] [kv_heads=4] [feed_forward=5632]
//
// The defaults are TinyLlama's shape, 1.1 billion weights. Weights repeat after a million values: speed does not depend
// on them.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <initializer_list>
#include <iostream>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <tokenworks/core/dtype.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/float16.hpp>
#include <tokenworks/core/random.hpp>
#include <tokenworks/io/gguf.hpp>
#include <tokenworks/io/gguf_writer.hpp>

namespace {

namespace tw = tokenworks;

class random_model {
public:
    random_model(const tw::io::gguf_file& like, std::map<std::string, std::uint64_t> shape) : shape_{std::move(shape)} {
        out_.copy_metadata(like);
        const auto set = [&](const char* key, std::uint64_t value) {
            out_.set(std::string{"llama."} + key, static_cast<std::uint32_t>(value));
        };
        const std::uint64_t head = shape_.at("width") / shape_.at("heads");
        set("block_count", shape_.at("layers"));
        set("embedding_length", shape_.at("width"));
        set("feed_forward_length", shape_.at("feed_forward"));
        set("attention.head_count", shape_.at("heads"));
        set("attention.head_count_kv", shape_.at("kv_heads"));
        set("rope.dimension_count", head);
        set("context_length", 8192);
        out_.set("general.architecture", "llama");
        out_.set("general.name", "random weights");
        out_.set("general.file_type", std::uint32_t{1});
        values_.resize(std::size_t{1} << 20);
        const tw::philox draw{1};
        for(std::size_t i = 0; i < values_.size(); ++i) {
            values_[i] = tw::f16{(draw.uniform(i) - 0.5F) * 0.05F};
        }
        ones_.assign(shape_.at("width"), 1.0F);
        const std::uint64_t vocab = like.get<tw::io::string_array>("tokenizer.ggml.tokens").size();
        const std::uint64_t width = shape_.at("width");
        const std::uint64_t kv = head * shape_.at("kv_heads");
        matrix("token_embd", width, vocab);
        for(std::uint64_t i = 0; i < shape_.at("layers"); ++i) {
            const std::string block = "blk." + std::to_string(i) + '.';
            norm(block + "attn_norm");
            matrix(block + "attn_q", width, width);
            matrix(block + "attn_k", width, kv);
            matrix(block + "attn_v", width, kv);
            matrix(block + "attn_output", width, width);
            norm(block + "ffn_norm");
            matrix(block + "ffn_gate", width, shape_.at("feed_forward"));
            matrix(block + "ffn_up", width, shape_.at("feed_forward"));
            matrix(block + "ffn_down", shape_.at("feed_forward"), width);
        }
        norm("output_norm");
        matrix("output", width, vocab);
    }

    void save(const std::string& path) { out_.save(path); }

private:
    void norm(const std::string& name) {
        out_.add_tensor(name + ".weight", tw::dtype::f32, std::span<const std::uint64_t>{&shape_.at("width"), 1},
                        std::as_bytes(std::span{ones_}));
    }

    void matrix(const std::string& name, std::uint64_t columns, std::uint64_t rows) {
        const std::uint64_t extents[] = {columns, rows};
        out_.add_tensor(name + ".weight", tw::dtype::f16, extents,
                        [this, columns, rows](const tw::io::byte_sink& sink) {
                            for(std::uint64_t left = columns * rows; left != 0;) {
                                const std::uint64_t count = std::min<std::uint64_t>(left, values_.size());
                                sink(std::as_bytes(std::span{values_}.first(count)));
                                left -= count;
                            }
                        });
    }

    tw::io::gguf_writer out_;
    std::map<std::string, std::uint64_t> shape_;
    std::vector<tw::f16> values_;
    std::vector<float> ones_;
};

} // namespace

int main(int argc, char** argv) {
    std::map<std::string, std::uint64_t> shape{
        {"layers", 22}, {"width", 2048}, {"heads", 32}, {"kv_heads", 4}, {"feed_forward", 5632}};
    try {
        for(int i = 3; i < argc; ++i) {
            const std::string word = argv[i];
            const std::size_t at = word.find('=');
            const auto found = shape.find(word.substr(0, at));
            if(at == word.npos || found == shape.end()) {
                throw tw::argument_error("not name=number of a known name: " + word);
            }
            found->second = std::stoull(word.substr(at + 1));
        }
        if(argc < 3) {
            throw tw::argument_error("usage: bench_random_model LIKE.gguf OUT.gguf [layers=22] [width=2048] ...");
        }
        random_model{tw::io::gguf_file::open(argv[1]), shape}.save(argv[2]);
    } catch(const std::exception& problem) {
        std::cerr << "error: " << problem.what() << '\n';
        return 1;
    }
    return 0;
}
