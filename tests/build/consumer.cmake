# Builds and runs tests/build/consumer, a project of somebody else's, which gets the library by `way`: add_subdirectory, or
# find_package after an install into a temporary prefix.
set(work "${build}/tests/consumer-${way}")
file(REMOVE_RECURSE "${work}")
file(MAKE_DIRECTORY "${work}")

function(run)
    execute_process(COMMAND ${ARGN} RESULT_VARIABLE status)
    if(NOT status EQUAL 0)
        message(FATAL_ERROR "failed: ${ARGN}")
    endif()
endfunction()

set(arguments -S "${source}/tests/build/consumer" -B "${work}/build" -G "${generator}" "-DCMAKE_CXX_COMPILER=${compiler}")
if(toolchain)
    list(APPEND arguments "-DCMAKE_TOOLCHAIN_FILE=${toolchain}")
endif()
if(way STREQUAL "find_package")
    run("${CMAKE_COMMAND}" --install "${build}" --prefix "${work}/prefix")
    # The headers must be found in the prefix alone; a build that reached back into the source tree would hide a mistake.
    list(APPEND arguments "-DCMAKE_PREFIX_PATH=${work}/prefix" "-DEXPECT_PREFIX=${work}/prefix")
else()
    list(APPEND arguments "-DTOKENWORKS_SOURCE=${source}")
endif()
run("${CMAKE_COMMAND}" ${arguments})
run("${CMAKE_COMMAND}" --build "${work}/build" --target "run-${way}")
file(REMOVE_RECURSE "${work}")
