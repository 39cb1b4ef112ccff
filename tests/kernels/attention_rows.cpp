#include <algorithm>
#include <cstddef>
#include <vector>

#include <tokenworks/kernels/attention_loops.hpp>
#include <tokenworks/kernels/attention_rows.hpp>

#include "support/catch.hpp"
#include "support/kernels.hpp"

using namespace tokenworks;
namespace attend = tokenworks::kernels::detail;

namespace {

constexpr std::size_t block = attend::key_block;
constexpr std::size_t most_rows = 12; // a multiple of every group

/// A table's loops, and whether its elements are f16.
struct variant {
    const attend::element_loops* loops;
    bool half;
};

template <class Body>
void for_each_table(Body body) {
    support::for_each_isa([&](const execution& how) {
        CAPTURE(name(how.set));
        const attend::attention_loops& loops = attend::attention_loops_for(how.set);
        body(variant{&loops.floats(), false});
        if(loops.narrow_rows != 0) {
            body(variant{&loops.loops(attend::in_place::f16), true});
        }
    });
}

std::vector<f16> halves(const std::vector<float>& wide) {
    std::vector<f16> out;
    for(const float x: wide) {
        out.push_back(f16{x});
    }
    return out;
}

} // namespace

TEST_CASE("attention_rows: scores are dot products, the same bits in every group of rows, in one stretch or two") {
    constexpr std::size_t width = 37;
    struct layout {
        std::size_t vector_stride;
        std::size_t column_stride;
    };
    // [D][64] as a cache has it, and [4][D][16] as it is made on the way.
    for(const layout of_keys: {layout{16, block}, layout{width * 16, 16}}) {
        const std::vector<float> q = support::random_floats(most_rows * width, 1);
        const std::vector<f16> narrow = halves(support::random_floats(block * width, 2));
        const std::vector<float> wide(narrow.begin(), narrow.end());
        std::vector<double> exact(most_rows * block, 0.0);
        for(std::size_t i = 0; i < most_rows; ++i) {
            for(std::size_t key = 0; key < block; ++key) {
                for(std::size_t d = 0; d < width; ++d) {
                    exact[i * block + key] +=
                        static_cast<double>(q[i * width + d]) *
                        static_cast<double>(
                            wide[key / 16 * of_keys.vector_stride + d * of_keys.column_stride + key % 16]);
                }
            }
        }
        for_each_table([&](variant of) {
            std::vector<attend::attention_row> rows(most_rows);
            for(std::size_t i = 0; i < most_rows; ++i) {
                rows[i].q = q.data() + i * width;
            }
            std::vector<float> first;
            for(std::size_t size = of.loops->largest; size < attend::group_sizes.size(); ++size) {
                for(const std::size_t cut: {width, std::size_t{16}}) {
                    std::vector<float> scores(most_rows * block);
                    for(std::size_t begin = 0; begin < width; begin += cut) {
                        const std::size_t at = begin * of_keys.column_stride;
                        const void* const keys = of.half ? static_cast<const void*>(narrow.data() + at)
                                                         : static_cast<const void*>(wide.data() + at);
                        const attend::key_stretch stretch{
                            keys,  of_keys.vector_stride,        of_keys.column_stride, block / 16,
                            begin, std::min(cut, width - begin), scores.data()};
                        for(std::size_t i = 0; i < most_rows; i += attend::group_sizes[size]) {
                            of.loops->score[size](rows.data(), i, &stretch);
                        }
                    }
                    CHECK(support::nmse(exact, scores) <= 1e-12);
                    first = first.empty() ? scores : first;
                    CHECK(support::same_bits(scores, first));
                }
            }
        });
    }
}

TEST_CASE("attention_rows: values are added with their weights, the same bits in every group of rows") {
    constexpr std::size_t from = 3;
    constexpr std::size_t to = 50;
    for(const std::size_t columns: {16U, 64U, 80U, 21U}) {
        const std::size_t stride = (columns + 15) / 16 * 16;
        const std::vector<float> weights = support::random_floats(most_rows * block, 3);
        const std::vector<f16> narrow = halves(support::random_floats(block * stride, 4));
        const std::vector<float> wide(narrow.begin(), narrow.end());
        const std::vector<float> before = support::random_floats(most_rows * columns, 5);
        std::vector<double> exact(before.begin(), before.end());
        for(std::size_t i = 0; i < most_rows; ++i) {
            for(std::size_t key = from; key < to; ++key) {
                for(std::size_t c = 0; c < columns; ++c) {
                    exact[i * columns + c] +=
                        static_cast<double>(weights[i * block + key]) * static_cast<double>(wide[key * stride + c]);
                }
            }
        }
        for_each_table([&](variant of) {
            CAPTURE(columns);
            std::vector<float> first;
            for(std::size_t size = of.loops->largest; size < attend::group_sizes.size(); ++size) {
                std::vector<float> out = before;
                std::vector<attend::attention_row> rows(most_rows);
                for(std::size_t i = 0; i < most_rows; ++i) {
                    rows[i].out = out.data() + i * columns;
                }
                const void* const values =
                    of.half ? static_cast<const void*>(narrow.data()) : static_cast<const void*>(wide.data());
                const attend::value_stretch stretch{0, block, weights.data(), values, stride, 0, columns};
                for(std::size_t i = 0; i < most_rows; i += attend::group_sizes[size]) {
                    of.loops->add[size](rows.data(), i, &stretch, from, to);
                }
                CHECK(support::nmse(exact, out) <= 1e-12);
                first = first.empty() ? out : first;
                CHECK(support::same_bits(out, first));
            }
        });
    }
}
