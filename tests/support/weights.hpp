// Random weights of any type, as bytes of a file.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include <tokenworks/core/dtype.hpp>
#include <tokenworks/quant/convert.hpp>

namespace support {

/// Every type that weights can have, in blocks and plain.
inline std::vector<tokenworks::dtype> weight_types(bool in_blocks) {
    using tokenworks::dtype;
    std::vector<dtype> out;
    for(const tokenworks::dtype_info& row: tokenworks::dtype_table) {
        if(in_blocks ? row.block_size > 1
                     : row.type == dtype::f32 || row.type == dtype::f16 || row.type == dtype::bf16 ||
                           row.type == dtype::f64 || row.type == dtype::f8_e4m3 || row.type == dtype::f8_e5m2) {
            out.push_back(row.type);
        }
    }
    return out;
}

/// Blocks of random bytes whose largest decoded value lies in [0.01, 10].
inline std::vector<std::byte> random_blocks(tokenworks::dtype type, std::size_t elements, unsigned seed) {
    const tokenworks::dtype_info format = tokenworks::info(type);
    std::mt19937 engine{seed};
    std::vector<std::byte> out;
    std::vector<std::byte> block(format.block_bytes);
    std::vector<float> values(format.block_size);
    while(out.size() < elements / format.block_size * format.block_bytes) {
        for(std::byte& byte: block) {
            byte = static_cast<std::byte>(engine() & 255U);
        }
        tokenworks::quant::decode(type, block, values);
        float most = 0;
        for(const float value: values) {
            most = std::isfinite(value) ? std::max(most, std::abs(value)) : 1e9F;
        }
        if(most >= 0.01F && most <= 10.0F) {
            out.insert(out.end(), block.begin(), block.end());
        }
    }
    return out;
}

/// The bytes of a matrix as floats.
inline std::vector<float> decoded(tokenworks::dtype type, std::span<const std::byte> bytes) {
    const tokenworks::dtype_info format = tokenworks::info(type);
    std::vector<float> out(bytes.size() / format.block_bytes * format.block_size);
    tokenworks::quant::decode(type, bytes, out);
    return out;
}

} // namespace support
