// A kind of output of your own: music. A token space, a constraint and a sink, and the loop that all kinds share.
// run: {out}/melody.mid
// prints: 32 notes
#include <array>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <span>
#include <string>
#include <vector>

#include <tokenworks/io/atomic_file.hpp>
#include <tokenworks/runtime/make_tokens.hpp>

namespace tw = tokenworks;
using id = tw::sampling::token_id;

struct melody_space {         // a note is an id: a step of the pentatonic scale, 0 … 14, from middle C on
    using data = std::string; // a Standard MIDI File
    static int pitch(id note) {
        return std::array{60, 62, 64, 67, 69}[static_cast<std::size_t>(note % 5)] + note / 5 * 12;
    }
    std::size_t vocab_size() const { return 15; }
    std::vector<id> encode(const data& file) const { // of files that decode() has made
        std::vector<id> notes;
        for(std::size_t at = 23; at + 4 < file.size(); at += 8) {
            const auto above = static_cast<unsigned>(file[at + 1] - 60);
            notes.push_back(static_cast<id>(above / 12 * 5) + "001122233444"[above % 12] - '0');
        }
        return notes;
    }
    data decode(std::span<const id> notes) const { // format 0, 96 ticks a quarter; each note lasts 48
        std::string track;
        for(const id note: notes) {
            const auto key = static_cast<char>(pitch(note));
            track += {'\0', '\x90', key, '\x60', '\x30', '\x80', key, '\x40'};
        }
        track += std::string{"\0\xff\x2f\0", 4};
        std::string file{"MThd\0\0\0\6\0\0\0\1\0\x60MTrk", 18};
        for(int shift = 24; shift >= 0; shift -= 8)
            file += static_cast<char>(track.size() >> shift & 255U);
        return file + track;
    }
};

struct walking_model { // stands for a network: the next note is near the last, and drawn to the middle
    struct state {
        std::vector<id> heard;
        std::size_t size() const { return heard.size(); }
        std::size_t capacity() const { return 1000; }
    };
    std::size_t vocab_size() const { return 15; }
    void forward(state& s, std::span<const id> tokens, std::span<float> logits) const {
        s.heard.insert(s.heard.end(), tokens.begin(), tokens.end());
        for(std::size_t i = 0; i < logits.size(); ++i) {
            const auto away = static_cast<float>(static_cast<id>(i) - s.heard.back());
            const auto off = static_cast<float>(i) - 7;
            logits[i] = -0.35F * away * away - 0.03F * off * off - (away == 0 ? 1.5F : 0);
        }
    }
};

int main(int argc, char** argv) {
    try {
        const melody_space space;
        walking_model::state state;
        tw::sampling::exactly notes{32, [](id note) { return note >= 0 && note < 15; }};
        tw::runtime::data_sink melody{space};
        tw::runtime::make_tokens(walking_model{}, state, std::array<id, 1>{5}, notes, melody,
                                 {.sampling = {.seed = 7}});
        tw::io::atomic_file file{argc > 1 ? argv[1] : "melody.mid"};
        file.write(std::as_bytes(std::span{melody.data().data(), melody.data().size()}));
        file.commit();
        std::printf("%zu notes\n", space.encode(melody.data()).size());
    } catch(const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
