# tokenworks::compiled, for programs that want to compile their own files fast: the large functions of the library as a
# static library, made of three files that include <tokenworks/separate.hpp>. Linking it defines TOKENWORKS_SEPARATE, so that
# the headers only declare these functions. It is compiled in the user's build, with the user's flags, and only where a
# program links it. Used by the build and, installed, by find_package(tokenworks).
if(NOT TARGET tokenworks_compiled)
    set(tokenworks_separate)
    foreach(part 1 2 3)
        set(unit "${CMAKE_CURRENT_BINARY_DIR}/tokenworks_separate_${part}.cpp")
        file(CONFIGURE OUTPUT "${unit}" @ONLY
             CONTENT "#define TOKENWORKS_SEPARATE_PART ${part}\n#include <tokenworks/separate.hpp>\n")
        list(APPEND tokenworks_separate "${unit}")
    endforeach()
    add_library(tokenworks_compiled STATIC EXCLUDE_FROM_ALL ${tokenworks_separate})
    add_library(tokenworks::compiled ALIAS tokenworks_compiled)
    target_link_libraries(tokenworks_compiled PUBLIC tokenworks::tokenworks)
    target_compile_definitions(tokenworks_compiled PUBLIC TOKENWORKS_SEPARATE)
endif()
