// The definitions that TOKENWORKS_SEPARATE leaves out of the headers. One translation unit of a program includes this
// header, before any other of the library:
//
//   #include <tokenworks/separate.hpp>
//
// The others are compiled with TOKENWORKS_SEPARATE defined, and compile in a fraction of the time. The CMake target
// tokenworks::compiled does both.
//
// Several cores compile it faster as three units: each defines TOKENWORKS_SEPARATE_PART, as 1 for the kernels, 2 for io
// and codec, 3 for all else.
#pragma once

#if defined(TOKENWORKS_ABI)
#error "include tokenworks/separate.hpp before all other headers of tokenworks"
#endif

#if !defined(TOKENWORKS_SEPARATE_PART)
#define TOKENWORKS_SEPARATE_PART 0
#endif

#if TOKENWORKS_SEPARATE_PART <= 1
#define TOKENWORKS_SEPARATE_SOURCE
#include <tokenworks/config.hpp>
#undef TOKENWORKS_SEPARATE_SOURCE
#else // the kernels are only declared
#undef TOKENWORKS_SEPARATE
#define TOKENWORKS_SEPARATE
#include <tokenworks/config.hpp>
#undef TOKENWORKS_SEPARATE
#endif
#include <tokenworks/kernels/attention.hpp>
#include <tokenworks/kernels/convolution.hpp>
#include <tokenworks/kernels/group_norm.hpp>
#include <tokenworks/kernels/matmul_argmax.hpp>

#if TOKENWORKS_SEPARATE_PART != 1
#if TOKENWORKS_SEPARATE_PART == 2
#undef TOKENWORKS_DEFINITIONS
#undef TOKENWORKS_INSTANCES
#define TOKENWORKS_DEFINITIONS 1
#define TOKENWORKS_INSTANCES 1
#endif
#include <tokenworks/codec/bound_grammar.hpp>
#include <tokenworks/codec/chat_template.hpp>
#include <tokenworks/codec/choices.hpp>
#include <tokenworks/codec/gbnf.hpp>
#include <tokenworks/codec/grammar_machine.hpp>
#include <tokenworks/codec/infill.hpp>
#include <tokenworks/codec/json_schema.hpp>
#include <tokenworks/codec/protein_format.hpp>
#include <tokenworks/codec/regex_automaton.hpp>
#include <tokenworks/codec/token_pipeline.hpp>
#include <tokenworks/codec/vocabulary_tokenizer.hpp>
#include <tokenworks/io/gguf_reader.hpp>
#if __has_include(<nlohmann/json.hpp>)
#include <tokenworks/io/json.hpp>
#endif
#endif

#if TOKENWORKS_SEPARATE_PART == 0 || TOKENWORKS_SEPARATE_PART == 3
#if TOKENWORKS_SEPARATE_PART == 3
#undef TOKENWORKS_DEFINITIONS
#undef TOKENWORKS_INSTANCES
#define TOKENWORKS_DEFINITIONS 1
#define TOKENWORKS_INSTANCES 1
#endif
// What the umbrella leaves out.
#include <tokenworks/models/bins_forecaster.hpp>
#include <tokenworks/models/dit.hpp>
#include <tokenworks/models/image_resize.hpp>
#include <tokenworks/models/image_text_encoder.hpp>
#include <tokenworks/models/patch_forecaster.hpp>
#include <tokenworks/models/quantization.hpp>
#include <tokenworks/models/sentencepiece_model.hpp>
#include <tokenworks/models/timesfm_forecaster.hpp>
#include <tokenworks/models/vq_autoencoder.hpp>
#include <tokenworks/runtime/beam_search.hpp>
#include <tokenworks/runtime/contact_map.hpp>
#include <tokenworks/runtime/engine.hpp>
#include <tokenworks/runtime/plan.hpp>
#include <tokenworks/tokenworks.hpp>

// What reads folders and their JSON, for programs that have nlohmann-json.
#if __has_include(<nlohmann/json.hpp>)
#include <tokenworks/models/export_gguf.hpp>
#include <tokenworks/models/image_processor.hpp>
#include <tokenworks/models/lora.hpp>
#include <tokenworks/runtime/diffusion_model.hpp>
#include <tokenworks/runtime/forecaster.hpp>
#include <tokenworks/runtime/image_model.hpp>
#include <tokenworks/runtime/janus_model.hpp>
#include <tokenworks/runtime/load_text_model.hpp>
#include <tokenworks/runtime/log_likelihoods.hpp>
#include <tokenworks/runtime/mesh_model.hpp>
#include <tokenworks/runtime/protein_model.hpp>
#include <tokenworks/runtime/text_classifier.hpp>
#include <tokenworks/runtime/text_encoder.hpp>
#include <tokenworks/runtime/text_to_text.hpp>
#include <tokenworks/runtime/video_model.hpp>
#include <tokenworks/serve/answer.hpp>
#include <tokenworks/serve/chat_request.hpp>
#include <tokenworks/serve/completion_request.hpp>
#include <tokenworks/serve/form_cache.hpp>
#include <tokenworks/serve/http_message.hpp>
#endif
#endif
#undef TOKENWORKS_SEPARATE_PART
