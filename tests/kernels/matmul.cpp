#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include <tokenworks/core/tensor.hpp>
#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/kernels/matmul.hpp>

#include "reference/matmul.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"
#include "support/teams.hpp"
#include "support/weights.hpp"

using namespace tokenworks;
using kernels::matmul_options;
using kernels::packed_matrix;
using kernels::quantized_rows;

namespace {

using rows_view = view<const float, dyn, dyn>;
using out_view = view<float, dyn, dyn>;

/// x [T,K] quantised first, times w.
std::vector<float> product(std::span<const float> x, std::size_t rows, const packed_matrix& w, const execution& how,
                           const matmul_options& options = {}) {
    std::vector<float> out(rows * w.rows());
    const rows_view from{x.data(), rows, w.columns()};
    if(w.needs_quantized_activations()) {
        std::vector<std::byte> memory(quantized_rows::bytes(rows, w.columns()));
        kernels::matmul(kernels::quantize_rows(from, memory, how), w, out_view{out, rows, w.rows()}, options, how);
    } else {
        kernels::matmul(from, w, out_view{out, rows, w.rows()}, options, how);
    }
    return out;
}

/// The same without quantising first.
std::vector<float> product_of_floats(std::span<const float> x, std::size_t rows, const packed_matrix& w,
                                     const execution& how) {
    std::vector<float> out(rows * w.rows());
    kernels::matmul(rows_view{x.data(), rows, w.columns()}, w, out_view{out, rows, w.rows()}, {}, how);
    return out;
}

/// Every row on its own, one thread: what any other way of computing must equal.
std::vector<float> row_by_row(std::span<const float> x, std::size_t rows, const packed_matrix& w, isa set) {
    std::vector<float> out;
    for(std::size_t t = 0; t < rows; ++t) {
        const auto row = product(x.subspan(t * w.columns(), w.columns()), 1, w, execution{set, nullptr});
        out.insert(out.end(), row.begin(), row.end());
    }
    return out;
}

std::vector<float> first_rows(const std::vector<float>& all, std::size_t rows, std::size_t width) {
    return {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(rows * width)};
}

/// Two tests share this: T, N, threads, alignment and the kind of call change no bit.
void check_invariance(const packed_matrix& w, const std::vector<float>& x, isa set) {
    constexpr std::size_t most = 37;
    const std::vector<float> expected = row_by_row(x, most, w, set);
    for(const std::size_t rows: {1U, 2U, 3U, 5U, 8U, 16U, 17U, 37U}) {
        CAPTURE(rows);
        const auto wanted = first_rows(expected, rows, w.rows());
        REQUIRE(support::same_bits(product(x, rows, w, execution{set, nullptr}), wanted));
        REQUIRE(support::same_bits(product_of_floats(x, rows, w, execution{set, nullptr}), wanted));
    }
    std::vector<float> shifted(x.size() + 1);
    std::copy(x.begin(), x.end(), shifted.begin() + 1);
    REQUIRE(support::same_bits(product(std::span{shifted}.subspan(1), most, w, execution{set, nullptr}), expected));
    for(const unsigned threads: {2U, 3U}) {
        CAPTURE(threads);
        thread_team team{threads};
        const execution how{set, &team};
        REQUIRE(support::same_bits(product(x, most, w, how), expected));
        REQUIRE(support::same_bits(product_of_floats(x, most, w, how), expected));
        REQUIRE(support::same_bits(product(x, 1, w, how), first_rows(expected, 1, w.rows())));
    }
}

/// Largest error allowed by the order of the sums: 32 additions in a chain, 2 to join four, K / 128 blocks.
double float_bound(std::size_t columns) {
    return (32.0 + 2.0 + static_cast<double>(columns) / 128.0) * std::ldexp(1.0, -24);
}

packed_matrix pack(dtype type, const std::vector<std::byte>& bytes, std::size_t rows, std::size_t columns,
                   kernels::matmul_precision precision = {}) {
    return kernels::pack(type, bytes, rows, columns, {}, {}, nullptr, precision);
}

/// What bf16 keeps of the numbers.
std::vector<float> rounded(std::vector<float> values) {
    for(float& value: values) {
        value = float{bf16{value}};
    }
    return values;
}

template <class T>
std::vector<std::byte> bytes_of(const std::vector<T>& values) {
    const auto bytes = std::as_bytes(std::span{values});
    return {bytes.begin(), bytes.end()};
}

/// Random numbers of a plain type, as bytes.
std::vector<std::byte> random_plain(dtype type, std::size_t count) {
    const std::vector<float> values = support::random_floats(count, 21);
    std::vector<std::byte> out(count * info(type).block_bytes);
    quant::encode(type, values, out);
    return out;
}

} // namespace

