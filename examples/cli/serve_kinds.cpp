// The part of `serve` that makes what is no text, with the models that come with the program. Each is loaded when it is
// first asked for. Pictures, films, proteins and meshes come out of an engine's batch, one engine a model; forecasts
// and scores are worked out for all at once who wait.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <limits>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/base64.hpp>
#include <tokenworks/core/clip.hpp>
#include <tokenworks/core/mesh.hpp>
#include <tokenworks/io/fasta.hpp>
#include <tokenworks/io/gif.hpp>
#include <tokenworks/io/mesh_files.hpp>
#include <tokenworks/io/obj.hpp>
#include <tokenworks/io/y4m.hpp>
#include <tokenworks/runtime/engine.hpp>
#include <tokenworks/runtime/forecaster.hpp>
#include <tokenworks/runtime/image_model.hpp>
#include <tokenworks/runtime/mesh_model.hpp>
#include <tokenworks/runtime/protein_model.hpp>
#include <tokenworks/runtime/video_model.hpp>
#include <tokenworks/serve/answer.hpp>
#include <tokenworks/serve/metrics.hpp>
#include <tokenworks/serve/request_fields.hpp>
#if defined(TOKENWORKS_CLI_PNG)
#include <tokenworks/io/apng.hpp>
#include <tokenworks/io/png.hpp>
#endif

#include "gathered_line.hpp"
#include "serve.hpp"
#include "serve_engines.hpp"

namespace cli {

namespace serve = tw::serve;
using serve::api_error;

namespace {

using tw::runtime::token_id;

/// Series of a request that are to be continued.
struct forecast_work: gathered_work {
    std::vector<std::vector<float>> series{};
    tw::forecast_options how{};
    std::vector<tw::series_forecast> made{};
    std::optional<double> joules{};

    [[nodiscard]] std::size_t size() const noexcept { return series.size(); }
    [[nodiscard]] bool fits(const forecast_work& other) const {
        return how.horizon == other.how.horizon && how.quantiles == other.how.quantiles &&
               how.seasons == other.how.seasons;
    }
};

/// Sequences of a request that are to be scored.
struct score_work: gathered_work {
    std::vector<std::string> sequences{};
    std::string family{};
    std::vector<double> scores{};
    std::optional<double> joules{};

