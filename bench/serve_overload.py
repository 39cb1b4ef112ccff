"""Far more than a server can do: what becomes of those it takes, how soon the others hear that it is full, and what it holds.

    bench/serve_overload.py --url http://127.0.0.1:8080 --concurrency 16 --pid $(pgrep -n tokenworks) --seconds 60

First the capacity: --concurrency at a time for --capacity-seconds, so many requests a second. Then --factor times as many, which
come as they like (Poisson, bench/serve_load.py's open loop) for --seconds, and beside them --slow clients who ask for a long
answer and never read it, and --half-open ones who send half of a request and wait, again and again. Lengths, kinds and the rest
are serve_load's flags. With --pid, of a server on this machine: its resident memory and open sockets once a second, before, and
once all clients have gone. Python's standard library alone.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import json
import os
import socket
import sys
import time

import serve_load

SETTLE = 30 # seconds that a server has for giving back what it holds


def memory_and_sockets(pid):
    """Bytes and number, or None where the process cannot be seen."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            resident = next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS:"))
        count = 0
        for name in os.listdir(f"/proc/{pid}/fd"):
            try:
                count += os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:")
            except OSError:
                pass # closed meanwhile
        return resident, count
    except (OSError, StopIteration):
        return None


async def slow_reader(client, job):
    """Asks for more than fits the buffers between the two, and reads none of it."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(connection, (client.host, client.port))
        body = {**job.body, "max_tokens": 4096, "ignore_eos": True}
        body.update({"logprobs": 20} if job.kind == "completions" else {"logprobs": True, "top_logprobs": 20})
        await loop.sock_sendall(connection, client.request("POST", job.path, json.dumps(body).encode()))
        await asyncio.Event().wait() # until it is cancelled


async def half_open(client, closed):
    """Sends half of a request; notes after how many seconds the server hangs up; and again."""
    while True:
        begin = time.monotonic()
        try:
            reader, writer = await asyncio.open_connection(client.host, client.port)
            try:
                writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-")
                await reader.read()
                closed.append(time.monotonic() - begin)
            finally:
                writer.close()
        except OSError:
            closed.append(time.monotonic() - begin)
        await asyncio.sleep(0.1)


async def capacity(client, options):
    """Outcomes of a closed loop, and how many ended in a second."""
    jobs = serve_load.workload(argparse.Namespace(**{**vars(options), "rate": 0.0, "requests": 4096}))
    begin = time.monotonic()

    def until_the_time_is_over():
        for job in jobs:
            if time.monotonic() - begin > options.capacity_seconds:
                return
            yield job

    outcomes, seconds = await serve_load.play(client, until_the_time_is_over(), options)
    in_time = [each for each in outcomes if each.done and each.sent + each.total <= options.capacity_seconds]
    return outcomes, seconds, len(in_time) / min(seconds, options.capacity_seconds)


async def watch(pid, samples):
    begin = time.monotonic()
    while True:
        if seen := memory_and_sockets(pid):
            samples.append((time.monotonic() - begin, *seen))
        await asyncio.sleep(1)


async def run(options):
    client = serve_load.Client(options.url, options.api_key, options.timeout)
    options.model = options.model or await serve_load.first_model(client)
    told = {"factor": options.factor}
    outcomes, seconds, rate = await capacity(client, options)
    told["capacity_per_second"] = rate
    told["capacity"] = serve_load.summary(outcomes, seconds, options)
    if not rate:
        return told
    before = memory_and_sockets(options.pid) if options.pid else None
    flood = argparse.Namespace(**{**vars(options), "rate": options.factor * rate, "concurrency": 0, "requests": 0,
                                  "seed": options.seed + 1})
    jobs = serve_load.workload(flood)
    samples, closed = [], []
    beside = [asyncio.create_task(slow_reader(client, jobs[i % len(jobs)])) for i in range(options.slow)]
    beside += [asyncio.create_task(half_open(client, closed)) for _ in range(options.half_open)]
    if options.pid:
        beside.append(asyncio.create_task(watch(options.pid, samples)))
    try:
        outcomes, seconds = await serve_load.play(client, jobs, flood)
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
    told["overload"] = serve_load.summary(outcomes, seconds, flood)
    told["statuses"] = dict(sorted(collections.Counter(each.status for each in outcomes).items()))
    told["half_open"] = {"hung_up": len(closed), **{f"p{p}": serve_load.percentile(closed, p / 100) for p in (50, 95)}}
    if before and samples:
        until = time.monotonic() + SETTLE
        while (after := memory_and_sockets(options.pid)) and after[1] > before[1] and time.monotonic() < until:
            await asyncio.sleep(0.2)
        told["memory"] = {"before": before[0], "most": max(each[1] for each in samples), "after": after and after[0],
                          "each_ten_seconds": [each[1] for each in samples[::10]]}
        told["sockets"] = {"before": before[1], "most": max(each[2] for each in samples), "after": after and after[1]}
    return told


def markdown(told):
    def ms(values):
        return " | ".join("–" if values[p] is None else f"{1000 * values[p]:.0f}" for p in ("p50", "p95", "p99"))

    lines = [f"Capacity: {told['capacity_per_second']:.2f} requests/s.", "",
             "| | sent | done | refused | failed | first token p50 | p95 | p99 | end to end p50 | p95 | p99 ms |",
             "|---|---|---|---|---|---|---|---|---|---|---|"]
    for name in ("capacity", "overload"):
        if part := told.get(name):
            lines.append(f"| {name} | {part['requests']} | {part['done']} | {part['refused']} | {part['failed']} "
                         f"| {ms(part['first_token'])} | {ms(part['end_to_end'])} |")
    if "overload" in told:
        part = told["overload"]
        lines += ["", f"{told['factor']:g} times the capacity for {part['seconds']:.1f} s. Statuses: " +
                  ", ".join(f"{count} of {status or 'no answer'}" for status, count in told["statuses"].items()) +
                  f". Refusals came after {ms(part['refusal'])} ms (p50 | p95 | p99)."]
        half = told["half_open"]
        if half["hung_up"]:
            lines.append(f"Half-open clients were hung up on {half['hung_up']} times, after {half['p50']:.1f} s (p50), {half['p95']:.1f} s (p95).")
        lines += [f"- {problem}" for problem in part["problems"]]
    if "memory" in told:
        memory, sockets = told["memory"], told["sockets"]
        mega = [f"{value / 1e6:.1f}" for value in memory["each_ten_seconds"]]
        lines.append(f"Resident memory, MB: {memory['before'] / 1e6:.1f} before, {', '.join(mega)} every ten seconds, at most "
                     f"{memory['most'] / 1e6:.1f}" + (f", {memory['after'] / 1e6:.1f} afterwards." if memory["after"] else ", then it was gone."))
        lines.append(f"Open sockets: {sockets['before']} before, at most {sockets['most']}, {sockets['after']} afterwards.")
    return "\n".join(lines)


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0], parents=[serve_load.load_flags()])
    parser.add_argument("--concurrency", type=int, default=16, help="at a time while the capacity is measured: the server's --parallel")
    parser.add_argument("--capacity-seconds", type=float, default=15.0)
    parser.add_argument("--factor", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--slow", type=int, default=4, help="clients who never read")
    parser.add_argument("--half-open", type=int, default=16, help="clients who send half of a request")
    parser.add_argument("--pid", type=int, help="of the server, where it runs on this machine")
    options = parser.parse_args(arguments)
    if min(options.concurrency, options.capacity_seconds, options.factor, options.seconds) <= 0:
        parser.error("--concurrency, --capacity-seconds, --factor and --seconds are above zero")
    return argparse.Namespace(**vars(options), burst=1, rate=0.0, requests=0)


def main():
    options = parse()
    told = asyncio.run(run(options))
    print(json.dumps(told) if options.json else markdown(told))
    return 0 if told.get("overload", {}).get("done") else 1


if __name__ == "__main__":
    sys.exit(main())
