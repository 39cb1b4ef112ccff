#include <tokenworks/models/packed_identity.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/tiny_model.hpp"

namespace tw = tokenworks;

namespace {

std::uint64_t identity(std::vector<std::byte> bytes) {
    const support::gguf_in_memory model{std::move(bytes)};
    return tw::models::packed_identity(model.file);
}

} // namespace

TEST_CASE("packed_identity: the same content, the same number, wherever it lies", "[models]") {
    CHECK(identity(support::tiny_model{}.bytes()) == identity(support::tiny_model{}.bytes()));
}

TEST_CASE("packed_identity: metadata, seeds, types and the size change it", "[models]") {
    const std::vector<std::byte> bytes = support::tiny_model{}.bytes();
    const std::uint64_t own = identity(bytes);
    CHECK(identity(support::tiny_model{.context = 65}.bytes()) != own);
    CHECK(identity(support::tiny_model{.seed = 2}.bytes()) != own);
    CHECK(identity(support::tiny_model{.type = tw::dtype::bf16}.bytes()) != own);
    const support::gguf_in_memory same{bytes};
    CHECK(tw::models::packed_identity(same.file, tw::kernels::matmul_precision::medium) != own);
    std::vector<std::byte> longer = bytes;
    longer.resize(longer.size() + 32);
    CHECK(identity(longer) != own);
}

TEST_CASE("packed_identity: small tensors are seen as a whole, large ones at five places", "[models]") {
    const support::tiny_model model{.width = 256, .layers = 1, .feed_forward = 512, .type = tw::dtype::f32};
    const std::vector<std::byte> bytes = model.bytes();
    const std::uint64_t own = identity(bytes);
    const support::gguf_in_memory opened{bytes};
    for(const std::string name: {"blk.0.attn_norm.weight", "blk.0.ffn_up.weight"}) {
        const auto& tensor = opened.file.tensor(name);
        REQUIRE((tensor.bytes > 5 * 4096) == (name == "blk.0.ffn_up.weight"));
        for(const std::uint64_t at: {std::uint64_t{0}, tensor.bytes / 2, tensor.bytes - 1}) {
            std::vector<std::byte> changed = bytes;
            changed[static_cast<std::size_t>(tensor.offset + at)] ^= std::byte{1};
            CHECK(identity(changed) != own);
        }
    }
}
