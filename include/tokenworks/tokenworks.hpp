// Everything of the library that needs nothing but the standard library, Eigen and xsimd. A program that wants less
// includes the header of what it wants: each stands alone. (io/safetensors.hpp needs nlohmann-json and is not here.)
#pragma once

#include <tokenworks/codec/chat_template.hpp>
#include <tokenworks/codec/template_json.hpp>
#include <tokenworks/codec/tokenizer.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/tensor.hpp>
#include <tokenworks/io/gguf.hpp>
#include <tokenworks/kernels/attention.hpp>
#include <tokenworks/kernels/matmul.hpp>
#include <tokenworks/models/decoder.hpp>
#include <tokenworks/models/encoder_decoder.hpp>
#include <tokenworks/models/gguf.hpp>
#include <tokenworks/runtime/generate.hpp>
#include <tokenworks/runtime/text_model.hpp>
#include <tokenworks/version.hpp>
