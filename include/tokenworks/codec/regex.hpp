// Regular expressions as tokenizer files use them: a subset of Oniguruma's syntax, matched by backtracking with bounds.
//
//   x . [a-z] [^a-z] [a[b-c]&&[d]] [[:alpha:]] \d \s \w \h \p{L} \p{^Lu} \P{Han} \x{2581} \u2581    characters
//   (?:x) (x) (?i:x) (?i) x|y x* x+ x? x{2} x{2,} x{,3} x{2,3}, each also lazy (x*?); x*+ x++ x?+     groups,
//   repetition
//   (?=x) (?!x) (?<=x) (?<!x) (?>x) ^ $ \A \z \Z \b \B                                            what surrounds a
//   match
//
// The leftmost match counts, and of those the one that a backtracking engine finds first. A run of characters of one
// class is one instruction that remembers where its run ends, and from where on it failed; a choice that was tried in
// vain at a place is not tried there again once a search has turned out long. What is left is counted: more steps than
// step_limit are refused. Expressions come from files: depth and size are bounded, and what is not listed above (back
// references, conditions, calls) is refused when the expression is read. A malformed byte counts as U+FFFD.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/regex_compiler.hpp>
#include <tokenworks/codec/regex_program.hpp>
#include <tokenworks/codec/string_index.hpp>
#include <tokenworks/codec/utf8.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

class regex {
public:
    /// @throws unsupported_error for syntax that is not known, argument_error for a malformed pattern, both with the
    /// place;
    ///         limit_error for a pattern that is too long, too deep or too large
    explicit regex(std::string_view pattern) : pattern_{pattern}, program_{detail::compile_regex(pattern)} {}

    /// Steps that a search through so many bytes may take.
    [[nodiscard]] static constexpr std::uint64_t step_limit(std::size_t bytes) noexcept {
        return 4'000'000 + 400 * static_cast<std::uint64_t>(bytes);
    }

    using range = std::pair<std::size_t, std::size_t>;

    /// Appends the matches of a text as (begin, end), from the left; they do not overlap, and none is empty where the
    /// one before it ends.
    /// @throws limit_error for a search of too many steps
    void find_all(std::string_view text, std::vector<range>& found) const {
        std::uint64_t steps = step_limit(text.size());
        find_all(text, found, steps);
    }

    /// The same for one of many texts that share a limit: it takes what it needs of the steps that are left, and no
    /// more than it may for this text alone.
    void find_all(std::string_view text, std::vector<range>& found, std::uint64_t& steps) const;

    [[nodiscard]] const std::string& pattern() const noexcept { return pattern_; }

private:
    std::string pattern_;
    detail::regex_program program_;
};

#if TOKENWORKS_DEFINITIONS

namespace detail {

/// Runs a program on one text.
class regex_matcher {
public:
    regex_matcher(const regex_program& program, std::string_view text, std::string_view pattern, std::uint64_t limit)
        : program_{program},
          text_{text},
          pattern_{pattern},
          registers_(program.registers, none),
          runs_(program.code.size()),
          limit_{limit} {}

    /// The end of the match that begins at `from`, or none.
    [[nodiscard]] std::size_t match_at(std::size_t from) {
        search_steps_ = 0;
        ++search_;
        const std::size_t end = execute(0, from, true);
        if(end != none) {
            matched_ = end;
        }
        return end;
    }

    [[nodiscard]] std::uint64_t steps() const noexcept { return steps_; }

    static constexpr std::size_t none = ~std::size_t{0};

private:
    /// Where to go on after a failure.
    struct frame {
        enum class kind : std::uint8_t { choice, shorter, longer, restore };
        kind what;
        std::uint32_t pc; // instruction; of a restore the register
        std::size_t at;   // place; of a restore the value
        std::size_t
            bound; // of a run: the place where it must not give up more, or how many characters it may still take
        std::size_t first; // of a run: where it began
    };
    /// What is known of an unbounded run of one instruction.
    struct run_memory {
        std::size_t begin = 1, end = 0;               // the last run that was looked through
        std::size_t failed_begin = 1, failed_end = 0; // beginning in here, it fails
    };
    struct visit {
        std::uint64_t key = none;
        std::uint64_t search = 0;
    };

    [[nodiscard]] std::size_t execute(std::uint32_t pc, std::size_t at, bool outermost);
    [[nodiscard]] bool run(const regex_instruction& i, std::uint32_t pc, std::size_t& at);
    [[nodiscard]] bool look_behind(const regex_instruction& i, std::size_t at);
    [[nodiscard]] bool assertion(const regex_instruction& i, std::size_t at) const;
    [[nodiscard]] bool resume(std::size_t base, std::uint32_t& pc, std::size_t& at);
    [[nodiscard]] bool tried(std::uint32_t pc, std::size_t at);

