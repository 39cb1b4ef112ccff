// The subcommand that tells what a model takes before it runs.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/models/model_files.hpp>
#include <tokenworks/runtime/machine_limits.hpp>
#include <tokenworks/runtime/machine_memory.hpp>
#include <tokenworks/runtime/plan.hpp>

#include "load.hpp"
#include "options.hpp"

namespace cli {

using json = nlohmann::ordered_json;
namespace rt = tw::runtime;

namespace {

json to_json(const rt::run_cost& cost, const rt::machine_limits& limits, double tokens) {
    return {{"integer_operations", cost.products.integer},
            {"float_operations", cost.products.real},
            {"attention_operations", cost.attention},
            {"bytes_read", cost.bytes_read},
            {"tokens_per_second", tokens / cost.seconds(limits)}};
}

std::string scaled(double value, const char* unit) {
    const char* const prefixes[] = {"", "k", "M", "G", "T"};
    std::size_t step = 0;
    for(; value >= 1000 && step < 4; ++step) {
        value /= 1000;
    }
    char text[48];
    std::snprintf(text, sizeof text, "%.*f %s%s", value < 10 && step > 0 ? 2 : 1, value, prefixes[step], unit);
    return text;
}

void print_cost(const char* name, const std::string& what, const rt::run_cost& cost, const rt::machine_limits& limits,
                double tokens) {
    std::string operations;
    if(cost.products.integer != 0) {
        operations += scaled(cost.products.integer / tokens, "OP") + " of int8, ";
    }
    if(cost.products.real != 0) {
        operations += scaled(cost.products.real / tokens, "FLOP") + " of floats, ";
    }
    std::printf("%-16s %s: %s%s of attention a token, %s read; at most %.1f tokens/s\n", name, what.c_str(),
                operations.c_str(), scaled(cost.attention / tokens, "FLOP").c_str(),
                scaled(cost.bytes_read, "B").c_str(), tokens / cost.seconds(limits));
}

std::string bytes(std::uint64_t count) { return scaled(static_cast<double>(count), "B"); }

void print_memory(std::uint64_t needed, const std::optional<std::uint64_t>& available) {
    const std::string room = available ? bytes(*available) + " are available" : "what is available is not known";
    std::printf("%-16s %s; %s%s\n", "memory", bytes(needed).c_str(), room.c_str(),
                !available || needed <= *available ? "" : ": THIS DOES NOT FIT");
}

void print_machine(const rt::machine_limits& limits, const tw::execution& how) {
    std::printf("%-16s reads %.1f GB/s, %.0f int8 GOP/s, %.0f f32 GFLOP/s; %s, %u threads\n", "machine",
                limits.read_bytes_per_second / 1e9, limits.int8_operations_per_second / 1e9,
                limits.float_operations_per_second / 1e9, std::string{tw::name(how.set)}.c_str(), how.workers());
}

/// Of an encoder and a decoder, or of images and texts.
int plan_of_pair(const common_options& options, const tw::models::model_files& model, const rt::plan_options& run,
                 const tw::execution& how) {
    const rt::pair_plan plan = rt::plan_pair(*model.encoder_config(), model.config(), model.weights(), run);
    const rt::machine_limits limits = rt::measure_machine(how);
    const std::optional<std::uint64_t> available = rt::available_memory();
    const bool decodes = model.config().memory_width != 0;
    const auto batch = static_cast<double>(run.batch);
    const auto rows = static_cast<double>(plan.source);
    const std::size_t words = std::min(run.prompt, plan.context);
    const auto text = static_cast<double>(words);
    if(options.json) {
        json out{{"file_bytes", model.weight_bytes()},
                 {"weight_bytes", plan.encoder.packed_bytes + plan.decoder.packed_bytes},
                 {"encoder_bytes", plan.encoder.packed_bytes},
                 {"batch", run.batch},
                 {"cache_bytes", plan.cache_bytes},
                 {"scratch_bytes", plan.scratch_bytes},
                 {"memory_bytes", plan.memory_bytes()},
                 {"available_bytes", available ? json(*available) : json(nullptr)},
                 {"fits", !available || plan.memory_bytes() <= *available},
                 {"source", plan.source},
                 {"encode", to_json(plan.encode, limits, rows)}};
        if(decodes) {
            out["context"] = plan.context;
            out["depth"] = plan.depth;
            out["decode"] = to_json(plan.decode, limits, batch);
            out["decode_full"] = to_json(plan.decode_full, limits, batch);
        } else {
            out["text"] = to_json(plan.text, limits, text);
        }
        std::cout << out.dump() << '\n';
        return 0;
    }
    std::printf("%-16s %s in the file, %s packed in memory, of these %s of the encoder\n", "weights",
                bytes(model.weight_bytes()).c_str(),
                bytes(plan.encoder.packed_bytes + plan.decoder.packed_bytes).c_str(),
                bytes(plan.encoder.packed_bytes).c_str());
    if(decodes) {
        std::printf("%-16s %s for %zu tokens behind sources of %zu in %zu sequence%s\n", "keys and values",
                    bytes(plan.cache_bytes).c_str(), plan.context, plan.source, run.batch, run.batch == 1 ? "" : "s");
    }
    std::printf("%-16s %s\n", "scratch", bytes(plan.scratch_bytes).c_str());
    print_memory(plan.memory_bytes(), available);
    print_machine(limits, how);
    if(!decodes) {
        print_cost("image", std::to_string(plan.source) + " rows", plan.encode, limits, rows);
        print_cost("text", std::to_string(words) + " tokens", plan.text, limits, text);
        return 0;
    }
    const std::string of = run.batch == 1 ? "" : ", batch " + std::to_string(run.batch);
    print_cost("encoding", std::to_string(plan.source) + " tokens", plan.encode, limits, rows);
    print_cost("decode", "behind " + std::to_string(plan.depth) + " tokens" + of, plan.decode, limits, batch);
    print_cost("", "behind " + std::to_string(plan.context - 1) + " tokens" + of, plan.decode_full, limits, batch);
    return 0;
}

} // namespace

int plan(const common_options& options, const plan_options& what) {
    const tw::models::model_files model = tw::models::model_files::open(options.model);
    tw::thread_team team{options.threads};
    const tw::execution how{.set = chosen_isa(options), .threads = &team};
    const tw::dtype type = cache_type(what.cache_type);
    const rt::plan_options run{.context = what.context,
                               .batch = what.batch,
                               .prompt = what.prompt,
                               .depth = what.depth,
                               .cache_type = type,
                               .precision = matmul_precision(options.matmul_precision),
                               .set = how.set};
    if(model.encoder_config()) {
        return plan_of_pair(options, model, run, how);
    }
    const rt::model_plan plan = rt::plan_model(model.config(), model.weights(), run);
    const rt::machine_limits limits = rt::measure_machine(how);
    const std::optional<std::uint64_t> available = rt::available_memory();
    const bool fits = !available || plan.memory_bytes() <= *available;
    const bool decodes = model.config().causal;
    const auto batch = static_cast<double>(what.batch);
    const auto prompt = static_cast<double>(plan.prompt);
    if(options.json) {
        json out{{"file_bytes", model.weight_bytes()},
                 {"weight_bytes", plan.weights.packed_bytes},
                 {"context", plan.context},
                 {"batch", what.batch},
                 {"cache_type", what.cache_type},
                 {"cache_bytes_per_token", plan.cache_bytes_per_token},
                 {"cache_bytes", plan.cache_bytes},
                 {"scratch_bytes", plan.scratch_bytes},
                 {"memory_bytes", plan.memory_bytes()},
                 {"available_bytes", available ? json(*available) : json(nullptr)},
                 {"fits", fits},
                 {"layer_operations_per_token", plan.weights.layers.total()},
                 {"head_operations_per_token", plan.weights.head.total()},
                 {"prompt", plan.prompt},
                 {"prefill", to_json(plan.prefill, limits, prompt)}};
        if(decodes) {
            out["depth"] = plan.depth;
            out["decode"] = to_json(plan.decode, limits, batch);
            out["decode_full"] = to_json(plan.decode_full, limits, batch);
        }
        out["read_bytes_per_second"] = limits.read_bytes_per_second;
        out["int8_operations_per_second"] = limits.int8_operations_per_second;
        out["float_operations_per_second"] = limits.float_operations_per_second;
        std::cout << out.dump() << '\n';
        return 0;
    }
    std::printf("%-16s %s in the file, %s packed in memory\n", "weights", bytes(model.weight_bytes()).c_str(),
                bytes(plan.weights.packed_bytes).c_str());
    if(decodes) {
        std::printf("%-16s %s a token in %s, %s for %zu tokens in %zu sequence%s\n", "keys and values",
                    bytes(plan.cache_bytes_per_token).c_str(), what.cache_type.c_str(), bytes(plan.cache_bytes).c_str(),
                    plan.context, what.batch, what.batch == 1 ? "" : "s");
    }
    std::printf("%-16s %s\n", "scratch", bytes(plan.scratch_bytes).c_str());
    print_memory(plan.memory_bytes(), available);
    print_machine(limits, how);
    print_cost(decodes ? "prefill" : "encoding", std::to_string(plan.prompt) + " tokens", plan.prefill, limits, prompt);
    if(decodes) {
        const std::string of = what.batch == 1 ? "" : ", batch " + std::to_string(what.batch);
        print_cost("decode", "behind " + std::to_string(plan.depth) + " tokens" + of, plan.decode, limits, batch);
        print_cost("", "behind " + std::to_string(plan.context - 1) + " tokens" + of, plan.decode_full, limits, batch);
    }
    return 0;
}

} // namespace cli
