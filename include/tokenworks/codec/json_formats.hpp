// Formats of strings that JSON Schema names, as regular expressions (codec/regex_automaton.hpp).
//
// Each takes a part of what its RFC allows, wide enough to write with: years from 1000, no leap seconds, host names of
// short labels. What is written is valid for whoever checks the format.
#pragma once

#include <string>
#include <string_view>

#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

/// The expression of "date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid" or "uri"
/// (RFC 3339, 5321, 1123, 2673, 4291, 4122 and 3986); empty for other names.
[[nodiscard]] inline std::string format_pattern(std::string_view name) {
    std::string date =
        "(?:[1-9][0-9]{3}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|"
        "02-(?:0[1-9]|1[0-9]|2[0-8]))|(?:[1-9][0-9](?:0[48]|[2468][048]|[13579][26])|"
        "(?:[2468][048]|[13579][26])00)-02-29)";
    std::string time =
        "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,6})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])";
    const std::string label = "[A-Za-z0-9]{1,20}(?:-[A-Za-z0-9]{1,20})?";
    const std::string octet = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
    if(name == "date") {
        return date;
    }
    if(name == "time") {
        return time;
    }
    if(name == "date-time") {
        return date + "T" + time;
    }
    if(name == "duration") {
        return "P(?:(?:[0-9]{1,9}D|[0-9]{1,9}M(?:[0-9]{1,9}D)?|[0-9]{1,9}Y(?:[0-9]{1,9}M(?:[0-9]{1,9}D)?)?)"
               "(?:T(?:[0-9]{1,9}S|[0-9]{1,9}M(?:[0-9]{1,9}S)?|[0-9]{1,9}H(?:[0-9]{1,9}M(?:[0-9]{1,9}S)?)?))?|"
               "T(?:[0-9]{1,9}S|[0-9]{1,9}M(?:[0-9]{1,9}S)?|[0-9]{1,9}H(?:[0-9]{1,9}M(?:[0-9]{1,9}S)?)?)|[0-9]{1,9}W)";
    }
    if(name == "hostname") {
        return label + "(?:\\." + label + "){0,4}";
    }
    if(name == "email") {
        return "[A-Za-z0-9_+-]{1,30}(?:\\.[A-Za-z0-9_+-]{1,30})?@" + label + "(?:\\." + label + "){1,3}";
    }
    if(name == "ipv4") {
        return octet + "(?:\\." + octet + "){3}";
    }
    if(name == "ipv6") {
        const std::string g = "[0-9A-Fa-f]{1,4}";
        std::string all = "(?:" + g + ":){7}" + g + "|(?:" + g + ":){1,7}:|:(?::" + g + "){1,7}|::";
        for(int before = 1; before <= 6; ++before) {
            all.append("|(?:").append(g).append(":){").append(std::to_string(before)).append("}(?::");
            all.append(g).append("){1,").append(std::to_string(7 - before)).append("}");
        }
        return all;
    }
    if(name == "uuid") {
        return "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}";
    }
    if(name == "uri") {
        const std::string path = "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})";
        return "[A-Za-z][A-Za-z0-9+.-]{0,20}://" + label + "(?:\\." + label + "){0,4}(?::[1-9][0-9]{0,3})?(?:/" + path +
               "*)*(?:\\?(?:" + path + "|[/?])*)?(?:#(?:" + path + "|[/?])*)?";
    }
    return {};
}

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