TEST_CASE("products with every block format agree with double precision, on every instruction set") {
    constexpr std::size_t rows = 37;
    constexpr std::size_t outputs = 21;
    for(const dtype type: support::weight_types(true)) {
        for(const std::size_t columns: {std::size_t{info(type).block_size}, std::size_t{512}}) {
            CAPTURE(info(type).name, columns);
            const auto bytes = support::random_blocks(type, outputs * columns, 31);
            const packed_matrix w = pack(type, bytes, outputs, columns);
            const std::vector<float> weights = support::decoded(type, bytes);
            const std::vector<float> x = support::random_floats(rows * columns, 32);
            const std::vector<double> rounded = reference::rounded(x, rows, columns);
            const auto exact = reference::matmul<float, float>(x, weights, rows, outputs, columns);
            const auto same_codes = reference::matmul<double, float>(rounded, weights, rows, outputs, columns);
            support::for_each_isa([&](execution how) {
                CAPTURE(name(how.set));
                const auto out = product(x, rows, w, how);
                CHECK(support::nmse(same_codes, out) <= 1e-11);
                CHECK(support::nmse(exact, out) <= 5e-4);
            });
        }
    }
}

TEST_CASE("products with float weights keep their error bound, on every instruction set") {
    constexpr std::size_t rows = 14;
    constexpr std::size_t outputs = 19;
    for(const dtype type: support::weight_types(false)) {
        for(const std::size_t columns: {1U, 3U, 4U, 31U, 127U, 128U, 129U, 300U, 576U}) {
            CAPTURE(info(type).name, columns);
            const auto bytes = random_plain(type, outputs * columns);
            const packed_matrix w = pack(type, bytes, outputs, columns);
            const std::vector<float> weights = support::decoded(type, bytes);
            const std::vector<float> x = support::random_floats(rows * columns, 33);
            const auto exact = reference::matmul<float, float>(x, weights, rows, outputs, columns);
            support::for_each_isa([&](execution how) {
                CAPTURE(name(how.set));
                const auto out = product(x, rows, w, how);
                double worst = 0;
                for(std::size_t t = 0; t < rows; ++t) {
                    for(std::size_t n = 0; n < outputs; ++n) {
                        double magnitude = 0;
                        for(std::size_t k = 0; k < columns; ++k) {
                            magnitude += std::abs(static_cast<double>(x[t * columns + k]) *
                                                  static_cast<double>(weights[n * columns + k]));
                        }
                        const std::size_t i = t * outputs + n;
                        worst = std::max(worst, std::abs(static_cast<double>(out[i]) - exact[i]) / magnitude);
                    }
                }
                CHECK(worst <= float_bound(columns));
            });
        }
    }
}

TEST_CASE("products of medium precision are those of numbers rounded to bf16, on every instruction set") {
    using enum kernels::matmul_precision;
    constexpr std::size_t rows = 29;
    constexpr std::size_t outputs = 150; // more panels than a part takes at once
    for(const dtype type: {dtype::f32, dtype::f16, dtype::bf16, dtype::f64, dtype::f8_e5m2}) {
        for(const std::size_t columns: {1U, 255U, 256U, 257U, 576U}) {
            CAPTURE(info(type).name, columns);
            const auto bytes = random_plain(type, outputs * columns);
            const packed_matrix w = pack(type, bytes, outputs, columns, medium);
            CHECK(w.format() == kernels::panel_format::bf16_pairs);
            CHECK(w.bytes() == (outputs + 15) / 16 * 16 * (columns + columns % 2) * 2);
            const std::vector<float> weights = rounded(support::decoded(type, bytes));
            std::vector<float> row(columns);
            w.decode_row(140, row);
            CHECK(support::same_bits(row, std::span{weights}.subspan(140 * columns, columns)));
            const std::vector<float> x = support::random_floats(rows * columns, 33);
            const auto exact = reference::matmul<float, float>(rounded(x), weights, rows, outputs, columns);
            support::for_each_isa([&](execution how) {
                CAPTURE(name(how.set));
                CHECK(support::nmse(exact, product(x, rows, w, how)) < 1e-12);
            });
        }
    }
    // Quantised weights are as ever.
    CHECK(kernels::panel_format_of(dtype::q4_0, medium) == kernels::panel_format_of(dtype::q4_0, highest));
}

