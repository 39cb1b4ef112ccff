# tests/fuzz/<name>.cpp holds LLVMFuzzerTestOneInput. Two programs come of it:
#   replay_<name>  any compiler: runs the kept inputs of tests/fuzz/corpus/<name>/ once, as a test
#   fuzz_<name>    Clang, with TOKENWORKS_BUILD_FUZZ: looks for new ones
file(GLOB fuzz_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/fuzz/*.cpp")
set(replay_main "${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cpp")
list(REMOVE_ITEM fuzz_sources "${replay_main}")

if(TOKENWORKS_BUILD_FUZZ AND NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "TOKENWORKS_BUILD_FUZZ needs Clang: -DCMAKE_CXX_COMPILER=clang++")
endif()

# All share one compilation of the library's large functions: replays that of the tests, fuzzers one with their flags. Most
# need those of io and codec alone.
set(fuzz_whole_library
    gguf_model http_request image_processor importance_matrix lora model_folder saved_prefixes sentencepiece_model
    tokenizer_json)
set(fuzz_flags -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined)
if(TOKENWORKS_BUILD_FUZZ)
    add_separate(tokenworks_fuzz_separate ${fuzz_flags})
endif()

foreach(source IN LISTS fuzz_sources)
    get_filename_component(name "${source}" NAME_WE)
    set(part 2)
    if(name IN_LIST fuzz_whole_library)
        set(part 3)
    endif()
    if(TOKENWORKS_BUILD_TESTS AND EXISTS "${replay_main}")
        add_executable(replay_${name} "${source}" "${replay_main}")
        target_link_libraries(replay_${name} PRIVATE tokenworks_test_options tokenworks_test_separate_${part})
        set(corpus "${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name}")
        if(EXISTS "${corpus}")
            add_test(NAME "fuzz: replay ${name}" COMMAND replay_${name} "${corpus}")
            set_tests_properties("fuzz: replay ${name}" PROPERTIES LABELS fuzz TIMEOUT 300)
        endif()
    endif()
    if(TOKENWORKS_BUILD_FUZZ)
        add_executable(fuzz_${name} "${source}")
        target_link_libraries(fuzz_${name} PRIVATE tokenworks_test_options tokenworks_fuzz_separate_${part})
        target_compile_options(fuzz_${name} PRIVATE ${fuzz_flags})
        target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer,address,undefined)
    endif()
endforeach()
