#!/usr/bin/env python3
"""Makes tests/golden/models: tiny random models as GGUF files, and the logits that transformers computes from them.

Every parameter is drawn at random, norms and biases included, so that a tensor left out or used twice shows. The weights
are rounded to float16 (or bfloat16) first, and the reference computes in float32 from the rounded values.

Needs torch, transformers, gguf, numpy. Writes the versions it ran with to VERSIONS.
"""
import pathlib
import sys

import gguf
import numpy as np
import torch
import transformers
from transformers import Gemma3TextConfig, LlamaConfig
from transformers.models.gemma3 import Gemma3ForCausalLM
from transformers.models.llama import LlamaForCausalLM

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "models"
TOKENS = 40


def perturb(model, seed, dtype):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.dim() == 1:
                parameter.copy_(1 + 0.2 * noise if "norm" in name and "gemma" not in model.config.model_type else 0.3 * noise)
                if dtype is not torch.float16:
                    parameter.copy_(parameter.to(dtype).float())
            else:
                parameter.copy_((noise * (1.5 / parameter.shape[-1] ** 0.5)).to(dtype).float())


def unrotate(weight, heads):
    """transformers rotates halves; GGUF's llama rotates neighbours: the rows of q and k are interleaved."""
    rows = weight.shape[0]
    return weight.reshape(heads, 2, rows // heads // 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


def add(writer, name, tensor, dtype):
    data = tensor.detach().float().numpy()
    if data.ndim == 1:
        writer.add_tensor(name, np.ascontiguousarray(data, dtype=np.float32))
    elif dtype is torch.float16:
        writer.add_tensor(name, np.ascontiguousarray(data).astype(np.float16))
    else:
        raw = gguf.quants.quantize(np.ascontiguousarray(data, dtype=np.float32), gguf.GGMLQuantizationType.BF16)
        writer.add_tensor(name, raw, raw_dtype=gguf.GGMLQuantizationType.BF16)


def common(writer, c, arch):
    writer.add_block_count(c.num_hidden_layers)
    writer.add_context_length(c.max_position_embeddings)
    writer.add_embedding_length(c.hidden_size)
    writer.add_feed_forward_length(c.intermediate_size)
    writer.add_head_count(c.num_attention_heads)
    writer.add_head_count_kv(c.num_key_value_heads)
    writer.add_key_length(c.head_dim)
    writer.add_value_length(c.head_dim)
    writer.add_layer_norm_rms_eps(c.rms_norm_eps)
    writer.add_vocab_size(c.vocab_size)


def rope_theta(c, kind=None):
    parameters = c.rope_parameters if kind is None else c.rope_parameters[kind]
    return parameters["rope_theta"]


def llama(name, seed, dtype, **kw):
    c = LlamaConfig(**kw)
    model = LlamaForCausalLM(c).eval()
    perturb(model, seed, dtype)
    w = gguf.GGUFWriter(OUT / f"{name}.gguf", "llama")
    common(w, c, "llama")
    w.add_rope_dimension_count(c.head_dim)
    w.add_rope_freq_base(rope_theta(c))
    s = dict(model.named_parameters())
    if "rope_scaling" in kw and kw["rope_scaling"]["rope_type"] == "llama3":
        inverse = model.model.rotary_emb.inv_freq
        plain = 1.0 / rope_theta(c) ** (torch.arange(0, c.head_dim, 2).float() / c.head_dim)
        add(w, "rope_freqs.weight", plain / inverse, dtype)
    if "rope_scaling" in kw and kw["rope_scaling"]["rope_type"] == "yarn":
        w.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        w.add_rope_scaling_factor(kw["rope_scaling"]["factor"])
        w.add_rope_scaling_orig_ctx_len(kw["rope_scaling"]["original_max_position_embeddings"])
    add(w, "token_embd.weight", s["model.embed_tokens.weight"], dtype)
    add(w, "output_norm.weight", s["model.norm.weight"], dtype)
    if not c.tie_word_embeddings:
        add(w, "output.weight", s["lm_head.weight"], dtype)
    for i in range(c.num_hidden_layers):
        p, o = f"model.layers.{i}.", f"blk.{i}."
        for which, heads in (("q", c.num_attention_heads), ("k", c.num_key_value_heads), ("v", 0)):
            for kind in ("weight", "bias"):
                key = f"{p}self_attn.{which}_proj.{kind}"
                if key in s:
                    add(w, f"{o}attn_{which}.{kind}", unrotate(s[key], heads) if heads else s[key], dtype)
        if f"{p}self_attn.o_proj.bias" in s:
            add(w, f"{o}attn_output.bias", s[f"{p}self_attn.o_proj.bias"], dtype)
        add(w, f"{o}attn_output.weight", s[f"{p}self_attn.o_proj.weight"], dtype)
        add(w, f"{o}attn_norm.weight", s[f"{p}input_layernorm.weight"], dtype)
        add(w, f"{o}ffn_norm.weight", s[f"{p}post_attention_layernorm.weight"], dtype)
        for ours, theirs in (("gate", "gate"), ("up", "up"), ("down", "down")):
            add(w, f"{o}ffn_{ours}.weight", s[f"{p}mlp.{theirs}_proj.weight"], dtype)
            if f"{p}mlp.{theirs}_proj.bias" in s:
                add(w, f"{o}ffn_{ours}.bias", s[f"{p}mlp.{theirs}_proj.bias"], dtype)
    finish(w, name, model, c, seed)


def gemma3(name, seed, dtype, **kw):
    c = Gemma3TextConfig(**kw)
    model = Gemma3ForCausalLM(c).eval()
    perturb(model, seed, dtype)
    w = gguf.GGUFWriter(OUT / f"{name}.gguf", "gemma3")
    common(w, c, "gemma3")
    w.add_rope_freq_base(rope_theta(c, "full_attention"))
    w.add_sliding_window(c.sliding_window)
    scaling = c.rope_parameters["full_attention"]
    if scaling["rope_type"] == "linear":
        w.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        w.add_rope_scaling_factor(scaling["factor"])
    s = dict(model.named_parameters())
    add(w, "token_embd.weight", s["model.embed_tokens.weight"], dtype)
    add(w, "output_norm.weight", 1 + s["model.norm.weight"], dtype)
    for i in range(c.num_hidden_layers):
        p, o = f"model.layers.{i}.", f"blk.{i}."
        for which in "qkv":
            add(w, f"{o}attn_{which}.weight", s[f"{p}self_attn.{which}_proj.weight"], dtype)
        add(w, f"{o}attn_output.weight", s[f"{p}self_attn.o_proj.weight"], dtype)
        for which in "qk":
            add(w, f"{o}attn_{which}_norm.weight", 1 + s[f"{p}self_attn.{which}_norm.weight"], dtype)
        for ours, theirs in (("attn_norm", "input_layernorm"), ("post_attention_norm", "post_attention_layernorm"),
                             ("ffn_norm", "pre_feedforward_layernorm"), ("post_ffw_norm", "post_feedforward_layernorm")):
            add(w, f"{o}{ours}.weight", 1 + s[f"{p}{theirs}.weight"], dtype)
        for which in ("gate", "up", "down"):
            add(w, f"{o}ffn_{which}.weight", s[f"{p}mlp.{which}_proj.weight"], dtype)
    finish(w, name, model, c, seed)


def finish(w, name, model, c, seed):
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    ids = np.random.default_rng(seed).integers(0, c.vocab_size, TOKENS).astype(np.int32)
    with torch.no_grad():
        logits = model(torch.from_numpy(ids.astype(np.int64))[None]).logits[0].float().numpy()
    ids.tofile(OUT / f"{name}.ids")
    logits.astype(np.float32).tofile(OUT / f"{name}.logits")
    print(name, logits.shape, np.abs(logits).max(), (OUT / f"{name}.gguf").stat().st_size)


OUT.mkdir(parents=True, exist_ok=True)
small = dict(num_hidden_layers=2, vocab_size=64, max_position_embeddings=128)
llama("llama_tied_f16", 1, torch.float16, hidden_size=36, intermediate_size=52, num_attention_heads=3, num_key_value_heads=1,
      head_dim=12, tie_word_embeddings=True, rms_norm_eps=1e-5, rope_theta=10000.0, attention_bias=True, mlp_bias=True, **small)
llama("llama_rope3_bf16", 2, torch.bfloat16, hidden_size=42, intermediate_size=56, num_attention_heads=6, num_key_value_heads=2,
      head_dim=16, tie_word_embeddings=False, rms_norm_eps=1e-6, rope_theta=500000.0,
      rope_scaling=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                        original_max_position_embeddings=32, rope_theta=500000.0), **small)
