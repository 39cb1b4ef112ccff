#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/kernels/embed.hpp>
#include <tokenworks/quant/encode_legacy.hpp>
#include <tokenworks/quant/legacy.hpp>

#include "support/catch.hpp"
#include "support/kernels.hpp"

using namespace tokenworks;

namespace {

template <class T>
void check_plain_table() {
    constexpr std::size_t vocabulary = 11;
    for(const std::size_t width: {1U, 15U, 16U, 17U, 64U}) {
        const auto values = support::random_floats(vocabulary * width, 1);
        std::vector<T> table;
        for(const float value: values) {
            table.push_back(T(value));
        }
        const std::vector<std::int32_t> ids{3, 0, 10, 3};
        support::for_each_isa([&](execution how) {
            std::vector<float> out(ids.size() * width);
            kernels::embed(view<const T, dyn, dyn>{table.data(), vocabulary, width}, ids,
                           view<float, dyn, dyn>{out.data(), ids.size(), width}, 3.0F, how);
            bool right = true;
            for(std::size_t t = 0; t < ids.size(); ++t) {
                for(std::size_t c = 0; c < width; ++c) {
                    const auto value = static_cast<float>(table[static_cast<std::size_t>(ids[t]) * width + c]);
                    right = right && out[t * width + c] == value * 3.0F;
                }
            }
            CHECK(right);
        });
    }
}

} // namespace

TEST_CASE("embed looks up rows of plain tables") {
    check_plain_table<float>();
    check_plain_table<f16>();
    check_plain_table<bf16>();
}

TEST_CASE("embed decodes rows of block formats") {
    const auto values = support::random_floats(7 * 96, 2);
    std::vector<quant::q8_0> table(7 * 3);
    for(std::size_t i = 0; i < table.size(); ++i) {
        quant::encode(values.data() + 32 * i, table[i]);
    }
    const std::vector<std::int32_t> ids{6, 1};
    std::vector<float> out(2 * 96);
    const view<float, dyn, dyn> to{out.data(), 2, 96};
    for(const float factor: {1.0F, 2.0F}) {
        kernels::embed(view<const quant::q8_0, dyn, dyn>{table.data(), 7, 3}, ids, to, factor);
        float expected[32];
        quant::decode(table[6 * 3 + 1], static_cast<float*>(expected));
        CHECK(out[32 + 5] == expected[5] * factor);
        quant::decode(table[1 * 3 + 2], static_cast<float*>(expected));
        CHECK(out[96 + 64 + 31] == expected[31] * factor);
    }
}

TEST_CASE("embed on threads gives the same bits") {
    const auto table = support::random_floats(100 * 576, 3);
    std::vector<std::int32_t> ids;
    for(std::int32_t i = 0; i < 90; ++i) {
        ids.push_back(i * 37 % 100);
    }
    const view<const float, dyn, dyn> rows{table.data(), 100, 576};
    std::vector<float> one(ids.size() * 576);
    kernels::embed(rows, ids, view<float, dyn, dyn>{one.data(), ids.size(), 576});
    thread_team team{3};
    std::vector<float> three(one.size());
    kernels::embed(rows, ids, view<float, dyn, dyn>{three.data(), ids.size(), 576}, 1.0F, {best_isa(), &team});
    CHECK(support::same_bits(one, three));
}

TEST_CASE("embed refuses ids outside of the table and writes nothing") {
    const std::vector<float> table(8);
    std::vector<float> out(4, 5.0F);
    const view<const float, dyn, dyn> rows{table.data(), 4, 2};
    const view<float, dyn, dyn> to{out.data(), 2, 2};
    const auto embed_ids = [&](std::vector<std::int32_t> ids) { kernels::embed(rows, ids, to); };
    CHECK_THROWS_WITH(embed_ids({0, 4}), ContainsSubstring("embed: id 4 at 1 is outside of the table with V=4"));
    CHECK_THROWS_AS(embed_ids({0, -1}), argument_error);
    CHECK_THROWS_AS(embed_ids({std::numeric_limits<std::int32_t>::min(), 0}), argument_error);
    CHECK(out == std::vector<float>(4, 5.0F));
    CHECK_THROWS_WITH(embed_ids({0}), ContainsSubstring("ids have T=1, out has T=2"));
    const std::vector<std::int32_t> ids{0, 1};
    CHECK_THROWS_WITH(kernels::embed(view<const float, dyn, dyn>{table.data(), 2, 4}, ids, to),
                      ContainsSubstring("the table has C=4, out has C=2"));
}
