#include "support/catch.hpp"

#include <cstddef>
#include <span>
#include <vector>

#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/kernels/matmul.hpp>
#include <tokenworks/kernels/row_dots.hpp>

#include "support/kernels.hpp"

using namespace tokenworks;

TEST_CASE("one row times rows as they lie has the bits of packed weights") {
    for(const std::size_t columns: {1U, 2U, 3U, 4U, 5U, 31U, 32U, 127U, 128U, 129U, 300U}) {
        for(const std::size_t outputs: {1U, 7U, 8U, 9U, 15U, 16U, 17U, 40U}) {
            CAPTURE(columns, outputs);
            const std::size_t stride = columns + 3; // rows with gaps between them
            const std::vector<float> w = support::random_floats(outputs * stride, 61);
            std::vector<float> dense;
            for(std::size_t n = 0; n < outputs; ++n) {
                const auto row = std::span{w}.subspan(n * stride, columns);
                dense.insert(dense.end(), row.begin(), row.end());
            }
            const std::vector<float> x = support::random_floats(columns, 62);
            const kernels::packed_matrix packed =
                kernels::pack(dtype::f32, std::as_bytes(std::span{dense}), outputs, columns);
            const view<const float, dyn, dyn> from{x.data(), 1, columns};
            thread_team threads{2};
            support::for_each_isa([&](execution how) {
                CAPTURE(name(how.set));
                std::vector<float> wanted(outputs, 0.5F);
                std::vector<float> found(outputs, 0.5F);
                kernels::matmul(from, packed, view<float, dyn, dyn>{wanted.data(), 1, outputs}, {.add = true}, how);
                how.threads = &threads;
                kernels::matmul(from,
                                strided_view<const float, dyn, dyn>{w.data(), dims<2>{outputs, columns}, {stride, 1}},
                                view<float, dyn, dyn>{found.data(), 1, outputs}, {.add = true}, how);
                CHECK(support::same_bits(found, wanted));
            });
        }
    }
}

TEST_CASE("the loops over rows read nothing behind the last row, and add to what is there") {
    support::for_each_isa([&](execution how) {
        const kernels::detail::row_dots_function dots = kernels::detail::row_dots_for(how.set);
        if(dots == nullptr) {
            return;
        }
        const std::vector<float> w{1, 2, 3, 4, 5, 6}; // exactly two rows of three: a sanitizer sees one read too many
        const std::vector<float> x{1, 10, 100};
        std::vector<float> acc{0.5F, 1.5F};
        dots(w.data(), 3, 2, x.data(), 3, acc.data());
        CHECK(acc == std::vector<float>{321.5F, 655.5F});
    });
}
