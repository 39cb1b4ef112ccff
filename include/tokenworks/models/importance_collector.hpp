// Makes an importance matrix: for every matrix of a decoder's layers the sums of squares of what it is multiplied with,
// column by column, over a text. models::importance_matrix reads what is written, and so does llama.cpp.
//
//   models::importance_collector collector{model.network(), models::gguf_names(file)};
//   nn::context c{model.how()};
//   for(const auto& chunk: chunks) // 512 tokens each, for example
//       collector.read(c, chunk);
//   io::gguf_writer out;
//   collector.write(out, sources, 512); // names of files
//   out.save("imatrix.gguf");
//
// As in llama.cpp the head is left out: rounding it by the importance of its columns does not make models better.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/io/gguf_writer.hpp>
#include <tokenworks/kernels/packed_matrix.hpp>
#include <tokenworks/models/decoder.hpp>
#include <tokenworks/models/tensor_names.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/kv_cache.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

class importance_collector {
public:
    /// @param model  must outlive this
    /// @param names  how GGUF files of the model call its tensors: gguf_names, or exported_names of a folder
    importance_collector(const decoder& model, const tensor_names& names);
    importance_collector(const importance_collector&) = delete;
    importance_collector& operator=(const importance_collector&) = delete;
    importance_collector(importance_collector&&) = default;
    importance_collector& operator=(importance_collector&&) = delete;
    ~importance_collector() = default;

    /// Adds what one text lets the matrices see. The same bits for every number of threads.
    /// @throws as decoder::forward
    void read(nn::context& c, std::span<const std::int32_t> tokens);

    /// Texts that were read.
    [[nodiscard]] std::size_t texts() const noexcept { return texts_; }
    /// Tensors that there are sums for.
    [[nodiscard]] std::size_t size() const noexcept { return tensors_.size(); }

    /// Adds what was seen to a file, in the GGUF form of llama.cpp's `llama-imatrix`.
    /// @param sources     where the texts came from
    /// @param chunk_size  tokens of each
    /// @throws argument_error naming a tensor that saw what is no number
    void write(io::gguf_writer& out, std::span<const std::string> sources, std::size_t chunk_size) const;

private:
    /// Of a tensor: of one matrix, or of all experts.
    struct sums {
        std::size_t columns = 0;
        std::vector<double> squares;       ///< [E,K]
        std::vector<std::uint64_t> counts; ///< [E], rows
    };
    struct place {
        sums* tensor = nullptr;
        std::size_t expert = 0;
    };

    void add(const place& at, nn::const_rows x, const execution& how) const;

    const decoder* model_;
    std::map<std::string, sums> tensors_;
    std::unordered_map<const kernels::packed_matrix*, place> places_;
    std::optional<nn::kv_cache> cache_;
    std::size_t texts_ = 0;
};

inline importance_collector::importance_collector(const decoder& model, const tensor_names& names) : model_{&model} {
    std::set<std::pair<std::string, std::size_t>> seen;
    for(const auto& [name, matrix]: model.matrices()) {
        if(!name.starts_with("blk.")) {
            continue;
        }
        const stored_tensor at = stored_tensor_of(names, name, true);
        // A tensor that lies transposed is multiplied with something else where it is used as it lies. Parts of a fused
        // one see the same rows: the first speaks for all.
        const bool lies_otherwise = at.row != nullptr && (at.row->part.is_transposed || at.row->part.is_flat);
        if(at.name.empty() || lies_otherwise || !seen.emplace(at.name, at.expert).second) {
            continue;
        }
        sums& tensor = tensors_[at.name];
        tensor.columns = matrix->columns();
        if(tensor.counts.size() <= at.expert) {
            tensor.counts.resize(at.expert + 1);
            tensor.squares.resize((at.expert + 1) * tensor.columns);
        }
        places_.emplace(matrix, place{&tensor, at.expert});
    }
}

inline void importance_collector::add(const place& at, nn::const_rows x, const execution& how) const {
    const std::size_t columns = at.tensor->columns;
    at.tensor->counts[at.expert] += x.extent(0);
    const std::span<double> to = std::span{at.tensor->squares}.subspan(at.expert * columns, columns);
    parallel_for(how, columns, 64, [&](work_range range) {
        for(std::size_t t = 0; t < x.extent(0); ++t) {
            const std::span<const float> row = x.row(t).as_span();
            for(std::size_t k = range.begin; k < range.end; ++k) {
                to[k] += static_cast<double>(row[k]) * static_cast<double>(row[k]);
            }
        }
    });
}

inline void importance_collector::read(nn::context& c, std::span<const std::int32_t> tokens) {
    constexpr std::size_t step = 512;
    if(!cache_ || cache_->capacity() < tokens.size()) {
        cache_.emplace(model_->make_cache(tokens.size()));
    }
    cache_->truncate(0);
    struct observed {
        nn::context& of;
        nn::context::product_observer before;
        explicit observed(nn::context& each, nn::context::product_observer now)
            : of{each}, before{std::exchange(each.on_product, std::move(now))} {}
        observed(const observed&) = delete;
        observed& operator=(const observed&) = delete;
        observed(observed&&) = delete;
        observed& operator=(observed&&) = delete;
        ~observed() { of.on_product = std::move(before); }
    };
    const observed while_reading{c, [&](const kernels::packed_matrix& weight, nn::const_rows x) {
                                     const auto found = places_.find(&weight);
                                     if(found != places_.end()) {
                                         add(found->second, x, c.how);
                                     }
                                 }};
    for(std::size_t at = 0; at < tokens.size(); at += step) {
        const decoder_input next{&*cache_, tokens.subspan(at, std::min(step, tokens.size() - at)),
                                 decoder_input::logits::none};
        model_->forward(c, std::span{&next, 1}, nn::rows{nullptr, std::size_t{0}, std::size_t{0}});
    }
    ++texts_;
}

inline void importance_collector::write(io::gguf_writer& out, std::span<const std::string> sources,
                                        std::size_t chunk_size) const {
    out.set("general.type", std::string_view{"imatrix"});
    out.set_array("imatrix.datasets", sources);
    out.set("imatrix.chunk_count", static_cast<std::uint32_t>(texts_));
    out.set("imatrix.chunk_size", static_cast<std::uint32_t>(chunk_size));
    for(const auto& each: tensors_) {
        const std::string& name = each.first;
        const sums& tensor = each.second;
        std::vector<float> squares(tensor.squares.size());
        std::ranges::transform(tensor.squares, squares.begin(), [](double sum) { return static_cast<float>(sum); });
        if(!std::ranges::all_of(squares, [](float sum) { return std::isfinite(sum); })) {
            tokenworks::detail::raise<argument_error>(
                {"importance_collector: ", name, " is multiplied with what is no number"});
        }
        std::vector<float> counts(tensor.counts.size());
        std::ranges::transform(tensor.counts, counts.begin(),
                               [](std::uint64_t count) { return static_cast<float>(count); });
        const std::uint64_t experts = counts.size();
        const auto add = [&](const char* suffix, std::uint64_t columns, std::vector<float> values) {
            out.add_tensor(
                name + suffix, dtype::f32, {columns, experts},
                [values = std::move(values)](const io::byte_sink& sink) { sink(std::as_bytes(std::span{values})); });
        };
        add(".counts", 1, std::move(counts));
        add(".in_sum2", tensor.columns, std::move(squares));
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
