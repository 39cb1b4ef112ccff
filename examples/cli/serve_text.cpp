// The part of `serve` that writes and reads text.
#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <tokenworks/codec/base64.hpp>
#include <tokenworks/codec/infill.hpp>
#include <tokenworks/codec/tokenizer.hpp>
#include <tokenworks/codec/utf8.hpp>
#include <tokenworks/nn/kv_cache.hpp>
#include <tokenworks/runtime/pooling.hpp>
#include <tokenworks/serve/answer.hpp>

#include "serve.hpp"

namespace cli {

namespace serve = tw::serve;
using serve::api_error;
using serve::token_id;

namespace {

using clock = std::chrono::steady_clock;

std::int64_t unix_time() {
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

/// One job and the samples of it.
struct running_job {
    tw::runtime::job job;
    std::vector<serve::answer_reader> readers{};
    std::vector<clock::time_point> last{}; // token of each sample
    std::vector<bool> has_begun{};
    std::vector<std::size_t> calls{};
    std::optional<std::vector<tw::runtime::prompt_logprob>> prompt{}; // where asked for, once it is there
    std::vector<tw::runtime::token_event> early{};                    // of other samples, before that
    bool over = false;
};

} // namespace

waiting_line::place::place(waiting_line& of, const exchange& with) : of_{of} {
    std::unique_lock lock{of_.mutex_};
    if(of_.inside_ > of_.most_) {
        throw api_error{503, "the line before this model is full: try again later", {}, "overloaded", 2};
    }
    ++of_.inside_;
    while(!of_.left_.wait_for(lock, std::chrono::milliseconds{50}, [&] { return !of_.is_taken_; })) {
        if(with.is_gone()) {
            --of_.inside_;
            throw tw::cancelled_error("the client has gone");
        }
    }
    of_.is_taken_ = true;
}

waiting_line::place::~place() {
    {
        const std::scoped_lock lock{of_.mutex_};
        of_.is_taken_ = false;
        --of_.inside_;
    }
    of_.left_.notify_one();
}

/// What both interfaces ask of the engine.
struct text_service::asked {
    serve::generation_request common{};
    std::vector<std::vector<token_id>> prompts{};
    std::vector<std::string> echoes{}; // of each prompt, where they are given back
    bool is_chat = false;
    bool has_tools = false;
};

text_service::text_service(const tw::text_model& model, tw::runtime::engine& engine, const tw::text_encoder* encoder,
                           serve::server_metrics& metrics, costs& of, settings how)
    : model_{model},
      engine_{engine},
      encoder_{encoder},
      metrics_{metrics},
      costs_{of},
      how_{std::move(how)},
      forms_{
          [&model](tw::codec::grammar rules) -> serve::form_cache::constraint { return model.bind(std::move(rules)); }},
      embedding_energy_{of.meter()} {}

void text_service::check_model(const std::string& name) const {
    if(!name.empty() && name != how_.name) {
        throw api_error{404, "the model '" + tw::printable(name) + "' is not served here; '" + how_.name + "' is",
                        "model", "model_not_found"};
    }
}

std::vector<token_id> text_service::ids_of(const serve::prompt_input& from, bool special) const {
    if(const std::string* const text = std::get_if<std::string>(&from)) {
        return model_.tokenizer().encode(*text, {.add_special = special});
    }
    const std::vector<token_id>& ids = std::get<std::vector<token_id>>(from);
    for(std::size_t i = 0; i < ids.size(); ++i) {
        if(static_cast<std::size_t>(ids[i]) >= model_.vocab_size()) {
            throw api_error{400,
                            "the id " + std::to_string(ids[i]) + " is not among the model's " +
                                std::to_string(model_.vocab_size()),
                            "prompt"};
        }
    }
    return ids;
}

void text_service::chat(exchange& with, request_log& log) {
    serve::chat_request ask = serve::parse_chat_request(with.request.body, how_.rules);
    check_model(ask.model);
    asked what{.is_chat = true, .has_tools = ask.use != serve::tool_use::none};
    if(ask.use == serve::tool_use::required) {
        ask.form.what = serve::answer_form::kind::json_schema;
        ask.form.text = serve::schema_of_call(ask.functions, ask.use_name);
    }
    tw::codec::chat_options options;
    options.tools = std::move(ask.tools);
    options.variables = std::move(ask.variables);
    what.prompts.push_back(model_.chat_prompt(ask.messages, std::move(options)));
    what.common = std::move(ask);
    generate(with, log, std::move(what));
}

void text_service::completions(exchange& with, request_log& log) {
    serve::completion_request ask = serve::parse_completion_request(with.request.body, how_.rules);
    check_model(ask.model);
    asked what;
    for(const serve::prompt_input& each: ask.prompts) {
        if(ask.suffix) {
            const std::string* const before = std::get_if<std::string>(&each);
            if(before == nullptr) {
                throw api_error{400, "a suffix goes with a prompt that is a text", "suffix"};
            }
            const tw::codec::infill_form form{model_.tokenizer()};
            what.prompts.push_back(form.encode(model_.tokenizer(), *before, *ask.suffix));
            ask.options.stop_tokens.insert(ask.options.stop_tokens.end(), form.ends().begin(), form.ends().end());
            continue;
        }
        what.prompts.push_back(ids_of(each, true));
        if(ask.echo) {
            const std::string* const text = std::get_if<std::string>(&each);
            what.echoes.push_back(text != nullptr ? *text : model_.tokenizer().decode(what.prompts.back()));
        }
    }
    what.common = std::move(ask);
    generate(with, log, std::move(what));
}

void text_service::generate(exchange& with, request_log& log, asked what) {
    serve::generation_request& common = what.common;
    for(const auto& [id, bias]: common.options.sampling.logit_bias) {
        if(static_cast<std::size_t>(id) >= model_.vocab_size()) {
            throw api_error{400, "the model has no token " + std::to_string(id), "logit_bias"};
        }
    }
    for(const std::vector<token_id>& each: what.prompts) {
        if(each.empty()) {
            throw api_error{400, "the prompt is empty", what.is_chat ? "messages" : "prompt"};
        }
        log.prompt_tokens += each.size();
        if(each.size() >= engine_.context()) { // before it is charged
            throw api_error{400,
                            "the prompt has " + std::to_string(each.size()) + " tokens, the context takes " +
                                std::to_string(engine_.context()),
                            what.is_chat ? "messages" : "prompt", "context_length_exceeded"};
        }
    }
    common.options.constraint = forms_.get(common.form);
    costs_.take(log.client, log.prompt_tokens);

    const clock::time_point begin = clock::now();
    const double seconds = std::min(common.timeout.value_or(how_.timeout), how_.timeout);
    const bool echoes_tokens = !what.echoes.empty() && common.logprobs;
    std::optional<std::size_t> of_prompt = common.prompt_logprobs;
    if(echoes_tokens) {
        of_prompt = std::max(of_prompt.value_or(0), *common.logprobs);
    }
    std::vector<running_job> jobs(what.prompts.size());
    const tw::codec::tokenizer& tokens = model_.tokenizer();
    std::vector<tw::runtime::request> requests;
    for(std::size_t i = 0; i < jobs.size(); ++i) {
        tw::runtime::request& ask = requests.emplace_back();
        ask.prompt = what.prompts[i];
        ask.options = common.options;
        ask.samples = common.samples;
        ask.priority = common.priority;
        ask.client = log.client;
        ask.cache_salt = common.cache_salt + (how_.separate_caches ? "\n" + log.client : "");
        ask.logprobs = common.logprobs;
        ask.prompt_logprobs = of_prompt;
        ask.deadline = begin + std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>(seconds));
        ask.joules = common.joules;
        for(std::size_t s = 0; s < common.samples; ++s) {
            const std::size_t offset = what.echoes.empty() ? 0 : serve::count_characters(what.echoes[i]);
            jobs[i].readers.emplace_back(i * common.samples + s, tokens,
                                         serve::answer_options{.logprobs = common.logprobs.has_value(),
                                                               .tools = what.has_tools,
                                                               .ignore_eos = common.options.ignore_eos,
                                                               .offset = offset});
        }
        jobs[i].last.resize(common.samples);
        jobs[i].has_begun.resize(common.samples);
        jobs[i].calls.resize(common.samples);
    }
    std::vector<tw::runtime::job> submitted = engine_.submit_all(std::move(requests));
    for(std::size_t i = 0; i < jobs.size(); ++i) {
        jobs[i].job = std::move(submitted[i]);
    }

