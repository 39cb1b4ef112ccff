// How a format names its tensors, and which part of a fused one is meant.
//
// Blocks ask for tensors by the names of GGUF files (load_blocks.hpp). A family lists what a format calls them instead;
// a row may name a part: some rows of a matrix that holds queries, keys and values, one expert of many, a matrix that
// is stored transposed. Parts that lie side by side are looked at where they are, others are copied while they load.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/models/weights.hpp>
#include <tokenworks/quant/convert.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// Rows of a tensor: of every `period`, `count` from `first` on. A period of 0 stands for all rows as they are.
struct row_pattern {
    std::size_t period = 0;
    std::size_t first = 0;
    std::size_t count = 0;
};

/// Rows of heads, of `head` rows each, whose halves of the first `width` become neighbours: converters to GGUF order
/// queries and keys of some families so. A head of 0 stands for rows as they are.
struct turned_rows {
    std::size_t head = 0;
    std::size_t width = 0;
};

/// What to do with a stored tensor on its way; several together are done in this order.
struct tensor_part {
    row_pattern rows{};
    bool is_one_of_many = false;  ///< axis 0 counts experts; the number behind `@` says which
    bool is_mxfp4 = false;        ///< blocks of 16 bytes, whose exponents are in a tensor named *_scales, not *_blocks
    bool is_transposed = false;   ///< [K,N] in the file, or [H,K,N]
    bool is_flat = false;         ///< [H,N,K] in the file is [H*N,K]
    bool is_filter = false;       ///< [N,K,H,W] in the file is [N,K*H*W]: a convolution that steps by its own size
    bool is_pixel_filter = false; ///< [N,C,H,W] in the file is [N,H*W*C]: a convolution of pixels, channels innermost
    std::string then{};           ///< another tensor of the file, whose rows come behind
    std::size_t rows_in_all = 0;  ///< rows of zeros stand behind until there are so many
    bool plus_one = false;        ///< the weight is 1 more than what is stored
    turned_rows turned{};
};

/// A row of a family's table. In both names `#` stands for the number of the layer and `@` for that of the expert.
/// Names without `.weight` or `.bias` stand for both.
struct tensor_name {
    std::string name;   ///< as blocks ask
    std::string stored; ///< as the file has it
    tensor_part part{};
};

using tensor_names = std::vector<tensor_name>;

/// How low-rank adapters of a model call its matrices, in the forms of adapters that fit it.
struct adapter_names {
    std::optional<tensor_names> folder{}; ///< of PEFT
    std::optional<tensor_names> gguf{};
};

/// Replaces what rows say, or adds to them.
inline void set_names(tensor_names& names, const tensor_names& rows) {
    for(const tensor_name& row: rows) {
        const auto same = std::ranges::find(names, row.name, &tensor_name::name);
        if(same == names.end()) {
            names.push_back(row);
        } else {
            *same = row;
        }
    }
}

namespace detail {

/// Splits numbers out of a name: "blk.3.ffn_up.7.weight" is "blk.#.ffn_up.@.weight" with 3 and 7.
struct numbered_name {
    std::string pattern;
    std::array<std::string, 2> numbers;

    explicit numbered_name(std::string_view name) {
        std::size_t count = 0;
        for(std::size_t from = 0; from <= name.size();) {
            const std::size_t dot = std::min(name.find('.', from), name.size());
            const std::string_view piece = name.substr(from, dot - from);
            const bool is_number =
                count < 2 && !piece.empty() && std::ranges::all_of(piece, [](char c) { return c >= '0' && c <= '9'; });
            pattern += from == 0 ? "" : ".";
            if(is_number) {
                pattern += count == 0 ? '#' : '@';
                numbers[count++] = piece;
            } else {
                pattern += piece;
            }
            from = dot + 1;
        }
    }

    [[nodiscard]] std::string filled(std::string_view stored) const {
        std::string out;
        for(const char c: stored) {
            if(c == '#' || c == '@') {
                out += numbers[c == '@'];
            } else {
                out += c;
            }
        }
        return out;
    }
};

} // namespace detail

