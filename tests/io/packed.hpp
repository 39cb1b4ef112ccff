// A small packed file in memory, and how to lie in it: every change gets fresh checksums.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/io/packed_format.hpp>
#include <tokenworks/io/packed_writer.hpp>

#include "io/files.hpp"

namespace packed {

namespace io = tokenworks::io;

inline constexpr std::uint64_t identity = 0x1234;

/// Two matrices, the second longer than a chunk.
inline std::vector<std::string> contents() {
    std::string large(io::packed_chunk + 1000, 'x');
    for(std::size_t i = 0; i < large.size(); i += 7) {
        large[i] = static_cast<char>(i);
    }
    return {std::string(100, 'a'), large};
}

inline void write_sample(const std::string& path, std::uint64_t id = identity) {
    io::packed_writer writer{path, id};
    const auto data = contents();
    writer.add("first.weight", tokenworks::dtype::q4_0, 3, 32, files::bytes_of(data[0]));
    writer.add("second", tokenworks::dtype::f16, 5, 64, files::bytes_of(data[1]));
    writer.commit();
}

inline std::string sample() {
    const files::temporary_folder folder;
    write_sample(folder / "p");
    return files::read(folder / "p");
}

template <class T>
T number_at(std::string_view file, std::size_t at) {
    T value;
    std::memcpy(&value, file.data() + at, sizeof(T));
    return value;
}

template <class T>
void set(std::string& file, std::size_t at, T value) {
    std::memcpy(file.data() + at, &value, sizeof(T));
}

/// Where the table starts.
inline std::size_t table(std::string_view file) {
    return static_cast<std::size_t>(number_at<std::uint64_t>(file, file.size() - 64 + 24));
}

/// Makes the checksums of table and footer right.
inline std::string sealed(std::string file) {
    const std::size_t footer = file.size() - 64;
    const std::size_t start = table(file);
    if(start <= footer) {
        set(file, footer + 48, io::checksum(files::bytes_of(file).subspan(start, footer - start)));
    }
    set(file, footer + 56, io::checksum(files::bytes_of(file).subspan(footer, 56)));
    return file;
}

/// The sample with one number changed, sealed.
template <class T>
std::string changed(std::size_t at, T value) {
    std::string file = sample();
    set(file, at, value);
    return sealed(std::move(file));
}

} // namespace packed
