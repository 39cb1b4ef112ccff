// The subcommands that write text: generate and chat.
#include <algorithm>
#include <atomic>
#include <charconv>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <limits>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <unistd.h>

#include <nlohmann/json.hpp>

#include <tokenworks/codec/choices.hpp>
#include <tokenworks/codec/gbnf.hpp>
#include <tokenworks/codec/infill.hpp>
#include <tokenworks/codec/json_schema.hpp>
#include <tokenworks/codec/regex_automaton.hpp>
#include <tokenworks/models/model_files.hpp>
#include <tokenworks/runtime/beam_search.hpp>
#include <tokenworks/runtime/grammar_constraint.hpp>
#include <tokenworks/runtime/text_model.hpp>
#include <tokenworks/runtime/text_to_text.hpp>

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

/// The grammar that the flags ask for, or none.
std::optional<tw::codec::grammar> grammar_of(const generate_options& what) {
    const bool has_choices = !what.choices.empty();
    if(int{what.grammar_file.has_value()} + int{what.json_schema.has_value()} + int{what.regex.has_value()} +
           int{has_choices} >
       1) {
        throw usage_error("at most one of --grammar-file, --json-schema, --regex and --choice");
    }
    if(what.grammar_file) {
        return tw::codec::parse_gbnf(read_text(*what.grammar_file), *what.grammar_file);
    }
    if(what.json_schema) {
        return tw::codec::parse_json_schema(read_text(*what.json_schema), *what.json_schema);
    }
    if(what.regex) {
        try {
            return tw::codec::parse_regex_grammar(*what.regex, "--regex");
        } catch(const tw::error& problem) {
            throw usage_error(std::string{"--regex: "} + problem.what());
        }
    }
    if(has_choices) {
        try {
            return tw::codec::choices(what.choices, "--choice");
        } catch(const tw::error& problem) {
            throw usage_error(problem.what());
        }
    }
    return std::nullopt;
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

namespace {

/// A text and what is told of it with --json.
void print(const common_options& options, std::string_view text, std::span<const std::int32_t> ids,
           std::span<const std::int32_t> prompt, tw::runtime::finish_reason reason, const tw::runtime::timings& timings,
           std::optional<float> score = {}) {
    if(!options.json) {
        std::cout << text << std::endl;
        report(timings);
        return;
    }
    json out;
    out["text"] = text;
    out["ids"] = std::vector<std::int32_t>(ids.begin(), ids.end());
    out["prompt_ids"] = std::vector<std::int32_t>(prompt.begin(), prompt.end());
    out["finish_reason"] = std::string{to_string(reason)};
    out["timings"] = to_json(timings);
    if(score) {
        out["score"] = *score;
    }
    std::cout << out.dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
}

/// The beams that the flags ask for, in place of what `beams` says.
void use_flags(tw::beam_options& beams, const generate_options& what) {
    beams.beams = what.beams.value_or(beams.beams);
    beams.length_penalty = what.length_penalty.value_or(beams.length_penalty);
    beams.no_repeat_ngram = what.no_repeat_ngram.value_or(beams.no_repeat_ngram);
    beams.cache_type = cache_type(what.cache_type);
    if(what.has_max_tokens) {
        beams.max_tokens = what.max_tokens;
    }
    if(what.ignore_eos) {
        beams.ends.clear();
    }
    if(what.penalises) {
        const tw::sampling::sampler_options& said = what.sampling;
        beams.penalties = {said.repeat_last_n, said.repeat_penalty, said.frequency_penalty, said.presence_penalty};
    }
    if(beams.beams > 1 && what.needs_loop) {
        throw usage_error(
            "beams look for the likeliest text: flags that draw, --logit-bias, --stop and grammars go with "
            "--num-beams 1");
    }
}

/// A prompt by ids or by a text; what a text becomes is the model's to say.
template <class Encode>
std::vector<std::int32_t> prompt_of(const generate_options& what, const std::string& text, const Encode& encode) {
    if(!what.input.ids) {
        return encode(text);
    }
    std::vector<std::int32_t> prompt = parse_ids(*what.input.ids);
    if(prompt.empty()) {
        throw usage_error("--ids: no token id given");
    }
    return prompt;
}

bool has_encoder_and_decoder(const std::string& path) {
    return tw::models::model_files::open(path).encoder_config().has_value();
}

/// The text that an encoder and a decoder make of another.
int rewrite(const common_options& options, const generate_options& what, tw::generate_options loop,
            const std::string& text) {
    require_merged_loras(options, "a model of an encoder and a decoder");
    if(what.suffix || what.suffix_file) {
        throw usage_error("--suffix: this model has no form for filling in the middle");
    }
    if(what.chat || what.system) {
        throw usage_error("this model makes a text of another; it knows no conversations");
    }
    std::optional<tw::codec::grammar> rules = grammar_of(what);
    progress_bar bar{"loading"};
    const tw::text_to_text model = tw::text_to_text::load(options.model, load_options(options, bar));
    if(rules) {
        loop.constraint = tw::runtime::bind(*std::move(rules), model.tokenizer());
    }
    tw::beam_options beams = model.defaults().beams;
    if(what.needs_loop && !what.beams) {
        beams.beams = 1;
    }
    use_flags(beams, what);
    if(what.forced_bos) {
        beams.first_token = model.tokenizer().find(*what.forced_bos);
        if(!beams.first_token) {
            throw usage_error("--forced-bos: the model has no token '" + tw::printable(*what.forced_bos) + "'");
        }
    }
    const std::vector<std::int32_t> source =
        prompt_of(what, text, [&](const std::string& from) { return model.encode(from); });
    tw::rewritten made;
    if(what.needs_loop) {
        loop.max_tokens = beams.max_tokens;
        if(!what.draws) {
            loop.sampling.temperature = 0;
        }
        loop.sampling.no_repeat_ngram = beams.no_repeat_ngram;
        if(!what.penalises) {
            loop.sampling.repeat_penalty = beams.penalties.repeat;
            loop.sampling.repeat_last_n = beams.penalties.last_n;
        }
        std::vector<std::int32_t> begun{model.defaults().start};
        if(beams.first_token) {
            begun.push_back(*beams.first_token);
        }
        made = model.sample(source, begun, std::move(loop), beams.cache_type);
    } else {
        made = model.rewrite(source, beams);
    }
    print(options, made.text, made.ids, source, made.reason, made.timings, made.score);
    return 0;
}

/// The likeliest continuation of a prompt.
int search(const common_options& options, const generate_options& what, const tw::text_model& model,
           const std::vector<std::int32_t>& prompt) {
    tw::runtime::timings timings;
    tw::beam_options beams{.max_tokens = what.max_tokens, .ends = model.tokenizer().vocabulary().ends()};
    use_flags(beams, what);
    const std::size_t context = what.context == 0 ? model.context_length() : what.context;
    if(prompt.size() >= context) {
        throw tw::capacity_error("generate: the prompt has " + std::to_string(prompt.size()) +
                                 " tokens, the context takes " + std::to_string(context));
    }
    beams.max_tokens = std::min(beams.max_tokens, context - prompt.size());
    beams.timings = &timings;
    const adapters with{options, model};
    beams.adapters = with.all();
    tw::nn::context c{model.how()};
    std::vector<tw::runtime::beam_result> found = tw::beam_search(c, model.network(), prompt, beams);
    tw::runtime::beam_result best = found.empty() ? tw::runtime::beam_result{} : std::move(found.front());
    const bool ended = !best.ids.empty() && std::ranges::find(beams.ends, best.ids.back()) != beams.ends.end();
    std::string text;
    for(const std::int32_t id: best.ids) {
        model.tokenizer().append_piece(id, text);
    }
    print(options, text, best.ids, prompt,
          ended ? tw::runtime::finish_reason::stop : tw::runtime::finish_reason::length, timings, best.score);
    return 0;
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
    if(has_encoder_and_decoder(options.model)) {
        return rewrite(options, what, std::move(loop), text);
    }
    if(what.forced_bos) {
        throw usage_error("--forced-bos: this model has no encoder beside a decoder");
    }
    const std::string after = what.suffix ? *what.suffix : fills ? read_text(*what.suffix_file) : std::string{};
    std::optional<tw::codec::grammar> rules = grammar_of(what);
    const tw::text_model model = load_model(options);
    if(rules) {
        loop.constraint = model.bind(*std::move(rules));
    }
    const std::vector<std::int32_t> prompt = prompt_of(what, text, [&](const std::string& from) {
        if(fills) {
            const tw::codec::infill_form form{model.tokenizer()};
            if(!what.ignore_eos) {
                loop.stop_tokens = form.ends();
            }
            return form.encode(model.tokenizer(), from, after);
        }
        if(!what.chat && !what.system) {
            return model.tokenizer().encode(from, {.add_special = true});
        }
        std::vector<tw::codec::chat_message> messages = first_messages(what);
        messages.push_back({"user", from});
        return model.chat_prompt(messages);
    });
    if(prompt.empty()) {
        throw tw::argument_error("generate: the prompt is empty, and the model adds no token at the start of a text");
    }
    if(what.beams.value_or(1) > 1) {
        if(fills) {
            throw usage_error("--suffix does not go with --num-beams");
        }
        return search(options, what, model, prompt);
    }
    loop.sampling.no_repeat_ngram = what.no_repeat_ngram.value_or(0);
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
    print(options, all, generation.ids(), prompt, generation.finish_reason(), generation.timings());
    return 0;
}

namespace {

// A signal handler may touch nothing but this.
std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void on_interrupt(int) { interrupted = true; }

} // namespace

int chat(const common_options& options, const generate_options& what) {
    tw::generate_options loop = loop_options(what);
    std::optional<tw::codec::grammar> rules = grammar_of(what);
    const tw::text_model model = load_model(options);
    if(rules) {
        loop.constraint = model.bind(*std::move(rules));
    }
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
