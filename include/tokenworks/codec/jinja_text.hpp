// Text that knows of each of its bytes whether it came from a chat template or from somebody's message.
//
// A template cuts, joins and replaces texts at will. So trust belongs to runs of bytes, not to whole texts: whatever is
// built from a text keeps, byte for byte, what the text had. A control token is looked for in trusted runs only.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja {

class text {
public:
    /// Bytes up to `end`, from the end of the run before.
    struct run {
        std::size_t end;
        bool trusted;
    };

    text() = default;
    text(std::string_view bytes, bool trusted) { append(bytes, trusted); }

    [[nodiscard]] std::string_view view() const noexcept { return bytes_; }
    [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
    [[nodiscard]] bool empty() const noexcept { return bytes_.empty(); }
    /// In order, none empty, neighbours of different trust.
    [[nodiscard]] const std::vector<run>& runs() const noexcept { return runs_; }
    [[nodiscard]] std::size_t heap_bytes() const noexcept { return bytes_.size() + runs_.size() * sizeof(run); }

    /// Whether all bytes of a range are trusted; true for an empty one.
    [[nodiscard]] bool trusted(std::size_t from, std::size_t to) const noexcept;
    [[nodiscard]] bool trusted() const noexcept { return trusted(0, size()); }

    void append(std::string_view bytes, bool trusted);
    void append(const text& other, std::size_t from, std::size_t to);
    void append(const text& other) { append(other, 0, other.size()); }

    [[nodiscard]] text sub(std::size_t from, std::size_t to) const {
        text part;
        part.append(*this, from, to);
        return part;
    }

private:
    [[nodiscard]] std::size_t run_at(std::size_t at) const noexcept;

    std::string bytes_;
    std::vector<run> runs_;
};

#if TOKENWORKS_DEFINITIONS

// The run that holds byte `at`.
TOKENWORKS_FUNCTION std::size_t text::run_at(std::size_t at) const noexcept {
    std::size_t low = 0;
    std::size_t high = runs_.size();
    while(low < high) {
        const std::size_t middle = (low + high) / 2;
        if(runs_[middle].end <= at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

TOKENWORKS_FUNCTION bool text::trusted(std::size_t from, std::size_t to) const noexcept {
    for(std::size_t i = run_at(from); from < to; ++i) {
        if(!runs_[i].trusted) {
            return false;
        }
        from = runs_[i].end;
    }
    return true;
}

TOKENWORKS_FUNCTION void text::append(std::string_view bytes, bool trusted) {
    if(bytes.empty()) {
        return;
    }
    bytes_ += bytes;
    if(!runs_.empty() && runs_.back().trusted == trusted) {
        runs_.back().end = bytes_.size();
    } else {
        runs_.push_back({bytes_.size(), trusted});
    }
}

TOKENWORKS_FUNCTION void text::append(const text& other, std::size_t from, std::size_t to) {
    for(std::size_t i = other.run_at(from); from < to; ++i) {
        const run part = other.runs_[i];
        const std::size_t end = part.end < to ? part.end : to;
        append(other.view().substr(from, end - from), part.trusted);
        from = end;
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja
