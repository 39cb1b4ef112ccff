// Keys and values of the tokens of one sequence, for every layer.
//
// A layer's keys lie side by side (kernels/key_blocks.hpp), its values as [G][capacity][D]: what one head reads is
// one stream. Or they lie in pages that sequences share (nn/page_pool.hpp). Storage is float32, float16 (the default),
// bfloat16, or blocks of 32 values in 8 or 4 bits; what is stored for a token never depends on the tokens around it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/allocator.hpp>
#include <tokenworks/core/checked.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/float16.hpp>
#include <tokenworks/core/simd.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/kernels/key_blocks.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/page_pool.hpp>
#include <tokenworks/quant/encode_legacy.hpp>
#include <tokenworks/quant/legacy.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::nn {

namespace detail {

/// Rounds a row of floats to f16, to nearest even.
template <class Isa>
struct store_half {
    static TOKENWORKS_INLINE void run(const float* from, f16* to, std::size_t count) {
        std::size_t i = 0;
        for(; i + simd::lanes <= count; i += simd::lanes) {
            simd::f32x16<Isa>::load(from + i).store(to + i);
        }
        for(; i < count; ++i) {
            to[i] = f16{from[i]};
        }
    }
};

/// Rounds a row of floats to blocks of 32.
template <class Block>
void store_blocks(const float* from, std::byte* to, std::size_t count) {
    for(std::size_t i = 0; i < count; i += Block::size, to += sizeof(Block)) {
        Block block;
        quant::encode(from + i, block);
        std::memcpy(to, &block, sizeof block);
    }
}

} // namespace detail

/// The cache of one sequence. Memory is reserved at once, and touched as tokens come; or taken from a pool of pages, by
/// make_room, before tokens come.
class kv_cache {
public:
    /// @param capacity  tokens
    /// @param type      f32, f16, bf16, q8_0 or q4_0
    /// @throws unsupported_error for another type; argument_error where blocks of 32 do not fit the head widths, or
    ///         the sizes overflow; std::bad_alloc
    kv_cache(std::size_t layers, std::size_t kv_heads, std::size_t key_width, std::size_t value_width,
             std::size_t capacity, dtype type = dtype::f16);

    /// In pages of a pool, which must outlive it.
    /// @param capacity  tokens at most
    /// @throws unsupported_error, argument_error as above
    kv_cache(page_pool& pool, std::size_t capacity)
        : kv_cache{0,
                   pool.shape_of_token().kv_heads,
                   pool.shape_of_token().key_width,
                   pool.shape_of_token().value_width,
                   capacity,
                   pool.shape_of_token().type} {
        pages_ = page_list{pool, capacity / page_pool::page_tokens + 1};
    }

    /// Whether keys and values can be kept in this type.
    [[nodiscard]] static constexpr bool holds(dtype type) noexcept {
        return std::ranges::find(types, type) != std::end(types);
    }
    static constexpr dtype types[] = {dtype::f32, dtype::f16, dtype::bf16, dtype::q8_0, dtype::q4_0};

    using heads_view = strided_view<const float, dyn, dyn, dyn>;

    kv_cache(kv_cache&&) noexcept = default;
    kv_cache& operator=(kv_cache&&) noexcept = default;

    /// Tokens held.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
    [[nodiscard]] dtype type() const noexcept { return type_; }
    /// Bytes reserved; of a cache in pages, those of its pages, whoever else uses them.
    [[nodiscard]] std::size_t bytes() const noexcept {
        return is_paged() ? pages_.room() / page_pool::half_tokens * (pages_.pool()->page_bytes() / 2)
                          : layers_.size() * (key_bytes() + value_bytes());
    }
    [[nodiscard]] bool is_paged() const noexcept { return pages_.pool() != nullptr; }
    /// Its pages, in order; none where it is in one piece.
    [[nodiscard]] const page_list& pages() const noexcept { return pages_; }
    /// Bytes that a cache of that shape reserves.
    /// @throws as the constructor, but for std::bad_alloc
    [[nodiscard]] static std::uint64_t bytes_of(std::size_t layers, std::size_t kv_heads, std::size_t key_width,
                                                std::size_t value_width, std::size_t capacity,
                                                dtype type = dtype::f16) {
        const kv_cache empty{0, kv_heads, key_width, value_width, capacity, type};
        const auto sum = checked_mul(layers, std::uint64_t{empty.key_bytes()} + empty.value_bytes());
        return sum ? *sum : empty.refuse_capacity(key_width);
    }

