#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/kernels/packed_matrix.hpp>

#include "support/catch.hpp"
#include "support/kernels.hpp"
#include "support/weights.hpp"

using namespace tokenworks;
using kernels::packed_matrix;

namespace {

/// Random weights of any type: finite ones in blocks, any bits where the type is plain.
std::vector<std::byte> random_weights(dtype type, std::size_t elements) {
    if(info(type).block_size > 1) {
        return support::random_blocks(type, elements, 11);
    }
    std::mt19937 engine{12};
    std::vector<std::byte> out(elements * info(type).block_bytes);
    for(std::byte& byte: out) {
        byte = static_cast<std::byte>(engine() & 255U);
    }
    return out;
}

bool decodes_to(const packed_matrix& w, const std::vector<float>& expected) {
    std::vector<float> row(w.columns());
    for(std::size_t n = 0; n < w.rows(); ++n) {
        w.decode_row(n, row);
        for(std::size_t k = 0; k < w.columns(); ++k) {
            const float value = expected[n * w.columns() + k];
            const bool both_nan = value != value && row[k] != row[k];
            if(!both_nan && std::bit_cast<std::uint32_t>(value) != std::bit_cast<std::uint32_t>(row[k])) {
                return false;
            }
        }
    }
    return true;
}

} // namespace

TEST_CASE("a packed matrix decodes to the same bits as the file") {
    auto types = support::weight_types(true);
    for(const dtype type: support::weight_types(false)) {
        types.push_back(type);
    }
    for(const dtype type: types) {
        CAPTURE(info(type).name);
        for(const std::size_t rows: {1U, 16U, 37U}) {
            const std::size_t columns = info(type).block_size == 1 ? 77 : 512;
            const auto bytes = random_weights(type, rows * columns);
            const packed_matrix w = kernels::pack(type, bytes, rows, columns);
            CHECK(w.type() == type);
            CHECK(w.rows() == rows);
            CHECK(w.columns() == columns);
            CHECK(w.bytes() == (rows + 15) / 16 * w.panel_bytes());
            CHECK(packed_matrix::bytes_of(type, rows, columns) == w.bytes());
            CHECK(w.needs_quantized_activations() == (info(type).block_size > 1));
            CHECK(decodes_to(w, support::decoded(type, bytes)));
        }
    }
}

TEST_CASE("common formats take no more memory packed than in the file") {
    constexpr std::size_t elements = 64 * 512;
    for(const dtype type: {dtype::f32, dtype::f16, dtype::bf16, dtype::q4_0, dtype::q4_1, dtype::q8_0}) {
        CAPTURE(info(type).name);
        CHECK(packed_matrix(type, 64, 512).bytes() == elements / info(type).block_size * info(type).block_bytes);
    }
    CHECK(packed_matrix(dtype::q4_k, 64, 512).bytes() <= elements * 148 / 256); // 144 in the file
    CHECK(packed_matrix(dtype::q6_k, 64, 512).bytes() <= elements * 290 / 256); // 210 in the file
}

TEST_CASE("rows may be packed in parts, by several threads, and from several sources") {
    constexpr std::size_t rows = 100;
    constexpr std::size_t columns = 64;
    const auto bytes = support::random_blocks(dtype::q4_1, rows * columns, 13);
    const std::size_t row_bytes = bytes.size() / rows;
    const std::vector<float> expected = support::decoded(dtype::q4_1, bytes);
    thread_team team{3};
    packed_matrix w{dtype::q4_1, rows, columns};
    CHECK(w.source_row_bytes() == row_bytes);
    const std::size_t cuts[] = {0, 5, 5, 16, 33, 99, rows};
    for(std::size_t i = 0; i + 1 < std::size(cuts); ++i) {
        const std::span part{bytes.data() + cuts[i] * row_bytes, (cuts[i + 1] - cuts[i]) * row_bytes};
        w.pack_rows(cuts[i], part, execution{best_isa(), &team});
    }
    CHECK(decodes_to(w, expected));
    CHECK_THROWS_AS(w.pack_rows(99, std::span{bytes}.first(2 * row_bytes)), argument_error);
    CHECK_THROWS_AS(w.pack_rows(101, std::span{bytes}.first(row_bytes)), argument_error);
    CHECK_THROWS_AS(w.pack_rows(0, std::span{bytes}.first(row_bytes - 1)), argument_error);
}

TEST_CASE("packing reports progress and stops when asked") {
    constexpr std::size_t rows = 5000;
    constexpr std::size_t columns = 4096;
    const std::vector<std::byte> bytes(rows * columns * 2);
    std::vector<std::size_t> seen;
    const auto w = kernels::pack(dtype::f16, bytes, rows, columns, {}, [&](std::size_t done) {
        seen.push_back(done);
        return true;
    });
    CHECK(seen == std::vector<std::size_t>{2048, 4096, 5000});
    CHECK_THROWS_AS(kernels::pack(dtype::f16, bytes, rows, columns, {}, [](std::size_t) { return false; }),
                    cancelled_error);
}

TEST_CASE("what cannot be packed is refused") {
    const std::vector<std::byte> bytes(18 * 4);
    CHECK_THROWS_AS(kernels::pack(dtype::q4_0, bytes, 4, 33), shape_error);
    CHECK_THROWS_AS(kernels::pack(dtype::q4_k, bytes, 4, 32), shape_error);
    CHECK_THROWS_AS(kernels::pack(dtype::q4_0, bytes, 3, 32), argument_error);
    CHECK_THROWS_AS(kernels::pack(dtype::q4_0, bytes, 5, 32), argument_error);
    CHECK_THROWS_AS(kernels::pack(dtype::i32, bytes, 4, 4), unsupported_error);
    CHECK_THROWS_AS(kernels::pack(dtype::boolean, bytes, 4, 4), unsupported_error);
    constexpr std::size_t huge = std::numeric_limits<std::size_t>::max() / 2;
    CHECK_THROWS_AS(packed_matrix(dtype::f32, huge, 32), limit_error);
    CHECK_THROWS_AS(packed_matrix(dtype::f32, 32, huge), limit_error);
    CHECK_THROWS_AS(packed_matrix(dtype::f32, std::size_t{1} << 40, std::size_t{1} << 30), limit_error);

    const auto w = kernels::pack(dtype::q4_0, bytes, 4, 32);
    std::vector<float> row(32);
    CHECK_THROWS_AS(w.decode_row(4, row), argument_error);
    CHECK_THROWS_AS(w.decode_row(0, std::span{row}.first(31)), shape_error);
}

TEST_CASE("matrices without rows or columns") {
    CHECK(kernels::pack(dtype::q4_0, {}, 0, 32).panels() == 0);
    const auto w = kernels::pack(dtype::f32, {}, 3, 0);
    CHECK(w.bytes() == 0);
    w.decode_row(2, {});
    CHECK(packed_matrix{}.rows() == 0);
}

TEST_CASE("a scale that is not finite stays so") {
    std::vector<std::byte> bytes(34 * 2);
    bytes[1] = std::byte{0x7e};      // row 0: NaN
    bytes[34 + 1] = std::byte{0x7c}; // row 1: infinity
    for(std::size_t i = 0; i < 32; ++i) {
        bytes[2 + i] = bytes[36 + i] = std::byte{1};
    }
    const auto w = kernels::pack(dtype::q8_0, bytes, 2, 32);
    CHECK(decodes_to(w, support::decoded(dtype::q8_0, bytes)));
}
