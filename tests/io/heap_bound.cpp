// Memory that opening a file takes: counted at operator new, and refused at every single allocation in turn.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>

#include <malloc.h>

#include <tokenworks/core/limits.hpp>
#include <tokenworks/io/gguf.hpp>
#include <tokenworks/io/safetensors.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
namespace io = tokenworks::io;
using files::builder;

namespace {

struct heap_count {
    static inline std::atomic<std::int64_t> now{0};
    static inline std::atomic<std::int64_t> peak{0};
    static inline std::atomic<std::int64_t> fail_after{-1}; // allocations that still succeed; negative: all

    static void* take(std::size_t size, std::size_t alignment) {
        if(fail_after.load() >= 0 && fail_after.fetch_sub(1) == 0) {
            return nullptr;
        }
        void* const data = alignment <= alignof(std::max_align_t)
                               ? std::malloc(size)
                               : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
        if(data != nullptr) {
            const std::int64_t held = now += static_cast<std::int64_t>(::malloc_usable_size(data));
            std::int64_t most = peak.load();
            while(held > most && !peak.compare_exchange_weak(most, held)) {
            }
        }
        return data;
    }
    static void give(void* data) noexcept {
        now -= static_cast<std::int64_t>(::malloc_usable_size(data));
        std::free(data);
    }

    /// Bytes of heap that the call holds at its worst moment, above what was held before.
    template <class Call>
    static std::uint64_t of(Call&& call) {
        const std::int64_t before = now.load();
        peak = before;
        call();
        return static_cast<std::uint64_t>(peak.load() - before);
    }
};

} // namespace

// All forms: a sanitizer brings its own of those that are missing, which would not match.
void* operator new(std::size_t size) {
    if(void* const data = heap_count::take(size, 1)) {
        return data;
    }
    throw std::bad_alloc{};
}
void* operator new(std::size_t size, std::align_val_t alignment) {
    if(void* const data = heap_count::take(size, static_cast<std::size_t>(alignment))) {
        return data;
    }
    throw std::bad_alloc{};
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return heap_count::take(size, 1); }
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return heap_count::take(size, 1); }
void operator delete(void* data) noexcept { heap_count::give(data); }
void operator delete(void* data, std::size_t) noexcept { heap_count::give(data); }
void operator delete(void* data, std::align_val_t) noexcept { heap_count::give(data); }
void operator delete(void* data, std::size_t, std::align_val_t) noexcept { heap_count::give(data); }
void operator delete(void* data, const std::nothrow_t&) noexcept { heap_count::give(data); }
void operator delete[](void* data) noexcept { heap_count::give(data); }
void operator delete[](void* data, std::size_t) noexcept { heap_count::give(data); }
void operator delete[](void* data, const std::nothrow_t&) noexcept { heap_count::give(data); }

namespace {

/// Opens a file and walks its texts; bytes of these.
std::size_t open_gguf(const std::string& text) {
    const io::gguf_file file = io::gguf_file::from_memory(files::bytes_of(text), "m");
    std::size_t all = 0;
    if(file.find("texts") != nullptr) {
        for(const std::string_view t: file.get<io::string_array>("texts")) {
            all += t.size();
        }
    }
    return all;
}

void open_safetensors(const std::string& text) { (void)io::safetensors_file::from_memory(files::bytes_of(text), "m"); }

std::string safetensors_text(const std::string& header) { return builder{}.text(header).string(); }

} // namespace

