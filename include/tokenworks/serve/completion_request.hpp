// The body of a request to /v1/completions: texts to go on with.
//
//   const serve::completion_request ask = serve::parse_completion_request(R"({"prompt": "The sky is"})");
//
// serve/generation_request.hpp tells what else is read.
//
// Needs nlohmann-json.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/serve/generation_request.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::serve {

struct completion_request: generation_request {
    std::vector<prompt_input> prompts{}; ///< at least one
    std::optional<std::string> suffix{}; ///< what stands behind the text to write
    bool echo = false;                   ///< the answer begins with the prompt
};

/// @throws format_error with the field; limit_error for nesting
[[nodiscard]] TOKENWORKS_FUNCTION completion_request parse_completion_request(std::string_view body,
                                                                              const request_rules& rules = {});

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION completion_request parse_completion_request(std::string_view body, const request_rules& rules) {
    const io::json_tree tree = parse_body(body, rules.json_depth);
    request_fields in{tree.root()};
    completion_request to;
    to.prompts = parse_prompts(in.need("prompt"), "prompt", rules.most_prompts);
    parse_shared_fields(in, to, rules);
    if(!to.says_max_tokens) {
        to.options.max_tokens = 16; // what this interface has always done
    }
    if(const auto top = in.whole("logprobs", 0, 20)) {
        to.logprobs = static_cast<std::size_t>(*top);
    }
    to.echo = in.boolean("echo").value_or(false);
    to.suffix = in.string("suffix");
    if(to.suffix && to.echo) {
        in.refuse("suffix", {"does not go with echo"});
    }
    if(const auto best = in.whole("best_of", 1, rules.most_samples)) {
        if(*best != to.samples) {
            in.refuse("best_of", {"differs from n: all answers are given back"});
        }
    }
    in.finish(harmless_fields);
    return to;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::serve
