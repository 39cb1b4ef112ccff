#include <tokenworks/models/packed_cache.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <tokenworks/core/thread_team.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"
#include "support/weights.hpp"

namespace tw = tokenworks;
using tw::kernels::packed_matrix;
using tw::models::packed_cache;
using outcome = tw::models::packed_cache_report::outcome;

namespace {

packed_matrix matrix_of(tw::dtype type, std::size_t rows, std::size_t columns, unsigned seed) {
    const auto values = support::random_floats(rows * columns, seed, 1.0F);
    const tw::dtype_info about = tw::info(type);
    std::vector<std::byte> bytes(values.size() / about.block_size * about.block_bytes);
    tw::quant::encode(type, values, bytes);
    return tw::kernels::pack(type, bytes, rows, columns);
}

std::string bytes_of(const packed_matrix& matrix) { return files::text_of(matrix.packed_bytes()); }

struct sample {
    packed_matrix a = matrix_of(tw::dtype::q4_0, 37, 64, 1);
    packed_matrix b = matrix_of(tw::dtype::f16, 16, 10, 2);

    [[nodiscard]] tw::models::packed_cache_report write(const std::string& path, std::uint64_t identity) const {
        packed_cache cache{path, identity};
        cache.keep("a", a);
        cache.keep("b", b);
        cache.finish();
        return cache.report();
    }
};

} // namespace

TEST_CASE("packed_cache: matrices come back bit by bit, for every type that can be encoded", "[models]") {
    const files::temporary_folder folder;
    using enum tw::dtype;
    for(const tw::dtype type: {f32, f16, bf16, q4_0, q4_1, q5_0, q5_1, q8_0, q4_k, q5_k, q6_k, iq4_nl}) {
        const packed_matrix original = matrix_of(type, 37, 256, 3);
        const std::string path = folder / std::string{tw::info(type).name};
        {
            packed_cache cache{path, 5};
            CHECK_FALSE(cache.find("m", type, 37, 256, {}).has_value());
            cache.keep("m", original);
            cache.finish();
            CHECK(cache.report().what == outcome::written);
            CHECK_THAT(cache.report().reason, ContainsSubstring("cannot open"));
        }
        tw::thread_team team{2};
        packed_cache cache{path, 5};
        const auto found = cache.find("m", type, 37, 256, {.threads = &team});
        REQUIRE(found.has_value());
        CHECK(bytes_of(*found) == bytes_of(original));
        CHECK(found->format() == original.format());
        cache.finish();
        CHECK(cache.report().what == outcome::read);
        CHECK(cache.report().reason.empty());
    }
}

TEST_CASE("packed_cache: what does not fit the model is packed anew, and the file written anew", "[models]") {
    const files::temporary_folder folder;
    const sample s;
    const std::string path = folder / "p";
    const auto reason = [&](std::uint64_t identity, const std::string& name, tw::dtype type, std::size_t rows,
                            std::size_t columns) {
        CHECK(s.write(path, 1).what != outcome::not_written);
        packed_cache cache{path, identity};
        CHECK_FALSE(cache.find(name, type, rows, columns, {}).has_value());
        // It is not asked any more.
        CHECK_FALSE(cache.find("a", tw::dtype::q4_0, 37, 64, {}).has_value());
        cache.keep("b", s.b);
        cache.finish();
        CHECK(cache.report().what == outcome::written);
        const std::string text = cache.report().reason;
        packed_cache again{path, identity};
        CHECK(again.find("b", tw::dtype::f16, 16, 10, {}).has_value());
        std::filesystem::remove(path);
        return text;
    };
    CHECK_THAT(reason(2, "a", tw::dtype::q4_0, 37, 64), ContainsSubstring("another model file"));
    CHECK_THAT(reason(1, "c", tw::dtype::q4_0, 37, 64), ContainsSubstring("c: is missing"));
    CHECK_THAT(reason(1, "a", tw::dtype::q4_1, 37, 64), ContainsSubstring("another shape"));
    CHECK_THAT(reason(1, "a", tw::dtype::q4_0, 38, 64), ContainsSubstring("another shape"));
    CHECK_THAT(reason(1, "a", tw::dtype::q4_0, 37, 32), ContainsSubstring("another shape"));
}

TEST_CASE("packed_cache: any damage leaves right weights or none", "[models]") {
    const files::temporary_folder folder;
    const sample s;
    CHECK(s.write(folder / "p", 1).what == outcome::written);
    const std::string good = files::read(folder / "p");
    const auto check = [&](const std::string& bytes) {
        files::write(folder / "q", bytes);
        packed_cache cache{folder / "q", 1};
        const auto a = cache.find("a", tw::dtype::q4_0, 37, 64, {});
        const auto b = cache.find("b", tw::dtype::f16, 16, 10, {});
        REQUIRE((!a || bytes_of(*a) == bytes_of(s.a)));
        REQUIRE((!b || bytes_of(*b) == bytes_of(s.b)));
        return a && b;
    };
    CHECK(check(good));
    for(std::size_t size = 0; size < good.size(); size += 7) {
        REQUIRE_FALSE(check(good.substr(0, size)));
    }
    for(std::size_t at = 0; at < good.size(); ++at) {
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ 16);
        static_cast<void>(check(bad)); // the padding may change
    }
}

TEST_CASE("packed_cache: a file that cannot be written is told, not thrown; cancelling is thrown", "[models]") {
    const files::temporary_folder folder;
    const sample s;
    const auto nowhere = s.write(folder / "no/folder", 1);
    CHECK(nowhere.what == outcome::not_written);
    CHECK_THAT(nowhere.reason, ContainsSubstring("cannot write in its folder"));
    CHECK(s.write(folder.string(), 1).what == outcome::not_written);
    files::write(folder / "text", "somebody's");
    CHECK_THAT(s.write(folder / "text", 1).reason, ContainsSubstring("no packed file"));
    CHECK(files::read(folder / "text") == "somebody's");
    CHECK(s.write("/dev/full", 1).what == outcome::not_written);
    packed_cache cache{folder / "p", 1};
    cache.keep("a", s.a);
    CHECK_THROWS_AS(cache.finish([] { return false; }), tw::cancelled_error);
    CHECK(folder.names() == std::vector<std::string>{"text"});
}
