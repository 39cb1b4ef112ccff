// Decoding a row of 64 Ki elements to float32, and encoding it, for every type. bytes_per_second counts the encoded
// bytes, items_per_second the elements; f32 (a copy) is the bound that memory sets. Baseline: the copy.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <tokenworks/quant/convert.hpp>

namespace {

using namespace tokenworks;

constexpr std::size_t elements = 65536;

std::vector<float> values() {
    std::vector<float> out(elements);
    std::uint32_t state = 1;
    for(float& value: out) { // the sum of four uniform numbers: near enough to normal
        value = 0.0F;
        for(int i = 0; i < 4; ++i) {
            state = state * 1664525U + 1013904223U;
            value += static_cast<float>(static_cast<std::int32_t>(state)) * 0x1p-31F;
        }
    }
    return out;
}

std::vector<std::byte> random_bytes(const dtype_info& row) {
    std::vector<std::byte> out(elements / row.block_size * row.block_bytes);
    std::uint32_t state = 1;
    for(std::byte& byte: out) {
        state = state * 1664525U + 1013904223U;
        byte = static_cast<std::byte>(state >> 25); // below 128: hardly any infinities and NaNs
    }
    return out;
}

void count(benchmark::State& state, std::size_t bytes) {
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(elements));
}

void decode_type(benchmark::State& state, dtype_info row) {
    const std::vector<std::byte> bytes = random_bytes(row);
    std::vector<float> out(elements);
    for(auto _: state) {
        quant::decode(row.type, bytes, out);
        benchmark::DoNotOptimize(out.data());
        benchmark::ClobberMemory();
    }
    count(state, bytes.size());
}

void encode_type(benchmark::State& state, dtype_info row) {
    const std::vector<float> source = values();
    std::vector<std::byte> bytes(elements / row.block_size * row.block_bytes);
    for(auto _: state) {
        quant::encode(row.type, source, bytes);
        benchmark::DoNotOptimize(bytes.data());
        benchmark::ClobberMemory();
    }
    count(state, bytes.size());
}

} // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    for(const dtype_info& row: dtype_table) {
        benchmark::RegisterBenchmark(("decode/" + std::string{row.name}).c_str(), decode_type, row);
    }
    for(const dtype_info& row: dtype_table) {
        if(quant::can_encode(row.type)) {
            benchmark::RegisterBenchmark(("encode/" + std::string{row.name}).c_str(), encode_type, row);
        }
    }
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