TEST_CASE("products of floats in parts are as exact as those of floats, on every instruction set") {
    using enum kernels::matmul_precision;
    constexpr std::size_t rows = 29;
    constexpr std::size_t outputs = 270; // more panels than a part takes at once
    for(const dtype type: {dtype::f32, dtype::f64}) {
        for(const std::size_t columns: {1U, 255U, 256U, 257U, 1100U}) {
            CAPTURE(info(type).name, columns);
            const auto bytes = random_plain(type, outputs * columns);
            const packed_matrix w = pack(type, bytes, outputs, columns, bf16_x6);
            CHECK(w.format() == kernels::panel_format::f32_parts);
            CHECK(w.bytes() == (outputs + 15) / 16 * 16 * ((columns + 31) / 32 * 32) * 6);
            const std::vector<float> weights = support::decoded(type, bytes);
            std::vector<float> row(columns);
            w.decode_row(140, row);
            CHECK(support::same_bits(row, std::span{weights}.subspan(140 * columns, columns)));
            const std::vector<float> x = support::random_floats(rows * columns, 33);
            const auto exact = reference::matmul<float, float>(x, weights, rows, outputs, columns);
            support::for_each_isa([&](execution how) {
                CAPTURE(name(how.set));
                const std::vector<float> out = product(x, rows, w, how);
                CHECK(support::nmse(exact, out) < 1e-13);
                if(how.set != isa::amx) { // where there are no tiles, the floats are multiplied
                    CHECK(support::same_bits(out, product(x, rows, pack(type, bytes, outputs, columns, highest), how)));
                }
            });
        }
    }
    // Others are as ever.
    for(const dtype type: {dtype::q4_0, dtype::bf16, dtype::f16}) {
        CHECK(kernels::panel_format_of(type, bf16_x6) == kernels::panel_format_of(type, highest));
    }
    CHECK(kernels::precision_for_many_rows(highest, isa::amx) == bf16_x6);
    CHECK(kernels::precision_for_many_rows(medium, isa::amx) == medium);
    CHECK(kernels::precision_for_many_rows(highest, isa::avx512) == highest);
}

TEST_CASE("the bits of a product with codes depend on nothing but its row, column and instruction set") {
    // One type per layout of packed codes.
    for(const dtype type: {dtype::q4_0, dtype::q4_1, dtype::q4_k, dtype::q8_0, dtype::q5_1, dtype::q5_k, dtype::iq4_xs,
                           dtype::q6_k, dtype::q2_k, dtype::iq2_xs}) {
        CAPTURE(info(type).name);
        const std::size_t columns = info(type).block_size == 32 ? 352 : 768;
        const packed_matrix w = pack(type, support::random_blocks(type, 21 * columns, 41), 21, columns);
        const std::vector<float> x = support::random_floats(37 * columns, 42);
        support::for_each_isa([&](execution how) {
            CAPTURE(name(how.set));
            check_invariance(w, x, how.set);
        });
    }
}

TEST_CASE("the bits of a product with floats depend on nothing but its row, column and instruction set") {
    for(const dtype type: {dtype::f32, dtype::f16, dtype::bf16, dtype::f64, dtype::f8_e4m3}) {
        for(const std::size_t columns: {7U, 333U}) {
            CAPTURE(info(type).name, columns);
            const std::vector<float> x = support::random_floats(37 * columns, 43);
            for(const auto precision: {kernels::matmul_precision::highest, kernels::matmul_precision::medium,
                                       kernels::matmul_precision::bf16_x6}) {
                const packed_matrix w = pack(type, random_plain(type, 250 * columns), 250, columns, precision);
                support::for_each_isa([&](execution how) {
                    CAPTURE(name(how.set));
                    check_invariance(w, x, how.set);
                });
            }
        }
    }
}

TEST_CASE("a row of weights gives the same bits wherever it stands") {
    constexpr std::size_t columns = 64;
    const auto bytes = support::random_blocks(dtype::q4_1, 40 * columns, 44);
    const std::size_t row_bytes = bytes.size() / 40;
    const std::vector<float> x = support::random_floats(3 * columns, 45);
    const packed_matrix all = pack(dtype::q4_1, bytes, 40, columns);
    support::for_each_isa([&](execution how) {
        const auto whole = product(x, 3, all, how);
        for(const std::size_t first: {0U, 1U, 17U, 39U}) {
            const auto part =
                kernels::pack(dtype::q4_1, std::span{bytes}.subspan(first * row_bytes), 40 - first, columns);
            const auto out = product(x, 3, part, how);
            for(std::size_t t = 0; t < 3; ++t) {
                CHECK(support::same_bits(std::span{out}.subspan(t * (40 - first), 40 - first),
                                         std::span{whole}.subspan(t * 40 + first, 40 - first)));
            }
        }
    });
}