    [[nodiscard]] std::size_t size() const noexcept { return sequences.size(); }
    [[nodiscard]] static bool fits(const score_work&) noexcept { return true; }
};

/// Shares what was made for several out among them, and the energy by the number of what each asked for.
template <class Work, class Result>
void share_out(std::span<const std::shared_ptr<Work>> all, std::vector<Result>&& made, std::vector<Result> Work::*where,
               std::optional<double> joules) {
    std::size_t at = 0;
    for(const std::shared_ptr<Work>& each: all) {
        const auto first = made.begin() + static_cast<std::ptrdiff_t>(at);
        at += each->size();
        ((*each).*where)
            .assign(std::make_move_iterator(first),
                    std::make_move_iterator(made.begin() + static_cast<std::ptrdiff_t>(at)));
        if(joules) {
            each->joules = *joules * static_cast<double>(each->size()) / static_cast<double>(made.size());
        }
    }
}

/// What a request cost that no engine did.
serve_json usage_of(const costs& of, std::size_t read, std::size_t made, std::optional<double> joules) {
    serve::usage_sum sum;
    sum.prompt_tokens = read;
    sum.generated_tokens = made;
    sum.joules = joules;
    return serve::usage_json(sum, of.source());
}

std::string base64(std::span<const std::byte> bytes) {
    return tw::codec::encode_base64({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::int64_t unix_time() {
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

/// The fields that requests of these kinds have in common, and a body that must stay until they are read.
struct kind_request {
    tw::io::json_tree tree;
    serve::request_fields in;

    kind_request(const exchange& with, const std::string& kind)
        : tree{serve::parse_body(with.request.body)}, in{tree.root()} {
        const std::string model = in.string("model", 256).value_or(kind);
        if(model != kind) {
            throw api_error{404, "the model '" + tw::printable(model) + "' does not make this; '" + kind + "' does",
                            "model", "model_not_found"};
        }
    }
    [[nodiscard]] std::uint64_t seed() {
        return in.whole("seed", 0, std::numeric_limits<std::uint64_t>::max() / 2).value_or(0);
    }
    [[nodiscard]] std::size_t count() { return static_cast<std::size_t>(in.whole("n", 1, 16).value_or(1)); }
    [[nodiscard]] std::string name_of_class() {
        std::optional<std::string> name = in.string("class", 256);
        std::optional<std::string> prompt = in.string("prompt", 256);
        if(name.has_value() == prompt.has_value()) {
            in.refuse("class", {"or prompt is needed: one of them"});
        }
        return name ? *std::move(name) : *std::move(prompt);
    }
    [[nodiscard]] std::optional<float> real(const char* key, double least, double most) {
        const std::optional<double> value = in.number(key, least, most);
        return value ? std::optional{static_cast<float>(*value)} : std::nullopt;
    }
};

/// Which class that is. @throws api_error with the names there are
template <class Names>
void check_class(const Names& names, const std::string& name) {
    if(std::ranges::find(names, name) == std::ranges::end(names)) {
        std::string all;
        for(const std::string& each: names) {
            all += (all.empty() ? "" : ", ") + each;
        }
        throw api_error{400, "class: '" + tw::printable(name) + "' is none of " + all, "class"};
    }
}

std::vector<std::string> labels_of(const tw::image_model& model) {
    std::vector<std::string> all;
    for(std::size_t i = 0; i < model.picture().classes; ++i) {
        all.push_back(model.label(i));
    }
    return all;
}

std::vector<std::string> families_of(const tw::protein_model& model) {
    std::vector<std::string> all;
    for(const auto& each: model.families()) {
        all.push_back(each.name);
    }
    return all;
}

std::vector<float> values_of(tw::io::json_value list, const std::string& path) {
    std::vector<float> values;
    list.elements({path}, [&](tw::io::json_value each) {
        constexpr double most = 3e38;
        const std::string place = path + "[" + std::to_string(values.size()) + "]";
        values.push_back(each.is_null()
                             ? std::numeric_limits<float>::quiet_NaN()
                             : static_cast<float>(serve::request_fields::number_of(each, place, -most, most)));
    });
    if(std::ranges::all_of(values, [](float value) { return std::isnan(value); })) {
        list.refuse({path}, {"has no value that is known"});
    }
    return values;
}

} // namespace

struct kinds_service::models {
    shipped_model<tw::image_model> image;
    shipped_model<tw::forecaster> forecast;
    shipped_model<tw::protein_model> protein;
    shipped_model<tw::mesh_model> mesh;
    shipped_model<tw::video_model> video;
    gathered_line<forecast_work> forecasts{32, 256};
    costs::account forecast_energy;
    gathered_line<score_work> scores{32, 256};
    costs::account score_energy;

    models(const common_options& options, costs& of)
        : image{options, of, "image.gguf"},
          forecast{options, of, "forecaster.gguf"},
          protein{options, of, "protein.gguf"},
          mesh{options, of, "mesh.gguf"},
          video{options, of, "video.gguf"},
          forecast_energy{of.meter()},
          score_energy{of.meter()} {}

    /// Calls visit(name, model) for those that have engines.
    template <class Visit>
    void for_each_engine(const Visit& visit) {
        visit("image", image);
        visit("protein", protein);
        visit("mesh", mesh);
        visit("video", video);
    }
};

kinds_service::kinds_service(const common_options& options, costs& of, double timeout)
    : models_{std::make_unique<models>(options, of)}, costs_{of}, timeout_{timeout} {}
kinds_service::~kinds_service() = default;

void kinds_service::close() {
    models_->for_each_engine([](const char*, auto& each) { each.close(); });
    models_->forecasts.close();
    models_->scores.close();
}

void kinds_service::end_jobs() {
    models_->for_each_engine([](const char*, auto& each) { each.end_jobs(); });
}

std::vector<serve::kind_numbers> kinds_service::numbers() const {
    std::vector<serve::kind_numbers> all;
    models_->for_each_engine([&](const char* name, const auto& each) {
        if(const std::optional<tw::runtime::engine_counts> counts = each.counts()) {
            all.push_back({.kind = name,
                           .running = static_cast<double>(counts->running),
                           .waiting = static_cast<double>(counts->waiting),
                           .generated_tokens = static_cast<double>(counts->generated_tokens),
                           .steps = static_cast<double>(counts->steps),
                           .finished = static_cast<double>(counts->finished),
                           .refused = static_cast<double>(counts->refused),
                           .preemptions = static_cast<double>(counts->preemptions),
                           .joules = counts->prefill_joules.value_or(0) + counts->decode_joules.value_or(0)});
        }
    });
    const auto add_line = [&](std::string_view name, const auto& line, const costs::account& energy) {
        if(const auto counts = line.numbers(); counts.batches + counts.refused != 0) {
            all.push_back({.kind = name,
                           .running = static_cast<double>(counts.running),
                           .waiting = static_cast<double>(counts.waiting),
                           .steps = static_cast<double>(counts.batches),
                           .finished = static_cast<double>(counts.finished),
                           .refused = static_cast<double>(counts.refused),
                           .joules = energy.joules()});
        }
    };
    add_line("forecast", models_->forecasts, models_->forecast_energy);
    add_line("protein_score", models_->scores, models_->score_energy);
    return all;
}

std::vector<std::string> kinds_service::names() const {
    std::vector<std::string> all;
    const auto add = [&](const auto& one, const char* name) {
        if(one.is_there()) {
            all.emplace_back(name);
        }
    };
#if defined(TOKENWORKS_CLI_PNG)
    add(models_->image, "image");
#endif
    add(models_->forecast, "forecast");
    add(models_->protein, "protein");
    add(models_->mesh, "mesh");
    add(models_->video, "video");
    return all;
}

serve_json kinds_service::classes() {
    serve_json all = serve_json::object();
    for(const std::string& name: names()) {
        all[name] = name == "image"     ? labels_of(models_->image.get())
                    : name == "protein" ? families_of(models_->protein.get())
                    : name == "mesh"    ? models_->mesh.get().classes()
                    : name == "video"   ? models_->video.get().classes()
                                        : std::vector<std::string>{};
    }
    return all;
}

void kinds_service::images(exchange& with, request_log& log) {
#if defined(TOKENWORKS_CLI_PNG)
    kind_request ask{with, "image"};
    const std::string name = ask.name_of_class();
    const std::size_t count = ask.count();
    const std::uint64_t seed = ask.seed();
    static_cast<void>(ask.in.word("response_format", {"b64_json"}));
    const std::string size = ask.in.string("size", 32).value_or("auto");
    tw::draw_options how{.guidance = ask.real("guidance", 0, 100),
                         .temperature = ask.real("temperature", 0, 2),
                         .top_k = static_cast<int>(ask.in.whole("top_k", 0, 1U << 20U).value_or(0)),
                         .top_p = ask.real("top_p", 0, 1).value_or(1),
                         .min_p = ask.real("min_p", 0, 1).value_or(0)};
    ask.in.finish({"user"});
    const tw::image_model& model = models_->image.get();
    check_class(labels_of(model), name);
    if(const std::string own = std::to_string(model.width()) + "x" + std::to_string(model.height());
       size != "auto" && size != own) {
        throw api_error{400, "size: pictures are " + own, "size"};
    }
    how.seed = seed;
    tw::runtime::request what = model.request_of(model.class_of(name), how);
    what.samples = count;
    asked_jobs jobs{models_->image.engine(), with, log, costs_, timeout_};
    jobs.add(std::move(what));
    serve_json data = serve_json::array();
    for(const std::vector<token_id>& ids: jobs.wait()) {
        data.push_back({{"b64_json", base64(tw::io::to_png(model.picture_of(ids)))}});
    }
    send_json(with,
              {{"created", unix_time()}, {"output_format", "png"}, {"data", std::move(data)}, {"usage", jobs.usage()}});
#else
    static_cast<void>(with);
    static_cast<void>(log);
    throw api_error{501, "this server was built without libpng"};
#endif
}

void kinds_service::forecasts(exchange& with, request_log& log) {
    kind_request ask{with, "forecast"};
    const tw::io::json_value list = ask.in.need("series");
    tw::forecast_options how{.horizon = static_cast<std::size_t>(ask.in.whole("horizon", 1, 1024).value_or(0))};
    std::vector<double> said{0.1, 0.5, 0.9}; // as they are told again
    if(const auto levels = ask.in.find("quantiles")) {
        how.quantiles.clear();
        said.clear();
        if(levels->size() == 0 || levels->size() > 99) {
            ask.in.refuse("quantiles", {"has ", levels->size(), " levels, not 1 to 99"});
        }
        levels->elements({"quantiles"}, [&](tw::io::json_value each) {
            const std::string place = "quantiles[" + std::to_string(how.quantiles.size()) + "]";
            how.quantiles.push_back(static_cast<float>(serve::request_fields::number_of(each, place, 0.0001, 0.9999)));
        });
    }
    if(const auto season = ask.in.whole("season", 0, 65536)) {
        how.seasons =
            *season < 2 ? std::vector<std::size_t>{} : std::vector<std::size_t>{static_cast<std::size_t>(*season)};
    }
    ask.in.finish({"user"});
    if(!list.is_array() || list.size() == 0 || list.size() > 256) {
        list.refuse({"series"}, {"is no list of 1 to 256 series"});
    }
    std::vector<std::string> names;
    std::vector<std::vector<float>> all;
    list.elements({"series"}, [&](tw::io::json_value each) {
        const std::string place = "series[" + std::to_string(all.size()) + "]";
        if(each.is_object()) {
            serve::request_fields one{each, place};
            names.push_back(one.string("name", 256).value_or(std::to_string(all.size() + 1)));
            all.push_back(values_of(one.need("values"), place + ".values"));
            one.finish();
        } else {
            names.push_back(std::to_string(all.size() + 1));
            all.push_back(values_of(each, place));
        }
    });
    const tw::forecaster& model = models_->forecast.get();
    const std::size_t read = std::transform_reduce(all.begin(), all.end(), std::size_t{0}, std::plus{},
                                                   [](const std::vector<float>& each) { return each.size(); });
    log.prompt_tokens = read; // a value is a token here
    costs_.take(log.client, read);
    const auto mine = std::make_shared<forecast_work>();
    mine->series = std::move(all);
    mine->how = how;
    models_->forecasts.run(mine, with, [&](std::span<const std::shared_ptr<forecast_work>> some) {
        std::vector<std::span<const float>> series;
        for(const std::shared_ptr<forecast_work>& each: some) {
            series.insert(series.end(), each->series.begin(), each->series.end());
        }
        tw::forecast_options alike = some.front()->how;
        alike.on_progress = [&](std::size_t, std::size_t) {
            mine->is_left = mine->is_left || with.is_gone();
            return !std::ranges::all_of(some, [](const auto& each) { return each->is_left.load(); });
        };
        counted_work work{models_->forecast_energy};
        std::vector<tw::series_forecast> found = model.forecast(series, alike);
        share_out(some, std::move(found), &forecast_work::made, work.joules());
    });
    const std::vector<tw::series_forecast>& made = mine->made;
    log.generated_tokens = made.size() * made.front().horizon;
    costs_.charge(log.client, log.generated_tokens);
    serve_json data = serve_json::array();
    for(std::size_t i = 0; i < made.size(); ++i) {
        serve_json values = serve_json::array();
        for(std::size_t q = 0; q < how.quantiles.size(); ++q) {
            const std::span<const float> row = made[i].at(q);
            values.push_back(std::vector<float>(row.begin(), row.end()));
        }
        data.push_back({{"name", names[i]}, {"quantiles", said}, {"values", std::move(values)}});
    }
    send_json(with, {{"object", "list"},
                     {"horizon", made.front().horizon},
                     {"data", std::move(data)},
                     {"usage", usage_of(costs_, read, log.generated_tokens, mine->joules)}});
}

void kinds_service::proteins(exchange& with, request_log& log) {
    kind_request ask{with, "protein"};
    const std::size_t count = ask.count();
    const std::uint64_t seed = ask.seed();
    tw::protein_options how{.family = ask.in.string("family", 256).value_or("")};
    how.least = static_cast<std::size_t>(ask.in.whole("min_length", 1, 100000).value_or(how.least));
    how.most = static_cast<std::size_t>(ask.in.whole("max_length", 1, 100000).value_or(how.most));
    how.begin = ask.in.string("begin", 100000).value_or("");
    how.sampling.temperature = ask.real("temperature", 0, 2).value_or(how.sampling.temperature);
    how.sampling.top_p = ask.real("top_p", 0, 1).value_or(how.sampling.top_p);
    how.sampling.min_p = ask.real("min_p", 0, 1).value_or(how.sampling.min_p);
    if(const auto k = ask.in.whole("top_k", 0, 1U << 20U)) {
        how.sampling.top_k = static_cast<int>(*k);
    }
    ask.in.finish({"user"});
    const tw::protein_model& model = models_->protein.get();
    static_cast<void>(model.format().family(how.family));
    asked_jobs jobs{models_->protein.engine(), with, log, costs_, timeout_};
    std::vector<tw::runtime::request> requests;
    for(std::size_t i = 0; i < count; ++i) {
        how.seed = seed + static_cast<std::uint64_t>(i) * 0x9E3779B97F4A7C15U; // as the program does it
        requests.push_back(model.request_of(how));
    }
    jobs.add(std::move(requests));
    serve_json data = serve_json::array();
    std::string fasta;
    for(const std::vector<token_id>& ids: jobs.wait()) {
        tw::io::fasta_record record;
        record.name = (how.family.empty() ? "protein" : how.family) + "_" + std::to_string(data.size() + 1);
        record.sequence = model.sequence_of(how, ids);
        tw::io::append_fasta(fasta, record);
        data.push_back({{"id", record.name}, {"sequence", record.sequence}});
    }
    send_json(with, {{"object", "list"}, {"data", std::move(data)}, {"fasta", fasta}, {"usage", jobs.usage()}});
}

void kinds_service::protein_scores(exchange& with, request_log& log) {
    kind_request ask{with, "protein"};
    const std::string family = ask.in.string("family", 256).value_or("");
    const tw::io::json_value list = ask.in.need("sequences");
    ask.in.finish({"user"});
    if(!list.is_array() || list.size() == 0 || list.size() > 256) {
        list.refuse({"sequences"}, {"is no list of 1 to 256 sequences"});
    }
    const tw::protein_model& model = models_->protein.get();
    const auto mine = std::make_shared<score_work>();
    mine->family = family;
    static_cast<void>(model.format().family(family));
    list.elements({"sequences"}, [&](tw::io::json_value each) {
        mine->sequences.emplace_back(each.string({"sequences[" + std::to_string(mine->sequences.size()) + "]"}));
        log.prompt_tokens += mine->sequences.back().size(); // a residue is a token here
    });
    costs_.take(log.client, log.prompt_tokens);
    models_->scores.run(mine, with, [&](std::span<const std::shared_ptr<score_work>> some) {
        std::vector<tw::scored_protein> all;
        for(const std::shared_ptr<score_work>& each: some) {
            for(const std::string& sequence: each->sequences) {
                all.push_back({sequence, each->family});
            }
        }
        counted_work work{models_->score_energy};
        std::vector<double> found = model.log_likelihoods_of(all);
        share_out(some, std::move(found), &score_work::scores, work.joules());
    });
    serve_json data = serve_json::array();
    for(std::size_t i = 0; i < mine->scores.size(); ++i) {
        data.push_back({{"length", mine->sequences[i].size()}, {"log_likelihood", mine->scores[i]}});
    }
    send_json(with, {{"object", "list"},
                     {"data", std::move(data)},
                     {"usage", usage_of(costs_, log.prompt_tokens, 0, mine->joules)}});
}

void kinds_service::meshes(exchange& with, request_log& log) {
    kind_request ask{with, "mesh"};
    const std::string name = ask.name_of_class();
    const std::size_t count = ask.count();
    const std::uint64_t seed = ask.seed();
    const std::string format = ask.in.word("format", {"obj", "stl", "glb"}).value_or("obj");
    const std::optional<float> temperature = ask.real("temperature", 0, 2);
    ask.in.finish({"user"});
    const tw::mesh_model& model = models_->mesh.get();
    check_class(model.classes(), name);
    tw::mesh_options how{.name = name, .seed = seed};
    how.temperature = temperature.value_or(how.temperature);
    tw::runtime::request what = model.request_of(how);
    what.samples = count; // with seeds that follow on it
    asked_jobs jobs{models_->mesh.engine(), with, log, costs_, timeout_};
    jobs.add(std::move(what));
    serve_json data = serve_json::array();
    for(const std::vector<token_id>& ids: jobs.wait()) {
        const tw::mesh made = model.space().decode(ids);
        serve_json one{{"format", format},
                       {"vertices", made.vertices.size()},
                       {"triangles", made.triangles.size()},
                       {"watertight", made.is_watertight()}};
        if(format == "obj") {
            one["text"] = tw::io::to_obj(made);
        } else {
            one["b64_json"] = tw::codec::encode_base64(format == "stl" ? tw::io::to_stl(made) : tw::io::to_glb(made));
        }
        data.push_back(std::move(one));
    }
    send_json(with, {{"object", "list"}, {"data", std::move(data)}, {"usage", jobs.usage()}});
}

void kinds_service::videos(exchange& with, request_log& log) {
    kind_request ask{with, "video"};
    tw::video_options how{.name = ask.name_of_class()};
    how.frames = static_cast<std::size_t>(ask.in.whole("frames", 1, 256).value_or(16));
    how.seed = ask.seed();
    how.temperature = ask.real("temperature", 0, 2);
    const std::string format = ask.in.word("format", {"gif", "png", "y4m"}).value_or("gif");
    const auto rate = static_cast<std::size_t>(ask.in.whole("fps", 1, 100).value_or(8));
    const auto scale = static_cast<std::size_t>(ask.in.whole("scale", 1, 16).value_or(1));
    ask.in.finish({"user"});
    const tw::video_model& model = models_->video.get();
    check_class(model.classes(), how.name);
    asked_jobs jobs{models_->video.engine(), with, log, costs_, timeout_};
    tw::video_model::growing_clip growing = model.start(how);
    while(!growing.is_complete()) {
        jobs.add(growing.next());
        growing.add(jobs.wait().front());
    }
    const tw::clip made = growing.frames();
    const tw::clip film = scale == 1 ? made : made.enlarged(scale);
    const tw::io::video_file_options as{.frames_per_second = rate};
    std::vector<std::byte> file;
    if(format == "png") {
#if defined(TOKENWORKS_CLI_PNG)
        file = tw::io::to_apng(film, as);
#else
        throw api_error{501, "this server was built without libpng; gif and y4m it writes", "format"};
#endif
    } else {
        file = format == "gif" ? tw::io::to_gif(film, as) : tw::io::to_y4m(film, as);
    }
    send_json(with, {{"object", "list"},
                     {"data",
                      {{{"b64_json", base64(file)},
                        {"format", format},
                        {"frames", film.frames()},
                        {"width", film.width},
                        {"height", film.height}}}},
                     {"usage", jobs.usage()}});
}

} // namespace cli