    /// @throws capacity_error naming both numbers, where `more` tokens do not fit
    void require_room(std::size_t more) const {
        if(more > capacity_ - size_) {
            tokenworks::detail::raise<capacity_error>(
                {"kv_cache: ", size_, " tokens and ", more, " more do not fit a context of ", capacity_});
        }
        if(is_paged() && more > pages_.room() - size_) {
            tokenworks::detail::raise<capacity_error>({"kv_cache: ", size_, " tokens and ", more, " more do not fit ",
                                                       pages_.size(), " pages: make_room comes first"});
        }
    }

    /// Free pages that make_room would take.
    [[nodiscard]] std::size_t pages_needed(std::size_t more) const noexcept {
        if(!is_paged() || more == 0) {
            return 0;
        }
        const page_pool& pool = *pages_.pool();
        const std::size_t pages = page_pool::pages_for(size_ + more);
        const std::size_t held = std::min(pages, pages_.size());
        const change last = change_of_last(more);
        const bool copies_to_half = last == change::copy && ends_in_half(more) && held == pages;
        const bool takes_half = copies_to_half || (pages != held && ends_in_half(more));
        // Widening a half takes the other one, which is free.
        const bool finds_half = takes_half && pool.free_halves() > (last == change::widen ? 1 : 0);
        return pages - held + (last == change::copy ? 1 : 0) - (finds_half ? 1 : 0);
    }

    /// Takes the pages that so many tokens need, and copies the last one if others read what it would write over, or if
    /// it is a half that becomes too small. No effect where the cache is in one piece. Allocates nothing.
    /// @throws capacity_error where they do not fit, or the pool has too few pages: then nothing has changed
    void make_room(std::size_t more) {
        if(is_paged() && more != 0 && more <= capacity_ - size_) {
            if(const std::size_t needed = pages_needed(more); needed > pages_.pool()->free_pages()) {
                tokenworks::detail::raise<capacity_error>({"kv_cache: ", more, " more tokens take ", needed, " pages, ",
                                                           pages_.pool()->free_pages(), " are free"});
            }
            const std::size_t pages = page_pool::pages_for(size_ + more);
            const change last = change_of_last(more);
            if(last == change::widen) {
                pages_.widen_last();
            } else if(last == change::copy) {
                const std::size_t before = (pages_.size() - 1) * page_pool::page_tokens;
                pages_.own_last(size_ - std::min(size_, before), pages <= pages_.size() && ends_in_half(more));
            }
            while(pages_.size() < pages) {
                pages_.grow(pages_.size() + 1 == pages && ends_in_half(more));
            }
        }
        require_room(more);
    }

    /// Takes over tokens that were computed for another sequence, behind those that it holds, which fill their pages.
    /// @param page    of its pool; holds the next `count` tokens, no more than it has room for
    /// @throws argument_error where the cache is in one piece, or its last page is not full; capacity_error
    void adopt(page_pool::page page, std::size_t count) {
        if(!is_paged() || size_ != pages_.size() * page_pool::page_tokens || count > pages_.pool()->room(page)) {
            tokenworks::detail::raise<argument_error>(
                {"kv_cache: a page of ", count, " tokens behind ", size_, " that do not fill theirs"});
        }
        if(count > capacity_ - size_) {
            require_room(count);
        }
        pages_.share(page);
        size_ += count;
    }

    /// Forgets all but the first n tokens.
    /// @throws argument_error where there are fewer
    void truncate(std::size_t n) {
        if(n > size_) {
            tokenworks::detail::raise<argument_error>({"kv_cache: cannot keep ", n, " of ", size_, " tokens"});
        }
        size_ = n;
        pages_.shrink(page_pool::pages_for(n));
    }

