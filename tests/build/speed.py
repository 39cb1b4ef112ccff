"""Fails where a kernel has lost much of its lead over a plain loop.

The measure is a ratio of processor times from one run, the best of three each, so that a slow or busy machine does not
matter. The least ratios are a third of those measured on an AMD Zen 4 with GCC 12: processors differ by less, and a vector
loop that is lost costs more.
"""

import json
import re
import subprocess
import sys

# bench, shape, and for each kernel the least that a plain loop takes as a multiple of its time
LEAST = [
    ("matmul", "matmul/576x576/T=64", {
        "q4_0/avx512": 45, "q4_0/avx2": 30, "q4_0/portable": 4,
        "q5_0/avx512": 42, "q5_0/avx2": 15, "q5_0/portable": 3.5,
        "q8_0/avx512": 45, "q8_0/avx2": 18, "q8_0/portable": 4,
        "f32/avx512": 13, "f32/avx2": 13, "f32/portable": 4.5,
        "bf16/avx2": 12, "bf16/portable": 2,
    }),
    ("attention", "prompt_512", {"f32_blocks/avx512": 7, "f32_blocks/avx2": 7, "f32_blocks/portable": 2.5}),
    ("attention", "token_512", {"f16_blocks/avx512": 7, "f16_blocks/avx2": 6}),
]


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
    for bench, group, least in LEAST:
        wanted = "|".join(re.escape(name) for name in ["plain", *least])
        times = best_times(programs[bench], f"^{re.escape(group)}/({wanted})$")
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