    std::random_device dice;
    const std::uint64_t unique = (static_cast<std::uint64_t>(dice()) << 32U | dice()) + count_++;
    const serve::answer_head head{(what.is_chat ? "chatcmpl-" : "cmpl-") + std::to_string(unique), how_.name,
                                  unix_time()};
    std::vector<serve::answer_delta> whole(jobs.size() * common.samples);
    for(std::size_t i = 0; i < whole.size(); ++i) {
        whole[i].index = i;
    }
    bool is_begun = false;
    std::string out;
    const auto take_one = [&](running_job& from, const tw::runtime::token_event& event) {
        if(event.id) {
            if(from.last[event.sample] != clock::time_point{}) {
                metrics_.between_tokens(std::chrono::duration<double>(event.at - from.last[event.sample]).count());
            }
            from.last[event.sample] = event.at;
        }
        serve::answer_delta next = from.readers[event.sample].take(event);
        const std::size_t index = next.index;
        if(!from.has_begun[event.sample]) {
            const std::vector<token_id>& prompt = what.prompts[index / common.samples];
            if(!what.echoes.empty()) {
                next.text.insert(0, what.echoes[index / common.samples]);
            }
            if(echoes_tokens) {
                std::vector<serve::shown_token> shown =
                    serve::prompt_tokens(tokens, prompt, *from.prompt, *common.logprobs);
                next.tokens.insert(next.tokens.begin(), std::make_move_iterator(shown.begin()),
                                   std::make_move_iterator(shown.end()));
            }
            if(common.prompt_logprobs) {
                next.prompt = serve::prompt_json(tokens, prompt, *from.prompt, *common.prompt_logprobs);
            }
        }
        from.calls[event.sample] += next.calls.size();
        if(!common.stream) {
            from.has_begun[event.sample] = true;
            whole[index].add(std::move(next));
        } else if(!next.empty()) {
            for(const serve::answer_delta& each: serve::chunks_of(std::move(next))) {
                const bool first = !from.has_begun[event.sample];
                from.has_begun[event.sample] = true;
                out +=
                    serve::sse_event(what.is_chat ? serve::chat_chunk(head, each, first, from.calls[event.sample] != 0)
                                                  : serve::completion_chunk(head, each));
            }
        }
    };
    const auto take = [&](running_job& from, const tw::runtime::token_event& event) {
        if(of_prompt && !from.prompt) { // which the first event of sample 0 brings
            if(event.sample != 0) {
                from.early.push_back(event);
                return;
            }
            from.prompt = from.job.prompt_logprobs();
        }
        take_one(from, event);
        for(const tw::runtime::token_event& each: std::exchange(from.early, {})) {
            take_one(from, each);
        }
    };
    const auto show = [&] {
        if(out.empty()) {
            return;
        }
        if(!is_begun) { // only now: what goes wrong before has a status of its own
            is_begun = true;
            with.begin(200, "text/event-stream", {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}});
        }
        with.write(out);
        out.clear();
    };
    const auto record = [&](const tw::runtime::usage& usage, std::string reason) {
        serve::request_record one{.prompt_tokens = usage.prompt_tokens,
                                  .generated_tokens = usage.generated_tokens,
                                  .queue_seconds = usage.queue_seconds,
                                  .total_seconds = usage.total_seconds,
                                  .reason = std::move(reason)};
        if(usage.first_token_seconds > 0) {
            one.first_token_seconds = usage.first_token_seconds;
        }
        metrics_.finished(one);
    };
    const auto give_up = [&] {
        for(running_job& each: jobs) {
            each.job.cancel();
        }
        for(running_job& each: jobs) {
            const tw::runtime::usage usage = each.job.wait().usage;
            record(usage, "cancelled");
            log.generated_tokens += usage.generated_tokens;
            costs_.charge(log.client, usage.generated_tokens);
        }
        throw tw::cancelled_error("the client has gone");
    };