    /// Becomes what another cache of the same model holds. The first `same` tokens are in both already and are left
    /// alone, so that sequences which parted a while ago cost what came since.
    /// @throws shape_error for a cache of another shape or type, or in pages; argument_error where one of them holds
    ///         fewer tokens; capacity_error
    void copy_from(const kv_cache& other, std::size_t same, const execution& how);

    /// Counts tokens that every layer has stored.
    void advance(std::size_t count) {
        require_room(count);
        size_ += count;
    }

    /// Stores the keys and values of the next tokens in one layer, behind those that are counted.
    /// @param keys  [T, G*D]   @param values  [T, G*Dv]
    /// @throws shape_error where they are not those of the model that the cache was made for; capacity_error
    void store(std::size_t layer, const_rows keys, const_rows values, const execution& how);

    /// The same in parts, for whoever has just made them: heads first … first + g - 1 of the keys, or values, of tokens
    /// `offset`, offset + 1, … behind those that are counted. Threads may store different heads at a time.
    /// @param keys  [T,g,D]   @param values  [T,g,Dv]
    /// @throws shape_error for another D, or heads that are not there; capacity_error
    void store_keys(std::size_t layer, std::size_t offset, std::size_t first, heads_view keys, const execution& how);
    void store_values(std::size_t layer, std::size_t offset, std::size_t first, heads_view values,
                      const execution& how);

    /// @throws shape_error where a layer of G heads, D and Dv wide, is not one of the model the cache was made for
    void require_layer(std::size_t layer, std::size_t kv_heads, std::size_t key_width, std::size_t value_width) const;

    /// Calls use(k, v) with the keys of a layer, key_blocks of the storage type, and its first `count` values, [S,G,Dv]
    /// of that type.
    /// @throws argument_error where the cache is in pages: visit() takes both
    template <class Use>
    void read(std::size_t layer, std::size_t count, Use&& use) const {
        if(is_paged()) {
            tokenworks::detail::raise<argument_error>({"kv_cache: read in one piece, but it is in pages"});
        }
        visit_storage([&]<class T>() {
            use(keys_as<const T>(layers_[layer].keys.data()), values_as<T>(layers_[layer].values, count));
        });
    }

    /// The same, or use(paged_keys, paged_values) for a cache in pages: what attention takes of either.
    template <class Use>
    void visit(std::size_t layer, std::size_t count, Use&& use) const {
        if(!is_paged()) {
            read(layer, count, use);
            return;
        }
        const std::size_t begin = layer * pages_.pool()->layer_bytes();
        visit_storage([&]<class T>() {
            use(kernels::paged_keys<T>{{pages_.keys(), begin, kv_heads_, key_width_, count}},
                kernels::paged_values<T>{
                    {pages_.values(), begin + pages_.pool()->key_bytes(), kv_heads_, value_width_, count}});
        });
    }

private:
    static constexpr std::size_t huge_pages_up_to = std::size_t{128} << 20;

    struct layer_memory {
        huge_buffer keys;
        huge_buffer values;
    };

    template <class Use>
    void visit_storage(Use&& use) const {
        switch(type_) {
        case dtype::f32:
            return use.template operator()<float>();
        case dtype::bf16:
            return use.template operator()<bf16>();
        case dtype::q8_0:
            return use.template operator()<quant::q8_0>();
        case dtype::q4_0:
            return use.template operator()<quant::q4_0>();
        default:
            return use.template operator()<f16>();
        }
    }

    /// Keys that there is room for: whole steps of attention.
    [[nodiscard]] std::size_t key_capacity() const noexcept {
        constexpr std::size_t step = kernels::key_blocks<float>::step;
        return capacity_ / step * step + (capacity_ % step != 0 ? step : 0);
    }

    [[nodiscard]] std::size_t key_bytes() const { return bytes_of_layer(key_capacity(), key_width_); }
    [[nodiscard]] std::size_t value_bytes() const { return bytes_of_layer(capacity_, value_width_); }

