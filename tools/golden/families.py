#!/usr/bin/env python3
"""Makes tests/golden/families, encoders, encoder_decoders, classifiers and image_encoders: a tiny model of every family,
as transformers sees it. Names of these folders as arguments make only them.

A file holds a configuration, the shape of every tensor, token ids, and the logits that transformers computes in
float32. Weights are not stored: value i of a tensor is mean + scale * k, where k, from -64 to 63, is taken from a hash
of the tensor's name and i (see weights below; tests/support/family_golden.hpp has the same). Such values are exact in
float32, float16 and bfloat16, and no parameter is 0 or 1 throughout, so that a tensor left out or used twice shows.

A classifier has a row of logits for each of several sets of weights; the hash is that of a salt and the name.

Half of the files have their rotary parameters in the spelling of transformers 4.

Needs torch, transformers, safetensors, numpy. Writes the versions it ran with to VERSIONS.
"""
import json
import pathlib
import re
import shutil
import sys
import tempfile

import numpy as np
import safetensors.numpy
import torch
import transformers
from transformers import (AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSeq2SeqLM,
                          AutoModelForSequenceClassification, CLIPModel, ViTForImageClassification, ViTModel)

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden"
TOKENS = 14
MASK = (1 << 64) - 1

COMMON = dict(vocab_size=22, hidden_size=16, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
              intermediate_size=20, max_position_embeddings=32)
PLAIN = {key: value for key, value in COMMON.items() if key != "num_key_value_heads"}
EXPERTS = dict(COMMON, moe_intermediate_size=8, num_experts=5, num_experts_per_tok=2)
DEEPSEEK = dict(COMMON, num_hidden_layers=3, num_key_value_heads=4, moe_intermediate_size=8, n_routed_experts=8,
                n_shared_experts=2, kv_lora_rank=10, qk_rope_head_dim=4, qk_nope_head_dim=6, v_head_dim=5, n_group=4,
                topk_group=2, num_experts_per_tok=3, first_k_dense_replace=1)
FALCON = dict(vocab_size=22, hidden_size=16, num_hidden_layers=2, num_attention_heads=4)

