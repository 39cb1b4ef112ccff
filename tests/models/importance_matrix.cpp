#include <tokenworks/models/importance_matrix.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <tokenworks/io/gguf_writer.hpp>

#include "support/catch.hpp"

namespace tw = tokenworks;
using tokenworks::models::importance_matrix;

namespace {

class binary {
public:
    binary& number(std::int32_t value) { return put(&value, sizeof value); }
    binary& real(float value) { return put(&value, sizeof value); }
    binary& text(const std::string& value) { return put(value.data(), value.size()); }
    std::vector<std::byte> bytes;

private:
    binary& put(const void* from, std::size_t count) {
        const auto* const first = static_cast<const std::byte*>(from);
        bytes.insert(bytes.end(), first, first + count);
        return *this;
    }
};

} // namespace

TEST_CASE("importance_matrix: GGUF form, a row for each expert", "[models]") {
    const float sums[] = {2, 4, 6, 10, 0, 30};
    const float counts[] = {2, 10};
    const float unused[] = {5, 5};
    const float none[] = {0};
    tw::io::gguf_writer out;
    out.set("general.type", std::string_view{"imatrix"});
    out.add_tensor("blk.0.ffn_up_exps.weight.in_sum2", tw::dtype::f32, {3, 2}, std::as_bytes(std::span{sums}));
    out.add_tensor("blk.0.ffn_up_exps.weight.counts", tw::dtype::f32, {1, 2}, std::as_bytes(std::span{counts}));
    out.add_tensor("output.weight.in_sum2", tw::dtype::f32, {2}, std::as_bytes(std::span{unused}));
    out.add_tensor("output.weight.counts", tw::dtype::f32, {1}, std::as_bytes(std::span{none}));
    const importance_matrix made = importance_matrix::from_memory(out.to_bytes(), "imatrix.gguf");
    CHECK(made.size() == 2);
    const auto experts = made.find("blk.0.ffn_up_exps.weight");
    CHECK(std::vector<float>(experts.begin(), experts.end()) == std::vector<float>{1, 2, 3, 1, 0, 3});
    const auto head = made.find("output.weight");
    CHECK(std::vector<float>(head.begin(), head.end()) == std::vector<float>{1, 1});
    CHECK(made.find("blk.1.ffn_up.weight").empty());
}

TEST_CASE("importance_matrix: binary form, and every cut of it is refused", "[models]") {
    binary file;
    file.number(2).number(3).text("a.w").number(2).number(2).real(2).real(8);
    file.number(1).text("b").number(0).number(1).real(7);
    const importance_matrix made = importance_matrix::from_memory(file.bytes, "imatrix.dat");
    CHECK(made.find("a.w")[1] == 4);
    CHECK(made.find("b")[0] == 7);
    for(std::size_t size = 0; size < file.bytes.size(); ++size) {
        CHECK_THROWS_AS(importance_matrix::from_memory(std::span{file.bytes}.first(size), "cut"), tw::format_error);
    }
    binary changed = file;
    changed.bytes[21] = std::byte{0xFF}; // the first sum becomes negative
    changed.bytes[22] = std::byte{0xFF};
    CHECK_THROWS_AS(importance_matrix::from_memory(changed.bytes, "negative"), tw::format_error);
    CHECK(importance_matrix::from_memory(file.bytes, "x").identity() == made.identity());
    binary other;
    other.number(1).number(1).text("b").number(1).number(1).real(7);
    CHECK(importance_matrix::from_memory(other.bytes, "x").identity() != made.identity());
}

TEST_CASE("importance_matrix: a matrix that sees the same stands in for one that is not there", "[models]") {
    const auto made = [](const std::string& name) {
        binary file;
        file.number(1).number(static_cast<std::int32_t>(name.size())).text(name).number(1).number(1).real(7);
        return importance_matrix::from_memory(file.bytes, "imatrix.dat");
    };
    for(const char* const part: {"q", "k", "v"}) {
        CHECK(made("blk.3.attn_qkv.weight").find("blk.3.attn_" + std::string{part} + ".weight").size() == 1);
    }
    CHECK(made("blk.3.attn_qkv.weight").find("blk.4.attn_q.weight").empty());
    CHECK(made("blk.3.attn_q.weight").find("blk.3.attn_qkv.weight").size() == 1);
    CHECK(made("blk.3.ffn_up.weight").find("blk.3.ffn_gate.weight").size() == 1);
    CHECK(made("blk.3.ffn_up_exps.weight").find("blk.3.ffn_gate_exps.weight").size() == 1);
    CHECK(made("blk.3.ffn_up.weight").find("blk.3.ffn_gate_inp.weight").empty());
    CHECK(made("blk.3.ffn_up.weight").find("blk.3.ffn_down.weight").empty());
}

TEST_CASE("importance_matrix: a GGUF file that is none", "[models]") {
    tw::io::gguf_writer out;
    out.set("general.type", std::string_view{"model"});
    CHECK_THROWS_WITH(importance_matrix::from_memory(out.to_bytes(), "model.gguf"), Catch::Contains("in_sum2"));
}