TEST_CASE("integer sums are exact at their extremes") {
    // Activations whose scale is 1, weights whose scale is 1: results are whole numbers below 2^24, hence exact.
    constexpr std::size_t columns = 64;
    constexpr std::size_t outputs = 20;
    constexpr std::size_t rows = 17;
    std::mt19937 engine{51};
    const auto check = [&](dtype type, auto code_at) {
        CAPTURE(info(type).name);
        std::vector<int> codes(outputs * columns);
        std::vector<std::byte> bytes;
        for(std::size_t n = 0; n < outputs; ++n) {
            for(std::size_t b = 0; b < columns / 32; ++b) {
                int* const block = codes.data() + n * columns + 32 * b;
                for(std::size_t k = 0; k < 32; ++k) {
                    block[k] = code_at(n);
                }
                bytes.push_back(std::byte{0x00}); // d = 1 as a half
                bytes.push_back(std::byte{0x3c});
                if(type == dtype::q4_0) {
                    for(std::size_t k = 0; k < 16; ++k) {
                        bytes.push_back(static_cast<std::byte>((block[k] + 8) | (block[k + 16] + 8) << 4));
                    }
                } else {
                    for(std::size_t k = 0; k < 32; ++k) {
                        bytes.push_back(static_cast<std::byte>(static_cast<std::uint8_t>(block[k])));
                    }
                }
            }
        }
        std::vector<float> x(rows * columns);
        for(std::size_t i = 0; i < x.size(); ++i) {
            const int extreme = engine() % 2 == 0 ? 127 : -127;
            const bool all_extreme = i / columns < 4; // rows 0 and 1: one sign
            const int sign = i / columns == 0 ? 127 : i / columns == 1 ? -127 : extreme;
            x[i] = static_cast<float>(all_extreme || i % 32 == 0 ? sign : static_cast<int>(engine() % 255) - 127);
        }
        const packed_matrix w = pack(type, bytes, outputs, columns);
        support::for_each_isa([&](execution how) {
            CAPTURE(name(how.set));
            const auto out = product(x, rows, w, how);
            bool exact = true;
            for(std::size_t t = 0; t < rows; ++t) {
                for(std::size_t n = 0; n < outputs; ++n) {
                    std::int64_t sum = 0;
                    for(std::size_t k = 0; k < columns; ++k) {
                        sum += std::int64_t{codes[n * columns + k]} * static_cast<std::int64_t>(x[t * columns + k]);
                    }
                    exact = exact && out[t * outputs + n] == static_cast<float>(sum);
                }
            }
            CHECK(exact);
        });
    };
    check(dtype::q8_0, [&](std::size_t n) {
        return n == 0 ? -128 : n == 1 ? 127 : n == 2 ? -127 : static_cast<int>(engine() % 256) - 128;
    });
    check(dtype::q4_0, [&](std::size_t n) { return n == 0 ? -8 : n == 1 ? 7 : static_cast<int>(engine() % 16) - 8; });
}

TEST_CASE("a product can add to its output and add a bias") {
    constexpr std::size_t columns = 64;
    for(const dtype type: {dtype::q4_0, dtype::f32}) {
        for(const std::size_t outputs: {16U, 21U}) {
            CAPTURE(info(type).name, outputs);
            const auto bytes = type == dtype::f32 ? random_plain(type, outputs * columns)
                                                  : support::random_blocks(type, outputs * columns, 61);
            const packed_matrix w = pack(type, bytes, outputs, columns);
            const std::vector<float> x = support::random_floats(5 * columns, 62);
            const std::vector<float> bias = support::random_floats(outputs, 63);
            const std::vector<float> before = support::random_floats(5 * outputs, 64);
            support::for_each_isa([&](execution how) {
                const auto plain = product(x, 5, w, how);
                std::vector<float> out = before;
                kernels::matmul(rows_view{x, 5, columns}, w, out_view{out, 5, outputs}, {.add = true, .bias = bias},
                                how);
                bool same = true;
                for(std::size_t i = 0; i < out.size(); ++i) {
                    same = same && out[i] == before[i] + (plain[i] + bias[i % outputs]);
                }
                CHECK(same);
            });
        }
    }
}

