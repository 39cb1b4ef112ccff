#!/usr/bin/env python3
"""Makes tests/golden/proteins: tiny models of proteins with hashed weights (see families.py), and what transformers makes
of a sequence: log-likelihoods, log-odds of mutations, the mean of the last rows, contacts.

Needs torch, transformers, safetensors, numpy. Writes the versions it ran with to VERSIONS.
"""
import json
import pathlib
import platform
import tempfile

import numpy as np
import safetensors.numpy
import torch
import transformers

import families

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "proteins"
SEQUENCE = "MKTAYIAKQRQISFW"
STANDARD = "ACDEFGHIKLMNPQRSTVWY"
ESM = "<cls> <pad> <eos> <unk> L A G V S E R T I D P K Q N F Y M H W C X B U Z O . - <null_1> <mask>".split()
IGLM = ("[PAD] [UNK] [CLS] [SEP] [MASK] A C D E F G H I K L M N P Q R S T V W Y [CAMEL] [HUMAN] [MOUSE] [RABBIT] [RAT] "
        "[RHESUS] [HEAVY] [LIGHT]").split()
# ProGen2's tokenizer: three signs, the two ends, and letters.
PROGEN = ["<|pad|>", "<|bos|>", "<|eos|>", "1", "2"] + list("ABCDEFGHIKLMNOPQRSTUVWXYZ")
CASES = {
    "esm2": (transformers.EsmForMaskedLM, transformers.EsmConfig(
        vocab_size=len(ESM), hidden_size=16, num_hidden_layers=2, num_attention_heads=4, intermediate_size=20,
        max_position_embeddings=64, position_embedding_type="rotary", token_dropout=True, mask_token_id=32,
        pad_token_id=1), ESM),
    "iglm": (transformers.GPT2LMHeadModel, transformers.GPT2Config(
        vocab_size=len(IGLM), n_embd=16, n_layer=2, n_head=4, n_inner=20, n_positions=64), IGLM),
    "progen2": (transformers.CodeGenForCausalLM, transformers.CodeGenConfig(
        vocab_size=len(PROGEN), n_embd=32, n_layer=2, n_head=8, rotary_dim=2, n_positions=64), PROGEN),
}


def hashed_model(kind, config):
    config._attn_implementation = "eager"
    with tempfile.TemporaryDirectory() as folder:
        kind(config).save_pretrained(folder)
        path = pathlib.Path(folder) / "model.safetensors"
        shapes = {key: list(value.shape) for key, value in safetensors.numpy.load_file(path).items()}
        table = [[key, shape, *families.mean_and_scale(key, shape, config.model_type)]
                 for key, shape in sorted(shapes.items())]
        safetensors.numpy.save_file({key: families.weights(key, shape, mean, scale) for key, shape, mean, scale in table},
                                    path, {"format": "pt"})
        model = kind.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    if kind is transformers.CodeGenForCausalLM:
        for block in model.transformer.h:
            block.attn.mp_num = 8  # as ProGen2 has it
    return model, table


def log_probabilities(model, ids):
    with torch.no_grad():
        return torch.log_softmax(model(torch.tensor([ids])).logits[0], -1)


def likelihoods(model, ids, first):
    rows = log_probabilities(model, ids)
    return [rows[i - 1, ids[i]].item() for i in range(first, len(ids))]


def masked_odds(rows, own, tokens):
    return [(rows[tokens.index(c)] - rows[own]).item() for c in STANDARD]


def rounded(values):
    return [rounded(v) for v in values] if isinstance(values, list) else round(float(values), 6)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for name, (kind, config, tokens) in CASES.items():
        model, table = hashed_model(kind, config)
        letters = [tokens.index(c) for c in SEQUENCE]
        golden = {}
        if name == "esm2":
            ids = [0] + letters + [2]
            golden["likelihoods"], golden["mutations"] = [], []
            for i in range(len(letters)):
                masked = list(ids)
                masked[i + 1] = 32
                rows = log_probabilities(model, masked)[i + 1]
                golden["likelihoods"].append(rows[letters[i]].item())
                golden["mutations"].append(masked_odds(rows, letters[i], tokens))
            with torch.no_grad():
                hidden = model.esm(torch.tensor([ids])).last_hidden_state[0]
                golden["contacts"] = model.esm.predict_contacts(torch.tensor([ids]), torch.ones(1, len(ids)))[0].tolist()
            golden["embedding"] = hidden[1:-1].mean(0).tolist()
        elif name == "iglm":
            front = [tokens.index("[HEAVY]"), tokens.index("[MOUSE]")]
            golden["family"] = "heavy-mouse"
            golden["likelihoods"] = likelihoods(model, front + letters + [3], 2)
            golden["mutations"] = []
            for i in range(len(letters)):
                rows = log_probabilities(model, front + letters[:i] + [4] + letters[i + 1:] + [3])[-1]
                golden["mutations"].append(masked_odds(rows, letters[i], tokens))
            with torch.no_grad():
                golden["embedding"] = model.transformer(torch.tensor([front + letters])).last_hidden_state[0, 2:].mean(0).tolist()
        else:
            frame = lambda ids: [3, *ids, 4]
            golden["likelihoods"] = likelihoods(model, frame(letters), 1)
            golden["mutations"] = []
            for i in range(len(letters)):
                changed = [letters[:i] + [tokens.index(c)] + letters[i + 1:] for c in STANDARD]
                golden["mutations"].append([sum(likelihoods(model, frame(ids), 1)) - sum(golden["likelihoods"])
                                            for ids in changed])
            with torch.no_grad():
                golden["embedding"] = model.transformer(torch.tensor([[3] + letters])).last_hidden_state[0, 1:].mean(0).tolist()
        said = {"model_type": "progen"} if name == "progen2" else {}
        lines = json.dumps({"config": dict(families.plain(config.to_dict(), False), **said)})[:-1] + ', "tensors": [\n'
        lines += ",\n".join(json.dumps(row) for row in table) + '\n], "ids": [], "logits": []'
        lines += f',\n"tokens": {json.dumps(tokens)}, "sequence": "{SEQUENCE}"'
        for key, value in golden.items():
            lines += f',\n"{key}": ' + json.dumps(value if isinstance(value, str) else rounded(value))
        (OUT / f"{name}.json").write_text(lines + "}\n")
        print(name, np.abs(golden["mutations"]).max())
    (OUT / "VERSIONS").write_text(f"torch {torch.__version__}\ntransformers {transformers.__version__}\nnumpy {np.__version__}\n"
                                  f"python {platform.python_version()}\n")


if __name__ == "__main__":
    main()