/// The rows of heads in another order; the first of each pair and its other follow each other.
/// @param w  [N,K] of any type, N a multiple of `by.head`; its bytes may be left out
[[nodiscard]] inline weight with_turned_rows(weight w, const turned_rows& by) {
    const std::size_t row_bytes = w.bytes.size() / w.extents[0];
    std::vector<std::byte> turned{w.bytes.begin(), w.bytes.end()};
    for(std::size_t first = 0; first < w.extents[0]; first += by.head) {
        for(std::size_t i = 0; i < by.width; ++i) {
            const std::size_t from = first + (i % 2 == 0 ? i / 2 : by.width / 2 + i / 2);
            std::ranges::copy(w.bytes.subspan(from * row_bytes, row_bytes),
                              turned.begin() + static_cast<std::ptrdiff_t>((first + i) * row_bytes));
        }
    }
    w.own(std::move(turned));
    return w;
}

/// Where a file has what blocks ask for.
struct stored_tensor {
    std::string name;                 ///< of the tensor; empty where there is none
    const tensor_name* row = nullptr; ///< of the table, where it has one
    std::size_t expert = 0;           ///< of a tensor that holds all
};

/// @param others  whether tensors that the table does not name go by their own names
[[nodiscard]] inline stored_tensor stored_tensor_of(const tensor_names& names, std::string_view name, bool others) {
    const detail::numbered_name asked{name};
    const std::string_view pattern = asked.pattern;
    const std::size_t dot = std::min(pattern.rfind('.'), pattern.size());
    for(const tensor_name& row: names) {
        const bool whole = row.name == pattern;
        if(whole || row.name == pattern.substr(0, dot)) {
            std::string stored = asked.filled(row.stored);
            if(!whole && !stored.empty()) {
                stored += pattern.substr(dot);
            }
            // Longer numbers name no expert that a file can hold.
            const std::string& expert = asked.numbers[1];
            const bool one_of_many = row.part.is_one_of_many && !expert.empty() && expert.size() < 10;
            return {std::move(stored), &row, one_of_many ? std::stoul(expert) : 0};
        }
    }
    return {others ? std::string{name} : std::string{}, nullptr, 0};
}

/// Another source under the names of a table.
class named_weights final: public weight_source {
public:
    /// @param source  must outlive this
    /// @param others  whether tensors that the table does not name go by their own names
    named_weights(const weight_source& source, tensor_names names, bool others)
        : source_{&source}, names_{std::move(names)}, others_{others} {}

    [[nodiscard]] std::optional<weight> find(std::string_view name) const override {
        return taken_apart(name, &weight_source::find);
    }
    [[nodiscard]] std::optional<weight> describe(std::string_view name) const override {
        return taken_apart(name, &weight_source::describe);
    }
    [[nodiscard]] std::string label() const override { return source_->label(); }
    [[nodiscard]] std::string name_of(std::string_view name) const override {
        const stored_tensor at = place_of(name);
        return at.name.empty() ? std::string{name} : at.name;
    }
    void release(const weight& done) const override { source_->release(done); }

private:
    /// How to look into the source: with the bytes, or without. What is done to a tensor is done to no bytes too.
    using look_up = std::optional<weight> (weight_source::*)(std::string_view) const;

    [[nodiscard]] std::optional<weight> taken_apart(std::string_view name, look_up look) const {
        const stored_tensor at = place_of(name);
        if(at.name.empty()) {
            return std::nullopt;
        }
        std::optional<weight> found = (source_->*look)(at.name);
        if(found && at.row != nullptr) {
            apply(at.row->part, at, *found, look);
        }
        return found;
    }

    [[nodiscard]] stored_tensor place_of(std::string_view name) const {
        return stored_tensor_of(names_, name, others_);
    }

    void apply(const tensor_part& part, const stored_tensor& at, weight& w, look_up look) const {
        if(part.is_one_of_many) {
            take_one(w, at.expert);
        }
        if(part.is_mxfp4) {
            join_mxfp4(w, at.expert, part.is_one_of_many, look);
        }
        if(part.is_transposed && w.extents.size() > 1) {
            transpose(w);
        }
        if(part.is_flat && w.extents.size() == 3) {
            w.extents = {w.extents[0] * w.extents[1], w.extents[2]};
        }
        if(part.is_filter && w.extents.size() == 4) {
            w.extents = {w.extents[0], w.extents[1] * w.extents[2] * w.extents[3]};
        }
        if(part.is_pixel_filter && w.extents.size() == 4) {
            put_channels_last(w);
        }
        if(!part.then.empty()) {
            append(w, part.then, look);
        }
        if(part.rows_in_all != 0) {
            append_zeros(w, part.rows_in_all);
        }
        if(part.rows.period != 0) {
            take_rows(w, part.rows);
        }
        if(part.turned.head != 0) {
            if(w.extents.size() != 2 || w.extents[0] == 0 || w.extents[0] % part.turned.head != 0) {
                refuse(w,
                       {"extents ", extents_text(w.extents), ", expected a multiple of ", part.turned.head, " rows"});
            }
            w = with_turned_rows(std::move(w), part.turned);
        }
        if(part.plus_one) {
            add_one(w);
        }
    }

