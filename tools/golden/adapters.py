#!/usr/bin/env python3
"""Makes tests/golden/adapters: what the peft library makes of tiny adapters on the models of tests/golden/families.

A file holds the family, the adapter_config.json that peft writes, the tensors beside it, and the logits of the family's ids
with the adapter. A tensor is its name and shape, and the name, mean and scale that families.py makes values from: its own,
or of a copy of the model's those of what it is a copy of.

Needs torch, transformers, peft, safetensors, numpy. Writes the versions it ran with to VERSIONS.
"""
import json
import pathlib
import shutil
import sys
import tempfile

import numpy as np
import peft
import safetensors.numpy
import torch
import transformers
from transformers import AutoModelForCausalLM

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import families  # noqa: E402

SCALE = 2.0**-9
# Name of the file: family, what LoraConfig gets.
CASES = {
    "llama": ("llama", dict(r=3, lora_alpha=6, target_modules=["q_proj", "v_proj", "down_proj", "lm_head"])),
    "llama_root": ("llama", dict(r=4, lora_alpha=6, use_rslora=True, target_modules=["k_proj", "o_proj", "gate_proj"])),
    "llama_patterns": ("llama", dict(r=2, lora_alpha=5, target_modules="all-linear", rank_pattern={"q_proj": 4, "layers.1.mlp.up_proj": 3},
                                     alpha_pattern={"layers.0.self_attn.q_proj": 12, "q_proj": 24, r"model\.layers\.[1-9]\.mlp.*": 2})),
    "gemma3": ("gemma3", dict(r=3, lora_alpha=3, target_modules=["q_proj", "k_proj", "o_proj", "up_proj"])),
    "phi3": ("phi3", dict(r=3, lora_alpha=6, target_modules=["qkv_proj", "gate_up_proj", "o_proj"])),
    "gpt2": ("gpt2", dict(r=3, lora_alpha=6, fan_in_fan_out=True, target_modules=["c_attn", "c_fc", "c_proj"])),
    "gpt_neox": ("gpt_neox", dict(r=3, lora_alpha=6, target_modules=["query_key_value", "dense_h_to_4h"])),
    "qwen3_moe": ("qwen3_moe", dict(r=3, lora_alpha=6, target_modules=["k_proj", "o_proj"])),
}
UNREAD = {"base_model_name_or_path", "revision", "peft_version", "inference_mode", "auto_mapping"}


def make(name, family, arguments):
    kind, sizes = families.CASES[family]
    config = getattr(transformers, kind + "Config")(**sizes)
    golden = json.loads((families.OUT / "families" / f"{family}.json").read_text())
    with tempfile.TemporaryDirectory() as folder:
        base, adapter = pathlib.Path(folder) / "base", pathlib.Path(folder) / "adapter"
        AutoModelForCausalLM.from_config(config).save_pretrained(base)
        safetensors.numpy.save_file({key: families.weights(key, shape, mean, scale) for key, shape, mean, scale in golden["tensors"]},
                                    base / "model.safetensors", {"format": "pt"})
        load = lambda: AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager").eval()
        peft.get_peft_model(load(), peft.LoraConfig(task_type="CAUSAL_LM", **arguments)).save_pretrained(adapter)
        path = adapter / "adapter_model.safetensors"
        base_rows = {row[0]: row for row in golden["tensors"]}
        rows = []
        for key, value in sorted(safetensors.numpy.load_file(path).items()):
            if ".base_layer." in key:  # beside a changed head peft keeps a copy of what it changes
                of, _, mean, scale = base_rows[key.removeprefix("base_model.model.").replace(".base_layer", "")]
            else:
                of, mean, scale = key, 0.0, SCALE
            rows.append([key, list(value.shape), of, mean, scale])
        safetensors.numpy.save_file({key: families.weights(of, shape, mean, scale) for key, shape, of, mean, scale in rows},
                                    path, {"format": "pt"})
        said = json.loads((adapter / "adapter_config.json").read_text())
        ids = torch.tensor([golden["ids"]])
        with torch.no_grad():
            plain = load()(ids, use_cache=False).logits[0].numpy()
            logits = peft.PeftModel.from_pretrained(load(), adapter).eval()(ids, use_cache=False).logits[0].numpy()
    assert np.abs(plain - np.array(golden["logits"])).max() < 1e-5, "the base is that of families.py"
    lines = json.dumps({"family": family, "config": {key: value for key, value in said.items() if key not in UNREAD}})[:-1]
    lines += ', "tensors": [\n' + ",\n".join(json.dumps(row) for row in rows) + "\n],"
    lines += ' "logits": [\n' + ",\n".join(json.dumps([round(float(x), 6) for x in row]) for row in logits) + "\n]}\n"
    (OUT / f"{name}.json").write_text(lines)
    print(name, len(rows), "matrices, changes logits by", np.abs(logits - plain).max() / np.abs(plain).max())


OUT = families.OUT / "adapters"
shutil.rmtree(OUT, ignore_errors=True)
OUT.mkdir(parents=True)
for case, (family, arguments) in CASES.items():
    make(case, family, arguments)
(OUT / "VERSIONS").write_text(f"peft {peft.__version__}\ntorch {torch.__version__}\ntransformers {transformers.__version__}\n"
                              f"numpy {np.__version__}\npython {sys.version.split()[0]}\n")
