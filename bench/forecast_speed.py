#!/usr/bin/env python3
"""Forecasts a second of a Chronos-Bolt or Chronos-T5 folder, beside the same model in torch (eager).

    python bench/forecast_speed.py FOLDER --program build/bin/tokenworks [--threads 2] [--series 64] [--length 512]

Both load the folder once and forecast the model's horizon of each series; loading does not count.
Needs torch, transformers, chronos-forecasting and numpy. `--json` of the program tells its own time.
"""
import argparse
import csv
import json
import subprocess
import tempfile
import time
import warnings

import numpy as np


def program_seconds(program, folder, values, horizon, threads, samples):
    """One column a series; the program takes up to sixteen of them at once, as a user of it would."""
    with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([f"s{i}" for i in range(len(values))])
        writer.writerows(values.T.tolist())
        file.flush()
        command = [program, "forecast", file.name, "--horizon", str(horizon), "-m", folder, "-t", str(threads), "--json"]
        command += ["--samples", str(samples)] if samples else []
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)["timings"]["forecast_seconds"]


def torch_seconds(folder, values, horizon, threads, samples, batch):
    import torch
    from chronos import ChronosBoltPipeline, ChronosPipeline
    torch.set_num_threads(threads)
    kind = ChronosPipeline if samples else ChronosBoltPipeline
    pipeline = kind.from_pretrained(folder, device_map="cpu", dtype=torch.float32)
    more = {"num_samples": samples} if samples else {}
    tensor = torch.from_numpy(values)
    pipeline.predict(tensor[:1], prediction_length=horizon, **more)
    begun = time.perf_counter()
    for first in range(0, len(tensor), batch):
        pipeline.predict(tensor[first:first + batch], prediction_length=horizon, **more)
    return time.perf_counter() - begun


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder")
    arguments.add_argument("--program", default="build/bin/tokenworks")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--series", type=int, default=64)
    arguments.add_argument("--length", type=int, default=512)
    arguments.add_argument("--samples", type=int, default=0, help="of a model that draws")
    arguments.add_argument("--repeats", type=int, default=3)
    options = arguments.parse_args()
    warnings.filterwarnings("ignore")
    config = json.load(open(options.folder + "/config.json"))["chronos_config"]
    horizon = config["prediction_length"]
    options.samples = options.samples or config.get("num_samples", 0)
    walk = np.random.default_rng(1).normal(size=(options.series, options.length)).cumsum(axis=1).astype(np.float32)
    ours = [program_seconds(options.program, options.folder, walk, horizon, options.threads, options.samples)
            for _ in range(options.repeats)]
    rows = [("tokenworks", ours)]
    for batch in (1, 16):
        rows.append((f"torch eager, {batch} at once",
                     [torch_seconds(options.folder, walk, horizon, options.threads, options.samples, batch)
                      for _ in range(options.repeats)]))
    for name, seconds in rows:
        rate = options.series / np.median(seconds)
        print(f"{name:<26}{rate:>10.1f} forecasts/s{rate * horizon:>12.0f} values/s{np.median(seconds) / np.median(ours):>8.2f}x")


if __name__ == "__main__":
    main()