    [[nodiscard]] bool is_word(std::size_t at) const {
        return at < text_.size() && is_regex_word(decode_utf8(text_, at).code);
    }
    /// The character at `at`, if it is of a set: its length, or 0.
    [[nodiscard]] std::size_t one(std::uint32_t set, std::size_t at) const {
        if(at >= text_.size()) {
            return 0;
        }
        const std::uint32_t lead = byte_at(text_, at);
        if(lead < 0x80) {
            return program_.sets[set].ascii[lead] ? 1 : 0;
        }
        const utf8_char c = decode_utf8(text_, at);
        return program_.contains(set, c.code) ? c.length : std::size_t{0};
    }
    /// Where the character before `at` begins. @pre at > 0
    [[nodiscard]] std::size_t before(std::size_t at) const {
        for(std::size_t back = 2; back <= 4 && back <= at; ++back) {
            const std::uint32_t lead = byte_at(text_, at - back + 1);
            if((lead & 0xC0) != 0x80) {
                break;
            }
            if(utf8_length(byte_at(text_, at - back)) == back && decode_utf8(text_, at - back).valid) {
                return at - back;
            }
        }
        return at - 1;
    }
    void count_step() {
        ++search_steps_;
        if(++steps_ > limit_) {
            tokenworks::detail::raise<limit_error>({"regular expression \"", tokenworks::detail::escaped(pattern_),
                                                    "\": more than ", limit_, " steps in a text of ", text_.size(),
                                                    " bytes"});
        }
    }

