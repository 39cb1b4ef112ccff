// Model files that carry an input and what a right model makes of it.
#pragma once

#include <string>

#include <tokenworks/io/gguf_writer.hpp>
#include <tokenworks/runtime/text_model.hpp>

namespace cli {

/// Runs the input that a model file carries, compares, and says so on stderr.
/// @throws tokenworks::error where it carries none, or the model makes something else of it
void self_check(const std::string& path, const tokenworks::load_options& load);
/// Saves a file anew with an input and what its model makes of it, where it is of a kind that carries one.
void add_self_check(const std::string& path, const tokenworks::load_options& load, tokenworks::io::gguf_writer& out);

} // namespace cli