TEST_CASE("several products at once give the bits of each alone, whatever their formats and widths") {
    constexpr std::size_t columns = 256;
    const std::vector<dtype> types{dtype::q4_1, dtype::q8_0, dtype::q6_k, dtype::q4_k};
    const std::vector<std::size_t> outputs{33, 16, 1, 70};
    std::vector<packed_matrix> weights;
    for(std::size_t i = 0; i < types.size(); ++i) {
        weights.push_back(pack(types[i],
                               support::random_blocks(types[i], outputs[i] * columns, 51 + static_cast<unsigned>(i)),
                               outputs[i], columns));
    }
    const std::vector<float> bias = support::random_floats(16, 55);
    for(const std::size_t rows: {1U, 5U, 40U}) {
        const std::vector<float> x = support::random_floats(rows * columns, 56);
        support::for_each_team([&](const execution& how) {
            CAPTURE(rows);
            std::vector<std::byte> memory(quantized_rows::bytes(rows, columns));
            const quantized_rows codes = kernels::quantize_rows(rows_view{x, rows, columns}, memory, how);
            std::vector<std::vector<float>> out;
            for(const std::size_t n: outputs) {
                out.emplace_back(rows * n, 1.0F);
            }
            const kernels::matmul_task tasks[] = {
                {weights[0], out_view{out[0], rows, outputs[0]}},
                {weights[1], out_view{out[1], rows, outputs[1]}, {.add = false, .bias = bias}},
                {weights[2], out_view{out[2], rows, outputs[2]}},
                {weights[3], out_view{out[3], rows, outputs[3]}}};
            kernels::matmul(codes, tasks, how);
            CHECK(support::same_bits(out[0], product(x, rows, weights[0], how)));
            CHECK(support::same_bits(out[1], product(x, rows, weights[1], how, {.add = false, .bias = bias})));
            CHECK(support::same_bits(out[2], product(x, rows, weights[2], how)));
            CHECK(support::same_bits(out[3], product(x, rows, weights[3], how)));
        });
    }
}

TEST_CASE("what follows on a product sees every value once, made, in whole units") {
    constexpr std::size_t columns = 96;
    constexpr std::size_t outputs = 115; // the last unit is cut
    constexpr std::size_t unit = 32;
    const packed_matrix w =
        pack(dtype::q4_0, support::random_blocks(dtype::q4_0, outputs * columns, 61), outputs, columns);
    const packed_matrix other = pack(dtype::q6_k, support::random_blocks(dtype::q6_k, outputs * 256, 62), outputs, 256);
    const packed_matrix up =
        pack(dtype::q8_0, support::random_blocks(dtype::q8_0, outputs * columns, 63), outputs, columns);
    for(const std::size_t rows: {1U, 7U, 33U, 300U}) {
        const std::vector<float> x = support::random_floats(rows * columns, 64);
        support::for_each_team([&](const execution& how) {
            CAPTURE(rows);
            std::vector<std::byte> memory(quantized_rows::bytes(rows, columns));
            const quantized_rows codes = kernels::quantize_rows(rows_view{x, rows, columns}, memory, how);
            const std::vector<float> first = product(x, rows, w, how);
            const std::vector<float> second = product(x, rows, up, how);
            std::vector<float> a(rows * outputs, -1.0F);
            std::vector<float> b(rows * outputs, -1.0F);
            std::vector<float> joined(rows * outputs, 0.0F);
            std::vector<int> seen(rows * outputs, 0);
            std::atomic<bool> whole = true;
            const auto join = [&](const kernels::product_part& part) {
                whole = whole && part.begin_column % unit == 0 && part.end_column <= outputs &&
                        (part.end_column % unit == 0 || part.end_column == outputs);
                for(std::size_t t = part.begin_row; t < part.end_row; ++t) {
                    for(std::size_t n = part.begin_column; n < part.end_column; ++n) {
                        joined[t * outputs + n] = a[t * outputs + n] - b[t * outputs + n];
                        ++seen[t * outputs + n];
                    }
                }
            };
            const kernels::matmul_task gate{w, out_view{a, rows, outputs}, {}, unit, join};
            kernels::matmul_side_by_side(codes, gate, {up, out_view{b, rows, outputs}}, how);
            CHECK(whole);
            CHECK(seen == std::vector<int>(seen.size(), 1));
            CHECK(support::same_bits(a, first));
            CHECK(support::same_bits(b, second));
            for(std::size_t i = 0; i < joined.size(); ++i) {
                joined[i] += second[i] - first[i];
            }
            CHECK(joined == std::vector<float>(joined.size(), 0.0F));

            // The same with products one after the other: each has its own.
            a.assign(a.size(), -1.0F);
            b.assign(b.size(), 0.0F);
            seen.assign(seen.size(), 0);
            const kernels::matmul_task tasks[] = {{up, out_view{b, rows, outputs}}, gate};
            kernels::matmul(codes, tasks, how);
            CHECK(whole);
            CHECK(seen == std::vector<int>(seen.size(), 1));
            CHECK(support::same_bits(a, first));
            CHECK(support::same_bits(b, second));
        });
    }
    const std::vector<float> x = support::random_floats(columns, 65);
    std::vector<std::byte> memory(quantized_rows::bytes(1, columns));
    const quantized_rows codes = kernels::quantize_rows(rows_view{x, 1, columns}, memory);
    std::vector<float> out(outputs);
    const out_view to{out, 1, outputs};
    CHECK_THROWS_WITH(kernels::matmul_side_by_side(codes, {w, to, {}, 24}, {up, to}),
                      ContainsSubstring("multiple of 16"));
    CHECK_THROWS_AS(kernels::matmul_side_by_side(codes, {w, to, {}, 0}, {up, to}), argument_error);
    CHECK_THROWS_AS(kernels::matmul_side_by_side(codes, {w, to}, {other, to}), shape_error);
    const packed_matrix narrow = pack(dtype::q8_0, support::random_blocks(dtype::q8_0, 16 * columns, 66), 16, columns);
    CHECK_THROWS_WITH(kernels::matmul_side_by_side(codes, {w, to}, {narrow, out_view{std::span{out}.first(16), 1, 16}}),
                      ContainsSubstring("the second has N=16"));
}