# Name of the file: configuration class, arguments.
CASES = {
    "llama": ("Llama", dict(COMMON, attention_bias=True, mlp_bias=True, head_dim=6, rope_parameters=dict(
        rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, rope_theta=500000.0,
        original_max_position_embeddings=16))),
    "llama_linear": ("Llama", dict(COMMON, rope_parameters=dict(rope_type="linear", factor=4.0, rope_theta=10000.0))),
    "llama_dynamic": ("Llama", dict(COMMON, max_position_embeddings=8, rope_parameters=dict(
        rope_type="dynamic", factor=4.0, rope_theta=10000.0, original_max_position_embeddings=8))),
    "llama_yarn": ("Llama", dict(COMMON, tie_word_embeddings=True, rope_parameters=dict(
        rope_type="yarn", factor=4.0, rope_theta=10000.0, original_max_position_embeddings=8))),
    "mistral": ("Mistral", dict(COMMON, sliding_window=5)),
    "mixtral": ("Mixtral", dict(COMMON, num_local_experts=5, num_experts_per_tok=2, sliding_window=None)),
    "qwen2": ("Qwen2", dict(COMMON, use_sliding_window=True, sliding_window=5, max_window_layers=1)),
    "qwen2_moe": ("Qwen2Moe", dict(EXPERTS, shared_expert_intermediate_size=12)),
    "qwen2_moe_some": ("Qwen2Moe", dict(EXPERTS, num_hidden_layers=4, decoder_sparse_step=2, mlp_only_layers=[3],
                                        shared_expert_intermediate_size=12)),
    "qwen3": ("Qwen3", dict(COMMON, head_dim=6, tie_word_embeddings=True)),
    "qwen3_moe": ("Qwen3Moe", dict(EXPERTS, head_dim=6, norm_topk_prob=True)),
    "gemma": ("Gemma", dict(COMMON, head_dim=6)),
    "gemma2": ("Gemma2", dict(COMMON, head_dim=6, sliding_window=5, query_pre_attn_scalar=10,
                              attn_logit_softcapping=3.0, final_logit_softcapping=4.0)),
    "gemma3": ("Gemma3Text", dict(COMMON, num_hidden_layers=3, head_dim=6, sliding_window=5, query_pre_attn_scalar=9,
                                  layer_types=["sliding_attention", "full_attention", "sliding_attention"],
                                  rope_parameters=dict(
                                      full_attention=dict(rope_type="linear", factor=8.0, rope_theta=1000000.0),
                                      sliding_attention=dict(rope_type="default", rope_theta=10000.0)))),
    "phi": ("Phi", dict(COMMON, partial_rotary_factor=0.5)),
    "phi_normed": ("Phi", dict(COMMON, qk_layernorm=True)),
    "phi3": ("Phi3", dict(COMMON, pad_token_id=0, sliding_window=5)),
    "phi3_long": ("Phi3", dict(COMMON, pad_token_id=0, original_max_position_embeddings=8, rope_parameters=dict(
        rope_type="longrope", rope_theta=10000.0, short_factor=[1.0, 1.5], long_factor=[1.0, 3.0],
        original_max_position_embeddings=8))),
    "gpt2": ("GPT2", dict(vocab_size=22, n_embd=16, n_layer=2, n_head=4, n_inner=20, n_positions=32)),
    "gptj": ("GPTJ", dict(vocab_size=22, n_embd=16, n_layer=2, n_head=2, rotary_dim=4, n_positions=32)),
    "codegen": ("CodeGen", dict(vocab_size=22, n_embd=16, n_layer=2, n_head=4, rotary_dim=2, n_positions=32)),
    # Of ProGen2, whose code is not in transformers, but is CodeGen's with qkv_proj in 8 parts.
    "progen": ("CodeGen", dict(vocab_size=22, n_embd=32, n_layer=2, n_head=8, rotary_dim=2, n_positions=32)),
    "gpt_neox": ("GPTNeoX", dict(PLAIN, rotary_pct=0.5)),
    "gpt_neox_serial": ("GPTNeoX", dict(PLAIN, rotary_pct=1.0, use_parallel_residual=False)),
    "gpt_oss": ("GptOss", dict(COMMON, head_dim=6, num_local_experts=4, num_experts_per_tok=2, sliding_window=5,
                               swiglu_limit=1.5)),
    "falcon": ("Falcon", dict(FALCON, multi_query=True)),
    "falcon_grouped": ("Falcon", dict(FALCON, new_decoder_architecture=True, num_kv_heads=2, bias=True)),
    "falcon_slopes": ("Falcon", dict(FALCON, alibi=True, multi_query=False, parallel_attn=False, bias=True)),
    "bloom": ("Bloom", dict(vocab_size=22, hidden_size=18, n_layer=2, n_head=3)),
    "mpt": ("Mpt", dict(vocab_size=22, d_model=18, n_layers=2, n_heads=3, max_seq_len=32,
                        attn_config=dict(clip_qkv=1.0, softmax_scale=0.3))),
    "stablelm": ("StableLm", dict(COMMON, use_qkv_bias=True, partial_rotary_factor=0.5)),
    "stablelm_parallel": ("StableLm", dict(COMMON, use_parallel_residual=True, partial_rotary_factor=0.5)),
    "stablelm_normed": ("StableLm", dict(COMMON, qk_layernorm=True, partial_rotary_factor=0.5)),
    "olmo": ("Olmo", dict(COMMON, clip_qkv=1.0)),
    "olmo2": ("Olmo2", dict(COMMON)),
    "olmo3": ("Olmo3", dict(COMMON, num_hidden_layers=4, sliding_window=5)),
    "cohere": ("Cohere", dict(COMMON, logit_scale=0.25)),
    "cohere_normed": ("Cohere", dict(COMMON, use_qk_norm=True)),
    "cohere2": ("Cohere2", dict(COMMON, num_hidden_layers=4, sliding_window=5)),
    "starcoder2": ("Starcoder2", dict(COMMON, sliding_window=5)),
    "granite": ("Granite", dict(COMMON, embedding_multiplier=6.0, residual_multiplier=0.4, attention_multiplier=0.2,
                                logits_scaling=2.0)),
    "smollm3": ("SmolLM3", dict(COMMON, num_hidden_layers=4, pad_token_id=0, tie_word_embeddings=True)),
    "deepseek_v2": ("DeepseekV2", dict(DEEPSEEK, q_lora_rank=9, topk_method="greedy", routed_scaling_factor=1.5)),
    "deepseek_v3": ("DeepseekV3", dict(DEEPSEEK, q_lora_rank=9, rope_parameters=dict(
        rope_type="yarn", factor=8.0, rope_theta=10000.0, mscale=1.0, mscale_all_dim=0.8,
        original_max_position_embeddings=8))),
    "deepseek_v3_direct": ("DeepseekV3", dict(DEEPSEEK, q_lora_rank=None, rope_interleave=False)),
    "deepseek_v2_grouped": ("DeepseekV2", dict(DEEPSEEK, q_lora_rank=None, topk_method="group_limited_greedy")),
}
BERT = dict(vocab_size=22, hidden_size=16, num_hidden_layers=2, num_attention_heads=4, intermediate_size=20,
            max_position_embeddings=32)
