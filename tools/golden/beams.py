#!/usr/bin/env python3
"""Makes tests/golden/beams: what transformers' generate finds by beam search in tiny models of families.py.

A line a case: the model (a file of tests/golden/families or encoder_decoders), ids, options under the names of
generate, and the sequences found, without the prompt, with their scores.

Needs torch, transformers, safetensors, numpy. Writes the versions it ran with to VERSIONS.
"""
import json
import pathlib
import sys
import tempfile

import numpy as np
import safetensors.numpy
import torch
import transformers
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

import families

OUT = families.OUT / "beams"
SETTINGS = [
    dict(num_beams=4, max_new_tokens=8),
    dict(num_beams=3, max_new_tokens=12, length_penalty=2.0, num_return_sequences=3),
    dict(num_beams=3, max_new_tokens=12, length_penalty=-1.0, num_return_sequences=2),
    dict(num_beams=2, max_new_tokens=16, length_penalty=0.0, early_stopping="never", num_return_sequences=2),
    dict(num_beams=2, max_new_tokens=16, length_penalty=0.6, early_stopping="never", num_return_sequences=2),
    dict(num_beams=5, max_new_tokens=10, early_stopping=True, num_return_sequences=5),
    dict(num_beams=4, max_new_tokens=14, no_repeat_ngram_size=2, num_return_sequences=4),
    dict(num_beams=4, max_new_tokens=14, no_repeat_ngram_size=1, num_return_sequences=1, min_new_tokens=6),
    dict(num_beams=4, max_new_tokens=9, min_new_tokens=5, num_return_sequences=4, eos_token_id=[5, 9, 13]),
    dict(num_beams=4, max_new_tokens=7, forced_eos_token_id=6, num_return_sequences=4),
    dict(num_beams=20, max_new_tokens=5, num_return_sequences=20),
    dict(num_beams=4, max_new_tokens=14, repetition_penalty=1.3, num_return_sequences=4),
    dict(num_beams=3, max_new_tokens=12, repetition_penalty=0.8, no_repeat_ngram_size=3, num_return_sequences=3,
         min_new_tokens=4),
    dict(num_beams=1, max_new_tokens=12, repetition_penalty=1.5),
]
SEQ2SEQ_SETTINGS = [dict(num_beams=4, max_new_tokens=10, forced_bos_token_id=7, num_return_sequences=4)]


def cut(ids, eos):
    for i, each in enumerate(ids):
        if each in eos:
            return ids[: i + 1]
    return ids


def search(group, name, kind, arguments, auto):
    config = getattr(transformers, kind + "Config")(**arguments)
    with tempfile.TemporaryDirectory() as folder:
        auto.from_config(config).save_pretrained(folder)
        path = pathlib.Path(folder) / "model.safetensors"
        shapes = {key: list(value.shape) for key, value in safetensors.numpy.load_file(path).items()}
        safetensors.numpy.save_file(
            {key: families.weights(key, shape, *families.mean_and_scale(key, shape, config.model_type))
             for key, shape in shapes.items()}, path, {"format": "pt"})
        model = auto.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    model.generation_config = transformers.GenerationConfig(pad_token_id=0, decoder_start_token_id=3)
    seq2seq = auto is AutoModelForSeq2SeqLM
    lines = []

    def generate(ids, **options):
        return model.generate(torch.from_numpy(ids)[None], attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                              do_sample=False, return_dict_in_generate=True, output_scores=True, **options)

    for i, options in enumerate(SETTINGS + (SEQ2SEQ_SETTINGS if seq2seq else [])):
        ids = np.random.default_rng(families.hash64(name) % 1000 + i).integers(0, 22, 6)
        # An end that comes early in a likely sequence, so that some end and some do not.
        likely = generate(ids, num_beams=options["num_beams"], max_new_tokens=5).sequences[0]
        options = dict(dict(eos_token_id=int(likely[-2 - i % 3])), **options)
        found = generate(ids, **options)
        eos = options["eos_token_id"] if isinstance(options["eos_token_id"], list) else [options["eos_token_id"]]
        # Without beams there are no scores of sequences.
        scores = found.sequences_scores if options["num_beams"] > 1 else [None]
        results = [[cut(row[1 if seq2seq else len(ids):].tolist(), eos), score and round(float(score), 6)]
                   for row, score in zip(found.sequences, scores)]
        case = dict(group=group, name=name, ids=ids.tolist(), options=options, results=results)
        if seq2seq:
            case["decoder_ids"] = [3]
        lines.append(json.dumps(case))
        print(name, options, [(len(r[0]), r[1]) for r in results])
    return lines


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    lines = []
    for name in ("llama", "gpt2", "bloom"):
        lines += search("families", name, *families.CASES[name], AutoModelForCausalLM)
    for name in ("t5", "bart", "mbart"):
        lines += search("encoder_decoders", name, *families.ENCODER_DECODERS[name], AutoModelForSeq2SeqLM)
    (OUT / "beams.jsonl").write_text("\n".join(lines) + "\n")
    (OUT / "VERSIONS").write_text(
        f"torch {torch.__version__}\ntransformers {transformers.__version__}\nnumpy {np.__version__}\n"
        f"python {sys.version.split()[0]}\n")
