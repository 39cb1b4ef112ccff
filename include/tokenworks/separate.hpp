// The definitions that TOKENWORKS_SEPARATE leaves out of the headers. One translation unit of a program includes this
// header, before any other of the library:
//
//   #include <tokenworks/separate.hpp>
//
// The others are compiled with TOKENWORKS_SEPARATE defined, and compile in a fraction of the time. The CMake target
// tokenworks::compiled does both.
#pragma once

#if defined(TOKENWORKS_ABI)
#error "include tokenworks/separate.hpp before all other headers of tokenworks"
#endif

#define TOKENWORKS_SEPARATE_SOURCE
#include <tokenworks/config.hpp>
#undef TOKENWORKS_SEPARATE_SOURCE

#include <tokenworks/codec/token_pipeline.hpp>   // for tokenizers that are read from folders; not in the umbrella
#include <tokenworks/models/bins_forecaster.hpp> // nor are these
#include <tokenworks/models/image_resize.hpp>
#include <tokenworks/models/image_text_encoder.hpp>
#include <tokenworks/models/patch_forecaster.hpp>
#include <tokenworks/runtime/beam_search.hpp>
#include <tokenworks/runtime/plan.hpp>
#include <tokenworks/tokenworks.hpp>