    serve::usage_sum sum;
    try {
        for(std::size_t open = jobs.size(); open > 0;) {
            bool came = false;
            open = 0;
            running_job* waits = nullptr;
            for(running_job& each: jobs) {
                while(const std::optional<tw::runtime::token_event> event = each.job.poll()) {
                    take(each, *event);
                    came = true;
                }
                each.over = each.job.finished();
                open += each.over ? 0 : 1;
                waits = each.over ? waits : &each;
            }
            show();
            if(with.is_gone()) {
                give_up();
            }
            if(!came && waits != nullptr) {
                const std::chrono::milliseconds most{jobs.size() == 1 ? 50 : 5};
                if(const std::optional<tw::runtime::token_event> event = waits->job.next_for(most)) {
                    take(*waits, *event);
                }
            }
        }
        bool any = false;
        for(std::size_t i = 0; i < jobs.size(); ++i) {
            const tw::runtime::completion& all = jobs[i].job.wait();
            sum.add(all.usage);
            log.generated_tokens += all.usage.generated_tokens;
            costs_.charge(log.client, all.usage.generated_tokens);
            record(all.usage, std::string{to_string(all.samples.front().reason)});
            any = any || all.samples.front().reason != tw::runtime::finish_reason::deadline ||
                  all.usage.generated_tokens != 0;
        }
        if(!any && !is_begun) {
            throw api_error{504, "the time was over before the first token", {}, "timeout"};
        }
        if(std::ranges::all_of(jobs, [](running_job& each) {
               return each.job.wait().samples.front().reason == tw::runtime::finish_reason::cancelled;
           })) {
            throw api_error{503, "the server is shutting down", {}, "shutting_down", 5};
        }
    } catch(const tw::cancelled_error&) {
        throw;
    } catch(...) {
        if(!is_begun) {
            throw;
        }
        with.write(serve::sse_event(serve::api_error_of(std::current_exception()).to_json()));
        with.end();
        throw;
    }
    serve_json usage = serve::usage_json(sum, costs_.source());
    if(!common.stream) {
        send_json(with, what.is_chat
                            ? serve::chat_answer(head, whole, common.logprobs.has_value(), std::move(usage))
                            : serve::completion_answer(head, whole, common.logprobs.has_value(), std::move(usage)));
        return;
    }
    if(common.include_usage) {
        out += serve::sse_event(serve::usage_chunk(head, what.is_chat, std::move(usage)));
    }
    out += serve::sse_end;
    show();
    with.end();
}

