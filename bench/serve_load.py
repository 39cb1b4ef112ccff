"""Load on a server with OpenAI's interface: how long people wait, how many tokens come, and what is refused.

    bench/serve_load.py --url http://127.0.0.1:8080 --rate 4 --seconds 60              requests come as they like (Poisson)
    bench/serve_load.py --url http://127.0.0.1:8080 --rate 4 --burst 16 --seconds 60   sixteen at once, the same on average
    bench/serve_load.py --url http://127.0.0.1:8080 --concurrency 16 --requests 128    always sixteen at a time

With --rate a request is sent when its time has come, whatever became of those before it: a server that is too slow is seen to
be, and not asked less. Everything that is sent follows from --seed. Works with any server that streams /v1/chat/completions
and /v1/completions (tokenworks serve, llama-server, llama_cpp.server, vLLM). Python's standard library alone.

Time to first token: from sending to the first text. Time between tokens: between two events with text that follow each other.
Goodput: requests a second that kept --ttft-target and, on average over their tokens, --itl-target. Energy: what the server's
own /metrics counts (tokenworks:joules_total), with the word that says where it is from.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit

WORDS = ("the of and to in is that it was for on are with as his they be at one have this from or had by word but what some we can out "
         "other were all there when up use your how said an each she which do their time if will way about many then them write would "
         "like so these her long make thing see him two has look more day could go come did number sound no most people my over know "
         "water than call first who may down side been now find any new work part take get place made live where after back little "
         "only round man year came show every good me give our under name very through just form great think say help low line").split()
SCHEMA = {"type": "object", "properties": {"name": {"type": "string", "maxLength": 24}, "count": {"type": "integer", "minimum": 0,
          "maximum": 99}, "kind": {"enum": ["small", "large"]}}, "required": ["name", "count", "kind"], "additionalProperties": False}
KINDS = ("chat", "completions", "json_schema")


@dataclass
class Job:
    """A request: when it is sent, and what."""
    at: float
    kind: str
    path: str
    body: dict


@dataclass
class Outcome:
    kind: str
    status: int = 0                 # of HTTP; 0: none came
    problem: str = ""
    sent: float = 0.0               # seconds from the beginning
    first: float | None = None      # seconds after it was sent
    gaps: list = field(default_factory=list)
    total: float = 0.0
    prompt_tokens: int = 0
    tokens: int = 0
    finish: str = ""

    @property
    def done(self):
        return self.status == 200 and not self.problem and self.finish != ""

    @property
    def between(self):
        """The mean time between tokens."""
        return (self.total_of_tokens - self.first) / (self.tokens - 1) if self.first is not None and self.tokens > 1 else 0.0

    @property
    def total_of_tokens(self):
        return self.first + sum(self.gaps)


def span(text):
    low, _, high = text.partition(":")
    low, high = int(low), int(high or low)
    if not 1 <= low <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is not LOW:HIGH")
    return low, high


def mix(text):
    """chat:3,completions:1 to weights."""
    weights = {}
    for part in text.split(","):
        kind, _, weight = part.partition(":")
        if kind not in KINDS:
            raise argparse.ArgumentTypeError(f"{kind!r} is none of {', '.join(KINDS)}")
        weights[kind] = float(weight or 1)
    return weights


def workload(options):
    """All requests, in the order in which they are sent: of the seed alone."""
    draw = random.Random(options.seed)
    prefix = " ".join(draw.choices(WORDS, k=options.prefix_tokens))
    count = options.requests
    jobs, at = [], 0.0
    while len(jobs) < count if count else at < options.seconds:
        if options.rate and len(jobs) % options.burst == 0 and jobs:
            at += draw.expovariate(options.rate / options.burst)
            if not count and at >= options.seconds:
                break
        kind = draw.choices(list(options.kinds), list(options.kinds.values()))[0]
        words = draw.choices(WORDS, k=draw.randint(*options.prompt_tokens))
        text = " ".join(words)
        if prefix and draw.random() < options.shared:
            text = f"{prefix} {text}"
        body = {"model": options.model, "stream": True, "stream_options": {"include_usage": True}, "seed": draw.randrange(1 << 31),
                "temperature": options.temperature, "max_tokens": draw.randint(*options.answer_tokens)}
        if options.ignore_eos:
            body["ignore_eos"] = True
        if kind == "completions":
            path, body["prompt"] = "/v1/completions", text
        else:
            path, body["messages"] = "/v1/chat/completions", [{"role": "user", "content": text}]
        if kind == "json_schema":
            body["response_format"] = {"type": "json_schema", "json_schema": {"name": "thing", "strict": True, "schema": SCHEMA}}
            body["max_tokens"] = max(64, body["max_tokens"])
        jobs.append(Job(at, kind, path, body))
    return jobs


class Client:
    """A connection for each request, as strangers have."""

    def __init__(self, url, key, timeout):
        parts = urlsplit(url)
        self.host, self.port, self.timeout = parts.hostname, parts.port or 80, timeout
        self.key = f"Authorization: Bearer {key}\r\n" if key else ""

    def request(self, method, path, body=b""):
        return (f"{method} {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nConnection: close\r\n{self.key}"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body

    async def open(self, method, path, body=b""):
        """Sends a request. The status, the headers, and pieces of the body as they come."""
        reader, writer = await asyncio.open_connection(self.host, self.port)
        writer.write(self.request(method, path, body))
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        return int(head[0].split()[1]), headers, self.pieces(reader, headers), writer

    @staticmethod
    async def pieces(reader, headers):
        if headers.get("transfer-encoding", "").lower() == "chunked":
            while size := int((await reader.readline()).split(b";")[0] or b"0", 16):
                yield await reader.readexactly(size)
                await reader.readexactly(2)
            return
        left = int(headers.get("content-length", -1))
        while left and (data := await reader.read(left if left > 0 else 1 << 16)):
            left -= len(data) if left > 0 else 0
            yield data

    async def text(self, method, path):
        status, _, pieces, writer = await self.open(method, path)
        data = b"".join([piece async for piece in pieces])
        writer.close()
        return status, data.decode("utf-8", "replace")

    async def stream(self, job, begin):
        """Sends one, and notes when its tokens come."""
        out = Outcome(job.kind, sent=time.monotonic() - begin)
        start = time.monotonic()
        try:
            await asyncio.wait_for(self.follow(job, out, start), self.timeout)
            if out.status == 200 and not out.finish and not out.problem:
                out.problem = "the stream ended without a reason"
        except (OSError, ValueError, EOFError, asyncio.TimeoutError, asyncio.LimitOverrunError) as problem:
            out.problem = f"{type(problem).__name__}: {problem}"[:200]
        out.total = time.monotonic() - start
        return out

    async def follow(self, job, out, start):
        out.status, _, pieces, writer = await self.open("POST", job.path, json.dumps(job.body).encode())
        last, rest, events = start, b"", 0
        try:
            async for piece in pieces:
                *lines, rest = (rest + piece).split(b"\n")
                for line in map(bytes.strip, lines):
                    if not line.startswith(b"data:") or line == b"data: [DONE]":
                        continue
                    event = json.loads(line[5:])
                    if "error" in event:
                        out.problem = str(event["error"].get("message", event["error"]))[:200]
                    for choice in event.get("choices") or []:
                        out.finish = choice.get("finish_reason") or out.finish
                        if choice.get("text") or (choice.get("delta") or {}).get("content"):
                            now = time.monotonic()
                            if events == 0:
                                out.first = now - start
                            else:
                                out.gaps.append(now - last)
                            events, last = events + 1, now
                    used = event.get("usage") or {}
                    out.tokens = used.get("completion_tokens", out.tokens)
                    out.prompt_tokens = used.get("prompt_tokens", out.prompt_tokens)
            out.tokens = out.tokens or events
        finally:
            writer.close()


async def joules(client):
    """What the server has used so far and where the number is from, or None."""
    try:
        status, text = await client.text("GET", "/metrics")
    except (OSError, ValueError, EOFError):
        return None
    total, source = None, ""
    for line in text.splitlines() if status == 200 else []:
        if line.startswith("tokenworks:joules_total"):
            total = (total or 0.0) + float(line.rsplit(" ", 1)[1])
            source = line.partition('source="')[2].partition('"')[0] or source
    return None if total is None else (total, source)


async def first_model(client):
    """What the server calls its model, or any name where it does not tell."""
    try:
        return json.loads((await client.text("GET", "/v1/models"))[1])["data"][0]["id"]
    except (OSError, ValueError, EOFError, LookupError, TypeError):
        return "default"


async def play(client, jobs, options):
    begin = time.monotonic()
    if options.concurrency:
        line, outcomes = iter(jobs), []

        async def one_after_the_other():
            for job in line: # shared by all: each takes the next
                outcomes.append(await client.stream(job, begin))

        await asyncio.gather(*(one_after_the_other() for _ in range(options.concurrency)))
    else:
        async def when_it_is_time(job):
            await asyncio.sleep(max(0.0, begin + job.at - time.monotonic()))
            return await client.stream(job, begin)

        outcomes = await asyncio.gather(*(when_it_is_time(job) for job in jobs))
    return outcomes, time.monotonic() - begin


def percentile(values, share):
    """Of sorted or unsorted values, between the two that are nearest."""
    if not values:
        return None
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def summary(outcomes, seconds, options, energy=None):
    done = [each for each in outcomes if each.done]
    refused = [each for each in outcomes if each.status in (429, 503)]
    times = {"first_token": [each.first for each in done if each.first is not None],
             "between_tokens": [gap for each in done for gap in each.gaps],
             "end_to_end": [each.total for each in done],
             "refusal": [each.total for each in refused]}
    kept = [each for each in done if (each.first or 0) <= options.ttft_target and each.between <= options.itl_target]
    tokens = sum(each.tokens for each in done)
    told = {"requests": len(outcomes), "done": len(done), "refused": len(refused),
            "failed": len(outcomes) - len(done) - len(refused), "seconds": seconds,
            "prompt_tokens": sum(each.prompt_tokens for each in done), "output_tokens": tokens,
            "output_tokens_per_second": tokens / seconds if seconds else 0.0, "requests_per_second": len(done) / seconds if seconds else 0.0,
            "goodput": len(kept) / seconds if seconds else 0.0, "kept": len(kept),
            "ttft_target": options.ttft_target, "itl_target": options.itl_target,
            "problems": sorted({each.problem or f"HTTP {each.status}" for each in outcomes if not each.done and each not in refused})[:5]}
    for name, values in times.items():
        told[name] = {f"p{int(100 * share)}": percentile(values, share) for share in (0.5, 0.95, 0.99)}
    if energy:
        told["joules"], told["joules_source"] = energy
        told["joules_per_token"] = energy[0] / tokens if tokens else None
    return told


def markdown(told):
    def ms(value):
        return "–" if value is None else f"{1000 * value:.1f}"

    lines = ["| requests | done | refused | failed | output tokens/s | requests/s | goodput/s |", "|---|---|---|---|---|---|---|",
             f"| {told['requests']} | {told['done']} | {told['refused']} | {told['failed']} | {told['output_tokens_per_second']:.1f} "
             f"| {told['requests_per_second']:.2f} | {told['goodput']:.2f} |", "",
             "| milliseconds | p50 | p95 | p99 |", "|---|---|---|---|"]
    for name in ("first_token", "between_tokens", "end_to_end", "refusal"):
        if any(value is not None for value in told[name].values()):
            lines.append(f"| {name.replace('_', ' ')} | " + " | ".join(ms(told[name][p]) for p in ("p50", "p95", "p99")) + " |")
    lines += ["", f"{told['seconds']:.1f} s; {told['prompt_tokens']} tokens read, {told['output_tokens']} written; goodput: the first token within "
              f"{told['ttft_target']:g} s and {1000 * told['itl_target']:g} ms between tokens."]
    if "joules" in told:
        each = f", {told['joules_per_token']:.3f} J a token written" if told["joules_per_token"] is not None else ""
        lines.append(f"Energy, {told['joules_source']}: {told['joules']:.1f} J{each}.")
    lines += [f"- {problem}" for problem in told["problems"]]
    return "\n".join(lines)


def load_flags():
    """Of where to, what and how long: what other tools that load a server have in common with this one."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--api-key")
    parser.add_argument("--model", help="the name that is sent; the first that the server tells if not given")
    parser.add_argument("--prompt-tokens", type=span, default=(32, 512), metavar="LOW:HIGH", help="words, about a token each")
    parser.add_argument("--answer-tokens", type=span, default=(16, 128), metavar="LOW:HIGH", help="at most")
    parser.add_argument("--prefix-tokens", type=int, default=0, help="words that prompts begin with alike")
    parser.add_argument("--shared", type=float, default=1.0, help="the share of prompts that do")
    parser.add_argument("--kinds", type=mix, default={"chat": 1.0}, metavar="KIND:WEIGHT,…", help=", ".join(KINDS))
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--ignore-eos", action="store_true", help="ask for answers of full length (llama-server, vLLM)")
    parser.add_argument("--ttft-target", type=float, default=1.0, help="seconds")
    parser.add_argument("--itl-target", type=float, default=0.1, help="seconds")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds of a request")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="one JSON object, with every request")
    return parser


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0], parents=[load_flags()])
    parser.add_argument("--rate", type=float, default=0.0, help="requests a second on average; open loop")
    parser.add_argument("--burst", type=int, default=1, help="so many come at once")
    parser.add_argument("--concurrency", type=int, default=0, help="so many at a time; closed loop")
    parser.add_argument("--requests", type=int, default=0, help="so many in all")
    parser.add_argument("--seconds", type=float, default=0.0, help="or as many as come in this time")
    options = parser.parse_args(arguments)
    if (options.rate > 0) == (options.concurrency > 0):
        parser.error("exactly one of --rate and --concurrency")
    if options.burst < 1 or options.rate < 0 or options.concurrency < 0:
        parser.error("--burst, --rate and --concurrency are above zero")
    if bool(options.requests) == bool(options.seconds):
        parser.error("exactly one of --requests and --seconds")
    if options.concurrency and not options.requests:
        parser.error("--concurrency takes --requests")
    return options


async def run(options):
    client = Client(options.url, options.api_key, options.timeout)
    options.model = options.model or await first_model(client)
    before = await joules(client)
    outcomes, seconds = await play(client, workload(options), options)
    after = await joules(client)
    energy = (after[0] - before[0], after[1]) if before and after else None
    return outcomes, summary(outcomes, seconds, options, energy)


def main():
    options = parse()
    outcomes, told = asyncio.run(run(options))
    if options.json:
        print(json.dumps({**told, "each": [asdict(each) for each in outcomes]}))
    else:
        print(markdown(told))
    return 0 if told["done"] else 1


if __name__ == "__main__":
    sys.exit(main())
