// Packed weights kept in a file, so that the next load reads them instead of packing again.
//
// Whatever is wrong with such a file, a model loads: a matrix that is missing from it, does not fit or fails its
// checksum is packed from the model file as ever, and the cache is written anew when all are there. A cache that cannot
// be written does not fail the load either; report() tells. The alternative, an error, would make a full disk or a file
// from the last version a reason not to start.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/allocator.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/io/packed_reader.hpp>
#include <tokenworks/io/packed_writer.hpp>
#include <tokenworks/kernels/packed_matrix.hpp>
#include <tokenworks/models/weight_loading.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// The cache during one load. Not for several threads at once.
class packed_cache {
public:
    /// Opens the cache, if there is one of this identity.
    packed_cache(std::string path, std::uint64_t identity) : path_{std::move(path)}, identity_{identity} {
        attempt([&] { file_.emplace(path_, identity_); });
    }

    /// The matrix of that name, read from the cache; nothing where the cache has none like it.
    /// @throws std::bad_alloc
    [[nodiscard]] std::optional<kernels::packed_matrix> find(const std::string& name, dtype type, std::size_t rows,
                                                             std::size_t columns, const execution& how,
                                                             huge_pool* pool = nullptr,
                                                             kernels::matmul_precision precision = {}) {
        std::optional<kernels::packed_matrix> result;
        if(!file_) {
            return result;
        }
        attempt([&] {
            const io::packed_entry* const entry = file_->find(name);
            kernels::packed_matrix matrix{type, rows, columns, pool, precision};
            if(entry == nullptr || entry->type != type || entry->rows != rows || entry->columns != columns ||
               entry->bytes != matrix.bytes()) {
                tokenworks::detail::raise_format(path_, {name}, format_error::no_offset,
                                                 {"is missing or of another shape"});
            }
            file_->read(*entry, matrix.packed_bytes(), how);
            result = std::move(matrix);
        });
        return result;
    }

    /// Notes a matrix for the file, whose memory must stay until finish(); it may move with its owner.
    void keep(std::string name, const kernels::packed_matrix& matrix) {
        kept_.push_back({std::move(name), matrix.type(), matrix.rows(), matrix.columns(), matrix.packed_bytes()});
    }

    /// Writes the file, unless all came from it.
    /// @param proceed  called now and then; false ends the writing
    /// @throws cancelled_error; std::bad_alloc. Other failures are in the report.
    void finish(const std::function<bool()>& proceed = {}) {
        using enum packed_cache_report::outcome;
        if(file_) {
            report_ = {read, {}};
            return;
        }
        report_ = {written, std::exchange(reason_, {})};
        const io::progress_callback progress = [&](std::uint64_t, std::uint64_t) { return !proceed || proceed(); };
        attempt([&] {
            io::packed_writer writer{path_, identity_};
            for(const kept& one: kept_) {
                writer.add(one.name, one.type, one.rows, one.columns, one.bytes, progress);
            }
            writer.commit();
        });
        if(!reason_.empty()) {
            report_ = {not_written, reason_};
        }
    }

    [[nodiscard]] const packed_cache_report& report() const noexcept { return report_; }

private:
    struct kept {
        std::string name;
        dtype type;
        std::size_t rows;
        std::size_t columns;
        std::span<const std::byte> bytes;
    };

    /// Does something with the file; a failure closes it and is kept as the reason.
    template <class Action>
    void attempt(Action&& action) {
        try {
            action();
        } catch(const cancelled_error&) {
            throw;
        } catch(const error& problem) {
            file_.reset();
            reason_ = problem.what();
        }
    }

    std::string path_;
    std::uint64_t identity_;
    std::optional<io::packed_file> file_;
    std::string reason_;
    std::vector<kept> kept_;
    packed_cache_report report_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::models