std::vector<float> text_service::embed(const std::vector<token_id>& ids) const {
    constexpr std::size_t step = 256; // no longer: the engine takes its turn between two of them
    const std::vector<float> rows = model_.hidden(ids, {}, step);
    const std::size_t width = model_.config().width;
    std::vector<float> out(width);
    tw::runtime::pool(tw::runtime::pooling::mean, tw::nn::const_rows{rows.data(), ids.size(), width}, out);
    tw::runtime::normalize(out);
    return out;
}

void text_service::embeddings(exchange& with, request_log& log) {
    const tw::io::json_tree tree = serve::parse_body(with.request.body, how_.rules.json_depth);
    serve::request_fields in{tree.root()};
    const std::string name = in.string("model", 1024).value_or("");
    if(name != "embedding" || encoder_ == nullptr) {
        check_model(name);
    }
    const std::vector<serve::prompt_input> inputs = serve::parse_prompts(in.need("input"), "input", 2048);
    const bool as_text = in.word("encoding_format", {"float", "base64"}).value_or("float") == "base64";
    const std::size_t width = encoder_ != nullptr ? encoder_->width() : model_.config().width;
    if(const auto dimensions = in.whole("dimensions", 1, 1U << 20U); dimensions && *dimensions != width) {
        in.refuse("dimensions", {"the model has ", width, " of them, and no fewer"});
    }
    in.finish(serve::harmless_fields);

    std::vector<std::vector<token_id>> ids;
    const std::size_t most =
        encoder_ != nullptr ? encoder_->network().config().context_length : model_.context_length();
    for(const serve::prompt_input& each: inputs) {
        const std::string* const text = std::get_if<std::string>(&each);
        ids.push_back(encoder_ != nullptr && text != nullptr ? encoder_->encode(*text) : ids_of(each, true));
        const std::string place = "input[" + std::to_string(ids.size() - 1) + "]";
        if(ids.back().empty()) {
            throw api_error{400, place + ": is empty", "input"};
        }
        if(ids.back().size() > most) {
            throw api_error{400,
                            place + ": has " + std::to_string(ids.back().size()) + " tokens, the model takes " +
                                std::to_string(most),
                            "input", "context_length_exceeded"};
        }
        log.prompt_tokens += ids.back().size();
    }
    costs_.take(log.client, log.prompt_tokens);
    serve_json data = serve_json::array();
    std::optional<double> joules;
    {
        const waiting_line::place mine{embeddings_, with};
        counted_work work{embedding_energy_};
        for(std::size_t i = 0; i < ids.size(); ++i) {
            if(with.is_gone()) {
                throw tw::cancelled_error("the client has gone");
            }
            const std::vector<float> vector =
                encoder_ != nullptr ? encoder_->embed(ids[i], encoder_->defaults()) : embed(ids[i]);
            serve_json one{{"object", "embedding"}, {"index", i}};
            if(as_text) {
                static_assert(std::endian::native == std::endian::little);
                one["embedding"] = tw::codec::encode_base64(
                    {reinterpret_cast<const char*>(vector.data()), vector.size() * sizeof(float)});
            } else {
                one["embedding"] = vector;
            }
            data.push_back(std::move(one));
        }
        joules = work.joules();
    }
    serve_json usage{{"prompt_tokens", log.prompt_tokens}, {"total_tokens", log.prompt_tokens}};
    if(joules) {
        usage["energy"] = {{"joules", *joules}, {"source", costs_.source()}};
    }
    send_json(with, {{"object", "list"},
                     {"data", std::move(data)},
                     {"model", name.empty() ? how_.name : name},
                     {"usage", std::move(usage)}});
}

