// Who may ask, and how much: keys of an interface, and what each of them may use in a minute.
//
//   serve::api_keys keys;
//   keys.add("alice=sk-1234");                          // a name and a key; a key alone is called "key-1"
//   const auto who = keys.owner_of("Bearer sk-1234");   // "alice"; nothing: not known
//   serve::quota limit{{.requests = 60, .tokens = 10000}};
//   if(const auto wait = limit.take(*who, prompt_tokens, now)) ... 429, "Retry-After: wait"
//
// A quota is a bucket of requests and one of tokens that fill evenly (a minute fills them) and hold a minute's worth.
// An answer's length is not known before: its tokens are taken when it ends, and may leave a bucket below zero.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::serve {

class api_keys {
public:
    /// @param text  "NAME=KEY" or "KEY"
    /// @throws argument_error for an empty key or name, and for a key that is there already
    void add(std::string_view text) {
        const std::size_t equals = text.find('=');
        // Keys in base 64 may end with =, which leaves nothing behind it.
        const bool is_named = equals != text.npos && text.find_first_not_of('=', equals) != text.npos;
        std::string name = is_named ? std::string{text.substr(0, equals)} : "key-" + std::to_string(keys_.size() + 1);
        std::string key{is_named ? text.substr(equals + 1) : text};
        if(key.empty() || name.empty()) {
            tokenworks::detail::raise<argument_error>({"API key: it is empty, or its name is"});
        }
        if(owner_of_key(key)) {
            tokenworks::detail::raise<argument_error>({"API key: the one of '", printable(name), "' is given twice"});
        }
        keys_.push_back({std::move(name), std::move(key)});
    }
    [[nodiscard]] bool empty() const noexcept { return keys_.empty(); }

    /// @param authorization  the header: "Bearer KEY"
    [[nodiscard]] std::optional<std::string> owner_of(std::string_view authorization) const {
        constexpr std::string_view scheme = "bearer ";
        const bool is_bearer = authorization.size() > scheme.size() &&
                               std::ranges::equal(authorization.substr(0, scheme.size()), scheme, [](char a, char b) {
                                   return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b;
                               });
        return is_bearer ? owner_of_key(authorization.substr(scheme.size())) : std::nullopt;
    }

private:
    struct entry {
        std::string name;
        std::string key;
    };

    /// Takes as long for a wrong key as for one that is nearly right.
    [[nodiscard]] std::optional<std::string> owner_of_key(std::string_view given) const {
        std::optional<std::string> found;
        for(const entry& each: keys_) {
            unsigned difference = each.key.size() == given.size() ? 0U : 1U;
            for(std::size_t i = 0; i < given.size(); ++i) {
                difference |= static_cast<unsigned>(given[i] != each.key[i % each.key.size()]);
            }
            if(difference == 0) {
                found = each.name;
            }
        }
        return found;
    }

    std::vector<entry> keys_{};
};

struct quota_rates {
    double requests = 0; ///< a minute; 0: as many as they like
    double tokens = 0;   ///< a minute, prompts and answers; 0: as many as they like
};

/// Any thread may call any of these.
class quota {
public:
    using clock = std::chrono::steady_clock;

    explicit quota(quota_rates rates) : rates_{rates} {}

    /// Takes a request with so many tokens of prompt out of the buckets of a client.
    /// @return seconds to wait, and nothing is taken, where there is not enough
    [[nodiscard]] std::optional<double> take(const std::string& client, std::size_t tokens, clock::time_point now) {
        const std::lock_guard lock{mutex_};
        buckets& own = filled(client, now);
        // A prompt larger than a bucket would never pass: a full one is enough for any.
        const double wanted = std::min(static_cast<double>(tokens), rates_.tokens);
        const double wait = std::max(missing(own.requests, 1, rates_.requests),
                                     missing(own.tokens, std::max(wanted, 1.0), rates_.tokens));
        if(wait > 0) {
            return wait;
        }
        own.requests -= 1;
        own.tokens -= static_cast<double>(tokens);
        return std::nullopt;
    }
    /// Tokens of an answer.
    void charge(const std::string& client, std::size_t tokens, clock::time_point now) {
        const std::lock_guard lock{mutex_};
        filled(client, now).tokens -= static_cast<double>(tokens);
    }

private:
    struct buckets {
        double requests;
        double tokens;
        clock::time_point at;
    };

    [[nodiscard]] buckets& filled(const std::string& client, clock::time_point now) {
        buckets& own = all_.try_emplace(client, buckets{rates_.requests, rates_.tokens, now}).first->second;
        const double minutes = std::max(0.0, std::chrono::duration<double>(now - own.at).count() / 60);
        own.requests = std::min(rates_.requests, own.requests + minutes * rates_.requests);
        own.tokens = std::min(rates_.tokens, own.tokens + minutes * rates_.tokens);
        own.at = std::max(own.at, now);
        return own;
    }
    /// Seconds until a bucket holds so much.
    [[nodiscard]] static double missing(double holds, double wanted, double rate) noexcept {
        return rate > 0 && holds < wanted ? (wanted - holds) / rate * 60 : 0;
    }

    quota_rates rates_;
    std::mutex mutex_{};
    std::map<std::string, buckets> all_{};
};

} // namespace tokenworks::inline TOKENWORKS_ABI::serve
