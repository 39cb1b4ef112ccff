// A prefix cache on disk: what was computed of prompts survives the program.
//
// The file is a packed file (io/packed_format.hpp), which is written whole or not at all and whose every byte is under
// a checksum: "tree" is [N,66] of i32, a row a page with its parent's row or -1, its number of tokens and the tokens;
// "0", "1" … are the pages. Pages of salted requests and of requests with adapters are not in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/models/decoder.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/kv_cache.hpp>
#include <tokenworks/nn/page_pool.hpp>
#include <tokenworks/runtime/prefix_cache.hpp>

#if TOKENWORKS_DEFINITIONS
#include <algorithm>
#include <tokenworks/core/error.hpp>
#include <tokenworks/io/packed_reader.hpp>
#include <tokenworks/io/packed_writer.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

/// What tells one model's pages from another's: the logits that it gives to a few tokens, to the bit, and the shape of
/// its cache. So a file is refused too where other instructions would have computed other bits.
[[nodiscard]] TOKENWORKS_FUNCTION std::uint64_t prefix_identity(const models::decoder& network, nn::context& c,
                                                                const nn::page_pool& pool);

/// @param key  what of the cache is written
/// @throws io_error; the file of that name is then as it was
TOKENWORKS_FUNCTION void save_prefixes(const std::string& path, std::uint64_t identity, const std::string& key,
                                       const prefix_cache& from, const nn::page_pool& pool);

/// Adds what a file holds, as far as there are free pages.
/// @return tokens   @throws io_error, format_error, unsupported_error: then nothing has changed
TOKENWORKS_FUNCTION std::size_t load_prefixes(const std::string& path, std::uint64_t identity, const std::string& key,
                                              prefix_cache& to, nn::page_pool& pool);

#if TOKENWORKS_DEFINITIONS

namespace detail {

inline constexpr std::size_t tree_row = 2 + prefix_cache::page_tokens;

} // namespace detail

TOKENWORKS_FUNCTION std::uint64_t prefix_identity(const models::decoder& network, nn::context& c,
                                                  const nn::page_pool& pool) {
    constexpr std::size_t most = 8;
    const std::size_t vocab = network.vocab_size();
    std::vector<token_id> tokens;
    for(std::size_t i = 0; i < std::min({most, vocab, network.config().context_length}); ++i) {
        tokens.push_back(static_cast<token_id>(i * (vocab / most) % vocab));
    }
    const nn::page_pool::shape& shape = pool.shape_of_token();
    nn::kv_cache cache = network.make_cache(tokens.size(), shape.type);
    std::vector<float> logits(vocab);
    const models::decoder_input input{.cache = &cache, .tokens = tokens};
    network.forward(c, std::span{&input, 1}, nn::rows{logits.data(), 1, vocab});
    const std::uint64_t numbers[] = {shape.layers, shape.kv_heads, shape.key_width, shape.value_width,
                                     static_cast<std::uint64_t>(shape.type)};
    return io::checksum(std::as_bytes(std::span{logits}), io::checksum(std::as_bytes(std::span{numbers})));
}

TOKENWORKS_FUNCTION void save_prefixes(const std::string& path, std::uint64_t identity, const std::string& key,
                                       const prefix_cache& from, const nn::page_pool& pool) {
    std::vector<std::int32_t> tree;
    std::vector<nn::page_pool::page> pages;
    std::vector<std::int32_t> rows; // of the places of for_each; -1: of another key
    from.for_each([&](const std::string& of, std::optional<std::size_t> parent, std::span<const token_id> tokens,
                      nn::page_pool::page page) {
        if(of != key) {
            rows.push_back(-1);
            return;
        }
        rows.push_back(static_cast<std::int32_t>(pages.size()));
        tree.push_back(parent ? rows[*parent] : -1);
        tree.push_back(static_cast<std::int32_t>(tokens.size()));
        tree.insert(tree.end(), tokens.begin(), tokens.end());
        pages.push_back(page);
        tree.resize(pages.size() * detail::tree_row);
    });
    io::basic_packed_writer<> file{path, identity};
    file.add("tree", dtype::i32, pages.size(), detail::tree_row, std::as_bytes(std::span{tree}));
    std::vector<std::byte> half(pool.splits() ? pool.page_bytes() : 0); // as the page that it would be the first of
    for(std::size_t i = 0; i < pages.size(); ++i) {
        const std::byte* bytes = pool.data(pages[i]);
        if(pool.is_half(pages[i])) {
            pool.read(pages[i], half.data());
            bytes = half.data();
        }
        file.add(std::to_string(i), pool.shape_of_token().type, 1, pool.page_bytes(), {bytes, pool.page_bytes()});
    }
    file.commit();
}