ENCODERS = {
    "bert": ("Bert", dict(BERT)),
    "bert_types": ("Bert", dict(BERT, type_vocab_size=3, hidden_act="gelu_new", layer_norm_eps=1e-3)),
    "roberta": ("Roberta", dict(BERT, type_vocab_size=1)),
    "xlm_roberta": ("XLMRoberta", dict(BERT, type_vocab_size=1)),
    "distilbert": ("DistilBert", dict(vocab_size=22, dim=16, n_layers=2, n_heads=4, hidden_dim=20, max_position_embeddings=32)),
    "modernbert": ("ModernBert", dict(BERT, num_hidden_layers=4, local_attention=6, pad_token_id=0, bos_token_id=1,
                                      cls_token_id=1, eos_token_id=2, sep_token_id=2)),
    "esm": ("Esm", dict(BERT, position_embedding_type="rotary", token_dropout=True, mask_token_id=5, pad_token_id=21)),
    "esm_kept": ("Esm", dict(BERT, position_embedding_type="rotary", token_dropout=False, mask_token_id=5, pad_token_id=21)),
}
T5 = dict(vocab_size=22, d_model=16, d_kv=6, d_ff=20, num_layers=2, num_heads=4, relative_attention_num_buckets=8,
          relative_attention_max_distance=9)
BART = dict(vocab_size=22, d_model=16, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2,
            decoder_attention_heads=4, encoder_ffn_dim=20, decoder_ffn_dim=24, max_position_embeddings=32)
ENCODER_DECODERS = {
    "t5": ("T5", dict(T5)),
    "t5_gated": ("T5", dict(T5, num_decoder_layers=3, feed_forward_proj="gated-gelu", tie_word_embeddings=False)),
    "bart": ("Bart", dict(BART)),
    "bart_scaled": ("Bart", dict(BART, scale_embedding=True, activation_function="relu")),
    "mbart": ("MBart", dict(BART, scale_embedding=True)),
}
LABELS = dict(id2label={0: "bad", 1: "fair", 2: "good"}, label2id={"bad": 0, "fair": 1, "good": 2})
CLASSIFIERS = {
    "bert": ("Bert", dict(BERT, **LABELS)),
    "bert_pair": ("Bert", dict(BERT, num_labels=1)),
    "roberta": ("Roberta", dict(BERT, type_vocab_size=1, problem_type="multi_label_classification", **LABELS)),
    "xlm_roberta": ("XLMRoberta", dict(BERT, type_vocab_size=1, num_labels=1)),
    "distilbert": ("DistilBert", dict(ENCODERS["distilbert"][1])),
    "modernbert": ("ModernBert", dict(ENCODERS["modernbert"][1], **LABELS)),
    "modernbert_mean": ("ModernBert", dict(ENCODERS["modernbert"][1], classifier_pooling="mean", classifier_bias=True,
                                           norm_bias=True, classifier_activation="silu", **LABELS)),
    "esm": ("Esm", dict(ENCODERS["esm"][1], **LABELS)),
}
SALTS = ["", "second "]
VIT = dict(hidden_size=18, num_hidden_layers=2, num_attention_heads=3, intermediate_size=22)
CLIP_TEXT = dict(vocab_size=30, hidden_size=12, num_hidden_layers=2, num_attention_heads=3, intermediate_size=20,
                 max_position_embeddings=11)
