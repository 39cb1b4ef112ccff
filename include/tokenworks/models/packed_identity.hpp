// A number that tells model files apart, for what is kept beside them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include <tokenworks/config.hpp>
#include <tokenworks/io/gguf_reader.hpp>
#include <tokenworks/io/packed_format.hpp>
#include <tokenworks/kernels/panel_format.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

namespace detail {

/// Goes on with five samples of every tensor's bytes, or with all of them where they are few.
template <class Tensors>
[[nodiscard]] std::uint64_t checksum_of_samples(const Tensors& tensors, std::uint64_t sum) {
    constexpr std::size_t sample = 4096;
    constexpr std::size_t samples = 5;
    for(const auto& tensor: tensors) {
        if(tensor.data.size() <= sample * samples) {
            sum = io::checksum(tensor.data, sum);
            continue;
        }
        for(std::size_t i = 0; i < samples; ++i) {
            sum = io::checksum(tensor.data.subspan((tensor.data.size() - sample) / (samples - 1) * i, sample), sum);
        }
        sum = io::checksum(tensor.data.last(sample), sum);
    }
    return sum;
}

} // namespace detail

/// Changes with the size of a model's files, their metadata and tables of tensors, the version of the packing, the
/// precision, and with samples of every tensor: five times 4 KiB from its first byte to its last. Reading all of a
/// large file would take as long as packing it.
/// @note What it does not see: a change of weights between the samples that leaves everything else as it was.
///       Fine-tuning and quantising change all of a tensor and are seen; somebody who patches single weights must
///       delete the cache.
[[nodiscard]] inline std::uint64_t packed_identity(const io::gguf_file& file,
                                                   kernels::matmul_precision precision = {}) {
    std::uint64_t sum = kernels::packing_version + (static_cast<std::uint64_t>(precision) << 32);
    for(std::size_t i = 0; i < file.parts(); ++i) {
        const std::span<const std::byte> bytes = file.part(i).bytes();
        const std::array<std::uint64_t, 1> size{bytes.size()};
        sum = io::checksum(std::as_bytes(std::span{size}), sum);
        sum = io::checksum(bytes.first(std::min<std::size_t>(bytes.size(), file.layout(i).data_offset)), sum);
    }
    return detail::checksum_of_samples(file.tensors(), sum);
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
