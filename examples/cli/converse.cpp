// The subcommands that write text: generate and chat.
#include <algorithm>
#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <limits>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

#include <nlohmann/json.hpp>

#include <tokenworks/codec/infill.hpp>
#include <tokenworks/runtime/text_model.hpp>

#include "load.hpp"
#include "options.hpp"

namespace cli {

using json = nlohmann::ordered_json;

namespace {

/// "ID=B" to a pair.
std::pair<std::int32_t, float> parse_bias(const std::string& text) {
    const std::size_t equals = text.find('=');
    std::int32_t id = -1;
    float bias = 0;
    const char* const end = text.data() + text.size();
    if(equals != std::string::npos) {
        const auto first = std::from_chars(text.data(), text.data() + equals, id);
        const char* begin = text.data() + equals + 1;
        begin += begin != end && *begin == '+' ? 1 : 0;
        const auto second = std::from_chars(begin, end, bias);
        if(first.ec == std::errc{} && first.ptr == text.data() + equals && second.ec == std::errc{} &&
           second.ptr == end) {
            return {id, bias};
        }
    }
    throw usage_error("--logit-bias: '" + tw::printable(text) + "' is not ID=B");
}

tw::generate_options loop_options(const generate_options& what) {
    if(what.grammar_file || what.json_schema || what.regex) {
        throw usage_error(
            "--grammar-file, --json-schema and --regex are not in this version: a constraint that cannot be "
            "enforced is an error");
    }
    tw::generate_options options;
    options.max_tokens = what.max_tokens;
    options.sampling = what.sampling;
    for(const std::string& bias: what.logit_bias) {
        options.sampling.logit_bias.push_back(parse_bias(bias));
    }
    if(std::ranges::any_of(what.stop, [](const std::string& text) { return text.empty(); })) {
        throw usage_error("--stop: an empty text would end every answer");
    }
    try {
        static_cast<void>(tw::sampling::make_chain(options.sampling));
    } catch(const tw::argument_error& problem) { // a temperature below zero, say
        throw usage_error(problem.what());
    }
    options.stop = what.stop;
    options.ignore_eos = what.ignore_eos;
    return options;
}

void report(const tw::runtime::timings& t) {
    std::fprintf(stderr, "\n[prompt %zu tokens, %.1f tokens/s; answer %zu tokens, %.1f tokens/s]\n", t.prompt_tokens,
                 t.prefill_tokens_per_second(), t.generated_tokens, t.decode_tokens_per_second());
}

json to_json(const tw::runtime::timings& t) {
    return {{"prompt_tokens", t.prompt_tokens},
            {"prefill_seconds", t.prefill_seconds},
            {"generated_tokens", t.generated_tokens},
            {"decode_seconds", t.decode_seconds}};
}

std::vector<tw::codec::chat_message> first_messages(const generate_options& what) {
    std::vector<tw::codec::chat_message> messages;
    if(what.system) {
        messages.push_back({"system", *what.system});
    }
    return messages;
}

} // namespace

int generate(const common_options& options, const generate_options& what) {
    const int given =
        int{what.input.text.has_value()} + int{what.input.file.has_value()} + int{what.input.ids.has_value()};
    if(given != 1) {
        throw usage_error("generate takes exactly one of -p, --file and --ids");
    }
    if(what.input.ids && (what.chat || what.system)) {
        throw usage_error("--ids is a prompt as it is; it does not go with --chat or --system");
    }
    const bool fills = what.suffix || what.suffix_file;
    if(fills && (what.input.ids || what.chat || what.system)) {
        throw usage_error("--suffix does not go with --ids, --chat or --system");
    }
    tw::generate_options loop = loop_options(what);
    const tw::dtype cache = cache_type(what.cache_type);
    const std::string text = what.input.ids ? std::string{} : text_of(what.input);
    const std::string after = what.suffix ? *what.suffix : fills ? read_text(*what.suffix_file) : std::string{};
    const tw::text_model model = load_model(options);
    std::vector<std::int32_t> prompt;
    if(fills) {
        const tw::codec::infill_form form{model.tokenizer()};
        prompt = form.encode(model.tokenizer(), text, after);
        if(!what.ignore_eos) {
            loop.stop_tokens = form.ends();
        }
    } else if(what.input.ids) {
        prompt = parse_ids(*what.input.ids);
        if(prompt.empty()) {
            throw usage_error("--ids: no token id given");
        }
    } else if(what.chat || what.system) {
        std::vector<tw::codec::chat_message> messages = first_messages(what);
        messages.push_back({"user", text});
        prompt = model.chat_prompt(messages);
    } else {
        prompt = model.tokenizer().encode(text, {.add_special = true});
    }
    if(prompt.empty()) {
        throw tw::argument_error("generate: the prompt is empty, and the model adds no token at the start of a text");
    }
    progress_bar bar{"reading the prompt"};
    if(prompt.size() > 512) {
        loop.on_progress = [&](std::size_t done, std::size_t total) {
            bar(done, total);
            return true;
        };
    }
    const adapters with{options, model};
    tw::text_model::state_options sizes = model.state_options_for(prompt.size(), loop.max_tokens, what.context, cache);
    sizes.adapters = with.all();
    auto generation = tw::generate(model, model.make_state(sizes), model.tokenizer(), prompt, std::move(loop));
    std::string all;
    for(const std::string_view piece: generation) {
        if(options.json) {
            all += piece;
        } else {
            std::cout << piece;
            require_stdout();
        }
    }
    if(options.json) {
        json out;
        out["text"] = all;
        out["ids"] = std::vector<std::int32_t>(generation.ids().begin(), generation.ids().end());
        out["prompt_ids"] = prompt;
        out["finish_reason"] = std::string{to_string(generation.finish_reason())};
        out["timings"] = to_json(generation.timings());
        std::cout << out.dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
    } else {
        std::cout << std::endl;
        report(generation.timings());
    }
    return 0;
}

namespace {

// A signal handler may touch nothing but this.
std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void on_interrupt(int) { interrupted = true; }

} // namespace

int chat(const common_options& options, const generate_options& what) {
    const tw::generate_options loop = loop_options(what);
    const tw::text_model model = load_model(options);
    const adapters with{options, model};
    tw::text_model::state state =
        model.make_state({.capacity = what.context, .cache_type = cache_type(what.cache_type), .adapters = with.all()});
    std::vector<tw::codec::chat_message> messages = first_messages(what);
    std::vector<std::int32_t> seen; // what the state holds
    struct sigaction action {};
    action.sa_handler = on_interrupt;
    sigaction(SIGINT, &action, nullptr);
    const bool terminal = isatty(0) != 0;
    if(terminal) {
        std::fputs("Type a message; Ctrl-C stops an answer, Ctrl-D ends the conversation.\n", stderr);
    }
    for(std::string line;;) {
        if(terminal) {
            std::fputs("> ", stderr);
        }
        interrupted = false;
        if(!std::getline(std::cin, line)) {
            if(interrupted && !std::cin.bad() && terminal) { // Ctrl-C at the prompt: a new line, not the end
                std::cin.clear();
                clearerr(stdin);
                std::fputs("\n", stderr);
                continue;
            }
            break;
        }
        if(line.empty()) {
            continue;
        }
        messages.push_back({"user", line});
        const std::vector<std::int32_t> prompt = model.chat_prompt(messages);
        // The cache keeps the longest beginning that the conversation shares with what it holds; at least one token of
        // the prompt must run, for its logits.
        const auto common = std::ranges::mismatch(seen, prompt);
        const std::size_t kept =
            std::min({static_cast<std::size_t>(common.in1 - seen.begin()), prompt.size() - 1, state.size()});
        state.truncate(kept);
        tw::generate_options turn = loop;
        turn.history = std::span{prompt}.first(kept);
        std::stop_source stop;
        turn.cancel = stop.get_token();
        turn.on_progress = [](std::size_t, std::size_t) { return !interrupted; }; // Ctrl-C while reading the prompt
        std::string answer;
        std::optional<tw::runtime::finish_reason> reason;
        try {
            auto generation =
                tw::generate(model, state, model.tokenizer(), std::span{prompt}.subspan(kept), std::move(turn));
            for(const std::string_view piece: generation) {
                if(!options.json) {
                    std::cout << piece;
                    require_stdout();
                }
                answer += piece;
                if(interrupted) {
                    stop.request_stop();
                }
            }
            reason = generation.finish_reason();
            seen.assign(prompt.begin(), prompt.end());
            seen.insert(seen.end(), generation.ids().begin(), generation.ids().end());
            if(options.json) { // an object a turn, a line each
                const json out{{"text", answer},
                               {"finish_reason", std::string{to_string(generation.finish_reason())}},
                               {"timings", to_json(generation.timings())}};
                std::cout << out.dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
            } else {
                std::cout << '\n';
            }
            require_stdout();
            if(terminal) {
                report(generation.timings());
            }
        } catch(const tw::capacity_error&) {
            reason = tw::runtime::finish_reason::context_full;
        }
        seen.resize(std::min(seen.size(), state.size()));
        messages.push_back({"assistant", answer});
        if(reason == tw::runtime::finish_reason::context_full) {
            throw tw::capacity_error("chat: the conversation fills the context of " + std::to_string(state.capacity()) +
                                     " tokens");
        }
    }
    return 0;
}

} // namespace cli