    [[noreturn]] TOKENWORKS_COLD void refuse(const weight& w, tokenworks::detail::message_parts what) const {
        raise_weight(*source_, w.name, w.offset, what);
    }

    void take_one(weight& w, std::size_t which) const {
        if(w.extents.size() < 2 || which >= w.extents[0]) {
            refuse(w, {"extents ", extents_text(w.extents), " have no part ", which});
        }
        const std::size_t size = w.bytes.size() / w.extents[0];
        w.bytes = w.bytes.subspan(which * size, size);
        w.extents.erase(w.extents.begin());
    }

    /// [N,K/32,16] codes, in pairs of neighbours, and [N,K/32] exponents become [N,K] in the blocks of GGUF files,
    /// where a byte holds two codes that lie 16 apart.
    void join_mxfp4(weight& w, std::size_t expert, bool is_one_of_many, look_up look) const {
        const std::string_view stem = std::string_view{w.name}.substr(0, w.name.rfind("_blocks"));
        std::optional<weight> scales = (source_->*look)(std::string{stem} + "_scales");
        if(scales && is_one_of_many) {
            take_one(*scales, expert);
        }
        const std::size_t blocks = scales ? scales->bytes.size() : 0;
        if(!scales || w.type != dtype::u8 || scales->type != dtype::u8 || w.extents.size() != 3 || w.extents[2] != 16 ||
           w.bytes.size() != 16 * blocks) {
            refuse(w, {"extents ", extents_text(w.extents), " are no blocks of MXFP4 that fit their scales"});
        }
        std::vector<std::byte> out(17 * blocks);
        for(std::size_t b = 0; b < blocks; ++b) {
            const std::byte* const from = w.bytes.data() + 16 * b;
            std::byte* const to = out.data() + 17 * b;
            to[0] = scales->bytes[b];
            const auto code = [&](std::size_t i) { return (from[i / 2] >> (i % 2 * 4)) & std::byte{15}; };
            for(std::size_t i = 0; i < 16; ++i) {
                to[1 + i] = code(i) | (code(16 + i) << 4);
            }
        }
        w.type = dtype::mxfp4;
        w.extents = {w.extents[0], w.extents[1] * 32};
        w.own(std::move(out));
    }

    void transpose(weight& w) const {
        const std::size_t rank = w.extents.size();
        if(rank == 3 && info(w.type).block_size != 1) {
            decode(w);
        }
        const dtype_info type = info(w.type);
        if(type.block_size != 1 || rank > 3) {
            refuse(w, {"is stored transposed, which blocks of ", type.name, " cannot be"});
        }
        const std::size_t rows = w.extents[rank - 1];
        const std::size_t columns = w.extents[rank - 2];
        const std::size_t count = rank == 3 ? w.extents[0] : 1;
        const std::size_t bytes = rows * columns * type.block_bytes;
        std::vector<std::byte> out(w.bytes.size());
        for(std::size_t i = 0; i < count && !out.empty(); ++i) {
            const std::byte* const from = w.bytes.data() + i * bytes;
            std::byte* const to = out.data() + i * bytes;
            switch(type.block_bytes) {
            case 1:
                transpose<1>(from, to, rows, columns);
                break;
            case 2:
                transpose<2>(from, to, rows, columns);
                break;
            case 4:
                transpose<4>(from, to, rows, columns);
                break;
            default:
                transpose<8>(from, to, rows, columns);
            }
        }
        std::swap(w.extents[rank - 1], w.extents[rank - 2]);
        w.own(std::move(out));
    }

    /// In squares of a cache line each way, so that neither side is walked across pages.
    template <std::size_t Size>
    static void transpose(const std::byte* from, std::byte* to, std::size_t rows, std::size_t columns) {
        constexpr std::size_t side = 64;
        for(std::size_t r0 = 0; r0 < rows; r0 += side) {
            for(std::size_t c0 = 0; c0 < columns; c0 += side) {
                for(std::size_t r = r0; r < std::min(rows, r0 + side); ++r) {
                    for(std::size_t c = c0; c < std::min(columns, c0 + side); ++c) {
                        std::memcpy(to + (r * columns + c) * Size, from + (c * rows + r) * Size, Size);
                    }
                }
            }
        }
    }