    [[nodiscard]] std::size_t bytes_of_layer(std::size_t tokens, std::size_t width) const {
        const auto count = checked_mul(kv_heads_, tokens);
        const auto blocks = count ? checked_mul(*count, width / info(type_).block_size) : std::nullopt;
        const auto total = blocks ? checked_mul(*blocks, info(type_).block_bytes) : std::nullopt;
        const auto size = total ? checked_size(*total) : std::nullopt;
        if(!size || tokens < capacity_) {
            refuse_capacity(width);
        }
        return *size;
    }

    [[noreturn]] TOKENWORKS_COLD std::uint64_t refuse_capacity(std::size_t width) const {
        tokenworks::detail::raise<argument_error>(
            {"kv_cache: a capacity of ", capacity_, " tokens is too large for heads of width ", width});
    }

    template <class T, class Byte>
    [[nodiscard]] kernels::key_blocks<T> keys_as(Byte* memory) const {
        using storage = typename kernels::key_blocks<T>::storage_type;
        return {reinterpret_cast<storage*>(memory), kv_heads_, capacity_, key_width_};
    }

    /// Whether the next token goes into a page that others read too.
    [[nodiscard]] bool writes_to_shared() const noexcept {
        return size_ % page_pool::page_tokens != 0 && pages_.shares_last();
    }

    /// What becomes of the last page before more tokens come.
    enum class change { none, widen, copy };
    [[nodiscard]] change change_of_last(std::size_t more) const noexcept {
        if(pages_.size() == 0) {
            return change::none;
        }
        const page_pool& pool = *pages_.pool();
        const page_pool::page last = pages_.pages().back();
        const std::size_t pages = page_pool::pages_for(size_ + more);
        const bool is_small = pool.is_half(last) && (pages > pages_.size() || size_ + more > pages_.room());
        if(is_small && pool.can_widen(last)) {
            return change::widen;
        }
        return is_small || writes_to_shared() ? change::copy : change::none;
    }
    /// Whether half a page is enough for what comes behind full pages.
    [[nodiscard]] bool ends_in_half(std::size_t more) const noexcept {
        const std::size_t total = size_ + more;
        return pages_.pool()->splits() &&
               total - (page_pool::pages_for(total) - 1) * page_pool::page_tokens <= page_pool::half_tokens;
    }

    /// A layer's part of one of the pages.
    [[nodiscard]] std::byte* page_of(std::size_t layer, std::size_t place) const noexcept {
        return pages_.pool()->data(pages_.pages()[place]) + layer * pages_.pool()->layer_bytes();
    }
    [[nodiscard]] std::size_t first_place(std::size_t place) const noexcept {
        return pages_.pool()->first_place(pages_.pages()[place]);
    }
    [[nodiscard]] std::size_t count_of_layers() const noexcept {
        return is_paged() ? pages_.pool()->shape_of_token().layers : layers_.size();
    }

    template <class T>
    [[nodiscard]] strided_view<const T, dyn, dyn, dyn> values_as(const huge_buffer& memory,
                                                                 std::size_t count) const noexcept {
        const std::size_t elements = value_width_ / info(type_).block_size;
        return {reinterpret_cast<const T*>(memory.data()),
                extents<dyn, dyn, dyn>{count, kv_heads_, elements},
                {elements, capacity_ * elements, 1}};
    }

    void write_row(const float* from, std::byte* to, std::size_t width, isa set) const;

