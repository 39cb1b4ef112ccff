"""Fails where a kernel has lost much of its lead over a plain loop.

The measure is a ratio of processor times from one run, the best of three each, so that a slow or busy machine does not
matter. The least ratios are about half of those measured on an AMD Zen 4 with GCC 12: a lost vector loop costs more.
"""

import json
import re
import subprocess
import sys

# of the benches' names, after the shape: what a plain loop takes, as a multiple of what ours does
LEAST = {
    "matmul/576x576/T=8": {
        "q4_0/avx512": 1, "q4_0/avx2": 1, "q4_0/portable": 1,
    },
}


def best_times(program, pattern):
    done = subprocess.run([program, f"--benchmark_filter={pattern}", "--benchmark_format=json", "--benchmark_min_time=0.05",
                           "--benchmark_repetitions=3"], capture_output=True, text=True, check=True)
    best = {}
    for one in json.loads(done.stdout)["benchmarks"]:
        if one.get("error_occurred"):
            raise SystemExit(f"{one['name']}: {one['error_message']}")
        if one["run_type"] == "iteration":
            name = one["run_name"]
            best[name] = min(best.get(name, float("inf")), one["cpu_time"])
    return best


def main():
    programs = {re.search(r"bench_kernels_(\w+)", path).group(1): path for path in sys.argv[1:]}
    slow = 0
    for group, least in LEAST.items():
        wanted = "|".join(re.escape(name) for name in ["plain", *least])
        times = best_times(programs[group.split("/")[0]], f"^{re.escape(group)}/({wanted})$")
        plain = times[f"{group}/plain"]
        for name, ratio in least.items():
            own = times.get(f"{group}/{name}")
            if own is None:
                continue  # this machine does not have the instruction set
            print(f"{group}/{name}: {plain / own:.1f} times a plain loop (at least {ratio})")
            slow += plain / own < ratio
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
