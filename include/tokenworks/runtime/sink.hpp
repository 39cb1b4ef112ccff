// What is written as tokens come.
#pragma once

#include <concepts>
#include <utility>
#include <vector>

#include <tokenworks/codec/token_space.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/sampling/candidates.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

/// put(id): the next token; finish(): the output is complete. A sink that is not finished leaves nothing behind.
template <class S>
concept sink = requires(S& s, sampling::token_id id) {
    s.put(id);
    s.finish();
};

/// Keeps the ids; once they are complete, they are data of their token space.
template <codec::token_space Space>
class data_sink {
public:
    explicit data_sink(const Space& space) noexcept : space_{&space} {}

    void put(sampling::token_id id) { ids_.push_back(id); }
    void finish() { data_ = space_->decode(ids_); }

    [[nodiscard]] const std::vector<sampling::token_id>& ids() const noexcept { return ids_; }
    /// Nothing, before it is finished.
    [[nodiscard]] const typename Space::data& data() const noexcept { return data_; }

private:
    const Space* space_;
    std::vector<sampling::token_id> ids_{};
    typename Space::data data_{};
};

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
