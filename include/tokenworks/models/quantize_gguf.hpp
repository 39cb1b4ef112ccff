// Quantises a GGUF file into another, as `tokenworks quantize` does; tensors are read and encoded while it is saved.
//
//   const auto in = io::gguf_file::open("model.f16.gguf");
//   const auto how = models::quantization::named("q4_k_m");
//   io::gguf_writer out{static_cast<std::uint32_t>(in.alignment())};
//   models::quantize_gguf(in, how, out);
//   out.save("model.q4_k_m.gguf");
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <tokenworks/config.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/io/gguf_reader.hpp>
#include <tokenworks/io/gguf_writer.hpp>
#include <tokenworks/models/gguf_source.hpp>
#include <tokenworks/models/quantization.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// general.file_type of a file that is mostly of one type: llama.h, enum llama_ftype.
[[nodiscard]] inline std::uint32_t gguf_file_type(const quantization& how) {
    switch(how.type) {
    case dtype::f32:
        return 0;
    case dtype::f16:
        return 1;
    case dtype::q4_0:
        return 2;
    case dtype::q4_1:
        return 3;
    case dtype::q8_0:
        return 7;
    case dtype::q5_0:
        return 8;
    case dtype::q5_1:
        return 9;
    case dtype::q4_k:
        return how.is_mix ? 15 : 14;
    case dtype::q5_k:
        return how.is_mix ? 17 : 16;
    case dtype::q6_k:
        return 18;
    case dtype::iq4_nl:
        return 25;
    case dtype::bf16:
        return 32;
    default:
        return 1024; // guessed from the tensors
    }
}

/// What a quantised file says of itself.
inline void set_quantization(io::gguf_writer& out, const quantization& how) {
    out.set("general.file_type", gguf_file_type(how));
    out.set("general.quantization_version", std::uint32_t{2});
}

/// Adds all metadata and tensors of a file to a writer, matrices in the types that they get.
/// @param in, how  must stay until the writer has saved, and so must the team
/// @throws argument_error for tensors that the writer has already; saving throws as encode_rows
inline void quantize_gguf(const io::gguf_file& in, const quantization& how, io::gguf_writer& out,
                          const execution& where = {}) {
    out.copy_metadata(in);
    set_quantization(out, how);
    const std::string architecture{in.get_or<std::string_view>("general.architecture", "")};
    const auto layers = static_cast<std::size_t>(in.get_or<std::uint64_t>(architecture + ".block_count", 0));
    const auto source = std::make_shared<gguf_weights>(in);
    const std::string_view head = in.find_tensor("output.weight") != nullptr ? "output.weight" : "token_embd.weight";
    for(const io::gguf_tensor& tensor: in.tensors()) {
        const std::span<const std::uint64_t> extents{tensor.extents.data(), tensor.rank};
        const dtype type = quantization::applies_to(tensor.name, tensor.rank)
                               ? how.type_of(tensor.name, extents[0], layers, tensor.name == head)
                               : tensor.type;
        if(type == tensor.type) {
            out.add_tensor(tensor.name, type, extents, tensor.data);
            continue;
        }
        const std::span<const float> importance =
            how.importance ? how.importance->find(tensor.name) : std::span<const float>{};
        out.add_tensor(tensor.name, type, extents, [=, name = tensor.name](const io::byte_sink& sink) {
            const weight w = *source->find(name);
            encode_rows(*source, w, type, importance, where, sink);
            source->release(w);
        });
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