    void put_channels_last(weight& w) const {
        const std::size_t channels = w.extents[1];
        const std::size_t pixels = w.extents[2] * w.extents[3];
        const std::size_t filters = w.extents[0];
        const dtype_info type = info(w.type);
        if(type.block_size != 1) {
            refuse(w, {"is a filter in blocks of ", type.name});
        }
        w.extents = {filters, pixels * channels};
        if(pixels == 1 || w.bytes.empty()) {
            return;
        }
        const std::size_t size = type.block_bytes;
        std::vector<std::byte> out(w.bytes.size());
        for(std::size_t n = 0; n < filters; ++n) {
            const std::size_t first = n * pixels * channels;
            for(std::size_t c = 0; c < channels; ++c) {
                for(std::size_t p = 0; p < pixels; ++p) {
                    std::memcpy(out.data() + (first + p * channels + c) * size,
                                w.bytes.data() + (first + c * pixels + p) * size, size);
                }
            }
        }
        w.own(std::move(out));
    }

    /// Rows of another tensor of the same width.
    void append(weight& w, const std::string& name, look_up look) const {
        std::optional<weight> behind = (source_->*look)(name);
        if(!behind) {
            raise_weight(*source_, name, format_error::no_offset, {"missing"});
        }
        if(w.extents.size() != 2 || behind->extents.size() != 2 || w.extents[1] != behind->extents[1]) {
            refuse(w, {"extents ", extents_text(w.extents), ", its other part ", tokenworks::detail::escaped(name),
                       " has ", extents_text(behind->extents)});
        }
        if(w.type != behind->type) {
            decode(w);
            decode(*behind);
        }
        w.source_bytes = w.progress_bytes() + behind->progress_bytes();
        w.extents[0] += behind->extents[0];
        std::vector<std::byte> out;
        out.reserve(w.bytes.size() + behind->bytes.size());
        out.insert(out.end(), w.bytes.begin(), w.bytes.end());
        out.insert(out.end(), behind->bytes.begin(), behind->bytes.end());
        w.own(std::move(out));
    }

    void append_zeros(weight& w, std::size_t rows) const {
        const dtype_info type = info(w.type);
        if(w.extents.size() != 2 || w.extents[0] > rows || type.block_size != 1) {
            refuse(w, {"extents ", extents_text(w.extents), ", expected up to ", rows, " rows of plain numbers"});
        }
        w.source_bytes = w.progress_bytes();
        std::vector<std::byte> out{w.bytes.begin(), w.bytes.end()};
        out.resize(w.bytes.empty() ? 0 : rows * w.extents[1] * type.block_bytes);
        w.extents[0] = rows;
        w.own(std::move(out));
    }

    void take_rows(weight& w, const row_pattern& rows) const {
        const std::size_t total = w.extents.empty() ? 0 : w.extents[0];
        if(total == 0 || total % rows.period != 0 || rows.first + rows.count > rows.period) {
            refuse(w, {"extents ", extents_text(w.extents), ", expected a multiple of ", rows.period, " rows"});
        }
        const std::size_t groups = total / rows.period;
        const std::size_t row_bytes = w.bytes.size() / total;
        w.extents[0] = groups * rows.count;
        if(groups == 1) {
            w.bytes = w.bytes.subspan(rows.first * row_bytes, rows.count * row_bytes);
            return;
        }
        std::vector<std::byte> out(groups * rows.count * row_bytes);
        for(std::size_t g = 0; g < groups; ++g) {
            const auto from = w.bytes.subspan((g * rows.period + rows.first) * row_bytes, rows.count * row_bytes);
            std::ranges::copy(from, out.begin() + static_cast<std::ptrdiff_t>(g * rows.count * row_bytes));
        }
        w.own(std::move(out));
    }

    /// Makes the values floats, each of them changed.
    template <class Change>
    static void decode(weight& w, Change change) {
        std::vector<float> values(w.bytes.size() / info(w.type).block_bytes * info(w.type).block_size);
        quant::decode(w.type, w.bytes, values);
        std::ranges::transform(values, values.begin(), change);
        const auto bytes = std::as_bytes(std::span{values});
        w.type = dtype::f32;
        w.own({bytes.begin(), bytes.end()});
    }
    static void decode(weight& w) {
        decode(w, [](float value) { return value; });
    }
    static void add_one(weight& w) {
        decode(w, [](float value) { return value + 1; });
    }

    const weight_source* source_;
    tensor_names names_;
    bool others_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::models