TOKENWORKS_FUNCTION std::size_t load_prefixes(const std::string& path, std::uint64_t identity, const std::string& key,
                                              prefix_cache& to, nn::page_pool& pool) {
    const io::packed_file file{path, identity};
    const auto refuse = [&](std::string_view what, std::uint64_t offset) {
        tokenworks::detail::raise_format(path, {"tree"}, offset, {what});
    };
    const io::packed_entry* const table = file.find("tree");
    constexpr std::size_t row_bytes = detail::tree_row * sizeof(std::int32_t);
    if(table == nullptr || table->bytes % row_bytes != 0 ||
       file.entries().size() != static_cast<std::size_t>(table->bytes / row_bytes) + 1) {
        refuse("does not tell of every page", table == nullptr ? 0 : table->offset);
    }
    std::vector<std::int32_t> tree(static_cast<std::size_t>(table->bytes) / sizeof(std::int32_t));
    file.read(*table, std::as_writable_bytes(std::span{tree}));
    const std::size_t count = tree.size() / detail::tree_row;
    const auto row = [&](std::size_t i) { return std::span{tree}.subspan(i * detail::tree_row, detail::tree_row); };
    std::vector<bool> is_parent(count);
    for(std::size_t i = 0; i < count; ++i) {
        const std::int32_t parent = row(i)[0];
        const std::int32_t tokens = row(i)[1];
        const bool is_whole = parent < 0 || (static_cast<std::size_t>(parent) < i &&
                                             row(static_cast<std::size_t>(parent))[1] ==
                                                 static_cast<std::int32_t>(prefix_cache::page_tokens));
        if(parent < -1 || !is_whole || tokens < 1 || tokens > static_cast<std::int32_t>(prefix_cache::page_tokens)) {
            refuse("a row is no page behind a full one", table->offset + i * row_bytes);
        }
        if(parent >= 0) {
            is_parent[static_cast<std::size_t>(parent)] = true;
        }
    }
    // All of the file is read before anything is added. What does not fit is checked as well.
    nn::page_list pages{pool, count};
    std::vector<std::byte> rest(pool.page_bytes());
    for(std::size_t i = 0; i < count; ++i) {
        const io::packed_entry* const entry = file.find(std::to_string(i));
        if(entry == nullptr || entry->bytes != pool.page_bytes()) {
            refuse("a page is missing, or of another size", table->offset + i * row_bytes);
        }
        if(pool.free_pages() != 0) {
            pages.grow();
            file.read(*entry, {pool.data(pages.pages()[i]), pool.page_bytes()});
        } else {
            file.read(*entry, rest);
        }
    }
    std::size_t added = 0;
    for(std::size_t i = 0; i < pages.size(); ++i) {
        added += static_cast<std::size_t>(row(i)[1]);
        if(is_parent[i] && i + 1 != pages.size()) {
            continue; // comes with those behind it
        }
        std::vector<std::size_t> way;
        for(std::int32_t at = static_cast<std::int32_t>(i); at >= 0; at = row(static_cast<std::size_t>(at))[0]) {
            way.push_back(static_cast<std::size_t>(at));
        }
        std::ranges::reverse(way);
        nn::kv_cache cache{pool, way.size() * prefix_cache::page_tokens};
        std::vector<token_id> tokens;
        for(const std::size_t each: way) {
            const std::span<const std::int32_t> of = row(each).subspan(2, static_cast<std::size_t>(row(each)[1]));
            cache.adopt(pages.pages()[each], of.size());
            tokens.insert(tokens.end(), of.begin(), of.end());
        }
        to.keep(key, tokens, cache);
    }
    return added;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
