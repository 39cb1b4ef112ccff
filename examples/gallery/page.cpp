#include "page.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include <tokenworks/codec/base64.hpp>
#include <tokenworks/codec/utf8.hpp>

#include "assets.hpp"

namespace gallery {

namespace codec = tokenworks::codec;

namespace {

/// The page may not load a thing, whatever a model writes.
constexpr std::string_view policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
                                    "img-src data:; base-uri 'none'; form-action 'none'";

void write_facts(std::string& out, std::span<const fact> facts) {
    out += "<dl class=\"facts\">\n";
    for(const fact& each: facts) {
        out += "<div><dt>" + html_text(each.name) + "</dt><dd" + (each.is_measured ? " data-measured" : "") + ">" +
               html_text(each.value) + "</dd></div>\n";
    }
    out += "</dl>\n";
}

void write_section(std::string& out, const section& what) {
    out += "<section id=\"" + what.id + "\" class=\"card wide-" + std::to_string(what.columns) +
           "\" aria-labelledby=\"" + what.id + "-title\">\n<header><h2 id=\"" + what.id + "-title\">" +
           html_text(what.title) + "</h2>\n<p>" + html_text(what.lead) + "</p></header>\n<div class=\"results\">\n";
    for(const result& each: what.results) {
        out += "<article class=\"result\">\n";
        if(!each.prompt.empty()) {
            out += "<p class=\"prompt\"><span>Prompt</span> " + html_text(each.prompt) + "</p>\n";
        }
        out += "<div class=\"body\">" + each.body + "</div>\n";
        if(!each.facts.empty()) {
            write_facts(out, each.facts);
        }
        out += "</article>\n";
    }
    out += "</div>\n</section>\n";
}

} // namespace

std::string html_text(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for(std::size_t at = 0; at < text.size();) {
        const codec::utf8_char one = codec::decode_utf8(text, at);
        const char32_t code = one.code;
        at += one.length;
        switch(code) {
        case U'&':
            out += "&amp;";
            break;
        case U'<':
            out += "&lt;";
            break;
        case U'>':
            out += "&gt;";
            break;
        case U'"':
            out += "&quot;";
            break;
        default: // control characters must not stand in HTML, but for these
            codec::append_utf8(out, (code >= 32 && (code < 0x7F || code > 0x9F)) || code == '\n' || code == '\t'
                                        ? code
                                        : codec::replacement_character);
        }
    }
    return out;
}

std::string data_uri(std::string_view type, std::string_view content) {
    return "data:" + std::string{type} + ";base64," + codec::encode_base64(content);
}

std::string picture_element(const std::string& kind, const std::string& wide, const std::string& narrow,
                            const std::string& alt) {
    std::string out = "<picture class=\"" + kind + "\">";
    if(!narrow.empty()) {
        out += "<source media=\"(max-width: 640px)\" srcset=\"" + narrow + "\">";
    }
    return out + "<img src=\"" + wide + "\" alt=\"" + html_text(alt) + "\"></picture>";
}

std::string whole(std::size_t count) {
    const std::string digits = std::to_string(count);
    std::string out;
    for(std::size_t i = 0; i < digits.size(); ++i) {
        if(i != 0 && (digits.size() - i) % 3 == 0) {
            out += ',';
        }
        out += digits[i];
    }
    return out;
}

std::string rounded(double value) {
    if(!(value < 1e15)) { // a clock that stood still
        return "very many";
    }
    if(value >= 1000) {
        return whole(static_cast<std::size_t>(std::llround(value)));
    }
    std::array<char, 32> text{};
    const int behind = value >= 100 ? 0 : value >= 10 ? 1 : 2;
    const auto done = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, behind);
    return {text.data(), done.ptr};
}

std::string write_page(std::span<const section> sections, std::span<const fact> facts) {
    std::string out = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                      "<meta http-equiv=\"Content-Security-Policy\" content=\"";
    out += policy;
    out += "\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
           "<meta name=\"color-scheme\" content=\"light dark\">\n<title>tokenworks gallery</title>\n"
           "<link rel=\"icon\" href=\"data:,\">\n<style>\n";
    out += style;
    out +=
        "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#results\">To the results</a>\n<header class=\"top\">\n"
        "<h1>tokenworks</h1>\n<p>One library makes tokens and shapes them into many kinds of things. Each thing below "
        "was made by one command, by small models on one processor. The page asks nothing of any network.</p>\n"
        "<nav aria-label=\"Kinds of output\"><ul>\n";
    for(const section& each: sections) {
        out += "<li><a href=\"#" + each.id + "\">" + html_text(each.title) + "</a></li>\n";
    }
    out += "</ul></nav>\n";
    write_facts(out, facts);
    out += "</header>\n<main id=\"results\">\n";
    for(const section& each: sections) {
        write_section(out, each);
    }
    out += "</main>\n<script>\n";
    out += script;
    return out + "</script>\n</body>\n</html>\n";
}

} // namespace gallery
