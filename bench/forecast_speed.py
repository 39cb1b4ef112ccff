#!/usr/bin/env python3
"""Forecasts a second of a Chronos-Bolt, Chronos-T5 or TimesFM folder, beside the same model in torch.

    python bench/forecast_speed.py FOLDER [--batch 1] [--program build/bin/tokenworks] [--threads 2] [--compile]

Both forecast the model's horizon of each series, at most 512 values long; loading does not count. With --batch 1 the
program is given one series a call, so that its time is that of a first forecast; torch's are warm. With more, it takes
up to sixteen at once. Needs torch, transformers and numpy; for Chronos, chronos-forecasting.
"""
import csv
import json
import pathlib
import sys
import tempfile
import time
import warnings

import numpy as np
import torch

import torch_steps


def program(options, values, horizon):
    """Series a second; one column a series."""
    with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([f"s{i}" for i in range(len(values))])
        writer.writerows(values.T.tolist())
        file.flush()
        more = ["--samples", options.samples] if options.samples else []
        told = torch_steps.program_timings(options, "forecast", file.name, "--horizon", horizon, "--season", "none", *more)
    return len(values) / told["forecast_seconds"]


def reference(options, config, horizon):
    """A function of a batch of series, [N, T]."""
    if config["model_type"].startswith("timesfm"):
        import transformers
        second = config["model_type"] != "timesfm"
        kind = transformers.TimesFm2_5ModelForPrediction if second else transformers.TimesFmModelForPrediction
        model = kind.from_pretrained(options.folder, dtype=torch.float32).eval()
        model.forward = torch.compile(model.forward) if options.compile else model.forward
        frequency = {} if second else {"freq": [0] * options.batch}
        return lambda batch: model(past_values=list(batch), **frequency).mean_predictions
    from chronos import ChronosBoltPipeline, ChronosPipeline
    kind = ChronosPipeline if options.samples else ChronosBoltPipeline
    pipeline = kind.from_pretrained(options.folder, device_map="cpu", dtype=torch.float32)
    inner = pipeline.model.model if options.samples else pipeline.model
    inner.forward = torch.compile(inner.forward) if options.compile else inner.forward
    more = {"num_samples": options.samples} if options.samples else {}
    return lambda batch: pipeline.predict(batch, prediction_length=horizon, **more)


def main():
    arguments = torch_steps.parser(__doc__)
    arguments.add_argument("folder")
    arguments.add_argument("--batch", type=int, default=1, choices=range(1, 17), metavar="1..16")
    arguments.add_argument("--length", type=int, default=512)
    arguments.add_argument("--samples", type=int, default=0, help="of a model that draws")
    options = arguments.parse_args()
    options.model = options.model or options.folder
    warnings.filterwarnings("ignore")
    torch.set_num_threads(options.threads)
    config = json.loads((pathlib.Path(options.folder) / "config.json").read_text())
    chronos = config.get("chronos_config", {})
    horizon = chronos.get("prediction_length") or config["horizon_length"]
    options.samples = options.samples or chronos.get("num_samples", 0)
    walk = np.random.default_rng(1).normal(size=(options.batch, options.length)).cumsum(axis=1).astype(np.float32)
    forecast, batch = reference(options, config, horizon), torch.from_numpy(walk)

    def theirs(_):
        begun, calls = time.perf_counter(), 0
        with torch.no_grad():
            while calls < 3 or time.perf_counter() - begun < 0.5:
                forecast(batch)
                calls += 1
        return calls * options.batch / (time.perf_counter() - begun)

    print(f"{options.batch} at once, horizon {horizon}: ", end="", file=sys.stdout)
    torch_steps.compare(options, theirs, lambda _: program(options, walk, horizon), "forecasts")


if __name__ == "__main__":
    main()
