// tokenworks: the library at a terminal. This file is the command line; the work is in the files beside it.
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <limits>
#include <new>
#include <string>

#include <CLI/CLI.hpp>

#include <tokenworks/core/error.hpp>
#include <tokenworks/models/quantization.hpp>
#include <tokenworks/version.hpp>

#include "options.hpp"
#include "serve_command.hpp"

namespace {

constexpr std::uint64_t most_tokens = std::numeric_limits<std::int32_t>::max();

/// Decimal digits, between two bounds: without this the parser takes 010 for eight, and cuts what is too large.
CLI::Validator whole_number(std::uint64_t least, std::uint64_t most) {
    const auto check = [=](const std::string& text) -> std::string {
        std::uint64_t value = 0;
        const char* const end = text.data() + text.size();
        const auto [last, problem] = std::from_chars(text.data(), end, value);
        const bool is_decimal = problem == std::errc{} && last == end && (text[0] != '0' || text == "0");
        return is_decimal && value >= least && value <= most
                   ? std::string{}
                   : "'" + text + "' is not a whole number from " + std::to_string(least) + " to " +
                         std::to_string(most);
    };
    return CLI::Validator{check, "UINT"};
}

/// An option of texts that may be repeated: one value each time, taken as it is.
template <class T>
void add_texts(CLI::App& command, const std::string& name, T& values, const std::string& about) {
    command.add_option(name, values, about)->allow_extra_args(false);
}

void add_machine(CLI::App& command, cli::common_options& options) {
    command.add_option("-t,--threads", options.threads, "threads; 0: the usable physical cores")
        ->check(whole_number(0, 1024));
    command.add_option("--isa", options.isa, "auto, portable, avx2, avx512, amx or neon; also TOKENWORKS_ISA");
    command.add_flag("--json", options.json, "one JSON object on stdout");
}

void add_model(CLI::App& command, cli::common_options& options) {
    command.add_option("-m,--model", options.model, "a GGUF file or a Hugging Face model folder")->required();
    add_machine(command, options);
}

void add_quantization(CLI::App& command, cli::common_options& options) {
    add_texts(command, "--tensor-type", options.tensor_types,
              "REGEX=TYPE, repeatable: the type of matrices whose name matches; the first that does counts");
    command.add_option("--imatrix", options.imatrix,
                       "how much columns matter: a file made by imatrix or llama-imatrix");
}

/// The same for the commands that load the weights.
void add_loaded_model(CLI::App& command, cli::common_options& options) {
    add_model(command, options);
    command.add_option(
        "--packed-cache", options.packed_cache,
        "a file for packed weights: read where it fits the model, else written; later starts are faster");
    command
        .add_option("--matmul-precision", options.matmul_precision,
                    "highest, or medium: weights in f32, f16 and bf16 are multiplied as bf16, which is faster")
        ->capture_default_str();
    add_texts(command, "--lora", options.loras,
              "PATH[:SCALE], repeatable: a LoRA adapter, a PEFT folder, or for a GGUF model also a GGUF file");
    command.add_flag("--merge-lora", options.merge_loras, "merge the adapters into the weights while they load");
    command.add_option("--quantize", options.quantize, "bring the weights to a type while they load")
        ->type_name("TYPE");
    add_quantization(command, options);
}

void add_text(CLI::App& command, cli::input_options& input, const std::string& name) {
    auto* const text = command.add_option(name, input.text, "the text itself");
    auto* const file = command.add_option("--file", input.file, "a file with the text");
    text->excludes(file);
}

void add_sampling(CLI::App& command, cli::generate_options& options) {
    auto& s = options.sampling;
    command.add_option("--temp", s.temperature, "temperature; 0: greedy")->capture_default_str();
    command.add_option("--top-k", s.top_k, "keep the k likeliest; 0: all")
        ->capture_default_str()
        ->check(whole_number(0, most_tokens));
    command.add_option("--top-p", s.top_p, "keep the likeliest up to this mass")->capture_default_str();
    command.add_option("--min-p", s.min_p, "drop what is less likely than this share of the likeliest")
        ->capture_default_str();
    command.add_option("--typical-p", s.typical_p, "locally typical sampling; 1: off")->capture_default_str();
    command.add_option("--repeat-penalty", s.repeat_penalty, "of tokens that occurred; 1: off")->capture_default_str();
    command.add_option("--repeat-last-n", s.repeat_last_n, "tokens that the penalties look back")
        ->capture_default_str()
        ->check(whole_number(0, most_tokens));
    command.add_option("--frequency-penalty", s.frequency_penalty, "0: off")->capture_default_str();
    command.add_option("--presence-penalty", s.presence_penalty, "0: off")->capture_default_str();
    command.add_option("--seed", s.seed, "of the random numbers")
        ->capture_default_str()
        ->check(whole_number(0, std::numeric_limits<std::uint64_t>::max()));
    add_texts(command, "--logit-bias", options.logit_bias, "ID=B, repeatable: adds B to a token's logit");
    command.add_option("--grammar-file", options.grammar_file, "a file with a grammar in GBNF that the text follows");
    command.add_option("--json-schema", options.json_schema, "a file with a JSON Schema that the text is valid under");
    command.add_option("--regex", options.regex, "a regular expression that matches the whole text");
    add_texts(command, "--choice", options.choices,
              "a text that the answer may be, repeatable: it is exactly one of them");
    command.add_option("-n,--n-predict", options.max_tokens, "most tokens to generate")
        ->capture_default_str()
        ->check(whole_number(0, most_tokens));
    command.add_option("--ctx", options.context, "context to reserve; 0: as needed")
        ->check(whole_number(0, most_tokens));
    command.add_option("--cache-type", options.cache_type, cli::cache_types)->capture_default_str();
    command.add_option("--system", options.system, "the system message of a conversation");
    add_texts(command, "--stop", options.stop, "text that ends the answer, repeatable");
    command.add_flag("--ignore-eos", options.ignore_eos, "go on after an end token");
}

/// serve: the server.
void add_serve(CLI::App& app, cli::common_options& common, cli::serve_command& serve, int& code) {
    auto* const command = app.add_subcommand("serve", "a server with OpenAI's interface, the other kinds, and a page");
    add_loaded_model(*command, common);
    const CLI::Range seconds{0.0, 1e6};
    command->add_option("--host", serve.http.host, "the address to listen on")->capture_default_str();
    command->add_option("--port", serve.http.port, "0: one that is free")
        ->capture_default_str()
        ->check(whole_number(0, 65535));
    command->add_option("--parallel", serve.parallel, "answers that are written at a time")
        ->capture_default_str()
        ->check(whole_number(1, 4096));
    command->add_option("--ctx", serve.context, "tokens of a conversation; 0: the model's context")
        ->check(whole_number(0, most_tokens));
    command->add_option("--queue", serve.queue, "answers that wait; more are refused at once; 0: four times --parallel")
        ->check(whole_number(0, 1 << 20));
    command
        ->add_option("--queue-seconds", serve.queue_seconds,
                     "that one may be expected to wait; 2, or 0, no bound, where --queue says how many wait")
        ->check(seconds);
    command
        ->add_option("--cache-tokens", serve.cache_tokens,
                     "tokens that the cache holds, all together; 0: 1024 for each of --parallel, and a whole --ctx")
        ->check(whole_number(0, most_tokens));
    command->add_option("--cache-type", serve.cache_type, cli::cache_types)->capture_default_str();
    command->add_option("--alias", serve.alias, "how clients call the model; its file's name if not given");
    command->add_option("--embed-model", serve.embed_model, "an encoder for /v1/embeddings, in place of the model");
    add_texts(*command, "--api-key", serve.api_keys, "[NAME=]KEY, repeatable: clients must have one of them");
    command->add_option("--api-key-file", serve.api_key_file, "a file with one a line");
    command->add_option("--requests-per-minute", serve.requests_per_minute, "of a key; 0: no limit")->check(seconds);
    command->add_option("--tokens-per-minute", serve.tokens_per_minute, "of a key, read and written; 0: no limit")
        ->check(CLI::Range(0.0, 1e12));
    command->add_option("--max-body", serve.http.limits.body_bytes, "bytes of a request")
        ->capture_default_str()
        ->check(whole_number(1, std::uint64_t{1} << 32U));
    command->add_option("--connections", serve.http.connections, "at a time; 0: by --parallel and --queue")
        ->check(whole_number(0, 65536));
    command->add_option("--timeout", serve.timeout, "seconds that a request may take")
        ->capture_default_str()
        ->check(seconds);
    command->add_option("--drain", serve.drain, "seconds to finish in when told to stop")
        ->capture_default_str()
        ->check(seconds);
    command->add_option("--prefix-cache", serve.prefix_cache,
                        "a file for prompts: read at the start, written at the end");
    command->add_flag("--separate-caches", serve.separate_caches, "keys do not share what was computed of prompts");
    command->add_option("--log", serve.log, "a line a request on stderr: text, json or none")
        ->capture_default_str()
        ->check(CLI::IsMember({"text", "json", "none"}));
    auto& s = serve.sampling;
    command->add_option("--temp", s.temperature, "where a request says nothing")->capture_default_str();
    command->add_option("--top-k", s.top_k)->capture_default_str();
    command->add_option("--top-p", s.top_p)->capture_default_str();
    command->add_option("--min-p", s.min_p)->capture_default_str();
    command->add_option("--typical-p", s.typical_p)->capture_default_str();
    command->add_option("--repeat-penalty", s.repeat_penalty)->capture_default_str();
    command->add_option("--seed", s.seed)
        ->capture_default_str()
        ->check(whole_number(0, std::numeric_limits<std::uint64_t>::max()));
    command->callback([&] {
        try {
            static_cast<void>(tokenworks::sampling::make_chain(serve.sampling));
        } catch(const tokenworks::argument_error& problem) {
            throw cli::usage_error(problem.what());
        }
        code = cli::serve_models(common, serve);
    });
}

/// protein and its subcommands.
void add_protein(CLI::App& app, cli::common_options& common, cli::protein_command& protein, int& code) {
    auto* const all = app.add_subcommand("protein", "makes, scores, embeds and fills sequences of proteins, as FASTA");
    const auto add = [&](CLI::App& command, int (*run)(const cli::common_options&, const cli::protein_command&)) {
        command.add_option(
            "-m,--model", common.model,
            "a GGUF file or a folder (ESM-2, ProtGPT2, ProGen2, IgLM); the one that is shipped if not given");
        add_machine(command, common);
        command.add_option("--family", protein.family, "what the sequences are, one that --list tells");
        command.add_flag("--list", protein.list, "print the families that the model knows, one a line");
        command.callback([&, run] { code = run(common, protein); });
    };
    const auto add_file = [&](CLI::App& command) { command.add_option("FILE", protein.file, "FASTA: the sequences"); };
    const auto add_drawing = [&](CLI::App& command) {
        auto& s = protein.sampling;
        command.add_option("-n,--count", protein.count, "sequences to make")
            ->capture_default_str()
            ->check(whole_number(1, 1000000));
        command.add_option("-o,--out", protein.out, "a FASTA file, in place of stdout");
        command.add_option("--each", protein.each, "a folder: 0000.fasta, 0001.fasta and so on")->excludes("--out");
        command.add_option("--min-length", protein.least, "residues to make at least")
            ->capture_default_str()
            ->check(whole_number(1, most_tokens));
        command.add_option("--max-length", protein.most, "and at most; 0: as many as the model's context holds")
            ->check(whole_number(0, most_tokens));
        command.add_option("--temp", s.temperature, "temperature; 0: greedy")->capture_default_str();
        command.add_option("--top-k", s.top_k, "keep the k likeliest; 0: all")
            ->capture_default_str()
            ->check(whole_number(0, most_tokens));
        command.add_option("--top-p", s.top_p, "keep the likeliest up to this mass")->capture_default_str();
        command.add_option("--min-p", s.min_p, "drop what is less likely than this share of the likeliest")
            ->capture_default_str();
        command.add_option("--seed", s.seed, "of the random numbers")
            ->capture_default_str()
            ->check(whole_number(0, std::numeric_limits<std::uint64_t>::max()));
    };
    add(*all, cli::protein_generate);
    all->callback([&, all] {
        if(!all->get_subcommands().empty()) {
            return;
        }
        if(!protein.list) {
            throw cli::usage_error(
                "protein takes one of generate, infill, score, mutate, embed, contacts, or --list; --help tells more");
        }
        code = cli::protein_generate(common, protein);
    });

    auto* const generate = all->add_subcommand("generate", "writes new sequences");
    add(*generate, cli::protein_generate);
    add_drawing(*generate);
    generate->add_option("--begin", protein.begin, "residues that each of them begins with");

    auto* const infill = all->add_subcommand("infill", "writes the sequences with a part of each made anew");
    add(*infill, cli::protein_infill);
    add_file(*infill);
    add_drawing(*infill);
    infill->add_option("--start", protein.first, "the first residue to replace, counted from 1")
        ->check(whole_number(1, most_tokens));
    infill->add_option("--end", protein.last, "and the last")->check(whole_number(1, most_tokens));

    auto* const score = all->add_subcommand("score", "prints id, length and log-likelihood of each sequence");
    add(*score, cli::protein_score);
    add_file(*score);

    auto* const mutate = all->add_subcommand("mutate", "prints how much likelier each residue is at each place");
    add(*mutate, cli::protein_mutate);
    add_file(*mutate);
    mutate->add_option("--plot", protein.plot, "a .svg file with the table as a heat map, of one sequence");

    auto* const embed = all->add_subcommand("embed", "writes a vector for each sequence as a .npy file");
    add(*embed, cli::protein_embed);
    add_file(*embed);
    embed->add_option("-o,--out", protein.out, "a .npy file, float32 [N,C]");

    auto* const contacts = all->add_subcommand("contacts", "which residues of a sequence touch, with ESM-2");
    add(*contacts, cli::protein_contacts);
    add_file(*contacts);
    contacts->add_option("-o,--out", protein.out, "a .npy file, float32 [T,T]");
    contacts->add_option("--plot", protein.plot, "a .svg file with the map");
}

/// The flags that say how tokens are drawn, and those that only a loop token by token heeds.
constexpr const char* draw_flags[] = {"--temp", "--top-k", "--top-p", "--min-p", "--typical-p", "--seed"};
constexpr const char* loop_flags[] = {"--logit-bias",  "--stop",  "--grammar-file",
                                      "--json-schema", "--regex", "--choice"};
constexpr const char* penalty_flags[] = {"--repeat-penalty", "--frequency-penalty", "--presence-penalty"};

void add_beams(CLI::App& command, cli::generate_options& options) {
    command.add_option("--num-beams", options.beams, "look for the likeliest text with so many beams; 1: do not")
        ->check(whole_number(1, 1024));
    command.add_option("--length-penalty", options.length_penalty,
                       "of beams: scores are divided by the tokens to this power; above 0 long texts gain");
    command.add_option("--no-repeat-ngram", options.no_repeat_ngram, "no run of so many tokens occurs twice; 0: off")
        ->check(whole_number(0, most_tokens));
    command.add_option("--forced-bos", options.forced_bos,
                       "of an encoder with a decoder: the token that the text begins with, such as a language's");
}

int run(int argc, char** argv) {
    CLI::App app{"Runs and inspects transformer models on this machine's processor.", "tokenworks"};
    app.set_version_flag("--version", TOKENWORKS_VERSION_STRING);
    app.require_subcommand(0, 1);

    cli::common_options common;
    int code = 0;

    auto* const info = app.add_subcommand("info", "what a model file holds and needs");
    add_model(*info, common);
    bool verify = false;
    info->add_flag("--verify", verify, "run what the file carries to check it with: an input and its expected output");
    info->callback([&] { code = cli::info(common, verify); });

    cli::tokenize_options tokenize;
    auto* const tokenize_command = app.add_subcommand("tokenize", "text to token ids");
    add_model(*tokenize_command, common);
    add_text(*tokenize_command, tokenize.input, "--text");
    tokenize_command
        ->add_option("--jsonl", tokenize.jsonl, "a file with a JSON string a line; prints a line of ids for each")
        ->excludes("--text", "--file");
    tokenize_command->add_flag("--add-special", tokenize.add_special, "add what the model starts and ends a text with");
    tokenize_command->add_flag("--parse-special", tokenize.parse_special, "read control tokens in the text as such");
    tokenize_command->callback([&] { code = cli::tokenize(common, tokenize); });

    cli::detokenize_options detokenize;
    auto* const detokenize_command = app.add_subcommand("detokenize", "token ids to bytes");
    add_model(*detokenize_command, common);
    detokenize_command->add_option("--ids", detokenize.ids, "1,2,3");
    detokenize_command
        ->add_option("--jsonl", detokenize.jsonl, "a file with ids on each line; prints a JSON string for each")
        ->excludes("--ids");
    detokenize_command->callback([&] { code = cli::detokenize(common, detokenize); });

    cli::embed_options embed;
    auto* const embed_command = app.add_subcommand("embed", "a text or a picture as a vector, as JSON");
    add_loaded_model(*embed_command, common);
    add_text(*embed_command, embed.input, "--text");
    embed_command->add_option("--ids", embed.input.ids, "1,2,3: token ids in place of a text");
    embed_command->add_option("--image", embed.image, "a PNG or JPEG file, for models that read images");
    embed_command->add_option("--pooling", embed.pooling, "none, mean, cls, last or max; the model's own if not given");
    embed_command->add_flag("--normalize", embed.normalize, "scale to length 1");
    embed_command->callback([&] { code = cli::embed(common, embed); });

    cli::input_options classified;
    auto* const classify = app.add_subcommand("classify", "which class a text is of, as JSON");
    add_loaded_model(*classify, common);
    add_text(*classify, classified, "--text");
    classify->callback([&] { code = cli::classify(common, classified); });

    cli::rerank_options rerank;
    auto* const rerank_command = app.add_subcommand(
        "rerank", "documents by how well they answer a question: score, place in the file, document");
    add_loaded_model(*rerank_command, common);
    rerank_command->add_option("--query", rerank.query, "the question")->required();
    rerank_command->add_option("--file", rerank.file, "a document a line")->required();
    rerank_command->callback([&] { code = cli::rerank(common, rerank); });

    cli::logits_options logits;
    auto* const logits_command = app.add_subcommand("logits", "writes the logits after every token as a .npy file");
    add_loaded_model(*logits_command, common);
    logits_command->add_option("--ids", logits.ids, "1,2,3")->required();
    logits_command->add_option("--decoder-ids", logits.decoder_ids, "where the model has a decoder beside its encoder");
    logits_command->add_option("--out", logits.out, "float32 [T,V]")->required();
    logits_command->callback([&] { code = cli::logits(common, logits); });

    cli::generate_options generate;
    auto* const generate_command = app.add_subcommand("generate", "continues a text");
    add_loaded_model(*generate_command, common);
    add_text(*generate_command, generate.input, "-p,--prompt");
    generate_command->add_option("--ids", generate.input.ids, "1,2,3: the prompt as token ids");
    generate_command->add_flag("--chat", generate.chat, "put the prompt into the model's chat template");
    auto* const suffix = generate_command->add_option(
        "--suffix", generate.suffix, "what follows: the model fills the gap between; needs a model of code");
    generate_command->add_option("--suffix-file", generate.suffix_file, "a file with what follows")->excludes(suffix);
    add_sampling(*generate_command, generate);
    add_beams(*generate_command, generate);
    generate_command->callback([&] {
        generate.has_max_tokens = generate_command->count("-n") != 0;
        const auto is_given = [&](const char* flag) { return generate_command->count(flag) != 0; };
        generate.draws = std::ranges::any_of(draw_flags, is_given);
        generate.penalises = std::ranges::any_of(penalty_flags, is_given);
        generate.needs_loop = generate.draws || std::ranges::any_of(loop_flags, is_given);
        code = cli::generate(common, generate);
    });

    cli::generate_options conversation;
    conversation.max_tokens = 1024;
    auto* const chat = app.add_subcommand("chat", "an interactive conversation; Ctrl-C stops the answer");
    add_loaded_model(*chat, common);
    add_sampling(*chat, conversation);
    chat->callback([&] { code = cli::chat(common, conversation); });

    cli::perplexity_options perplexity;
    auto* const perplexity_command = app.add_subcommand("perplexity", "how well a model predicts a text");
    add_loaded_model(*perplexity_command, common);
    perplexity_command->add_option("--file", perplexity.file, "the text")->required();
    perplexity_command->add_option("--ctx", perplexity.context, "tokens in a window; its second half is scored")
        ->capture_default_str()
        ->check(whole_number(4, 1 << 24));
    perplexity_command->callback([&] { code = cli::perplexity(common, perplexity); });

    cli::bench_options bench;
    auto* const bench_command = app.add_subcommand("bench", "tokens per second, beside what this machine can do");
    add_loaded_model(*bench_command, common);
    bench_command->add_option("-p,--prompt-tokens", bench.prompt, "of a forecaster: values of each series")
        ->capture_default_str()
        ->check(whole_number(1, 1 << 20));
    bench_command
        ->add_option("-n,--generated-tokens", bench.generate,
                     "128; of a forecaster: the horizon that it was trained for")
        ->check(whole_number(1, 1 << 20));
    bench_command->add_option("-b,--batch", bench.batch)->capture_default_str()->check(whole_number(1, 4096));
    bench_command->add_option("-d,--depth", bench.depth, "tokens that are in each cache before the decode")
        ->capture_default_str()
        ->check(whole_number(0, 1000000));
    bench_command->add_option("--cache-type", bench.cache_type, cli::cache_types)->capture_default_str();
    bench_command->add_option("-r,--repetitions", bench.repetitions)
        ->capture_default_str()
        ->check(whole_number(1, 1000));
    bench_command->callback([&] { code = cli::bench(common, bench); });

    cli::plan_options plan;
    auto* const plan_command =
        app.add_subcommand("plan", "what a model takes, and how fast it can be at most, before it is loaded");
    add_model(*plan_command, common);
    plan_command->add_option("--ctx", plan.context, "tokens of a sequence; 0: those that the model was trained on")
        ->check(whole_number(0, most_tokens));
    plan_command->add_option("-b,--batch", plan.batch, "sequences")
        ->capture_default_str()
        ->check(whole_number(1, 4096));
    plan_command->add_option("-p,--prompt-tokens", plan.prompt)
        ->capture_default_str()
        ->check(whole_number(1, most_tokens));
    plan_command->add_option("-d,--depth", plan.depth, "tokens that are in each cache before the decode")
        ->capture_default_str()
        ->check(whole_number(0, most_tokens));
    plan_command->add_option("--cache-type", plan.cache_type, cli::cache_types)->capture_default_str();
    plan_command->callback([&] { code = cli::plan(common, plan); });

    cli::forecast_command forecast;
    auto* const forecast_command =
        app.add_subcommand("forecast", "continues the columns of a CSV file, with quantiles");
    forecast_command->add_option("FILE", forecast.file, "CSV: a column a series, and perhaps a first one of dates")
        ->required();
    forecast_command->add_option(
        "-m,--model", common.model,
        "a Chronos-Bolt, Chronos-T5 or TimesFM folder, or a GGUF file; the one that is shipped if not given");
    add_machine(*forecast_command, common);
    forecast_command->add_option("--horizon", forecast.horizon, "values to come")
        ->required()
        ->check(whole_number(1, 65536));
    add_texts(*forecast_command, "--column", forecast.columns, "a column by its name, repeatable; all if not given");
    forecast_command->add_option("--quantiles", forecast.quantiles, "levels between 0 and 1")->capture_default_str();
    forecast_command
        ->add_option("--season", forecast.season,
                     "auto, none, or periods such as 7 or 24,168: seasons to take out before the model sees the series")
        ->capture_default_str();
    forecast_command
        ->add_option(
            "--frequency", forecast.frequency,
            "of TimesFM 1 and 2: high (days and shorter), medium (weeks, months), low (quarters, years), or auto: by "
            "the dates, high without")
        ->capture_default_str()
        ->check(CLI::IsMember({"auto", "high", "medium", "low"}));
    forecast_command->add_option("-o,--out", forecast.out, "a .csv, .json or .svg file, in place of CSV on stdout");
    forecast_command->add_option("--plot", forecast.plot, "a .svg file with the history, the forecast and its band");
    forecast_command->add_option("--samples", forecast.samples, "of a model that draws: continuations of a series")
        ->check(whole_number(1, 10000));
    forecast_command->add_option("--temp", forecast.temperature, "of such a model; 0: no dice");
    forecast_command->add_option("--seed", forecast.seed, "of such a model")
        ->capture_default_str()
        ->check(whole_number(0, std::numeric_limits<std::uint64_t>::max()));
    forecast_command->callback([&] { code = cli::forecast(common, forecast); });

    cli::image_command image;
    auto* const image_command =
        app.add_subcommand("image", "pictures of a class as PNG files, or parts of a picture drawn anew");
    image_command->add_option("-m,--model", common.model,
                              "a LlamaGen or Janus folder, one of diffusers' DiTPipeline, or a GGUF file; the one that "
                              "is shipped if not given");
    add_machine(*image_command, common);
    image_command->add_option("--class,--prompt", image.label,
                              "what to draw; --list names the classes. Of a model of prompts (Janus): any words");
    image_command->add_flag("--list", image.list, "print the classes, one a line");
    image_command->add_option("-n,--count", image.count, "pictures, of one seed each; several go to one contact sheet")
        ->capture_default_str()
        ->check(whole_number(1, 10000));
    image_command->add_option("--infill", image.infill, "a PNG file of which a part is drawn anew");
    image_command->add_option("--mask", image.mask, "a PNG file as large: what is white is drawn anew, all else stays");
    image_command->add_option("-o,--out", image.out, "a .png file");
    image_command->add_option("--each", image.each, "a folder for 0000.png, 0001.png …, in place of -o");
    image_command->add_flag("--preview", image.preview,
                            "show the pictures on stderr, in blocks; a terminal does anyway");
    image_command->add_option(
        "--guidance", image.guidance,
        "how much more than the class asks for; 1: none, and faster; the model's own if not given");
    image_command->add_option("--steps", image.steps, "of a diffusion model, which evenly divide its training's")
        ->capture_default_str()
        ->check(whole_number(1, 100000));
    image_command->add_option("--temp", image.temperature, "0: no dice; the model's own if not given");
    image_command->add_option("--top-k", image.top_k, "0: off")->capture_default_str();
    image_command->add_option("--top-p", image.top_p, "1: off")->capture_default_str();
    image_command->add_option("--min-p", image.min_p, "0: off")->capture_default_str();
    image_command->add_option("--seed", image.seed, "of the first picture; each further one has the next")
        ->capture_default_str()
        ->check(whole_number(0, std::numeric_limits<std::uint64_t>::max() - 10000));
    image_command->callback([&] { code = cli::image(common, image); });

    cli::mesh_command mesh;
    auto* const mesh_command = app.add_subcommand("mesh", "makes 3D structures: OBJ, STL or GLB, and a picture");
    mesh_command->add_option("-m,--model", common.model,
                             "a GGUF file or a folder of a model of meshes; the one that is shipped if not given");
    add_machine(*mesh_command, common);
    mesh_command->add_flag("--list", mesh.list, "print the classes");
    mesh_command->add_option("--class", mesh.name, "what to make");
    mesh_command->add_option("-n", mesh.count, "how many; in one file they stand in a row")
        ->capture_default_str()
        ->check(whole_number(1, 10000));
    auto* const mesh_file =
        mesh_command->add_option("-o,--out", mesh.out, "a .obj, .stl or .glb file, in place of OBJ on stdout");
    mesh_command->add_option("--each", mesh.each, "a folder: a file for each, 0000.obj and so on")->excludes(mesh_file);
    mesh_command->add_option("--format", mesh.format, "of the files of --each: obj, stl or glb")->capture_default_str();
    mesh_command->add_option("--render", mesh.render, "a .png file with a shaded picture of each");
    mesh_command->add_option("--temp", mesh.temperature, "0: no dice")->capture_default_str();
    mesh_command->add_option("--seed", mesh.seed)
        ->capture_default_str()
        ->check(whole_number(0, std::numeric_limits<std::uint64_t>::max()));
    mesh_command->callback([&] { code = cli::mesh(common, mesh); });

    cli::video_command video;
    auto* const video_command =
        app.add_subcommand("video", "continues frames, or starts from a class: animated PNG, GIF or Y4M");
    video_command->add_option("-m,--model", common.model,
                              "a GGUF file or a folder of a model of videos; the one that is shipped if not given");
    add_machine(*video_command, common);
    video_command->add_flag("--list", video.list, "print the classes");
    video_command->add_option("--class", video.name, "what moves how; --list names the classes");
    video_command->add_option("--from", video.from, "PNG files with a comma between, a frame each, which are continued")
        ->delimiter(',');
    video_command->add_option("--frames", video.frames, "new ones; 8 behind frames that are given, otherwise 16")
        ->check(whole_number(1, 100000));
    video_command->add_option("-o,--out", video.out, "a .png (animated), .gif or .y4m file");
    video_command->add_option("--fps", video.rate, "frames a second")
        ->check(whole_number(1, 100))
        ->capture_default_str();
    video_command->add_option("--scale", video.scale, "write each pixel as so many across and down")
        ->check(whole_number(1, 64))
        ->capture_default_str();
    video_command->add_option("--temp", video.temperature,
                              "0: no dice; if not given, 0 behind frames that are given, otherwise 0.8");
    video_command->add_option("--seed", video.seed)
        ->check(whole_number(0, std::numeric_limits<std::uint64_t>::max()))
        ->capture_default_str();
    video_command->callback([&] { code = cli::video(common, video); });

    cli::protein_command protein;
    add_protein(app, common, protein, code);

    cli::serve_command serve;
    add_serve(app, common, serve, code);

    cli::quantize_options quantize;
    auto* const quantize_command = app.add_subcommand(
        "quantize", "writes a GGUF file of another file, or of a model folder, its matrices in a type");
    quantize_command->add_option("IN", quantize.in, "a GGUF file or a Hugging Face model folder")->required();
    quantize_command->add_option("OUT", quantize.out)->required();
    quantize_command->add_option("TYPE", quantize.type, tokenworks::models::quantization::names)->required();
    add_quantization(*quantize_command, common);
    add_machine(*quantize_command, common);
    quantize_command->callback([&] { code = cli::quantize(common, quantize); });

    cli::imatrix_options imatrix;
    auto* const imatrix_command = app.add_subcommand(
        "imatrix", "writes how much the columns of each matrix matter for a text, for quantize and llama.cpp");
    add_loaded_model(*imatrix_command, common);
    imatrix_command->add_option("-f,--file", imatrix.file, "the text")->required();
    imatrix_command->add_option("-o,--output-file", imatrix.out, "the GGUF file to write")->required();
    imatrix_command->add_option("-c,--ctx", imatrix.context, "tokens of a chunk")
        ->capture_default_str()
        ->check(whole_number(2, 1 << 24));
    imatrix_command->add_option("--chunks", imatrix.chunks, "most chunks to read; 0: all")
        ->capture_default_str()
        ->check(whole_number(0, most_tokens));
    imatrix_command->callback([&] { code = cli::imatrix(common, imatrix); });

    const auto subcommands = app.get_subcommands([](const CLI::App*) { return true; });
    const std::string first = argc > 1 ? argv[1] : "--help";
    if(first[0] != '-' &&
       std::ranges::none_of(subcommands, [&](const auto* each) { return each->check_name(first); })) {
        throw cli::usage_error("there is no subcommand '" + tokenworks::printable(first) + "'; --help lists them");
    }
    try {
        app.parse(argc, argv);
    } catch(const CLI::ParseError& problem) {
        if(problem.get_exit_code() == 0) { // asked for help or the version
            return app.exit(problem);
        }
        throw cli::usage_error(std::string{problem.what()} + "; --help tells the flags");
    }
    if(app.get_subcommands().empty()) {
        std::cout << app.help();
    }
    return code;
}

} // namespace

int main(int argc, char** argv) {
    try {
        const int code = run(argc, argv);
        cli::require_stdout();
        return code;
    } catch(const cli::usage_error& problem) {
        std::cerr << "tokenworks: error: " << problem.what() << '\n';
        return 2;
    } catch(const std::bad_alloc&) {
        std::cerr << "tokenworks: error: out of memory\n";
    } catch(const std::exception& problem) {
        std::cerr << "tokenworks: error: " << problem.what() << '\n';
    }
    return 1;
}
