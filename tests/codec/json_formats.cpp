#include <tokenworks/codec/json_formats.hpp>

#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/codec/regex_automaton.hpp>

#include "support/catch.hpp"

using namespace tokenworks::codec;

namespace {

struct samples {
    const char* name;
    std::vector<std::string_view> good;
    std::vector<std::string_view> bad;
};

} // namespace

TEST_CASE("json_formats: every format takes what its RFC allows, and nothing that it forbids") {
    const std::vector<samples> all{
        {"date",
         {"2024-02-29", "2023-12-31", "1000-01-01", "2000-02-29"},
         {"2023-02-29", "1900-02-29", "2023-04-31", "2023-13-01", "2023-00-01", "2023-01-00", "23-01-01", "0999-01-01",
          "2023-1-01", "2023-01-01 "}},
        {"time",
         {"00:00:00Z", "23:59:59.123456+23:59", "12:30:00-05:00"},
         {"24:00:00Z", "12:60:00Z", "12:30:00", "12:30Z"}},
        {"date-time", {"2024-02-29T12:30:00Z", "1999-12-31T23:59:59.9+01:00"}, {"2024-02-30T12:30:00Z", "2024-02-29"}},
        {"duration",
         {"P1D", "P1Y2M3D", "PT1H2M3S", "P2W", "P1DT1S", "P1YT5M"},
         {"P", "PT", "P1", "1D", "P1D2M", "P1W2D"}},
        {"hostname", {"a", "example.com", "x-1.example.org"}, {"", "-a", "a-", "a..b", "a_b", ".a"}},
        {"email", {"a@b.co", "first.last+tag@x.example.org"}, {"a", "@b.co", "a@b", "a b@c.de", "a@@b.co", ".a@b.co"}},
        {"ipv4", {"0.0.0.0", "255.255.255.255", "10.1.20.199"}, {"256.1.1.1", "1.1.1", "01.1.1.1", "1.1.1.1."}},
        {"ipv6",
         {"::", "::1", "1::", "1:2:3:4:5:6:7:8", "2001:db8::ff00:42:8329", "a:b:c:d:e:f:1::", "::2:3:4:5:6:7:8"},
         {"", ":", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "g::", "1:2:3:4:5:6:7::8:9", ":::"}},
        {"uuid",
         {"123e4567-e89b-12d3-a456-426614174000", "ABCDEF00-0000-0000-0000-000000000000"},
         {"123e4567e89b12d3a456426614174000", "123e4567-e89b-12d3-a456-42661417400",
          "123e4567-e89b-12d3-a456-42661417400g"}},
        {"uri",
         {"http://example.com", "https://a.b:8080/x/y%20z?q=1&r=/#f", "ftp://h"},
         {"example.com", "http:/a", "http://", "http://a b", "http://a/%2", "1http://a"}},
    };
    for(const samples& each: all) {
        const byte_dfa pattern = texts_of(format_pattern(each.name));
        for(const std::string_view text: each.good) {
            INFO(each.name << " \"" << text << '"');
            CHECK(pattern.contains(text));
        }
        for(const std::string_view text: each.bad) {
            INFO(each.name << " \"" << text << '"');
            CHECK_FALSE(pattern.contains(text));
        }
    }
    CHECK(format_pattern("regex").empty());
    CHECK(format_pattern("").empty());
}
