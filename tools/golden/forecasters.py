#!/usr/bin/env python3
"""Makes tests/golden/forecasters: tiny Chronos-Bolt and Chronos-T5 models with what chronos-forecasting computes, and
tiny TimesFM models with what transformers computes, their series without gaps.

    python tools/golden/forecasters.py

Needs torch, transformers, chronos-forecasting (versions in VERSIONS beside the files). Weights are hashed from their
names, as in families.py; series are written out, null where a value is missing.
"""
import json
import math
import pathlib
import platform

import chronos
import numpy as np
import torch
import transformers
from chronos.chronos import ChronosConfig
from chronos.chronos_bolt import ChronosBoltModelForForecasting, ChronosBoltPipeline
from transformers import (T5Config, T5ForConditionalGeneration, TimesFm2_5Config, TimesFm2_5ModelForPrediction,
                          TimesFmConfig, TimesFmModelForPrediction)

from families import OUT, mean_and_scale, weights

GROUP = OUT / "forecasters"
T5 = dict(d_model=16, d_kv=6, d_ff=20, num_layers=2, num_decoder_layers=2, num_heads=4,
          relative_attention_num_buckets=8, relative_attention_max_distance=9, feed_forward_proj="relu",
          decoder_start_token_id=0, pad_token_id=0, eos_token_id=1, model_type="t5", is_encoder_decoder=True,
          layer_norm_epsilon=1e-6)
BOLT = {
    "bolt": dict(context_length=64, prediction_length=6, input_patch_size=4, input_patch_stride=4,
                 quantiles=[i / 10 for i in range(1, 10)], use_reg_token=True),
    "bolt_overlap": dict(context_length=60, prediction_length=5, input_patch_size=6, input_patch_stride=3,
                         quantiles=[0.2, 0.4, 0.5, 0.8], use_reg_token=False),
}
BINS = dict(tokenizer_class="MeanScaleUniformBins", tokenizer_kwargs=dict(low_limit=-4.0, high_limit=4.0), n_tokens=30,
            n_special_tokens=2, pad_token_id=0, eos_token_id=1, use_eos_token=True, model_type="seq2seq",
            context_length=24, prediction_length=6, num_samples=20, temperature=1.0, top_k=50, top_p=1.0)
# Three heads, widths that no block of weights divides; two sets of weights each.
TIMESFM = dict(patch_length=8, context_length=64, horizon_length=12, num_hidden_layers=2, hidden_size=18,
               intermediate_size=22, head_dim=6, num_attention_heads=3)
TIMES = {
    "timesfm": (TimesFmConfig, dict(TIMESFM, use_positional_embedding=True, freq_size=3)),
    "timesfm_plain": (TimesFmConfig, dict(TIMESFM, hidden_size=14, horizon_length=5, quantiles=[0.2, 0.5, 0.75],
                                          tolerance=1e-4, rms_norm_eps=1e-3)),
    "timesfm2_5": (TimesFm2_5Config, dict(TIMESFM, num_key_value_heads=3, output_quantile_len=16)),
    "timesfm2_5_grouped": (TimesFm2_5Config, dict(
        TIMESFM, hidden_size=14, num_attention_heads=6, num_key_value_heads=2, output_quantile_len=9, horizon_length=13,
        quantiles=[0.25, 0.5, 0.75], decode_index=2, use_bias=True, attention_bias=True, force_flip_invariance=False,
        infer_is_positive=False, rms_norm_eps=1e-3, rope_parameters=dict(rope_type="default", rope_theta=500.0))),
}
SAVED = [("mlp.fc1", "mlp.ff0"), ("mlp.fc2", "mlp.ff1")]
TIMES_KEYS = ["patch_length", "context_length", "horizon_length", "freq_size", "num_hidden_layers", "hidden_size",
              "intermediate_size", "head_dim", "num_attention_heads", "num_key_value_heads", "tolerance", "rms_norm_eps",
              "quantiles", "pad_val", "use_positional_embedding", "min_timescale", "max_timescale", "attention_bias",
              "output_quantile_len", "decode_index", "use_bias", "activation", "use_continuous_quantile_head",
              "force_flip_invariance", "infer_is_positive", "max_position_embeddings", "rope_parameters", "model_type"]


def series():
    """Plain ones, short, long, level, with gaps of values and of whole patches, with values as large as years."""
    nan = math.nan
    wave = [math.sin(i * 0.7) * 3 + i * 0.1 for i in range(90)]
    wave = [float(f"{value:.6g}") for value in wave]
    gaps = list(wave[:40])
    for i in [3, 4, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 38]:
        gaps[i] = nan
    late = [nan] * 25 + wave[:15]
    return [wave[:32], wave, wave[:7], [5.0] * 12, gaps, late, [1e4 + value for value in wave[:21]],
            wave[:20] + [nan] * 9]


def short(document):
    if isinstance(document, float):
        return float(f"{document:.7g}")
    if isinstance(document, list):
        return [short(each) for each in document]
    return {key: short(each) for key, each in document.items()} if isinstance(document, dict) else document


def plain(values):
    return [None if math.isnan(value) else float(f"{value:.8g}") for value in values]


def fill(model, salt="", saved=()):
    """Hashes the weights; returns what a test needs to do the same. `saved` are pairs of parts of names, the second as
    files have them."""
    rows = []
    state = {}
    for name, tensor in model.state_dict().items():
        if name in ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight"):
            continue
        if name.endswith("inv_timescales"):  # no weight
            state[name] = tensor
            continue
        file_name = name
        for ours, theirs in saved:
            file_name = file_name.replace(ours, theirs)
        mean, scale = mean_and_scale(file_name, list(tensor.shape), "t5")
        rows.append([file_name, list(tensor.shape), mean, scale])
        state[name] = torch.from_numpy(
            weights(salt + file_name, list(tensor.shape), mean, scale).reshape(tuple(tensor.shape)))
    for part in ("encoder", "decoder") if "shared.weight" in state else ():  # both read the shared table
        state[f"{part}.embed_tokens.weight"] = state["shared.weight"]
    model.load_state_dict(state)
    model.eval()
    return rows


