#!/usr/bin/env python3
"""Makes tests/golden/sampling/llama_cpp.txt: what llama.cpp's samplers leave of a set of logits.

Made with llama-cpp-python 0.3.36. Needs that package and numpy:  tools/golden/sampling.py > tests/golden/sampling/llama_cpp.txt
The first line names the version. Every other line is one case:
    V seed | sampler parameters, applied one after the other ; ... | id:logit for every token left, by id
The logits are hash(i, seed) mapped to floats by exact arithmetic, so that the test makes the same ones (see make_logits).
For dist the line ends with the tokens' probabilities instead of the logits.
"""
import ctypes
import numpy as np
import llama_cpp as lc


def make_logits(vocab, seed):
    i = np.arange(vocab, dtype=np.uint64)
    h = ((i + np.uint64(1)) * np.uint64(2654435761) + np.uint64(seed) * np.uint64(40503)) & np.uint64(0xFFFFFFFF)
    h = ((h ^ (h >> np.uint64(15))) * np.uint64(2246822519)) & np.uint64(0xFFFFFFFF)
    x = (h >> np.uint64(8)).astype(np.float32) * np.float32(2.0**-23) - np.float32(1)  # in [-1, 1)
    return x * np.float32(2) if seed % 2 else x * x * x * np.float32(12)  # flat or peaked


def sampler(words):
    name, values = words[0], [float(w) for w in words[1:]]
    if name == "top_k":
        return lc.llama_sampler_init_top_k(int(values[0]))
    if name == "top_p":
        return lc.llama_sampler_init_top_p(values[0], 0)
    if name == "min_p":
        return lc.llama_sampler_init_min_p(values[0], 0)
    if name == "typical":
        return lc.llama_sampler_init_typical(values[0], 0)
    if name == "temperature":
        return lc.llama_sampler_init_temp(values[0])
    if name == "penalties":  # last_n repeat frequency presence, then the history
        s = lc.llama_sampler_init_penalties(VOCAB, int(values[0]), values[1], values[2], values[3])
        for token in values[4:]:
            lc.llama_sampler_accept(s, int(token))
        return s
    if name == "logit_bias":
        pairs = (lc.llama_logit_bias * (len(values) // 2))()
        for n in range(len(values) // 2):
            pairs[n].token, pairs[n].bias = int(values[2 * n]), values[2 * n + 1]
        return lc.llama_sampler_init_logit_bias(VOCAB, len(pairs), pairs)
    if name == "dist":
        return lc.llama_sampler_init_dist(1)
    raise ValueError(name)


def run(vocab, seed, samplers):
    global VOCAB
    VOCAB = vocab
    data = (lc.llama_token_data * vocab)()
    for i, logit in enumerate(make_logits(vocab, seed)):
        data[i].id, data[i].logit, data[i].p = i, float(logit), 0.0
    array = lc.llama_token_data_array(data=data, size=vocab, selected=-1, sorted=False)
    for text in samplers:
        s = sampler(text.split())
        lc.llama_sampler_apply(s, ctypes.byref(array))
        lc.llama_sampler_free(s)
    field = "p" if samplers[-1].startswith("dist") else "logit"
    left = sorted((array.data[i].id, getattr(array.data[i], field)) for i in range(array.size))
    values = " ".join(f"{i}:{np.float32(x):.9g}" for i, x in left)
    print(f"{vocab} {seed} | {' ; '.join(samplers)} | {values}")


print(f"# llama-cpp-python {lc.__version__}, numpy {np.__version__}")
for vocab, seed in ((50, 1), (50, 2), (300, 3), (700, 4)):
    for one in ("top_k 1", "top_k 7", "top_k 40", "top_p 0.1", "top_p 0.5", "top_p 0.9", "min_p 0.02", "min_p 0.3",
                "typical 0.2", "typical 0.6", "typical 0.9"):
        run(vocab, seed, [one])
    history = " ".join(str(7 * n * n % 23) for n in range(30))
    for numbers in ("64 1.3 0 0", "64 1 0.5 0", "64 1 0 0.7", "10 1.1 0.25 0.5", "64 0.8 -0.2 -0.1"):
        run(vocab, seed, [f"penalties {numbers} {history}", "top_k 30"])
    run(vocab, seed, ["logit_bias 3 2.5 7 -4 11 -0.125", "top_k 20"])
    run(vocab, seed, ["temperature 0.5", "top_k 20"])
    run(vocab, seed, ["top_k 40", "typical 0.9", "top_p 0.95", "min_p 0.05", "temperature 0.8", "dist"])
    run(vocab, seed, ["temperature 1.7", "min_p 0.1", "top_p 0.8", "dist"])
