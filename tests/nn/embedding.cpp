#include <tokenworks/nn/embedding.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "nn/blocks.hpp"
#include "support/catch.hpp"
#include "support/weights.hpp"

namespace tw = tokenworks;
namespace nn = tokenworks::nn;
using blocks::matrix;

namespace {

nn::embedding table_of(tw::dtype type, std::span<const std::byte> bytes, std::size_t rows, std::size_t columns) {
    return nn::embedding{
        std::make_shared<const tw::kernels::packed_matrix>(tw::kernels::pack(type, bytes, rows, columns))};
}

} // namespace

TEST_CASE("embedding: the rows of the ids, scaled", "[nn]") {
    tw::thread_team three{3};
    for(const tw::dtype type: {tw::dtype::f32, tw::dtype::f16, tw::dtype::q4_0, tw::dtype::q8_0}) {
        constexpr std::size_t rows = 19; // no whole panel
        constexpr std::size_t columns = 64;
        std::vector<float> values = support::random_floats(rows * columns, 1);
        std::vector<std::byte> bytes(rows * columns / tw::info(type).block_size * tw::info(type).block_bytes);
        tw::quant::encode(type, values, bytes);
        values = support::decoded(type, bytes);
        const nn::embedding table = table_of(type, bytes, rows, columns);
        CHECK(table.bytes() == table.table()->bytes());

        std::vector<std::int32_t> ids;
        for(std::int32_t i = 0; i < 70; ++i) { // enough for all threads
            ids.push_back(i * 7 % 19);
        }
        for(const float scale: {1.0F, 2.5F}) {
            for(tw::team* threads: {static_cast<tw::team*>(nullptr), static_cast<tw::team*>(&three)}) {
                const nn::context c{{.threads = threads}};
                matrix out{ids.size(), columns};
                table(c, ids, out.rows(), scale);
                for(std::size_t t = 0; t < ids.size(); ++t) {
                    for(std::size_t i = 0; i < columns; ++i) {
                        const float expected = values[static_cast<std::size_t>(ids[t]) * columns + i] * scale;
                        if(out.values[t * columns + i] != expected) {
                            FAIL(tw::info(type).name << " row " << t << " column " << i);
                        }
                    }
                }
            }
        }
    }
}

TEST_CASE("embedding: no ids, ids that are none, rows of another width", "[nn]") {
    const std::vector<float> values = support::random_floats(3 * 4, 1);
    const nn::embedding table = table_of(tw::dtype::f32, std::as_bytes(std::span{values}), 3, 4);
    const nn::context c;
    matrix out{1, 4};
    table(c, std::span<const std::int32_t>{}, out.rows().slice(0, 0), 1.0F);
    CHECK(out.values == std::vector<float>(4, 0.0F));
    const std::vector<std::int32_t> behind{3};
    CHECK_THROWS_WITH(table(c, behind, out.rows(), 1.0F), ContainsSubstring("no row 3 of 3"));
    const std::vector<std::int32_t> negative{-1};
    CHECK_THROWS_AS(table(c, negative, out.rows(), 1.0F), tw::argument_error);
    const std::vector<std::int32_t> good{0};
    matrix narrow{1, 3};
    CHECK_THROWS_AS(table(c, good, narrow.rows(), 1.0F), tw::shape_error);
    CHECK(nn::embedding{}.bytes() == 0);
}
