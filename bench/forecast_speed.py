#!/usr/bin/env python3
"""Forecasts a second of a Chronos-Bolt, Chronos-T5 or TimesFM folder, beside the same model in torch.

    python bench/forecast_speed.py FOLDER [--batch 1] [--program build/bin/tokenworks] [--threads 2] [--compile]

Both forecast the model's horizon of each series, at most 512 values long; loading does not count. With --batch 1 the
program is given one series a call, so that its time is that of a first forecast; torch's are warm. With 16, it takes
as many at once, and so it does with --cpu. Needs torch, transformers and numpy; for Chronos, chronos-forecasting.
"""
import csv
import json
import pathlib
import sys
import tempfile
import warnings

import numpy as np
import torch

import torch_steps


def program(options, values, horizon):
    """Series a second; one column a series."""
    with tempfile.TemporaryDirectory() as folder:
        def command(batches):
            path = f"{folder}/{batches}.csv"
            with open(path, "w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow([f"s{i}" for i in range(batches * len(values))])
                writer.writerows(np.tile(values.T, (1, batches)).tolist())
            more = ["--samples", options.samples] if options.samples else []
            return ["forecast", path, "--horizon", horizon, "--season", "none", *more]
        many = 9 if options.cpu else 1
        return torch_steps.program_rate(options, command, lambda told: told["series"],
                                        lambda told: told["forecast_seconds"], 1, many)


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
    options = torch_steps.parse(arguments)
    options.model = options.model or options.folder
    warnings.filterwarnings("ignore")
    config = json.loads((pathlib.Path(options.folder) / "config.json").read_text())
    chronos = config.get("chronos_config", {})
    horizon = chronos.get("prediction_length") or config["horizon_length"]
    options.samples = options.samples or chronos.get("num_samples", 0)
    walk = np.random.default_rng(1).normal(size=(options.batch, options.length)).cumsum(axis=1).astype(np.float32)
    forecast, batch = reference(options, config, horizon), torch.from_numpy(walk)

    def theirs(_):
        with torch.no_grad():
            for _ in range(4):
                forecast(batch)
        return 4 * options.batch

    print(f"{options.batch} at once, horizon {horizon}: ", end="", file=sys.stdout)
    torch_steps.compare(options, theirs, lambda _: program(options, walk, horizon), "forecasts")


if __name__ == "__main__":
    main()