llama("llama_yarn_f16", 3, torch.float16, hidden_size=32, intermediate_size=40, num_attention_heads=2, num_key_value_heads=2,
      head_dim=32, tie_word_embeddings=True, rms_norm_eps=1e-5, rope_theta=10000.0,
      rope_scaling=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=32, rope_theta=10000.0), **small)
gemma = dict(small, num_hidden_layers=7)
gemma3("gemma3_f16", 4, torch.float16, hidden_size=30, intermediate_size=44, num_attention_heads=3, num_key_value_heads=1, head_dim=8,
       query_pre_attn_scalar=8, sliding_window=9, rms_norm_eps=1e-6, **gemma)
gemma3("gemma3_linear_bf16", 5, torch.bfloat16, hidden_size=44, intermediate_size=36, num_attention_heads=4, num_key_value_heads=2, head_dim=12,
       query_pre_attn_scalar=12, sliding_window=16, rms_norm_eps=1e-6,
       rope_parameters=dict(full_attention=dict(rope_type="linear", factor=8.0, rope_theta=1000000.0),
                            sliding_attention=dict(rope_type="default", rope_theta=10000.0)), **gemma)
(OUT / "VERSIONS").write_text(f"torch {torch.__version__}\ntransformers {transformers.__version__}\nnumpy {np.__version__}\n"
                              f"gguf {__import__('importlib.metadata').metadata.version('gguf')}\npython {sys.version.split()[0]}\n")
