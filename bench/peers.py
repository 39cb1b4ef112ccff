"""Other engines as bench/compare and bench/quality run them: llama.cpp, through llama-cpp-python, and transformers.

    CMAKE_ARGS=-DGGML_NATIVE=ON pip install --no-binary llama-cpp-python llama-cpp-python
    pip install torch transformers accelerate gguf
"""
import ctypes
import os

import numpy

try:
    import llama_cpp as ll
except ImportError:  # who wants transformers alone needs no llama.cpp
    ll = None
else:
    _quiet = ll.llama_log_callback(lambda level, text, data: None)  # must live as long as the engine
    ll.llama_log_set(_quiet, ctypes.c_void_p(0))
    ll.llama_backend_init()


def load_transformers(path, threads):
    """The model of a GGUF file with its weights as float32."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(threads)
    folder, name = os.path.split(os.path.abspath(path))
    return AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32).eval()


class LlamaCpp:
    """A model and one context of up to `context` tokens over all sequences."""

    def __init__(self, path, context, threads, sequences=1, flash_attention=False):
        self.model = ll.llama_model_load_from_file(str(path).encode(), ll.llama_model_default_params())
        if not self.model:
            raise SystemExit(f"llama.cpp: cannot load {path}")
        params = ll.llama_context_default_params()
        params.n_ctx = context
        params.n_batch = params.n_ubatch = max(512, sequences)
        params.n_seq_max = sequences
        params.n_threads = params.n_threads_batch = threads
        if hasattr(params, "flash_attn_type"):
            params.flash_attn_type = 1 if flash_attention else 0
        else:
            params.flash_attn = flash_attention
        if hasattr(params, "kv_unified"):
            params.kv_unified = True
        self.context = ll.llama_init_from_model(self.model, params)
        self.vocab_size = ll.llama_vocab_n_tokens(ll.llama_model_get_vocab(self.model))

    def forget(self):
        ll.llama_memory_clear(ll.llama_get_memory(self.context), True)

    def batch(self, tokens, positions, sequences, wanted):
        out = ll.llama_batch_init(len(tokens), 0, 1)
        out.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            out.token[i] = token
            out.pos[i] = positions[i]
            out.n_seq_id[i] = 1
            out.seq_id[i][0] = sequences[i]
            out.logits[i] = wanted[i]
        return out

    def decode(self, batch):
        if ll.llama_decode(self.context, batch) != 0:
            raise SystemExit("llama.cpp: llama_decode failed")

    def row(self, i):
        """The logits of token i of the last batch; -1: of the last that wanted them."""
        return numpy.ctypeslib.as_array(ll.llama_get_logits_ith(self.context, i), (self.vocab_size,))

    def logits(self, tokens):
        """[T,V], of a sequence of its own."""
        self.forget()
        count = len(tokens)
        batch = self.batch(tokens, range(count), [0] * count, [True] * count)
        self.decode(batch)
        out = numpy.stack([self.row(i) for i in range(count)])
        ll.llama_batch_free(batch)
        return out
