// Reads `model.safetensors.index.json`: which tensor of a model lies in which of its files.
// Format: Hugging Face transformers, "sharded checkpoints": an object with `weight_map`, from tensor name to file name.
//
// Needs nlohmann-json (through json.hpp).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/limits.hpp>
#include <tokenworks/io/json.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io::detail {

/// Which tensor lies in which shard.
struct safetensors_index {
    std::vector<std::string> shards;
    std::deque<std::pair<std::string, std::size_t>> tensors;
};

/// Events of an index; members other than `weight_map` are skipped.
class safetensors_index_handler final: public json_handler {
public:
    safetensors_index_handler(safetensors_index& index, const limits& bounds) : index_{index}, bounds_{bounds} {}

    void begin_object() override {
        if(depth_ != 0 && !(in_map_ && depth_ == 1)) {
            skip("an object");
        }
        ++depth_;
    }
    void begin_array() override {
        skip("an array");
        ++depth_;
    }
    void end_object() override { --depth_; }
    void end_array() override { --depth_; }
    void unsigned_integer(std::uint64_t) override { skip("a number"); }
    void other(std::string_view what) override { skip(what); }

    void key(std::string& text) override {
        if(depth_ == 1) {
            in_map_ = text == "weight_map";
            seen_map_ = seen_map_ || in_map_;
        } else if(in_map_) {
            index_.tensors.emplace_back(text, 0);
        }
    }

    void string(std::string& text) override {
        if(in_map_ && depth_ == 2) {
            index_.tensors.back().second = shard(text);
        } else {
            skip("a string");
        }
    }

    [[nodiscard]] bool complete() const noexcept { return seen_map_; }

private:
    /// Number of the shard of that name, new or known.
    [[nodiscard]] std::size_t shard(const std::string& name) {
        // A shard lies beside its index: whatever could name another place is refused unopened.
        constexpr std::string_view separators{"/\\\0", 3};
        if(name.empty() || name == "." || name == ".." || name.find_first_of(separators) != std::string::npos) {
            refuse("weight_map", {"'", tokenworks::detail::escaped(name), "' is no name of a file beside the index"});
        }
        const auto at = std::lower_bound(sorted_.begin(), sorted_.end(), name,
                                         [&](std::size_t i, const std::string& n) { return index_.shards[i] < n; });
        if(at != sorted_.end() && index_.shards[*at] == name) {
            return *at;
        }
        if(sorted_.size() == bounds_.parts) {
            tokenworks::detail::raise<limit_error>(
                {file(), ": weight_map at offset ", offset(), ": names more than ", bounds_.parts, " shards"});
        }
        sorted_.insert(at, index_.shards.size());
        index_.shards.push_back(name);
        return index_.shards.size() - 1;
    }

    /// A value that means nothing here, unless it is where the map or one of its texts should be.
    void skip(std::string_view what) const {
        if(depth_ == 0) {
            refuse("index", {"is ", what, ", not an object"});
        }
        if(in_map_) {
            refuse("weight_map", {depth_ == 1 ? "is " : "maps a tensor to ", what,
                                  depth_ == 1 ? ", not an object" : ", not to a file's name"});
        }
    }

    safetensors_index& index_;
    const limits& bounds_;
    std::vector<std::size_t> sorted_; ///< shards in the order of their names
    std::size_t depth_ = 0;
    bool in_map_ = false;
    bool seen_map_ = false;
};

/// Reads a whole index.
/// @throws format_error, limit_error
[[nodiscard]] inline safetensors_index parse_safetensors_index(std::span<const std::byte> bytes,
                                                               const std::string& file, const limits& bounds) {
    if(bytes.size() > bounds.json_header_bytes) {
        tokenworks::detail::raise<limit_error>(
            {file, ": an index of ", bytes.size(), " bytes is over the limit of ", bounds.json_header_bytes});
    }
    safetensors_index index;
    safetensors_index_handler handler{index, bounds};
    parse_json(bytes, file, 0, bounds.header_json_depth, handler);
    if(!handler.complete()) {
        tokenworks::detail::raise_format(file, {"weight_map"}, format_error::no_offset, {"is missing"});
    }
    return index;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::io::detail