def write(name, document):
    GROUP.mkdir(parents=True, exist_ok=True)
    (GROUP / f"{name}.json").write_text(json.dumps(short(document), separators=(",", ":")) + "\n")


def bolt(name, arguments):
    config = dict(T5, vocab_size=2 if arguments["use_reg_token"] else 1, chronos_config=arguments)
    model = ChronosBoltModelForForecasting(T5Config(**config))
    rows = fill(model)
    pipeline = ChronosBoltPipeline(model)
    direct, long, levels = [], [], []
    horizon = arguments["prediction_length"]
    with torch.no_grad():
        for values in series():
            context = torch.tensor([values], dtype=torch.float32)
            direct.append(model(context=context).quantile_preds.flatten().tolist())
            long.append(pipeline.predict(context, prediction_length=2 * horizon + 1).flatten().tolist())
            if len(arguments["quantiles"]) == 9:  # the reference reads levels between its own where they are even
                # They are those of levels that do not cross.
                predict = pipeline.predict
                pipeline.predict = lambda *given, **named: predict(*given, **named).sort(dim=1).values
                quantiles = pipeline.predict_quantiles(context, horizon, quantile_levels=[0.05, 0.25, 0.5, 0.6])[0]
                levels.append(quantiles[0].T.flatten().tolist())
                pipeline.predict = predict
    write(name, dict(config=config, tensors=rows, ids=[], series=[plain(values) for values in series()], logits=direct,
                     long=long, levels=levels))


def bins():
    config = dict(T5, vocab_size=BINS["n_tokens"], tie_word_embeddings=False, chronos_config=BINS)
    model = T5ForConditionalGeneration(T5Config(**{key: value for key, value in config.items() if key != "chronos_config"}))
    # A head of its own, as the configuration says; transformers 5 shares the table all the same.
    model.lm_head = torch.nn.Linear(config["d_model"], config["vocab_size"], bias=False)
    rows = fill(model)
    tokenizer = ChronosConfig(**BINS).create_tokenizer()
    continued = [0, 16, 9, 29, 2, 21]
    ids, scales, logits, values_of = [], [], [], []
    with torch.no_grad():
        for values in series():
            tokens, mask, scale = tokenizer.context_input_transform(torch.tensor([values], dtype=torch.float32))
            out = model(input_ids=tokens, attention_mask=mask, decoder_input_ids=torch.tensor([continued]))
            ids.append(tokens[0].tolist())
            scales.append(scale.item())
            logits.append(out.logits[0].flatten().tolist())
            all_ids = torch.arange(BINS["n_tokens"])[None, None, :]
            values_of.append(tokenizer.output_transform(all_ids, scale).flatten().tolist())
    write("bins", dict(config=config, tensors=rows, ids=[], series=[plain(values) for values in series()],
                       series_ids=ids, scales=scales, decoder_ids=continued, logits=logits, values=values_of))


def times_series():
    """Of every length beside patches and context, level, large, below zero, and above it throughout."""
    wave = [float(f"{math.sin(i * 0.7) * 3 + i * 0.1:.6g}") for i in range(90)]
    ramp = [float(f"{2 + math.cos(i * 0.4) + i * 0.05:.6g}") for i in range(41)]
    return [wave[:32], wave, wave[:7], wave[:2], [5.0] * 12, [5.0] * 9 + wave[:30], [1e4 + value for value in wave[:21]],
            ramp, ramp[:1]]


def times(name, kind, arguments):
    """The forecasts of two sets of weights, [1+Q,H] a series, the first row the one that counts; and the first rows of
    three horizons, each made behind the last."""
    config = kind(**arguments)
    config._attn_implementation = "eager"
    of = TimesFmModelForPrediction if kind is TimesFmConfig else TimesFm2_5ModelForPrediction
    known = config.to_dict()
    document = dict(config={key: known[key] for key in TIMES_KEYS if key in known}, ids=[], salts=["", "again:"],
                    frequencies=[], series=[plain(values) for values in times_series()], logits=[], long=[])
    for salt in document["salts"]:
        model = of(config)
        document["tensors"] = fill(model, salt, SAVED if name == "timesfm2_5" else ())
        for i, values in enumerate(times_series()):
            frequency = dict(freq=[i % 3]) if kind is TimesFmConfig else {}
            document["frequencies"].append(i % 3 if frequency else 0)
            context = torch.tensor(values, dtype=torch.float32)
            long = []
            for block in range(3):
                with torch.no_grad():
                    out = model(past_values=[context], **frequency)
                if block == 0:
                    rows = torch.cat([out.mean_predictions[0][None], out.full_predictions[0].T[1:]])
                    document["logits"].append(rows.flatten().tolist())
                long += out.mean_predictions[0].tolist()
                context = torch.cat([context, out.mean_predictions[0]])
            document["long"].append(long)
    write(name, document)


def main():
    for name, (kind, arguments) in TIMES.items():
        times(name, kind, arguments)
    for name, arguments in BOLT.items():
        bolt(name, arguments)
    bins()
    versions = [("torch", torch.__version__), ("transformers", transformers.__version__),
                ("chronos-forecasting", chronos.__version__), ("numpy", np.__version__), ("python", platform.python_version())]
    (GROUP / "VERSIONS").write_text("".join(f"{name} {version}\n" for name, version in versions))


if __name__ == "__main__":
    main()