CLIP_VISION = dict(VIT, image_size=13, patch_size=4)
# Name of the file: class of the model, arguments. Images are hashed like weights, under the names pixels 0, pixels 1.
IMAGE_ENCODERS = {
    "vit": (ViTForImageClassification, dict(VIT, image_size=15, patch_size=5, num_labels=7)),
    "vit_pooled": (ViTModel, dict(VIT, image_size=[9, 14], patch_size=[3, 7], num_channels=2, qkv_bias=False,
                                  hidden_act="gelu_new", layer_norm_eps=1e-3, pooler_output_size=5)),
    "clip": (CLIPModel, dict(text_config=dict(CLIP_TEXT, eos_token_id=2, bos_token_id=0),
                             vision_config=CLIP_VISION, projection_dim=10)),
    "clip_ends": (CLIPModel, dict(text_config=dict(CLIP_TEXT, eos_token_id=9, bos_token_id=0, hidden_act="gelu"),
                                  vision_config=dict(CLIP_VISION, image_size=11, num_attention_heads=2),
                                  projection_dim=9)),
}
TEXTS = [[0, 4, 9, 7, 29, 3, 9, 11], [0, 9], [5, 6, 29, 7, 8, 29, 1, 2, 3, 4, 9], [3, 4, 5]]
# What a configuration says and no forward pass reads.
NOISE = re.compile(r"transformers_version|dtype|architectures|(?!token).*dropout.*|.*pdrop|initializer_range|use_cache|(?!mask).*token_id|"
                   r"output_.*|return_dict|summary_.*|chunk_size_.*|id2label|label2id|problem_type|pretraining_tp|"
                   r"is_encoder_decoder|is_decoder|add_cross_attention|router_(aux_loss_coef|jitter_noise)|_name_or_path|"
                   r"slow_but_exact|reorder_.*|init_device|use_bidirectional_attention|attn_(impl|type|uses_sequence_id)")


def hash64(text):
    """FNV-1a."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 & MASK
    return value


def weights(name, shape, mean, scale):
    """Steps of splitmix64 from the name's hash; the seven upper bits are k + 64."""
    count = int(np.prod(shape)) if shape else 1
    with np.errstate(over="ignore"):
        z = np.uint64(hash64(name)) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    k = (z >> np.uint64(57)).astype(np.int64) - 64
    return (mean + scale * k).astype(np.float32).reshape(shape)


def mean_and_scale(name, shape, family):
    if not shape:
        return 1.5, 2.0**-7
    if len(shape) == 1 or "norm" in name:
        is_norm_weight = ("norm" in name.lower() or "ln_" in name) and name.endswith("weight")
        return (0.0 if family.startswith("gemma") or not is_norm_weight else 1.0), 2.0**-7
    return 0.0, 2.0 ** round(np.log2(1.5 / (37 * shape[-1] ** 0.5)))