    std::vector<layer_memory> layers_; // none where there are pages
    page_list pages_;
    std::size_t kv_heads_;
    std::size_t key_width_;
    std::size_t value_width_;
    std::size_t capacity_;
    std::size_t size_ = 0;
    dtype type_;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION kv_cache::kv_cache(std::size_t layers, std::size_t kv_heads, std::size_t key_width,
                                       std::size_t value_width, std::size_t capacity, dtype type)
    : kv_heads_{kv_heads}, key_width_{key_width}, value_width_{value_width}, capacity_{capacity}, type_{type} {
    if(!holds(type)) {
        tokenworks::detail::raise<unsupported_error>({"kv_cache: keys and values of type ", info(type).name});
    }
    const std::size_t block = info(type).block_size;
    if(key_width % block != 0 || value_width % block != 0) {
        tokenworks::detail::raise<argument_error>({"kv_cache: heads of width ", key_width, " and ", value_width,
                                                   " are no whole ", info(type).name, " blocks"});
    }
    // Huge pages are touched whole, so that a large cache, of a long context that may never be used, gets small
    // ones.
    const bool is_large =
        checked_mul(layers, key_bytes() + value_bytes()).value_or(huge_pages_up_to + 1) > huge_pages_up_to;
    huge_pool pool{is_large ? page_size::normal : page_size::huge};
    layers_.reserve(layers);
    for(std::size_t i = 0; i < layers; ++i) {
        layers_.push_back({pool.take(key_bytes()), pool.take(value_bytes())});
    }
}

TOKENWORKS_FUNCTION void kv_cache::copy_from(const kv_cache& other, std::size_t same, const execution& how) {
    if(other.layers_.size() != layers_.size() || other.kv_heads_ != kv_heads_ || other.key_width_ != key_width_ ||
       other.value_width_ != value_width_ || other.type_ != type_ || is_paged() || other.is_paged()) {
        tokenworks::detail::raise<shape_error>({"kv_cache: a copy from a cache of another shape or type, or in pages"});
    }
    if(same > size_ || same > other.size_) {
        tokenworks::detail::raise<argument_error>(
            {"kv_cache: ", same, " tokens in common, but there are ", size_, " and ", other.size_});
    }
    if(&other == this) {
        return;
    }
    if(other.size_ > capacity_) {
        tokenworks::detail::raise<capacity_error>(
            {"kv_cache: ", other.size_, " tokens do not fit a context of ", capacity_});
    }
    // Keys are copied in the blocks in which they lie; the first one may hold some that are the same.
    constexpr std::size_t step = kernels::key_blocks<float>::step;
    const std::size_t first_block = same / step;
    const std::size_t blocks = other.size_ == same ? 0 : (other.size_ + step - 1) / step - first_block;
    const std::size_t block_bytes = step * (key_width_ / info(type_).block_size) * info(type_).block_bytes;
    const std::size_t row_bytes = value_width_ / info(type_).block_size * info(type_).block_bytes;
    parallel_for(how, layers_.size() * kv_heads_, 1, [&](work_range range) {
        for(std::size_t i = range.begin; i < range.end; ++i) {
            const layer_memory& from = other.layers_[i / kv_heads_];
            layer_memory& to = layers_[i / kv_heads_];
            const std::size_t g = i % kv_heads_;
            if(blocks != 0) {
                std::memcpy(to.keys.data() + (g * key_capacity() / step + first_block) * block_bytes,
                            from.keys.data() + (g * other.key_capacity() / step + first_block) * block_bytes,
                            blocks * block_bytes);
            }
            if(other.size_ != same) {
                std::memcpy(to.values.data() + (g * capacity_ + same) * row_bytes,
                            from.values.data() + (g * other.capacity_ + same) * row_bytes,
                            (other.size_ - same) * row_bytes);
            }
        }
    });
    size_ = other.size_;
}

TOKENWORKS_FUNCTION void kv_cache::store(std::size_t layer, const_rows keys, const_rows values, const execution& how) {
    if(keys.extent(0) != values.extent(0)) {
        tokenworks::detail::raise<shape_error>({"kv_cache: keys ", to_string(keys.extents()), " and values ",
                                                to_string(values.extents()), " differ in T"});
    }
    const auto width = [&](const_rows each) { return kv_heads_ == 0 ? 0 : each.extent(1) / kv_heads_; };
    require_layer(layer, kv_heads_, width(keys), width(values));
    const auto split = [&](const_rows each) {
        return heads_view{view<const float, dyn, dyn, dyn>{each.data(), each.extent(0), kv_heads_, width(each)}};
    };
    store_keys(layer, 0, 0, split(keys), how);
    store_values(layer, 0, 0, split(values), how);
}

TOKENWORKS_FUNCTION void kv_cache::require_layer(std::size_t layer, std::size_t kv_heads, std::size_t key_width,
                                                 std::size_t value_width) const {
    if(layer >= count_of_layers() || kv_heads != kv_heads_ || key_width != key_width_ || value_width != value_width_) {
        tokenworks::detail::raise<shape_error>({"kv_cache: layer ", layer, " with G=", kv_heads, ", D=", key_width,
                                                " and ", value_width, " for a cache of ", count_of_layers(),
                                                " layers, G=", kv_heads_, ", D=", key_width_, " and ", value_width_});
    }
}

TOKENWORKS_FUNCTION void kv_cache::store_keys(std::size_t layer, std::size_t offset, std::size_t first, heads_view keys,
                                              const execution& how) {
    require_room(offset + keys.extent(0));
    visit_storage([&]<class T>() {
        if(is_paged()) {
            using storage = typename kernels::key_blocks<T>::storage_type;
            constexpr std::size_t step = page_pool::page_tokens;
            for(std::size_t t = 0; t < keys.extent(0);) {
                const std::size_t at = size_ + offset + t;
                const std::size_t count = std::min(keys.extent(0) - t, step - at % step);
                const kernels::key_blocks<T> all{reinterpret_cast<storage*>(page_of(layer, at / step)), kv_heads_, step,
                                                 key_width_};
                kernels::store_keys(keys.slice(t, count), at % step + first_place(at / step),
                                    all.heads(first, keys.extent(1)), how);
                t += count;
            }
            return;
        }
        const kernels::key_blocks<T> all = keys_as<T>(layers_[layer].keys.data());
        kernels::store_keys(keys, size_ + offset, all.heads(first, keys.extent(1)), how);
    });
}

TOKENWORKS_FUNCTION void kv_cache::store_values(std::size_t layer, std::size_t offset, std::size_t first,
                                                heads_view values, const execution& how) {
    require_room(offset + values.extent(0));
    require_layer(layer, kv_heads_, key_width_, values.extent(2));
    if(first > kv_heads_ || values.extent(1) > kv_heads_ - first) {
        tokenworks::detail::raise<shape_error>(
            {"kv_cache: heads up to ", first + values.extent(1), ", the cache has G=", kv_heads_});
    }
    const std::size_t bytes = value_width_ / info(type_).block_size * info(type_).block_bytes;
    parallel_for(how, values.extent(0), 32, [&](work_range range) {
        for(std::size_t t = range.begin; t < range.end; ++t) {
            constexpr std::size_t step = page_pool::page_tokens;
            const std::size_t at = size_ + offset + t;
            std::byte* to = nullptr; // the first head's
            std::size_t head_bytes = 0;
            if(is_paged()) {
                to = page_of(layer, at / step) + pages_.pool()->key_bytes() +
                     (at % step + first_place(at / step)) * bytes;
                head_bytes = step * bytes;
            } else {
                to = layers_[layer].values.data() + at * bytes;
                head_bytes = capacity_ * bytes;
            }
            for(std::size_t g = 0; g < values.extent(1); ++g) {
                const float* const source = values.data() + t * values.stride(0) + g * values.stride(1);
                write_row(source, to + (first + g) * head_bytes, value_width_, how.set);
            }
        }
    });
}

TOKENWORKS_FUNCTION void kv_cache::write_row(const float* from, std::byte* to, std::size_t width, isa set) const {
    switch(type_) {
    case dtype::f32:
        std::memcpy(to, from, width * sizeof(float));
        break;
    case dtype::bf16:
        std::transform(from, from + width, reinterpret_cast<bf16*>(to), [](float x) { return bf16{x}; });
        break;
    case dtype::q8_0:
        detail::store_blocks<quant::q8_0>(from, to, width);
        break;
    case dtype::q4_0:
        detail::store_blocks<quant::q4_0>(from, to, width);
        break;
    default:
        simd::dispatch<detail::store_half>(set, from, reinterpret_cast<f16*>(to), width);
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::nn