TEST_CASE("several products at once: none, too many, and operands that disagree") {
    constexpr std::size_t columns = 64;
    const packed_matrix w = pack(dtype::q8_0, support::random_blocks(dtype::q8_0, 16 * columns, 57), 16, columns);
    const packed_matrix floats = pack(dtype::f32, random_plain(dtype::f32, 16 * columns), 16, columns);
    const std::vector<float> x = support::random_floats(2 * columns, 58);
    std::vector<std::byte> memory(quantized_rows::bytes(2, columns));
    const quantized_rows codes = kernels::quantize_rows(rows_view{x, 2, columns}, memory);
    std::vector<float> out(2 * 16);
    const out_view to{out, 2, 16};
    CHECK_NOTHROW(kernels::matmul(codes, std::span<const kernels::matmul_task>{}));
    const std::vector<kernels::matmul_task> nine(9, kernels::matmul_task{w, to});
    CHECK_THROWS_WITH(kernels::matmul(codes, nine), ContainsSubstring("9 products at once, at most 8"));
    const kernels::matmul_task mixed[] = {{w, to}, {floats, to}};
    CHECK_THROWS_AS(kernels::matmul(codes, mixed), argument_error);
    const kernels::matmul_task wrong[] = {{w, to}, {w, out_view{std::span{out}.first(16), 1, 16}}};
    CHECK_THROWS_AS(kernels::matmul(codes, wrong), shape_error);
}

TEST_CASE("weights of plain views give the bits of packed ones, for every type") {
    constexpr std::size_t outputs = 21;
    constexpr std::size_t rows = 37;
    for(const dtype type: support::weight_types(true)) {
        CAPTURE(info(type).name);
        const std::size_t columns = info(type).block_size == 32 ? 288 : 512;
        const auto bytes = support::random_blocks(type, outputs * columns, 71);
        const std::vector<float> x = support::random_floats(rows * columns, 72);
        const auto expected = product(x, rows, pack(type, bytes, outputs, columns), {});
        quant::visit_block(type, [&]<class Block>() {
            std::vector<Block> blocks(bytes.size() / sizeof(Block));
            std::memcpy(blocks.data(), bytes.data(), bytes.size());
            std::vector<float> out(rows * outputs);
            const view<const Block, dyn, dyn> w{blocks, outputs, columns / Block::size};
            kernels::matmul(rows_view{x, rows, columns}, w, out_view{out, rows, outputs});
            CHECK(support::same_bits(out, expected));
            std::vector<float> one(outputs);
            kernels::matvec(view<const float, dyn>{x.data(), columns}, w, view<float, dyn>{one});
            CHECK(support::same_bits(one, first_rows(expected, 1, outputs)));
        });
    }
}

TEMPLATE_TEST_CASE("float weights of plain views give the bits of packed ones", "", float, double, f16, bf16, f8_e4m3,
                   f8_e5m2) {
    constexpr std::size_t outputs = 21;
    constexpr std::size_t rows = 50;
    constexpr dtype type = dtype_of<TestType>;
    for(const std::size_t columns: {5U, 128U, 300U}) {
        const auto bytes = random_plain(type, outputs * columns);
        std::vector<TestType> weights(outputs * columns);
        std::memcpy(weights.data(), bytes.data(), bytes.size());
        const std::vector<float> x = support::random_floats(rows * columns, 73);
        const view<const TestType, dyn, dyn> w{weights, outputs, columns};
        support::for_each_isa([&](execution how) {
            const auto expected = product(x, rows, pack(type, bytes, outputs, columns), how);
            std::vector<float> out(rows * outputs);
            kernels::matmul(rows_view{x, rows, columns}, w, out_view{out, rows, outputs}, {}, how);
            CHECK(support::same_bits(out, expected));
        });
    }
}

