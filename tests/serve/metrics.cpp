#include <tokenworks/serve/metrics.hpp>

#include <string>

#include "support/catch.hpp"

namespace serve = tokenworks::serve;

TEST_CASE("metrics: histograms count up to each bound", "[serve]") {
    serve::histogram h{1, 2, 4};
    for(const double value: {0.5, 1.0, 1.5, 4.0, 5.0}) {
        h.add(value);
    }
    serve::metrics_text out;
    out.one("x", "Things.", h);
    CHECK(out.text() == "# HELP tokenworks:x Things.\n# TYPE tokenworks:x histogram\n"
                        "tokenworks:x_bucket{le=\"1\"} 2\ntokenworks:x_bucket{le=\"2\"} 3\n"
                        "tokenworks:x_bucket{le=\"4\"} 4\ntokenworks:x_bucket{le=\"+Inf\"} 5\n"
                        "tokenworks:x_sum 12\ntokenworks:x_count 5\n");
}

TEST_CASE("metrics: labels are escaped", "[serve]") {
    serve::metrics_text out;
    out.begin("y", "counter", "Things.");
    out.add(2, {{"a", "x\"\\\n"}, {"b", "c"}});
    CHECK(out.text().ends_with("tokenworks:y{a=\"x\\\"\\\\\\n\",b=\"c\"} 2\n"));
}

TEST_CASE("metrics: what a server tells", "[serve]") {
    serve::server_metrics all;
    all.finished(
        {.prompt_tokens = 3, .generated_tokens = 4, .first_token_seconds = 0.5, .total_seconds = 2, .reason = "stop"});
    all.finished({.reason = "length"});
    all.between_tokens(0.02);
    all.answered("/health", 200);
    const auto has = [&](const std::string& text, const std::string& line) {
        INFO(line);
        CHECK(text.find("\n" + line + "\n") != std::string::npos);
    };
    const std::string text =
        all.text({.running = 2, .cache_share = 0.25, .decode_joules = 1.5, .energy_source = "modelled"});
    has(text, "tokenworks:num_requests_running 2");
    has(text, "tokenworks:kv_cache_usage_perc 0.25");
    has(text, "tokenworks:time_to_first_token_seconds_count 1");
    has(text, "tokenworks:e2e_request_latency_seconds_count 2");
    has(text, "tokenworks:inter_token_latency_seconds_bucket{le=\"0.025\"} 1");
    has(text, "tokenworks:request_success_total{finished_reason=\"length\"} 1");
    has(text, "tokenworks:http_responses_total{route=\"/health\",status=\"200\"} 1");
    has(text, "tokenworks:joules_total{phase=\"decode\",source=\"modelled\"} 1.5");
    CHECK(all.text({}).find("joules") == std::string::npos);
    CHECK(all.text({}).find("kind_") == std::string::npos);
    const std::string kinds =
        all.text({.kinds = {{.kind = "image", .running = 3, .steps = 7}, {.kind = "mesh", .preemptions = 1}}});
    has(kinds, "tokenworks:kind_sequences_running{kind=\"image\"} 3");
    has(kinds, "tokenworks:kind_sequences_running{kind=\"mesh\"} 0");
    has(kinds, "tokenworks:kind_steps_total{kind=\"image\"} 7");
    has(kinds, "tokenworks:kind_preemptions_total{kind=\"mesh\"} 1");
    CHECK(kinds.find("joules") == std::string::npos);
    has(all.text({.energy_source = "modelled", .kinds = {{.kind = "image", .joules = 2.5}}}),
        "tokenworks:kind_joules_total{kind=\"image\",source=\"modelled\"} 2.5");
}
