#include <cmath>
#include <cstddef>
#include <vector>

#include <tokenworks/core/tensor.hpp>
#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/kernels/elementwise.hpp>

#include "support/catch.hpp"
#include "support/kernels.hpp"

using namespace tokenworks;

TEST_CASE("sums and products, value by value, at every length") {
    support::for_each_isa([](execution how) {
        for(const std::size_t n: support::lengths) {
            CAPTURE(name(how.set), n);
            const auto a = support::random_floats(n, 1);
            const auto b = support::random_floats(n, 2);
            std::vector<float> out(n + 1, -7.0F);
            const view<float, dyn> to{out.data(), n};
            bool right = true;
            kernels::add(a, b, to, how);
            for(std::size_t i = 0; i < n; ++i) {
                right = right && out[i] == a[i] + b[i];
            }
            kernels::multiply(a, b, to, how);
            for(std::size_t i = 0; i < n; ++i) {
                right = right && out[i] == a[i] * b[i];
            }
            kernels::scale(a, 3.0F, to, how);
            for(std::size_t i = 0; i < n; ++i) {
                right = right && out[i] == a[i] * 3.0F;
            }
            kernels::add_scaled(a, b, 0.5F, to, how);
            for(std::size_t i = 0; i < n; ++i) { // half of b is exact
                right = right && out[i] == a[i] + 0.5F * b[i];
            }
            CHECK(right);
            CHECK(out.back() == -7.0F);
        }
    });
}

TEST_CASE("clip keeps values within the bound and leaves the others") {
    support::for_each_isa([](execution how) {
        const auto x = support::random_floats(1001, 4, 2.0F);
        std::vector<float> out(x.size());
        kernels::clip(x, 1.5F, out, how);
        bool right = true;
        for(std::size_t i = 0; i < x.size(); ++i) {
            right = right && out[i] == (x[i] > 1.5F ? 1.5F : x[i] < -1.5F ? -1.5F : x[i]);
        }
        CHECK(right);
    });
}

TEST_CASE("soft_cap keeps values within the cap") {
    support::for_each_isa([](execution how) {
        auto x = support::random_floats(1001, 3, 60.0F);
        x[0] = 1e4F;
        x[1] = -1e4F;
        std::vector<float> out(x.size());
        kernels::soft_cap(x, 30.0F, out, how);
        std::vector<double> expected;
        for(std::size_t i = 0; i < x.size(); ++i) {
            expected.push_back(30 * std::tanh(static_cast<double>(x[i]) / 30));
        }
        CHECK(support::nmse(expected, out) < 1e-13);
        CHECK(out[0] == 30.0F);
        CHECK(out[1] == -30.0F);
    });
    std::vector<float> x(3);
    CHECK_THROWS_AS(kernels::soft_cap(x, 0.0F, x), argument_error);
    CHECK_THROWS_AS(kernels::soft_cap(x, std::nanf(""), x), argument_error);
}

TEST_CASE("elementwise kernels take tensors, strides and threads") {
    tensor<float, dims<2>> a{9, 5000};
    tensor<float, dims<2>> b{9, 5000};
    const auto values = support::random_floats(a.size(), 4);
    std::copy(values.begin(), values.end(), a.data());
    std::copy(values.rbegin(), values.rend(), b.data());
    tensor<float, dims<2>> one{9, 5000};
    kernels::add(a, b, one);
    thread_team team{3};
    tensor<float, dims<2>> three{9, 5000};
    kernels::add(a, b, three, {best_isa(), &team});
    CHECK(support::same_bits(one.view().as_span(), three.view().as_span()));
    const auto left = a.view().slice<1>(0, 100);
    std::vector<float> part(900);
    kernels::add(left, b.view().slice<1>(0, 100), view<float, dyn, dyn>{part.data(), 9, 100});
    CHECK(part[850] == one(8, 50));
}

TEST_CASE("elementwise kernels name shapes that disagree") {
    std::vector<float> x(12);
    std::vector<float> y(11);
    CHECK_THROWS_WITH(kernels::add(x, y, x), ContainsSubstring("add: a is [12], b is [11]"));
    CHECK_THROWS_WITH(kernels::scale(x, 1.0F, y), ContainsSubstring("scale: x is [12], out is [11]"));
    const strided_view<float, dyn> gaps{x.data(), extents<dyn>{6}, {2}};
    CHECK_THROWS_WITH(kernels::scale(gaps, 1.0F, gaps), ContainsSubstring("stride 2"));
}
