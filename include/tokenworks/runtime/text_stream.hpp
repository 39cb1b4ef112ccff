// Turns the bytes of token after token into text that may be shown: whole characters, and nothing of a stop string.
//
// Three things hold bytes back: the start of a character whose rest has not come, the start of what may become a stop
// string, and nothing else. What is held is at most as long as the longest stop string and three bytes, so the time is
// linear in the text, and memory does not grow with it.
#pragma once

#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <tokenworks/codec/utf8.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/runtime/stop_matcher.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

class text_stream {
public:
    /// @throws as stop_matcher does
    explicit text_stream(std::span<const std::string> stop = {}) : matcher_{stop} {
        std::size_t longest = 0;
        for(const std::string& s: stop) {
            longest = std::max(longest, s.size());
        }
        buffer_.reserve(longest + usual_piece);
    }

    /// Adds the bytes that append(std::string&) appends. What may be shown now is returned, maybe nothing, and is valid
    /// until the next call. Bytes that no character can start or continue with are shown as they are.
    template <std::invocable<std::string&> Append>
    [[nodiscard]] std::string_view push(Append&& append) {
        buffer_.erase(0, shown_);
        shown_ = 0;
        const std::size_t held = buffer_.size();
        if(stopped_) {
            return {};
        }
        std::forward<Append>(append)(buffer_);
        const std::string_view all = buffer_;
        if(const auto found = matcher_.feed(all.substr(held))) {
            stopped_ = true;
            shown_ = held + found->end - found->length;
            buffer_.resize(shown_);
            return buffer_;
        }
        shown_ = all.size() - matcher_.held();
        shown_ -= codec::unfinished_utf8(all.substr(0, shown_));
        return all.substr(0, shown_);
    }

    [[nodiscard]] std::string_view push(std::string_view bytes) {
        return push([&](std::string& out) { out += bytes; });
    }

    /// Ends the text: what was held back, finished character or not; nothing after a stop string.
    [[nodiscard]] std::string_view finish() {
        buffer_.erase(0, shown_);
        shown_ = buffer_.size();
        return buffer_;
    }

    /// True once a stop string has come; later pushes show nothing.
    [[nodiscard]] bool stopped() const noexcept { return stopped_; }

private:
    static constexpr std::size_t usual_piece = 1024; // longer tokens than this make the buffer grow

    stop_matcher matcher_;
    std::string buffer_;    // what the last call showed, then what is held back
    std::size_t shown_ = 0; // bytes of the first part
    bool stopped_ = false;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