def plain(config, legacy):
    out = {}
    for key, value in config.items():
        if not NOISE.fullmatch(key) and not (value is None and key != "q_lora_rank"):
            out[key] = plain(value, False) if isinstance(value, dict) else value
    if legacy and "rope_parameters" in out:
        rope = out.pop("rope_parameters")
        if "full_attention" in rope:
            out["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
            rope = rope["full_attention"]
        rope = dict(rope)
        out["rope_theta"] = rope.pop("rope_theta")
        if "partial_rotary_factor" in rope:
            out["partial_rotary_factor"] = rope.pop("partial_rotary_factor")
        out["rope_scaling"] = None if rope.pop("rope_type") == "default" else dict(
            rope, type=config["rope_parameters"].get("rope_type", "linear"))
    return out


def make(folder_name, auto, name, kind, arguments, legacy):
    config = getattr(transformers, kind + "Config")(**arguments)
    # Falcon's other form of attention adds its slopes twice.
    config._attn_implementation = "sdpa" if kind == "Falcon" else "eager"
    with tempfile.TemporaryDirectory() as folder:
        auto.from_config(config).save_pretrained(folder)
        path = pathlib.Path(folder) / "model.safetensors"
        shapes = {key: list(value.shape) for key, value in safetensors.numpy.load_file(path).items()}
        table = [[key, shape, *mean_and_scale(key, shape, config.model_type)] for key, shape in sorted(shapes.items())]
        safetensors.numpy.save_file({key: weights(key, shape, mean, scale) for key, shape, mean, scale in table}, path,
                                    {"format": "pt"})
        model = auto.from_pretrained(folder, dtype=torch.float32,
                                     attn_implementation=config._attn_implementation).eval()
    said = {}
    if name == "progen":
        said["model_type"] = "progen"
        for block in model.transformer.h:
            block.attn.mp_num = 8
    ids = np.random.default_rng(hash64(name) % 1000).integers(0, 22, TOKENS)
    if auto is AutoModelForMaskedLM:  # padding has positions of its own, and texts have none
        ids = np.where(ids == config.pad_token_id, 7, ids)
    with torch.no_grad():
        more = {} if auto is AutoModelForMaskedLM else {"use_cache": False}
        if auto is AutoModelForSeq2SeqLM:
            decoder_ids = np.random.default_rng(hash64(name) % 1000 + 1).integers(0, 22, TOKENS - 5)
            more["decoder_input_ids"] = torch.from_numpy(decoder_ids)[None]
        logits = model(torch.from_numpy(ids)[None], **more).logits[0].float().numpy()
    golden = dict(config=dict(plain(config.to_dict(), legacy), **said), tensors=table, ids=ids.tolist(),
                  logits=[[round(float(x), 6) for x in row] for row in logits])
    # A line a tensor and a line a row of logits.
    lines = json.dumps({"config": golden["config"]})[:-1] + ', "tensors": [\n'
    lines += ",\n".join(json.dumps(row) for row in table) + '\n], "ids": ' + json.dumps(golden["ids"])
    if auto is AutoModelForSeq2SeqLM:
        lines += ', "decoder_ids": ' + json.dumps(decoder_ids.tolist())
    lines += ', "logits": [\n' + ",\n".join(json.dumps(row) for row in golden["logits"]) + "\n]}\n"
    path = OUT / folder_name / f"{name}.json"
    path.write_text(lines)
    print(name, "legacy" if legacy else "", np.abs(logits).max(), path.stat().st_size)


def classify(folder_name, auto, name, kind, arguments, _):
    config = getattr(transformers, kind + "Config")(**arguments)
    rows = []
    ids = np.random.default_rng(hash64(name) % 1000).integers(0, 22, TOKENS)
    ids = np.where(ids == config.pad_token_id, 7, ids)
    types = np.repeat([0, 1], [TOKENS - 6, 6]) if getattr(config, "type_vocab_size", 0) > 1 else None
    for salt in SALTS:
        with tempfile.TemporaryDirectory() as folder:
            auto.from_config(config).save_pretrained(folder)
            path = pathlib.Path(folder) / "model.safetensors"
            shapes = {key: list(value.shape) for key, value in safetensors.numpy.load_file(path).items()}
            table = [[key, shape, *mean_and_scale(key, shape, config.model_type)] for key, shape in sorted(shapes.items())]
            safetensors.numpy.save_file({key: weights(salt + key, shape, mean, scale) for key, shape, mean, scale in table},
                                        path, {"format": "pt"})
            saved = json.loads((pathlib.Path(folder) / "config.json").read_text())
            model = auto.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
        more = {} if types is None else {"token_type_ids": torch.from_numpy(types)[None]}
        with torch.no_grad():
            rows.append(model(torch.from_numpy(ids)[None], **more).logits[0].float().tolist())
    said = {key: saved[key] for key in ("architectures", "id2label", "problem_type") if saved.get(key) is not None}
    golden = {"config": dict(plain(config.to_dict(), False), **said)}
    lines = json.dumps(golden)[:-1] + ', "tensors": [\n' + ",\n".join(json.dumps(row) for row in table) + "\n]"
    lines += f', "salts": {json.dumps(SALTS)}, "ids": {json.dumps(ids.tolist())}'
    lines += "" if types is None else f', "types": {json.dumps(types.tolist())}'
    lines += ', "logits": [\n' + ",\n".join(json.dumps([round(x, 7) for x in row]) for row in rows) + "\n]}\n"
    (OUT / folder_name / f"{name}.json").write_text(lines)
    print(name, np.abs(rows).max(axis=1))


def make_images(folder_name, name, kind, arguments):
    config = kind.config_class(**arguments)
    with tempfile.TemporaryDirectory() as folder:
        kind._from_config(config).save_pretrained(folder)
        path = pathlib.Path(folder) / "model.safetensors"
        shapes = {key: list(value.shape) for key, value in safetensors.numpy.load_file(path).items()}
        table = [[key, shape, *mean_and_scale(key, shape, config.model_type)] for key, shape in sorted(shapes.items())]
        safetensors.numpy.save_file({key: weights(key, shape, mean, scale) for key, shape, mean, scale in table}, path,
                                    {"format": "pt"})
        model = kind.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    vision = getattr(config, "vision_config", config)
    size = vision.image_size if isinstance(vision.image_size, (list, tuple)) else [vision.image_size] * 2
    images = np.stack([weights(f"pixels {i}", [vision.num_channels, *size], 0.0, 2.0**-5) for i in range(2)])
    rows = lambda tensor: [[round(float(x), 6) for x in row] for row in tensor.float().numpy()]
    golden = dict(config=plain(config.to_dict(), False), tensors=table, ids=[])
    if kind is CLIPModel:
        golden["config"]["text_config"]["eos_token_id"] = config.text_config.eos_token_id
    with torch.no_grad():
        pixels = torch.from_numpy(images)
        if kind is CLIPModel:
            golden["texts"] = TEXTS
            # One by one: texts of one batch would need padding.
            texts = [model(input_ids=torch.tensor([text]), pixel_values=pixels) for text in TEXTS]
            golden["images"] = rows(texts[0].image_embeds)
            golden["text_vectors"] = rows(torch.cat([text.text_embeds for text in texts]))
            golden["logits"] = rows(torch.cat([text.logits_per_image for text in texts], dim=1))
        elif kind is ViTModel:
            out = model(pixels)
            golden["logits"] = rows(out.pooler_output)
            golden["hidden"] = rows(out.last_hidden_state[1])
        else:
            golden["logits"] = rows(model(pixels).logits)
    lines = json.dumps({"config": golden["config"]})[:-1] + ', "tensors": [\n'
    lines += ",\n".join(json.dumps(row) for row in table) + "\n]"
    for key in sorted(golden.keys() - {"config", "tensors"}):
        lines += f',\n"{key}": ' + json.dumps(golden[key])
    path = OUT / folder_name / f"{name}.json"
    path.write_text(lines + "}\n")
    print(name, np.abs(golden["logits"]).max(), path.stat().st_size)


if __name__ == "__main__":
    for folder_name, auto, cases in (("families", AutoModelForCausalLM, CASES), ("encoders", AutoModelForMaskedLM, ENCODERS),
                                     ("encoder_decoders", AutoModelForSeq2SeqLM, ENCODER_DECODERS),
                                     ("classifiers", AutoModelForSequenceClassification, CLASSIFIERS),
                                     ("image_encoders", None, IMAGE_ENCODERS)):
        if len(sys.argv) > 1 and folder_name not in sys.argv[1:]:
            continue
        shutil.rmtree(OUT / folder_name, ignore_errors=True)
        (OUT / folder_name).mkdir(parents=True)
        for number, (case, (kind, arguments)) in enumerate(cases.items()):
            if auto is None:
                make_images(folder_name, case, kind, arguments)
            elif folder_name == "classifiers":
                classify(folder_name, auto, case, kind, arguments, number % 2 == 1)
            else:
                make(folder_name, auto, case, kind, arguments, number % 2 == 1)
        (OUT / folder_name / "VERSIONS").write_text(
            f"torch {torch.__version__}\ntransformers {transformers.__version__}\nnumpy {np.__version__}\n"
            f"python {sys.version.split()[0]}\n")
