# What only this project's own programs are compiled with: never part of tokenworks::tokenworks.
set(CMAKE_CXX_EXTENSIONS OFF)

# Release means -O2 here, as most users compile: the kernels do not need more, -O3 takes longer, and under it GCC 12 warns
# of errors in the standard library's own code that are none.
string(REPLACE "-O3" "-O2" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")

add_library(tokenworks_dev INTERFACE)
target_link_libraries(tokenworks_dev INTERFACE tokenworks::tokenworks)
target_compile_options(tokenworks_dev INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wold-style-cast -Wundef
    $<$<BOOL:${TOKENWORKS_WERROR}>:-Werror>)

target_link_libraries(tokenworks_compiled PRIVATE $<BUILD_INTERFACE:tokenworks_dev>)

if(TOKENWORKS_SANITIZE)
    set(sanitizer_options -fsanitize=${TOKENWORKS_SANITIZE} -fno-omit-frame-pointer)
    if(TOKENWORKS_SANITIZE MATCHES "undefined")
        list(APPEND sanitizer_options -fno-sanitize-recover=undefined) # a finding fails the test
    endif()
    target_compile_options(tokenworks_dev INTERFACE ${sanitizer_options})
    target_link_options(tokenworks_dev INTERFACE ${sanitizer_options})
endif()
