// The subcommands that measure: logits, perplexity, bench.
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <tokenworks/core/random.hpp>
#include <tokenworks/io/atomic_file.hpp>
#include <tokenworks/models/decoder.hpp>
#include <tokenworks/models/encoder.hpp>
#include <tokenworks/runtime/forecaster.hpp>
#include <tokenworks/runtime/machine_limits.hpp>
#include <tokenworks/runtime/plan.hpp>
#include <tokenworks/runtime/pooling.hpp>
#include <tokenworks/runtime/text_encoder.hpp>
#include <tokenworks/runtime/text_model.hpp>
#include <tokenworks/sampling/greedy.hpp>

#include "load.hpp"
#include "options.hpp"
#include "output.hpp"

namespace cli {

using json = nlohmann::ordered_json;
using input = tw::models::decoder_input;

namespace {

/// Runs tokens through one sequence, and hands over the logits of all those from `first_wanted` on, a few rows at a
/// time.
template <class Take>
void each_row_of_logits(const tw::models::decoder& network, tw::nn::context& c, tw::nn::kv_cache& cache,
                        std::span<const std::int32_t> tokens, std::size_t first_wanted, Take take,
                        const std::vector<const tw::nn::adapter*>& with, const tw::nn::kv_cache* memory = nullptr) {
    constexpr std::size_t unwanted_step = 512;
    const std::size_t v = network.vocab_size();
    // Steps of at most 32 MB of logits; how a sequence is cut changes no bit of them.
    const std::size_t wanted_step = std::clamp<std::size_t>((std::size_t{8} << 20) / v, 1, 128);
    std::vector<float> logits(wanted_step * v);
    for(std::size_t at = 0; at < tokens.size();) {
        const bool wanted = at >= first_wanted;
        const std::size_t count = wanted ? std::min(wanted_step, tokens.size() - at)
                                         : std::min({unwanted_step, first_wanted - at, tokens.size() - at});
        const input next{&cache, tokens.subspan(at, count), wanted ? input::logits::all : input::logits::none, memory,
                         with};
        const tw::nn::rows rows{logits.data(), wanted ? count : std::size_t{0}, v};
        network.forward(c, std::span{&next, 1}, rows);
        for(std::size_t i = 0; wanted && i < count; ++i) {
            take(at + i, rows.row(i).as_span());
        }
        at += count;
    }
}

double log_probability(std::span<const float> logits, std::int32_t token) {
    const float top = *std::ranges::max_element(logits);
    double sum = 0;
    for(const float logit: logits) {
        sum += std::exp(static_cast<double>(logit - top));
    }
    return static_cast<double>(logits[static_cast<std::size_t>(token)] - top) - std::log(sum);
}

double median(std::vector<double> values) {
    std::ranges::sort(values);
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double seconds_of(auto&& body) {
    const auto start = std::chrono::steady_clock::now();
    body();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

} // namespace

int logits(const common_options& options, const logits_options& what) {
    const std::vector<std::int32_t> ids = parse_ids(what.ids);
    if(ids.empty()) {
        throw usage_error("--ids: no token id given");
    }
    const std::vector<std::int32_t> decoder_ids = parse_ids(what.decoder_ids);
    const loaded_network model{options, std::max(ids.size(), decoder_ids.size())};
    if((model.both() != nullptr) != !decoder_ids.empty()) {
        throw usage_error(model.both() != nullptr
                              ? "--decoder-ids: " + options.model + " has a decoder beside its encoder"
                              : "--decoder-ids: " + options.model + " has no decoder beside an encoder");
    }
    tw::nn::context c{model.how()};
    tw::io::atomic_file out{what.out};
    const auto start = [&](std::size_t rows, std::size_t columns) {
        const std::string header = npy_header(rows, columns);
        out.write(std::as_bytes(std::span{header}));
    };
    std::array<std::size_t, 2> shape{};
    if(const tw::models::encoder* const masked = model.encoder()) {
        shape = {ids.size(), masked->vocab_size()};
        std::vector<float> rows(shape[0] * shape[1]);
        const tw::models::encoder_input whole{ids};
        masked->forward_logits(c, std::span{&whole, 1}, tw::nn::rows{rows.data(), shape[0], shape[1]});
        start(shape[0], shape[1]);
        out.write(std::as_bytes(std::span{rows}));
    } else {
        const tw::models::decoder& network = model.both() != nullptr ? model.both()->decoder() : *model.decoder();
        const std::vector<std::int32_t>& tokens = model.both() != nullptr ? decoder_ids : ids;
        std::optional<tw::nn::kv_cache> memory;
        if(model.both() != nullptr) {
            memory.emplace(model.both()->encode(c, ids, tw::dtype::f32));
        }
        const adapters with{options, model.names(), network, model.how()};
        tw::nn::kv_cache cache = network.make_cache(tokens.size(), tw::dtype::f32);
        shape = {tokens.size(), network.vocab_size()};
        start(shape[0], shape[1]);
        progress_bar bar{"computing"};
        const auto take = [&](std::size_t token, std::span<const float> row) {
            out.write(std::as_bytes(row));
            bar(token + 1, tokens.size());
        };
        each_row_of_logits(network, c, cache, tokens, 0, take, with.all(), memory ? &*memory : nullptr);
    }
    out.commit();
    if(options.json) {
        std::cout << json{{"file", what.out}, {"shape", shape}}.dump() << '\n';
    }
    return 0;
}

int perplexity(const common_options& options, const perplexity_options& what) {
    const std::string text = read_text(what.file);
    const tw::text_model model = load_model(options);
    const text_windows windows{model, text, what.context, "perplexity", "window"};
    tw::nn::context c{model.how()};
    const adapters with{options, model};
    tw::nn::kv_cache cache = model.network().make_cache(what.context);
    progress_bar bar{"scoring"};
    double sum = 0;
    double sum_of_squares = 0;
    double count = 0;
    for(std::size_t w = 0; w < windows.count(); ++w) {
        const std::span<const std::int32_t> window = windows[w];
        cache.truncate(0);
        // The last token's logits predict nothing that is in the window.
        each_row_of_logits(
            model.network(), c, cache, window.first(window.size() - 1), what.context / 2,
            [&](std::size_t at, std::span<const float> row) {
                const double loss = -log_probability(row, window[at + 1]);
                sum += loss;
                sum_of_squares += loss * loss;
                ++count;
            },
            with.all());
        bar(w + 1, windows.count());
    }
    const double mean = sum / count;
    if(!std::isfinite(mean)) {
        throw tw::error("perplexity: " + options.model + " gives logits that are no numbers");
    }
    const double deviation = std::sqrt(std::max(0.0, sum_of_squares / count - mean * mean) / std::max(1.0, count - 1));
    if(options.json) {
        std::cout << json{{"perplexity", std::exp(mean)},
                          {"error", std::exp(mean) * deviation},
                          {"windows", windows.count()},
                          {"tokens_scored", static_cast<std::uint64_t>(count)}}
                         .dump()
                  << '\n';
    } else {
        std::printf("perplexity %.4f +/- %.4f\n", std::exp(mean), std::exp(mean) * deviation);
    }
    return 0;
}

namespace {

/// What `rate` said, that many times.
struct measured {
    double middle;
    double low;
    double high;
};

template <class Rate>
measured measure(std::size_t repetitions, const Rate& rate) {
    progress_bar bar{"measuring"};
    std::vector<double> rates;
    for(std::size_t r = 0; r < repetitions; ++r) {
        rates.push_back(rate());
        bar(r + 1, repetitions);
    }
    const auto [low, high] = std::ranges::minmax(rates);
    return {median(rates), low, high};
}

/// What --json says of every model that makes no text, one step of a batch at a time.
void print_json(json told, const bench_options& what, const tw::execution& how, const measured& rate) {
    told["batch"] = what.batch;
    told["isa"] = tw::name(how.set);
    told["threads"] = how.workers();
    told["repetitions"] = what.repetitions;
    told["range"] = {rate.low, rate.high};
    std::cout << told.dump() << '\n';
}

/// Series continued: `batch` random walks of `prompt` values at a time, all of a forecast but reading a file.
int bench_forecaster(const common_options& options, const bench_options& what) {
    require_merged_loras(options, "a forecaster");
    progress_bar loading{"loading"};
    const tw::forecaster model = tw::forecaster::load(options.model, load_options(options, loading));
    const std::size_t horizon = what.generate.value_or(model.horizon());
    std::vector<std::vector<float>> walks(what.batch);
    std::vector<std::span<const float>> series;
    series.reserve(what.batch);
    for(std::size_t i = 0; i < what.batch; ++i) {
        float at = 0;
        for(std::size_t t = 0; t < what.prompt; ++t) {
            walks[i].push_back(at += tw::uniform<float>(1, i * what.prompt + t) - 0.5F);
        }
        series.emplace_back(walks[i]);
    }
    const auto run = [&] { static_cast<void>(model.forecast(series, {.horizon = horizon})); };
    const double first = seconds_of(run);
    // A forecast may take less than a millisecond: those of a tenth of a second are one measurement.
    run();
    const double warm = seconds_of(run);
    const auto count = static_cast<std::size_t>(std::clamp(0.1 / warm, 1.0, 1e6));
    const measured rate = measure(what.repetitions, [&] {
        const double seconds = seconds_of([&] {
            for(std::size_t i = 0; i < count; ++i) {
                run();
            }
        });
        return static_cast<double>(count * what.batch) / seconds;
    });
    const double values = rate.middle * static_cast<double>(horizon);
    if(options.json) {
        print_json({{"forecasts_per_second", rate.middle},
                    {"values_per_second", values},
                    {"first_seconds", first},
                    {"history", what.prompt},
                    {"horizon", horizon}},
                   what, model.how(), rate);
        return 0;
    }
    std::printf(
        "forecast  %zu values after %zu, batch %zu: %.1f forecasts/s (%.1f to %.1f), %.0f values/s, the first in "
        "%.2f ms; %s, %u threads\n",
        horizon, what.prompt, what.batch, rate.middle, rate.low, rate.high, values, first * 1e3,
        std::string{tw::name(model.how().set)}.c_str(), model.how().workers());
    return 0;
}

/// Texts to vectors: `batch` texts of `prompt` tokens at a time.
int bench_encoder(const common_options& options, const bench_options& what) {
    require_merged_loras(options, "an encoder");
    progress_bar loading{"loading"};
    const tw::text_encoder encoder = tw::text_encoder::load(options.model, load_options(options, loading));
    std::vector<std::int32_t> tokens(what.batch * what.prompt);
    const auto v = static_cast<double>(encoder.network().vocab_size());
    for(std::size_t i = 0; i < tokens.size(); ++i) {
        tokens[i] = static_cast<std::int32_t>(tw::uniform<double>(1, i) * v);
    }
    std::vector<tw::models::encoder_input> inputs;
    for(std::size_t i = 0; i < what.batch; ++i) {
        inputs.push_back({std::span{tokens}.subspan(i * what.prompt, what.prompt)});
    }
    tw::nn::context c{encoder.how()};
    std::vector<float> hidden(tokens.size() * encoder.width());
    std::vector<float> vector(encoder.width());
    const auto run = [&] {
        encoder.network().forward(c, inputs, tw::nn::rows{hidden.data(), tokens.size(), encoder.width()});
        for(std::size_t i = 0; i < what.batch; ++i) {
            const float* const first = hidden.data() + i * what.prompt * encoder.width();
            tw::runtime::pool(encoder.defaults().pooling, tw::nn::const_rows{first, what.prompt, encoder.width()},
                              vector);
            if(encoder.defaults().normalize) {
                tw::runtime::normalize(vector);
            }
        }
    };
    run(); // warms up
    const measured rate = measure(what.repetitions, [&] { return static_cast<double>(what.batch) / seconds_of(run); });
    const double per_second = rate.middle * static_cast<double>(what.prompt);
    if(options.json) {
        print_json({{"texts_per_second", rate.middle}, {"tokens_per_second", per_second}, {"prompt", what.prompt}},
                   what, encoder.how(), rate);
        return 0;
    }
    std::printf("embed     %zu tokens, batch %zu: %.1f texts/s (%.1f to %.1f), %.0f tokens/s; %s, %u threads\n",
                what.prompt, what.batch, rate.middle, rate.low, rate.high, per_second,
                std::string{tw::name(encoder.how().set)}.c_str(), encoder.how().workers());
    return 0;
}

} // namespace

int bench(const common_options& options, const bench_options& what) {
    if(is_encoder(options.model)) {
        return bench_encoder(options, what);
    }
    const tw::models::model_files outline = tw::models::model_files::open(options.model);
    if(outline.config().series) {
        return bench_forecaster(options, what);
    }
    const std::size_t generate = what.generate.value_or(128);
    const tw::runtime::weight_costs weights =
        tw::runtime::weight_costs_of(outline.config(), outline.weights(), matmul_precision(options.matmul_precision));
    const tw::text_model model = load_model(options);
    const tw::models::decoder& network = model.network();
    const std::size_t v = model.vocab_size();
    tw::nn::context c{model.how()};

    const adapters with{options, model};
    const tw::dtype type_of_cache = cache_type(what.cache_type);
    std::vector<tw::nn::kv_cache> caches;
    for(std::size_t i = 0; i < what.batch; ++i) {
        caches.push_back(network.make_cache(std::max(what.prompt, what.depth + generate) + 1, type_of_cache));
    }
    std::vector<std::int32_t> tokens(std::max({what.prompt, what.batch, what.depth}));
    const auto draw_tokens = [&](std::uint64_t seed) {
        for(std::size_t i = 0; i < tokens.size(); ++i) {
            tokens[i] = static_cast<std::int32_t>(tw::uniform<double>(seed, i) * static_cast<double>(v));
        }
    };
    std::vector<float> logits(v);
    std::vector<input> inputs(what.batch);

    const auto fill = [&](tw::nn::kv_cache& cache, std::size_t total) {
        cache.truncate(0);
        constexpr std::size_t chunk = 512;
        for(std::size_t at = 0; at < total; at += chunk) {
            const std::size_t count = std::min(chunk, total - at);
            const bool last = at + count == total;
            const input next{&cache, std::span{tokens}.subspan(at, count),
                             last ? input::logits::last : input::logits::none, nullptr, with.all()};
            network.forward(c, std::span{&next, 1}, tw::nn::rows{logits.data(), std::size_t{last}, v});
        }
    };
    const auto prefill = [&] { fill(caches[0], what.prompt); };
    const auto decode = [&] {
        for(tw::nn::kv_cache& cache: caches) {
            cache.truncate(what.depth);
        }
        for(std::size_t n = 0; n < generate; ++n) {
            for(std::size_t i = 0; i < what.batch; ++i) {
                inputs[i] = {&caches[i], std::span{tokens}.subspan(i, 1), input::logits::last, nullptr, with.all()};
            }
            network.forward_greedy(c, inputs, std::span{tokens}.first(what.batch));
        }
    };

    progress_bar bar{"measuring"};
    tw::runtime::machine_limits limits = tw::runtime::measure_machine(model.how());
    std::vector<double> prefill_rates;
    std::vector<double> decode_rates;
    draw_tokens(1);
    prefill(); // warms up
    for(std::size_t i = 1; i < what.batch; ++i) {
        fill(caches[i], what.depth);
    }
    for(std::size_t r = 0; r < what.repetitions; ++r) {
        draw_tokens(r);
        prefill_rates.push_back(static_cast<double>(what.prompt) / seconds_of(prefill));
        fill(caches[0], what.depth);
        decode_rates.push_back(static_cast<double>(generate * what.batch) / seconds_of(decode));
        bar(r + 1, what.repetitions);
    }
    const tw::runtime::machine_limits after = tw::runtime::measure_machine(model.how());
    limits.read_bytes_per_second = std::max(limits.read_bytes_per_second, after.read_bytes_per_second);
    limits.read_bytes_per_second_one_thread =
        std::max(limits.read_bytes_per_second_one_thread, after.read_bytes_per_second_one_thread);
    limits.int8_operations_per_second = std::max(limits.int8_operations_per_second, after.int8_operations_per_second);
    limits.float_operations_per_second =
        std::max(limits.float_operations_per_second, after.float_operations_per_second);
    limits.barrier_seconds = std::min(limits.barrier_seconds, after.barrier_seconds);

    const double prefill_rate = median(prefill_rates);
    const double decode_rate = median(decode_rates);
    const auto prompt = static_cast<double>(what.prompt);
    const tw::runtime::run_cost of_prefill = tw::runtime::prefill_cost(outline.config(), weights, what.prompt);
    const tw::runtime::run_cost of_decode =
        tw::runtime::decode_cost(outline.config(), weights, what.batch, what.depth + generate / 2, type_of_cache);
    const double bytes = of_decode.bytes_read;
    const double share_of_peak = prefill_rate / prompt * of_prefill.products.seconds(limits);
    const double share_of_bandwidth =
        decode_rate / static_cast<double>(what.batch) * bytes / limits.read_bytes_per_second;
    const char* const peak = of_prefill.products.integer > of_prefill.products.real ? "int8" : "f32";
    const auto [prefill_low, prefill_high] = std::ranges::minmax(prefill_rates);
    const auto [decode_low, decode_high] = std::ranges::minmax(decode_rates);
    if(options.json) {
        json out{{"prefill_tokens_per_second", prefill_rate},
                 {"decode_tokens_per_second", decode_rate},
                 {"batch", what.batch},
                 {"share_of_peak", share_of_peak},
                 {"share_of_bandwidth", share_of_bandwidth},
                 {"isa", std::string{tw::name(model.how().set)}},
                 {"threads", model.how().workers()},
                 {"prompt", what.prompt},
                 {"depth", what.depth},
                 {"cache_type", what.cache_type},
                 {"generated", generate},
                 {"repetitions", what.repetitions},
                 {"prefill_range", {prefill_low, prefill_high}},
                 {"decode_range", {decode_low, decode_high}},
                 {"bytes_per_token", bytes},
                 {"read_bytes_per_second", limits.read_bytes_per_second},
                 {"read_bytes_per_second_one_thread", limits.read_bytes_per_second_one_thread},
                 {"int8_operations_per_second", limits.int8_operations_per_second},
                 {"float_operations_per_second", limits.float_operations_per_second},
                 {"barrier_seconds", limits.barrier_seconds}};
        std::cout << out.dump() << '\n';
        return 0;
    }
    std::printf(
        "machine   reads %.1f GB/s (one thread %.1f), %.0f int8 GOP/s, %.0f f32 GFLOP/s, threads meet in %.2f us; "
        "%s, %u threads\n",
        limits.read_bytes_per_second / 1e9, limits.read_bytes_per_second_one_thread / 1e9,
        limits.int8_operations_per_second / 1e9, limits.float_operations_per_second / 1e9, limits.barrier_seconds * 1e6,
        std::string{tw::name(model.how().set)}.c_str(), model.how().workers());
    std::printf("prefill   %zu tokens: %.1f tokens/s (%.1f to %.1f), %.0f %% of the %s peak\n", what.prompt,
                prefill_rate, prefill_low, prefill_high, share_of_peak * 100, peak);
    const std::string behind =
        what.depth == 0 ? "" : " behind " + std::to_string(what.depth) + " in " + what.cache_type;
    std::printf("decode    %zu tokens%s, batch %zu: %.1f tokens/s (%.1f to %.1f), %.1f MB read a step, %.0f %% of the "
                "read rate\n",
                generate, behind.c_str(), what.batch, decode_rate, decode_low, decode_high, bytes / 1e6,
                share_of_bandwidth * 100);
    return 0;
}

} // namespace cli
