#include <cstddef>
#include <type_traits>
#include <vector>

#include <tokenworks/kernels/attention_loops.hpp>
#include <tokenworks/kernels/attention_source.hpp>

#include "support/catch.hpp"
#include "support/kernels.hpp"

using namespace tokenworks;
namespace attend = tokenworks::kernels::detail;

namespace {

constexpr std::size_t groups = 2;
constexpr std::size_t keys = 21; // the last sixteen are not all there

template <class T>
std::vector<T> narrowed(const std::vector<float>& wide) {
    std::vector<T> out;
    for(const float x: wide) {
        out.push_back(T(x));
    }
    return out;
}

template <class Block>
std::vector<Block> blocks(const std::vector<float>& wide) {
    std::vector<Block> out(wide.size() / 32);
    for(std::size_t i = 0; i < out.size(); ++i) {
        quant::encode(wide.data() + 32 * i, out[i]);
    }
    return out;
}
template <>
std::vector<quant::q8_0> narrowed(const std::vector<float>& wide) {
    return blocks<quant::q8_0>(wide);
}
template <>
std::vector<quant::q4_0> narrowed(const std::vector<float>& wide) {
    return blocks<quant::q4_0>(wide);
}

float value_at(const std::vector<float>& x, std::size_t i) { return x[i]; }
float value_at(const std::vector<f16>& x, std::size_t i) { return float{x[i]}; }
float value_at(const std::vector<bf16>& x, std::size_t i) { return float{x[i]}; }
template <class Block>
float value_at(const std::vector<Block>& x, std::size_t i) {
    float block[32];
    quant::decode(x[i / 32], block);
    return block[i % 32];
}

template <class T>
void check_rows(std::size_t width) {
    constexpr std::size_t each = kernels::key_blocks<T>::values_each;
    const std::vector<T> memory = narrowed<T>(support::random_floats(groups * keys * width, 3));
    const attend::row_source<T> source{memory.data(), width / each, keys * width / each};
    const std::size_t padded = (width + 15) / 16 * 16;
    support::for_each_isa([&](const execution& how) {
        CAPTURE(width, name(how.set));
        const auto expected = [&](std::size_t key, std::size_t d) {
            return value_at(memory, (keys + key) * width + d);
        };
        std::vector<float> out(16 * padded, -1.0F);
        bool same = true;
        for(const std::size_t first: {std::size_t{0}, std::size_t{16}}) {
            attend::keys_in(source, how.set).turn(1, first, keys, 0, width, out.data());
            for(std::size_t lane = 0; lane < 16 && first + lane < keys; ++lane) {
                for(std::size_t d = 0; d < width; ++d) {
                    same = same && out[d * 16 + lane] == expected(first + lane, d);
                }
            }
        }
        CHECK(same);
        std::vector<float> rows(7 * padded, -1.0F);
        attend::values_in(source, how.set).widen(1, 13, 20, 0, width, rows.data(), padded);
        for(std::size_t key = 0; key < 7; ++key) {
            for(std::size_t d = 0; d < padded; ++d) {
                same = same && rows[key * padded + d] == (d < width ? expected(13 + key, d) : 0.0F);
            }
        }
        CHECK(same);
    });
}

} // namespace

TEST_CASE("attention_source: rows are turned and widened exactly, whatever their type and width") {
    for(const std::size_t width: {1U, 15U, 16U, 17U, 48U}) {
        check_rows<float>(width);
        check_rows<f16>(width);
        check_rows<bf16>(width);
    }
    check_rows<quant::q8_0>(32);
    check_rows<quant::q8_0>(64);
    check_rows<quant::q4_0>(32);
    check_rows<quant::q4_0>(64);
}
