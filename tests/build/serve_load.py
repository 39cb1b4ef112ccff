"""bench/serve_load.py beside a server of this file, whose times and refusals are known."""

import asyncio
import contextlib
import importlib.util
import io
import json
import os
import sys
from pathlib import Path

from checks import Checker

SOURCE = Path(__file__).resolve().parents[2] / "bench" / "serve_load.py"
spec = importlib.util.spec_from_file_location("serve_load_tool", SOURCE)
tool = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = tool
spec.loader.exec_module(tool)


class Server:
    """Answers after FIRST seconds, then every GAP; refuses what comes while `most` are there; breaks off what says so."""

    FIRST, GAP = 0.08, 0.02

    def __init__(self, most=10 ** 9, chunked=True, usage=True):
        self.most, self.chunked, self.usage = most, chunked, usage
        self.now = self.peak = self.asked = self.joules = 0
        self.bodies = []

    async def answer(self, reader, writer):
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            method, path, _ = head.split("\r\n")[0].split()
            size = int(head.lower().partition("content-length:")[2].split("\r\n")[0])
            body = json.loads(await reader.readexactly(size) or b"{}")
            if method == "GET" and path == "/v1/models":
                text = b'{"data": [{"id": "thing-1"}]}'
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
                return
            if method == "GET":
                text = (f'tokenworks:joules_total{{phase="prefill",source="modelled"}} {self.joules}\n'
                        f'tokenworks:joules_total{{phase="decode",source="modelled"}} {2 * self.joules}\n').encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
                return
            self.bodies.append(body)
            self.asked += 1
            self.now += 1
            self.peak = max(self.peak, self.now)
            try:
                await self.tokens(path, body, writer)
            finally:
                self.now -= 1
        except (asyncio.CancelledError, ConnectionError, asyncio.IncompleteReadError):
            pass # who asked has gone
        finally:
            writer.close()

    async def tokens(self, path, body, writer):
        if self.now > self.most:
            writer.write(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\n{}")
            return
        kind = b"Transfer-Encoding: chunked\r\n" if self.chunked else b""
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + kind + b"\r\n")
        self.joules += 1

        def say(event):
            text = b"data: " + (event if isinstance(event, bytes) else json.dumps(event).encode()) + b"\n\n"
            writer.write(b"%x\r\n%b\r\n" % (len(text), text) if self.chunked else text)

        for i in range(body["max_tokens"]):
            await asyncio.sleep(self.GAP if i else self.FIRST)
            piece = {"text": "x "} if path == "/v1/completions" else {"delta": {"content": "x "}}
            say({"choices": [piece | {"finish_reason": None}]})
            await writer.drain()
            if body["seed"] % 7 == 3 and i == 1 and "broken" in str(body.get("prompt", "")):
                return
        say({"choices": [{"delta": {}, "finish_reason": "length"}]})
        if self.usage:
            say({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": body["max_tokens"]}})
        say(b"[DONE]")
        if self.chunked:
            writer.write(b"0\r\n\r\n")


async def against(server, *arguments):
    listening = await asyncio.start_server(server.answer, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with listening:
        return await tool.run(tool.parse(["--url", f"http://127.0.0.1:{port}", *arguments]))


def workloads(check):
    parse = lambda *more: tool.parse(["--rate", "50", "--seconds", "20", "--kinds", "chat:2,completions:1,json_schema:1", *more])
    jobs = tool.workload(parse())
    check.expect(jobs == tool.workload(parse()), "the same seed asks the same")
    check.expect(jobs != tool.workload(parse("--seed", "1")), "another one does not")
    check.expect(850 < len(jobs) < 1150 and all(a.at <= b.at < 20 for a, b in zip(jobs, jobs[1:])), f"{len(jobs)} in 20 s, at 50 a second")
    gaps = [b.at - a.at for a, b in zip(jobs, jobs[1:])]
    mean = sum(gaps) / len(gaps)
    check.expect(0.8 < sum((gap - mean) ** 2 for gap in gaps) / len(gaps) / mean ** 2 < 1.25, "gaps vary as Poisson's")
    check.expect({job.kind for job in jobs} == set(tool.KINDS), "all kinds are there")
    check.expect(all(job.path == ("/v1/completions" if job.kind == "completions" else "/v1/chat/completions") for job in jobs), "each goes its way")
    bursts = tool.workload(parse("--burst", "16"))
    check.expect(len(bursts) % 16 == 0 and all(len({job.at for job in bursts[i:i + 16]}) == 1 for i in range(0, len(bursts), 16)), "bursts")
    alike = tool.workload(parse("--prefix-tokens", "100", "--shared", "0.5", "--prompt-tokens", "10", "--kinds", "completions"))
    sizes = [len(job.body["prompt"].split()) for job in alike]
    check.expect(set(sizes) == {10, 110} and 0.4 < sizes.count(110) / len(sizes) < 0.6, "half of them begin alike")
    check.expect(len({" ".join(job.body["prompt"].split()[:100]) for job in alike if len(job.body["prompt"].split()) == 110}) == 1,
                 "with the same words")
    for wrong in (["--rate", "1", "--concurrency", "1", "--requests", "1"], ["--rate", "1"], ["--concurrency", "1", "--seconds", "1"],
                  ["--rate", "1", "--seconds", "1", "--kinds", "poems"], ["--rate", "1", "--seconds", "1", "--prompt-tokens", "9:3"]):
        try:
            with contextlib.redirect_stderr(io.StringIO()):
                tool.parse(wrong)
            check.expect(False, f"{wrong} is refused")
        except SystemExit as ended:
            check.expect(ended.code == 2, f"{wrong} is bad usage")


def numbers(check):
    values = [4.0, 1.0, 3.0, 2.0]
    check.expect(tool.percentile(values, 0.5) == 2.5 and tool.percentile(values, 1.0) == 4.0 and tool.percentile([], 0.5) is None, "percentiles")
    check.expect(abs(tool.percentile(list(range(101)), 0.95) - 95) < 1e-9, "p95 of 0 … 100")


def loads(check):
    few = ["--answer-tokens", "8", "--prompt-tokens", "4:9"]
    for kind, server in (("chunks", Server()), ("until the end", Server(chunked=False, usage=False))):
        _, told = asyncio.run(against(server, "--concurrency", "3", "--requests", "12", "--kinds", "chat,completions", *few))
        check.expect(told["done"] == 12 and told["failed"] == told["refused"] == 0, f"{kind}: all are done: {told}")
        check.expect(told["output_tokens"] == 96 and server.peak == 3, f"{kind}: tokens, and never more than three at a time")
        check.expect(server.FIRST <= told["first_token"]["p50"] < server.FIRST + 0.1, f"{kind}: time to first token {told['first_token']}")
        check.expect(server.GAP * 0.8 <= told["between_tokens"]["p50"] < server.GAP + 0.05, f"{kind}: time between tokens {told['between_tokens']}")
        check.expect(told["end_to_end"]["p50"] >= server.FIRST + 7 * server.GAP, f"{kind}: end to end")
        check.expect(told["kept"] == 12, f"{kind}: all kept the target")
        check.expect(told["joules"] == 36 and told["joules_source"] == "modelled", f"{kind}: joules are those of this load: {told['joules']}")
        table = tool.markdown(told)
        check.expect("| 12 | 12 | 0 | 0 |" in table and "Energy, modelled: 36.0 J" in table, f"{kind}: the table: {table}")

    _, told = asyncio.run(against(Server(most=2), "--rate", "40", "--burst", "8", "--requests", "8", *few))
    check.expect((told["done"], told["refused"], told["failed"]) == (2, 6, 0), f"refusals are counted as such: {told}")
    check.expect(told["refusal"]["p99"] < 0.1, "and come at once")
    _, told = asyncio.run(against(Server(), "--rate", "40", "--requests", "4", "--ttft-target", "0.01", *few))
    check.expect(told["done"] == 4 and told["kept"] == 0 and told["goodput"] == 0, "a target that nobody keeps")
    _, told = asyncio.run(against(Server(), "--rate", "40", "--requests", "4", "--itl-target", "0.001", *few))
    check.expect(told["kept"] == 0, "another one")
    _, told = asyncio.run(against(Server(), "--rate", "40", "--requests", "2", "--timeout", "0.05", *few))
    check.expect(told["failed"] == 2 and "Timeout" in told["problems"][0], f"too late is failed: {told['problems']}")
    server = Server()
    _, told = asyncio.run(against(server, "--rate", "100", "--requests", "3", "--kinds", "json_schema", *few))
    check.expect(all(body["response_format"]["type"] == "json_schema" for body in server.bodies), "schemas are sent")
    check.expect(all(body["model"] == "thing-1" for body in server.bodies), "and the server's own name of its model")
    _, told = asyncio.run(tool.run(tool.parse(["--url", "http://127.0.0.1:9", "--concurrency", "1", "--requests", "1"])))
    check.expect(told["failed"] == 1 and "joules" not in told, "nobody there")

    class Breaking(Server):
        async def tokens(self, path, body, writer):
            body["seed"], body["prompt"] = 3, "broken"
            await super().tokens(path, body, writer)

    _, told = asyncio.run(against(Breaking(chunked=False), "--rate", "40", "--requests", "2", *few))
    check.expect(told["failed"] == 2 and "without a reason" in told["problems"][0], f"streams that break off are failures: {told['problems']}")


def overloads(check):
    """bench/serve_overload.py beside the same server: it finds the capacity, then asks for far more."""
    sys.path.insert(0, str(SOURCE.parent))
    import serve_overload # it takes serve_load from its own folder

    async def both():
        listening = await asyncio.start_server(Server(most=4).answer, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        async with listening:
            return await serve_overload.run(serve_overload.parse(
                ["--url", f"http://127.0.0.1:{port}", "--concurrency", "4", "--capacity-seconds", "2", "--seconds", "2", "--pid",
                 str(os.getpid()), "--slow", "0", "--half-open", "2", "--answer-tokens", "8", "--prompt-tokens", "4:9"]))

    told = asyncio.run(both())
    one = Server.FIRST + 7 * Server.GAP
    check.expect(0.5 * 4 / one < told["capacity_per_second"] <= 4 / one, f"what it can do: {told['capacity_per_second']}")
    over = told["overload"]
    check.expect(over["refused"] > over["done"] > 0 and set(told["statuses"]) == {200, 503}, f"the rest is refused: {told['statuses']}")
    check.expect(over["requests"] > 5 * told["capacity_per_second"] * 2, "ten times as much is asked")
    check.expect(told["memory"]["most"] >= told["memory"]["before"] > 0 and told["sockets"]["most"] > told["sockets"]["before"],
                 f"what it holds: {told['memory']} {told['sockets']}")
    table = serve_overload.markdown(told)
    check.expect("| overload |" in table and "of 503" in table and "Resident memory" in table, table)


def main():
    check = Checker()
    workloads(check)
    numbers(check)
    loads(check)
    overloads(check)
    print(f"{check.failures} failures")
    return 1 if check.failures else 0


if __name__ == "__main__":
    sys.exit(main())