void text_service::tokenize(exchange& with) {
    const tw::io::json_tree tree = serve::parse_body(with.request.body, how_.rules.json_depth);
    serve::request_fields in{tree.root()};
    check_model(in.string("model", 1024).value_or(""));
    const tw::codec::encode_options how{.add_special = in.boolean("add_special").value_or(false),
                                        .parse_special = in.boolean("parse_special").value_or(false)};
    std::vector<token_id> ids;
    if(const auto messages = in.find("messages")) {
        ids = model_.chat_prompt(serve::parse_messages(*messages, "messages", how_.rules.most_messages));
    } else {
        std::optional<std::string> text = in.string("content");
        std::optional<std::string> prompt = in.string("prompt");
        if(text.has_value() == prompt.has_value()) {
            in.refuse("content", {"or prompt, or messages: one of them is needed"});
        }
        ids = model_.tokenizer().encode(text ? *text : *prompt, how);
    }
    const bool with_pieces = in.boolean("with_pieces").value_or(false);
    in.finish();
    serve_json out{{"tokens", ids}, {"count", ids.size()}, {"max_model_len", engine_.context()}};
    if(with_pieces) {
        serve_json pieces = serve_json::array();
        for(const token_id id: ids) {
            pieces.push_back(std::string{model_.tokenizer().piece(id)});
        }
        out["pieces"] = std::move(pieces);
    }
    send_json(with, out);
}

void text_service::detokenize(exchange& with) {
    const tw::io::json_tree tree = serve::parse_body(with.request.body, how_.rules.json_depth);
    serve::request_fields in{tree.root()};
    check_model(in.string("model", 1024).value_or(""));
    const tw::io::json_value list = in.need("tokens");
    in.finish();
    std::vector<token_id> ids;
    if(list.size() != 0 || !list.is_array()) {
        const std::vector<serve::prompt_input> parsed = serve::parse_prompts(list, "tokens", 1);
        if(!std::holds_alternative<std::vector<token_id>>(parsed.front())) {
            list.refuse({"tokens"}, {"is no list of ids"});
        }
        ids = ids_of(parsed.front(), false);
    }
    const std::string text = model_.tokenizer().decode(ids);
    send_json(with, {{"content", text}, {"prompt", text}});
}

} // namespace cli
