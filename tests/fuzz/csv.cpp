// Fuzzes tables in CSV: rows have their lines in order, and cells lie within what was read.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <tokenworks/io/csv.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    namespace io = tokenworks::io;
    try {
        io::csv_reader rows{{reinterpret_cast<const char*>(data), size}, "fuzz.csv"};
        std::size_t line = 0;
        std::size_t bytes = 0;
        while(rows.next()) {
            if(rows.line() <= line || rows.cells().empty()) {
                std::abort();
            }
            line = rows.line();
            for(const std::string_view cell: rows.cells()) {
                bytes += cell.size();
            }
        }
        if(bytes > size) {
            std::abort();
        }
    } catch(const tokenworks::error&) { // what is wrong is refused
    }
    return 0;
}
