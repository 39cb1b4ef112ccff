#!/usr/bin/env python3
"""Forecasts a second of a Chronos-Bolt, Chronos-T5 or TimesFM folder, beside the same model in torch.

    python bench/forecast_speed.py FOLDER [--random KIND] [--batch 1] [--program build/bin/tokenworks] [--compile]

Both forecast the model's horizon of each series again and again in one process, warm; loading and the first forecasts do
not count. `tokenworks bench` times ours, of as many series at once. --random writes a model of one of these kinds with
random weights to FOLDER first, where there is none: speed does not depend on them. `shipped` is of the shape of
models/forecaster.gguf, for `--model models/forecaster.gguf`. With --cpu, seconds of the processor are compared, for the
program those of `tokenworks forecast`. Needs torch, transformers and numpy; for Chronos, chronos-forecasting.
"""
import csv
import json
import pathlib
import signal
import sys
import tempfile
import time
import warnings

import numpy as np
import torch

import torch_steps

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools" / "train"))

# Of Chronos tiny's size.
T5 = dict(d_model=256, d_kv=64, d_ff=1024, num_layers=4, num_decoder_layers=4, num_heads=4, feed_forward_proj="relu",
          decoder_start_token_id=0, pad_token_id=0, eos_token_id=1, is_encoder_decoder=True)
BOLT = dict(context_length=2048, prediction_length=64, input_patch_size=16, input_patch_stride=16,
            quantiles=[i / 10 for i in range(1, 10)], use_reg_token=True)
BINS = dict(tokenizer_class="MeanScaleUniformBins", tokenizer_kwargs=dict(low_limit=-15.0, high_limit=15.0), n_tokens=4096,
            n_special_tokens=2, pad_token_id=0, eos_token_id=1, use_eos_token=True, model_type="seq2seq", context_length=512,
            prediction_length=64, num_samples=20, temperature=1.0, top_k=50, top_p=1.0)
TIMESFM = dict(num_hidden_layers=4, hidden_size=256, intermediate_size=256, head_dim=64, num_attention_heads=4)


def random_model(kind):
    import transformers as t
    if kind == "timesfm":
        return t.TimesFmModelForPrediction(t.TimesFmConfig(**TIMESFM))
    if kind == "timesfm2.5":
        return t.TimesFm2_5ModelForPrediction(t.TimesFm2_5Config(**TIMESFM, num_key_value_heads=4))
    if kind == "t5":
        return t.T5ForConditionalGeneration(t.T5Config(**T5, vocab_size=4096, chronos_config=BINS))
    from chronos.chronos_bolt import ChronosBoltModelForForecasting
    if kind == "bolt":
        return ChronosBoltModelForForecasting(t.T5Config(**T5, vocab_size=2, chronos_config=BOLT))
    import forecaster
    return ChronosBoltModelForForecasting(t.T5Config(**forecaster.CONFIG))


def program(options, values, horizon):
    """Series a second."""
    if not options.cpu:
        command = [options.program, "bench", "-m", options.model, "-t", options.threads, "-p", options.length, "-n", horizon,
                   "-b", options.batch, "-r", 3, "--json"]
        return torch_steps.program_json(command)["forecasts_per_second"]
    with tempfile.TemporaryDirectory() as folder:
        def command(batches):
            path = f"{folder}/{batches}.csv"
            with open(path, "w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow([f"s{i}" for i in range(batches * len(values))])
                writer.writerows(np.tile(values.T, (1, batches)).tolist())
            return ["forecast", path, "--horizon", horizon, "--season", "none"]
        return torch_steps.program_rate(options, command, lambda told: told["series"],
                                        lambda told: told["forecast_seconds"], 1, 9)


def reference(options, config, horizon):
    """A function of a batch of series, [N, T]."""
    def compiled(forward):
        # Of what draws tokens, the cache grows from step to step; the others see one shape.
        return torch.compile(forward, dynamic=None if draws else False) if options.compile else forward
    draws = bool(config.get("chronos_config", {}).get("num_samples"))
    if config["model_type"].startswith("timesfm"):
        import transformers
        second = config["model_type"] != "timesfm"
        kind = transformers.TimesFm2_5ModelForPrediction if second else transformers.TimesFmModelForPrediction
        model = kind.from_pretrained(options.folder, dtype=torch.float32).eval()
        model.forward = compiled(model.forward)
        frequency = {} if second else {"freq": [0] * options.batch}
        return lambda batch: model(past_values=list(batch), **frequency).mean_predictions
    from chronos import ChronosBoltPipeline, ChronosPipeline
    kind = ChronosPipeline if draws else ChronosBoltPipeline
    pipeline = kind.from_pretrained(options.folder, device_map="cpu", dtype=torch.float32)
    inner = pipeline.model.model if draws else pipeline.model
    inner.forward = compiled(inner.forward)
    return lambda batch: pipeline.predict(batch, prediction_length=horizon)


def warm_up(forecast, batch, seconds):
    """Forecasts until two in a row are equally quick; what it compiles has so long. @return seconds taken, or None"""
    def stop(*_):
        raise TimeoutError
    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    begun = time.perf_counter()
    try:
        last = float("inf")
        for _ in range(20):
            start = time.perf_counter()
            forecast(batch)
            took = time.perf_counter() - start
            if took > 0.8 * last and last > 0.8 * took:
                break
            last = took
    except TimeoutError:
        return None
    finally:
        signal.alarm(0)
    return time.perf_counter() - begun


def main():
    arguments = torch_steps.parser(__doc__)
    arguments.add_argument("folder")
    arguments.add_argument("--random", choices=["bolt", "t5", "timesfm", "timesfm2.5", "shipped"])
    arguments.add_argument("--batch", type=int, default=1, choices=range(1, 17), metavar="1..16")
    arguments.add_argument("--length", type=int, default=512)
    arguments.add_argument("--horizon", type=int, help="the model's own")
    arguments.add_argument("--seconds", type=int, default=300, help="that torch may take to compile")
    options = torch_steps.parse(arguments)
    options.model = options.model or options.folder
    warnings.filterwarnings("ignore")
    settings = pathlib.Path(options.folder) / "config.json"
    if options.random and not settings.exists():
        torch.manual_seed(1)
        random_model(options.random).save_pretrained(options.folder)
    config = json.loads(settings.read_text())
    horizon = options.horizon or config.get("chronos_config", {}).get("prediction_length") or config["horizon_length"]
    walk = np.random.default_rng(1).normal(size=(options.batch, options.length)).cumsum(axis=1).astype(np.float32)
    forecast, batch = reference(options, config, horizon), torch.from_numpy(walk)
    with torch.no_grad():
        took = warm_up(forecast, batch, options.seconds)
    if took is None:
        print(f"torch was not done compiling after {options.seconds} s; tokenworks: {program(options, walk, horizon):.1f} "
              "forecasts a second")
        return
    if options.compile:
        print(f"compiled in {took:.0f} s; ", end="")

    def forecasts(seconds):
        done = 0
        with torch.no_grad():
            until = time.perf_counter() + seconds
            while done == 0 or time.perf_counter() < until:
                forecast(batch)
                done += options.batch
        return done

    print(f"{options.batch} at once, horizon {horizon}: ", end="", flush=True)
    # Torch is as fast as it can be some time after the program has run.
    torch_steps.compare(options, lambda _: forecasts(1), lambda _: program(options, walk, horizon), "forecasts",
                        settle=lambda: forecasts(1.5))


if __name__ == "__main__":
    main()