TEST_CASE("the heap stays under its bound for metadata of every shape", "[io][heap]") {
    SECTION("a million empty strings") {
        builder b;
        b.gguf(0, 1).text("texts").u32(9).u32(8).u64(1'000'000).fill(8'000'000, '\0');
        CHECK(heap_count::of([&] { (void)open_gguf(b.string()); }) < 4'000'000); // far below the bound of 80 MB
    }
    SECTION("many small values") {
        builder b;
        b.gguf(0, 500'000);
        for(std::uint32_t i = 0; i < 500'000; ++i) { // the shortest keys there are
            std::string key{static_cast<char>(i), static_cast<char>(i >> 8), static_cast<char>(i >> 16)};
            b.text(key).u32(0).u8(1);
        }
        CHECK(heap_count::of([&] { (void)open_gguf(b.string()); }) < tw::limits::heap_bound(b.string().size()));
    }
    SECTION("many small tensors") {
        const auto long_name = GENERATE(false, true);
        const std::uint32_t count = 200'000;
        builder b;
        b.gguf(count, 1).value_u32("general.alignment", 8);
        for(std::uint32_t i = 0; i < count; ++i) {
            std::string name{static_cast<char>(i), static_cast<char>(i >> 8), static_cast<char>(i >> 16)};
            name.resize(long_name ? 17 : 3);
            b.tensor(name, {1}, 24, std::uint64_t{8} * i);
        }
        const std::size_t metadata = b.string().size();
        b.pad(8).fill(8 * count);
        CHECK(heap_count::of([&] { (void)open_gguf(b.string()); }) < tw::limits::heap_bound(metadata));
    }
    SECTION("counts that lie in a large file") {
        builder b;
        b.gguf(1'000'000, 1'000'000).fill(100'000'000, '\1');
        CHECK(heap_count::of([&] { CHECK_THROWS_AS((void)open_gguf(b.string()), tw::error); }) < 100'000);
    }
    SECTION("many texts of safetensors metadata") {
        std::string header = "{\"__metadata__\":{";
        for(int i = 0; i < 300'000; ++i) {
            header += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":\"\"";
        }
        header += "}}";
        const std::string text = safetensors_text(header);
        CHECK(heap_count::of([&] { open_safetensors(text); }) < tw::limits::heap_bound(header.size()));
    }
    SECTION("many small tensors of safetensors") {
        const auto shape = GENERATE(as<std::string>{}, "0", "0,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1");
        std::string header = "{";
        for(int i = 0; i < 100'000; ++i) {
            header += (i == 0 ? "\"" : ",\"") + std::to_string(i) + R"(":{"dtype":"U8","shape":[)" + shape +
                      R"(],"data_offsets":[0,0]})";
        }
        header += "}";
        const std::string text = safetensors_text(header);
        CHECK(heap_count::of([&] { open_safetensors(text); }) < tw::limits::heap_bound(header.size()));
    }
    SECTION("an index of many tensors") {
        std::string text = "{\"weight_map\":{";
        for(int i = 0; i < 300'000; ++i) {
            text += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":\"f\"";
        }
        text += "}}";
        const auto parse = [&] {
            const tw::limits bounds;
            (void)io::detail::parse_safetensors_index(files::bytes_of(text), "m", bounds);
        };
        CHECK(heap_count::of(parse) < tw::limits::heap_bound(text.size()));
    }
}

TEST_CASE("every allocation may fail, and nothing is left behind", "[io][heap]") {
    const auto check = [](auto&& work) {
        work(); // whatever is made once is made now
        const std::int64_t before = heap_count::now.load();
        int failures = 0;
        for(;; ++failures) {
            bool failed = false;
            heap_count::fail_after = failures;
            try {
                work();
            } catch(const std::bad_alloc&) {
                failed = true;
            }
            heap_count::fail_after = -1;
            REQUIRE(heap_count::now.load() == before);
            if(!failed) {
                break;
            }
        }
        CHECK(failures > 5);
    };
    const std::string sample = files::sample_gguf();
    check([&] { (void)open_gguf(sample); });
    const std::string tensors = files::read(std::string{TOKENWORKS_TEST_DATA} + "/io/tensors.safetensors");
    check([&] { open_safetensors(tensors); });

    const files::temporary_folder folder;
    const std::string path = folder / "f";
    files::write(path, "old");
    int saved = 0;
    check([&] {
        io::gguf_writer writer;
        writer.set("general.architecture", "llama");
        writer.add_tensor("t", tw::dtype::i8, {3}, files::bytes_of("abc"));
        writer.save(path);
        ++saved;
    });
    CHECK(saved == 2);
    CHECK(folder.names().size() == 1);
}