TEST_CASE("matvec is a product with one row") {
    constexpr std::size_t columns = 256;
    const std::vector<float> x = support::random_floats(columns, 81);
    for(const dtype type: {dtype::q6_k, dtype::bf16}) {
        const auto bytes =
            type == dtype::bf16 ? random_plain(type, 33 * columns) : support::random_blocks(type, 33 * columns, 82);
        const packed_matrix w = pack(type, bytes, 33, columns);
        std::vector<float> out(33);
        kernels::matvec(view<const float, dyn>{x}, w, view<float, dyn>{out});
        CHECK(support::same_bits(out, product(x, 1, w, {})));
        kernels::matvec(view<const float, dyn>{x}, w, view<float, dyn>{out}, {.add = true});
        const auto twice = product(x, 1, w, {});
        CHECK(out[32] == twice[32] + twice[32]);
    }
}

TEST_CASE("operands may be tensors, static views and slices of wider rows") {
    constexpr std::size_t columns = 64;
    const auto bytes = random_plain(dtype::f32, 20 * columns);
    const packed_matrix w = pack(dtype::f32, bytes, 20, columns);
    const std::vector<float> wide = support::random_floats(5 * 100, 91);
    const rows_view all{wide, 5, 100};
    std::vector<float> x;
    for(std::size_t t = 0; t < 5; ++t) {
        x.insert(x.end(), wide.begin() + static_cast<std::ptrdiff_t>(100 * t + 30),
                 wide.begin() + static_cast<std::ptrdiff_t>(100 * t + 30 + columns));
    }
    const auto expected = product(x, 5, w, {});

    std::vector<float> out(5 * 50, -1.0F);
    kernels::matmul(all.slice<1>(30, columns), w, out_view{out, 5, 50}.slice<1>(10, 20));
    bool same = true;
    for(std::size_t t = 0; t < 5; ++t) {
        for(std::size_t n = 0; n < 50; ++n) {
            const bool inside = n >= 10 && n < 30;
            same = same && out[t * 50 + n] == (inside ? expected[t * 20 + n - 10] : -1.0F);
        }
    }
    CHECK(same);

    tensor<float, extents<5, columns>> x_tensor;
    std::copy(x.begin(), x.end(), x_tensor.view().data());
    tensor<float, extents<20, columns>> w_tensor;
    std::memcpy(w_tensor.view().data(), bytes.data(), bytes.size());
    tensor<float, extents<5, 20>> out_tensor;
    kernels::matmul(x_tensor, w, out_tensor);
    CHECK(support::same_bits(out_tensor.view().as_span(), expected));
    std::fill_n(out_tensor.view().data(), 100, 0.0F);
    kernels::matmul(x_tensor, w_tensor.view(), out_tensor);
    CHECK(support::same_bits(out_tensor.view().as_span(), expected));
}

