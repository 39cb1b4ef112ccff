#include <tokenworks/models/export_tensors.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <tokenworks/io/gguf_reader.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/family_golden.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;
using detail::exported_tensor;
using detail::tensor_exporter;
using support::family_golden;

namespace {

/// A family's folder, and what exports its tensors as float32.
struct exporting {
    files::temporary_folder place;
    model_folder folder;
    tw::io::gguf_writer out;
    tensor_exporter exporter;

    explicit exporting(const std::string& family)
        : folder{opened(family)},
          exporter{folder, std::make_shared<const quantization>(quantization::named("f32")), out, {}} {}

    [[nodiscard]] model_folder opened(const std::string& family) const {
        family_golden{family}.write_to(place.string(), tw::dtype::f32);
        return model_folder::open(place.string());
    }
};

const exported_tensor& named(const std::vector<exported_tensor>& all, const std::string& name) {
    const auto found = std::ranges::find(all, name, &exported_tensor::name);
    REQUIRE(found != all.end());
    return *found;
}

} // namespace

TEST_CASE("export_tensors: each matrix is in one tensor, under the file's name", "[models]") {
    const exporting llama{"llama"};
    const std::vector<exported_tensor> all = llama.exporter.tensors({}, true);
    CHECK(named(all, "token_embd.weight").parts == std::vector<std::string>{"token_embd.weight"});
    CHECK(named(all, "blk.0.attn_q.weight").turned_heads == llama.folder.config().heads);
    CHECK(named(all, "blk.1.attn_k.weight").turned_heads == llama.folder.config().kv_heads);
    CHECK(named(all, "blk.0.attn_v.weight").turned_heads == 0);
    CHECK(llama.exporter.tensors({}, false)[1].turned_heads == 0);
}

TEST_CASE("export_tensors: fused parts lie in the order of their rows, experts one behind the other", "[models]") {
    const exporting plain{"llama"};
    const tensor_names fused{{"blk.#.attn_k", "blk.#.attn_qkv", {.rows = {8, 4, 2}}},
                             {"blk.#.attn_q", "blk.#.attn_qkv", {.rows = {8, 0, 4}}},
                             {"blk.#.attn_v", "blk.#.attn_qkv", {.rows = {8, 6, 2}}}};
    CHECK(named(plain.exporter.tensors(fused, false), "blk.0.attn_qkv.weight").parts ==
          std::vector<std::string>{"blk.0.attn_q.weight", "blk.0.attn_k.weight", "blk.0.attn_v.weight"});

    const exporting mixture{"qwen3_moe"};
    const tensor_names experts{{"blk.#.ffn_up.@", "blk.#.ffn_up_exps"}};
    const std::vector<exported_tensor> all = mixture.exporter.tensors(experts, false);
    const exported_tensor& up = named(all, "blk.0.ffn_up_exps.weight");
    CHECK(up.stacked == mixture.folder.config().mixture->routing.experts);
    CHECK(up.parts.size() == up.stacked);
    CHECK(up.parts[1] == "blk.0.ffn_up.1.weight");
}

TEST_CASE("export_tensors: what is saved are the folder's values", "[models]") {
    exporting llama{"llama"};
    for(const exported_tensor& tensor: llama.exporter.tensors({}, false)) {
        llama.exporter.add(tensor, false);
    }
    llama.out.set("general.architecture", std::string_view{"llama"});
    const std::vector<std::byte> bytes = llama.out.to_bytes();
    const auto file = tw::io::gguf_file::from_memory(bytes, "tensors");
    const auto stored = llama.folder.weights().find("blk.1.ffn_down.weight");
    REQUIRE(stored);
    const tw::io::gguf_tensor* const found = file.find_tensor("blk.1.ffn_down.weight");
    REQUIRE(found != nullptr);
    CHECK(std::ranges::equal(found->data, stored->bytes));
}