    const regex_program& program_;
    std::string_view text_;
    std::string_view pattern_;
    std::vector<frame> stack_;
    std::vector<std::size_t> registers_;
    std::vector<run_memory> runs_;
    std::vector<visit> visits_; // choices tried in vain, by hash
    std::size_t visit_count_ = 0;
    bool careful_ = false; // since a search turned out long
    std::size_t matched_ = 0;
    std::uint64_t search_ = 0, search_steps_ = 0, steps_ = 0, limit_;
};

/// Whether a choice was tried at a place before: in this search, or in an earlier one beyond what that matched. It
/// failed, then, as nothing but the place decides; but for loops that look whether they advance.
inline bool regex_matcher::tried(std::uint32_t pc, std::size_t at) {
    constexpr std::uint64_t patience = 256;
    careful_ = careful_ || search_steps_ >= patience;
    if(!careful_ || program_.registers != 0) {
        return false;
    }
    if(visit_count_ * 2 >= visits_.size()) {
        constexpr std::size_t most = std::size_t{1} << 20;
        const std::size_t size = std::clamp<std::size_t>(visits_.size() * 2, 1024, most);
        std::vector<visit> old(size);
        old.swap(visits_);
        visit_count_ = 0;
        for(const visit& v: old) {
            const std::size_t place = static_cast<std::size_t>(v.key >> 16);
            if(old.size() < most && v.key != none && (v.search == search_ || place > matched_)) {
                std::size_t slot = mix(v.key) & (size - 1);
                while(visits_[slot].key != none) {
                    slot = (slot + 1) & (size - 1);
                }
                visits_[slot] = v;
                ++visit_count_;
            }
        }
    }
    const std::uint64_t key = static_cast<std::uint64_t>(at) << 16 | pc;
    for(std::size_t slot = mix(key) & (visits_.size() - 1);; slot = (slot + 1) & (visits_.size() - 1)) {
        visit& v = visits_[slot];
        if(v.key == key) {
            const bool known = v.search == search_ || at > matched_;
            v.search = search_;
            return known;
        }
        if(v.key == none) {
            v = {key, search_};
            ++visit_count_;
            return false;
        }
    }
}

inline bool regex_matcher::run(const regex_instruction& i, std::uint32_t pc, std::size_t& at) {
    run_memory& memory = runs_[pc];
    const bool endless = i.most == unbounded && i.least <= 1 && i.mode != regex_mode::lazy;
    if(endless && at >= memory.failed_begin && at <= memory.failed_end && program_.registers == 0) {
        return false;
    }
    const std::size_t first = at;
    std::size_t count = 0;
    std::size_t low = at; // after the least that it must take
    const std::uint32_t wanted = i.mode == regex_mode::lazy ? i.least : i.most;
    while(count < wanted) {
        if(endless && count >= i.least && at >= memory.begin && at < memory.end) {
            at = memory.end;
            break;
        }
        const std::size_t length = one(i.x, at);
        if(length == 0) {
            break;
        }
        at += length;
        if(++count == i.least) {
            low = at;
        }
        count_step();
    }
    if(count < i.least) {
        return false;
    }
    if(endless) {
        memory.begin = first;
        memory.end = at;
    }
    if(i.mode == regex_mode::greedy && at > low) {
        stack_.push_back({frame::kind::shorter, pc, at, low, first});
    } else if(i.mode == regex_mode::lazy && i.most > count) {
        stack_.push_back({frame::kind::longer, pc, at, i.most == unbounded ? none : i.most - count, first});
    }
    return true;
}

/// Takes the last frame above `base`; false if there is none.
inline bool regex_matcher::resume(std::size_t base, std::uint32_t& pc, std::size_t& at) {
    while(stack_.size() > base) {
        frame& f = stack_.back();
        count_step();
        switch(f.what) {
        case frame::kind::restore:
            registers_[f.pc] = f.at;
            stack_.pop_back();
            continue;
        case frame::kind::choice:
            pc = f.pc;
            at = f.at;
            stack_.pop_back();
            return true;
        case frame::kind::shorter: {
            if(f.at <= f.bound) { // nothing is left to give up: it fails from wherever in this run it begins
                const regex_instruction& i = program_.code[f.pc];
                if(i.most == unbounded && i.least <= 1) {
                    run_memory& memory = runs_[f.pc];
                    memory.failed_begin = f.first;
                    memory.failed_end = memory.end >= f.first && memory.begin <= f.first ? memory.end : f.first;
                }
                stack_.pop_back();
                continue;
            }
            f.at = before(f.at);
            pc = f.pc + 1;
            at = f.at;
            return true;
        }
        case frame::kind::longer: {
            const std::size_t length = f.bound == 0 ? 0 : one(program_.code[f.pc].x, f.at);
            if(length == 0) {
                stack_.pop_back();
                continue;
            }
            f.at += length;
            f.bound -= f.bound == none ? 0 : 1;
            pc = f.pc + 1;
            at = f.at;
            return true;
        }
        }
    }
    return false;
}

inline bool regex_matcher::look_behind(const regex_instruction& i, std::size_t at) {
    for(std::uint32_t n = 0; n < i.least; ++n) {
        if(at == 0) {
            return false;
        }
        at = before(at);
        count_step();
    }
    return execute(i.x, at, false) != none; // of a fixed length: it ends where it should
}

inline bool regex_matcher::assertion(const regex_instruction& i, std::size_t at) const {
    switch(i.code) {
    case regex_code::line_begin:
        return at == 0 || (text_[at - 1] == '\n' && at < text_.size());
    case regex_code::line_end:
        return at == text_.size() || text_[at] == '\n';
    case regex_code::text_begin:
        return at == 0;
    case regex_code::text_end:
        return at == text_.size();
    case regex_code::text_end_or_newline:
        return at == text_.size() || (at + 1 == text_.size() && text_[at] == '\n');
    case regex_code::word_border:
        return (is_word(at) != (at > 0 && is_word(before(at)))) != i.flag;
    default:
        return false;
    }
}

inline std::size_t regex_matcher::execute(std::uint32_t pc, std::size_t at, bool outermost) {
    const std::size_t base = stack_.size();
    for(;;) {
        const regex_instruction& i = program_.code[pc];
        count_step();
        bool good = true;
        switch(i.code) {
        case regex_code::one: {
            const std::size_t length = one(i.x, at);
            good = length != 0;
            at += length;
            ++pc;
            break;
        }
        case regex_code::literal: {
            good = at < text_.size();
            if(good) {
                const utf8_char c = decode_utf8(text_, at);
                good = c.code == i.x;
                at += c.length;
            }
            ++pc;
            break;
        }
        case regex_code::run:
            good = run(i, pc, at);
            ++pc;
            break;
        case regex_code::split:
            // Inside of a look or an atomic group a choice may have succeeded and is tried again.
            good = !(outermost && tried(pc, at));
            if(good) {
                stack_.push_back({frame::kind::choice, i.y, at, 0, 0});
            }
            pc = i.x;
            break;
        case regex_code::jump:
            pc = i.x;
            break;
        case regex_code::look:
            good = (execute(i.x, at, false) != none) != i.flag;
            ++pc;
            break;
        case regex_code::look_one:
            good = (one(i.x, at) != 0) != i.flag;
            ++pc;
            break;
        case regex_code::look_behind:
            good = look_behind(i, at) != i.flag;
            ++pc;
            break;
        case regex_code::atomic:
            at = execute(i.x, at, false);
            good = at != none;
            ++pc;
            break;
        case regex_code::save:
            stack_.push_back({frame::kind::restore, i.x, registers_[i.x], 0, 0});
            registers_[i.x] = at;
            ++pc;
            break;
        case regex_code::check:
            if(registers_[i.x] == at) {
                pc = program_.code[pc + 1].x; // on to the loop's choice, and out of it
                pc = program_.code[pc].mode == regex_mode::lazy ? program_.code[pc].x : program_.code[pc].y;
            } else {
                ++pc;
            }
            break;
        case regex_code::match:
            // Frames of registers are not undone: nothing reads a register before it is saved anew.
            stack_.resize(base);
            return at;
        default:
            good = assertion(i, at);
            ++pc;
            break;
        }
        if(!good && !resume(base, pc, at)) {
            return none;
        }
    }
}

} // namespace detail

TOKENWORKS_FUNCTION void regex::find_all(std::string_view text, std::vector<range>& found, std::uint64_t& steps) const {
    detail::regex_matcher matcher{program_, text, pattern_, std::min(steps, step_limit(text.size()))};
    constexpr std::size_t none = detail::regex_matcher::none;
    std::size_t last = none; // end of the last match
    for(std::size_t at = 0; at <= text.size();) {
        const std::size_t end = matcher.match_at(at);
        if(end == none || (end == at && end == last)) {
            at += at < text.size() ? decode_utf8(text, at).length : 1U;
            continue;
        }
        found.push_back({at, end});
        last = end;
        at = end;
    }
    steps -= matcher.steps();
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