TEST_CASE("a row that is not finite gives NaN there and nowhere else") {
    constexpr std::size_t columns = 96;
    constexpr std::size_t outputs = 18;
    std::vector<float> x = support::random_floats(4 * columns, 101);
    for(const dtype type: {dtype::q4_0, dtype::q4_1, dtype::q8_0, dtype::f32}) {
        CAPTURE(info(type).name);
        const auto bytes = type == dtype::f32 ? random_plain(type, outputs * columns)
                                              : support::random_blocks(type, outputs * columns, 102);
        const packed_matrix w = pack(type, bytes, outputs, columns);
        support::for_each_isa([&](execution how) {
            const auto expected = product(x, 4, w, how);
            for(const float bad: {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
                std::vector<float> spoilt = x;
                spoilt[columns + 40] = bad;
                const auto out = product(spoilt, 4, w, how);
                bool as_stated = true;
                for(std::size_t t = 0; t < 4; ++t) {
                    for(std::size_t n = 0; n < outputs; ++n) {
                        const float value = out[t * outputs + n];
                        as_stated = as_stated && (t == 1 ? !std::isfinite(value) : value == expected[t * outputs + n]);
                        as_stated = as_stated && (t != 1 || type == dtype::f32 || std::isnan(value));
                    }
                }
                CHECK(as_stated);
            }
        });
    }
}

TEST_CASE("a row of weights with a NaN scale spoils its own column alone") {
    constexpr std::size_t columns = 32;
    auto bytes = support::random_blocks(dtype::q8_0, 18 * columns, 103);
    const std::vector<float> x = support::random_floats(2 * columns, 104);
    const auto expected = product(x, 2, pack(dtype::q8_0, bytes, 18, columns), {});
    bytes[17 * 34] = std::byte{0xff};
    bytes[17 * 34 + 1] = std::byte{0x7e};
    const auto out = product(x, 2, pack(dtype::q8_0, bytes, 18, columns), {});
    for(std::size_t i = 0; i < out.size(); ++i) {
        CHECK((i % 18 == 17 ? std::isnan(out[i]) : out[i] == expected[i]));
    }
}

TEST_CASE("products without rows, columns or outputs") {
    const packed_matrix w = pack(dtype::q4_0, support::random_blocks(dtype::q4_0, 5 * 32, 111), 5, 32);
    CHECK(product({}, 0, w, {}).empty());
    CHECK(product_of_floats({}, 0, w, {}).empty());
    CHECK(product(support::random_floats(64, 112), 2, pack(dtype::q4_0, {}, 0, 32), {}).empty());
    const auto zeros = product({}, 2, pack(dtype::f32, {}, 3, 0), {});
    CHECK(zeros == std::vector<float>(6));
    CHECK(product({}, 2, pack(dtype::q4_0, {}, 3, 0), {}) == zeros);
    std::vector<float> out(6, 1.0F);
    kernels::matmul(rows_view{out.data(), 2, 0}, view<const float, dyn, dyn>{out.data(), 3, 0}, out_view{out, 2, 3});
    CHECK(out == zeros);
}

TEST_CASE("extents that disagree are named") {
    const packed_matrix w = pack(dtype::q4_0, support::random_blocks(dtype::q4_0, 5 * 32, 121), 5, 32);
    const packed_matrix floats = pack(dtype::f32, random_plain(dtype::f32, 5 * 32), 5, 32);
    std::vector<float> memory(256);
    std::vector<std::byte> scratch(quantized_rows::bytes(2, 64));
    const auto matrix = [&](std::size_t rows, std::size_t columns) { return out_view{memory.data(), rows, columns}; };
    CHECK_THROWS_WITH(kernels::matmul(matrix(2, 64), w, matrix(2, 5)),
                      ContainsSubstring("matmul: x has K=64, w has K=32"));
    CHECK_THROWS_WITH(kernels::matmul(matrix(2, 32), w, matrix(3, 5)),
                      ContainsSubstring("matmul: x has T=2, out has T=3"));
    CHECK_THROWS_WITH(kernels::matmul(matrix(2, 32), w, matrix(2, 6)),
                      ContainsSubstring("matmul: w has N=5, out has N=6"));
    CHECK_THROWS_WITH(kernels::matmul(matrix(2, 32), matrix(5, 31), matrix(2, 5)),
                      ContainsSubstring("matmul: x has K=32, w has K=31"));
    const std::vector<float> bias(4);
    CHECK_THROWS_WITH(kernels::matmul(matrix(2, 32), w, matrix(2, 5), {.bias = bias}),
                      ContainsSubstring("matmul: w has N=5, bias has N=4"));
    const auto quantized = kernels::quantize_rows(matrix(2, 64), scratch);
    CHECK_THROWS_AS(kernels::matmul(quantized, w, matrix(2, 5)), shape_error);
    const auto fitting = kernels::quantize_rows(matrix(2, 32), scratch);
    CHECK_THROWS_AS(kernels::matmul(fitting, floats, matrix(2, 5)), argument_error);
    CHECK_THROWS_AS(kernels::matmul(matrix(32, 2).transpose(), w, matrix(2, 5)), shape_error);
    CHECK_THROWS_AS(kernels::matmul(matrix(2, 32), w, matrix(5, 2).transpose()), shape_error);
    CHECK_THROWS_AS(kernels::matvec(view<const float, dyn>{memory.data(), 31}, w, view<float, dyn>{memory.data(), 5}),
                    shape_error);
}

TEST_CASE("products allocate nothing") {
    constexpr std::size_t columns = 512;
    const auto bytes = support::random_blocks(dtype::q4_1, 40 * columns, 131);
    const packed_matrix w = pack(dtype::q4_1, bytes, 40, columns);
    const packed_matrix floats = pack(dtype::f32, random_plain(dtype::f32, 40 * columns), 40, columns);
    const std::vector<float> x = support::random_floats(33 * columns, 132);
    std::vector<float> out(33 * 40);
    std::vector<std::byte> memory(quantized_rows::bytes(33, columns));
    std::vector<quant::q4_1> blocks(bytes.size() / sizeof(quant::q4_1));
    std::memcpy(blocks.data(), bytes.data(), bytes.size());
    thread_team team{2};
    const execution how{best_isa(), &team};
    const rows_view from{x, 33, columns};
    const out_view to{out, 33, 40};
    CHECK(support::allocations_during([&] {
              kernels::matmul(kernels::quantize_rows(from, memory, how), w, to, {}, how);
              kernels::matmul(from, w, to, {}, how);
              kernels::matmul(from, floats, to, {}, how);
              kernels::matmul(from, view<const quant::q4_1, dyn, dyn>{blocks, 40, columns / 32}, to, {}, how);
          }) == 0);
}
