// Fuzzes files of saved prefixes, which a server reads at its start: whatever is in them, the cache is whole
// afterwards.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include <tokenworks/core/error.hpp>
#include <tokenworks/io/posix.hpp>
#include <tokenworks/runtime/saved_prefixes.hpp>

#include "gguf_oracle.hpp"
#include "packed_mutator.hpp"
#include "support/allocations.hpp"

namespace {

namespace nn = tokenworks::nn;
namespace runtime = tokenworks::runtime;

constexpr nn::page_pool::shape shape{
    .layers = 1, .kv_heads = 1, .key_width = 1, .value_width = 1, .type = tokenworks::dtype::f32};
constexpr std::size_t pages = 12;
constexpr std::uint64_t identity = 7; // of the seeds

/// A file in memory that has a name.
class memory_file {
public:
    explicit memory_file(std::span<const std::uint8_t> bytes) : file_{::memfd_create("fuzz", MFD_CLOEXEC)} {
        while(!bytes.empty()) {
            const ssize_t count = ::write(file_.get(), bytes.data(), bytes.size());
            fuzz::must(count > 0, "memory can be written");
            bytes = bytes.subspan(static_cast<std::size_t>(count));
        }
    }
    [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(file_.get()); }

private:
    tokenworks::io::detail::descriptor file_;
};

/// Everything in the tree can be found, and nothing else.
void check(const runtime::prefix_cache& kept, nn::page_pool& pool, std::size_t added) {
    std::vector<std::vector<runtime::token_id>> ways;
    std::size_t tokens = 0;
    kept.for_each([&](const std::string& key, std::optional<std::size_t> parent, std::span<const runtime::token_id> of,
                      nn::page_pool::page page) {
        fuzz::must(key == "k" && page < pool.pages() && pool.users(page) == 1, "a page is the tree's own");
        fuzz::must(!of.empty() && of.size() <= runtime::prefix_cache::page_tokens, "a page has tokens");
        std::vector<runtime::token_id>& way = ways.emplace_back(parent ? ways[*parent] : decltype(ways)::value_type{});
        fuzz::must(way.size() % runtime::prefix_cache::page_tokens == 0, "it stands behind a full one");
        way.insert(way.end(), of.begin(), of.end());
        tokens += of.size();
    });
    for(const auto& way: ways) {
        fuzz::must(kept.find("k", way) == way.size(), "what was read is found");
        fuzz::must(kept.find("other", way) == 0, "under its key alone");
    }
    fuzz::must(ways.size() == kept.idle_pages() && ways.size() == pool.pages() - pool.free_pages(), "no page is lost");
    fuzz::must(tokens <= added, "it says how many tokens came");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if(size > std::size_t{1} << 16) {
        return 0;
    }
    const memory_file file{{data, size}};
    nn::page_pool pool{shape, pages};
    runtime::prefix_cache kept{pool};
    const std::size_t before = support::allocated_bytes;
    try {
        const std::size_t added = runtime::load_prefixes(file.path(), identity, "k", kept, pool);
        fuzz::must(support::allocated_bytes - before <= (std::size_t{1} << 20) + 64 * size,
                   "memory follows the size of the file");
        check(kept, pool, added);
    } catch(const tokenworks::error&) {
        fuzz::must(pool.free_pages() == pages && kept.idle_pages() == 0, "a refusal changes nothing");
        fuzz::must(support::allocated_bytes - before <= (std::size_t{1} << 20) + 64 * size,
                   "memory follows the size of the file");
    }
    return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
    return fuzz::mutate_packed(data, size, most, seed, true);
}
