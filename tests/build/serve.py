"""`tokenworks serve` as its clients meet it: the interface, streams, refusals, overload, hostile input, and the end.

Runs on a small model of random weights that is made here, and also on SmolLM2 where it is. What needs the package openai is
left out where that is missing. Only the standard library is needed otherwise.
"""

import argparse
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import model_folder
import real_models
from checks import Checker

try:
    import openai
except ImportError:
    openai = None

TEMPLATE = ("{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}\n{% endfor %}"
            "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
HELLO = [{"role": "user", "content": "Hello"}]


class Server:
    def __init__(self, command, *flags):
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([*command, *flags, "--port", "0", "--log", "json"], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        found = re.fullmatch(r"tokenworks: listening on http://([\d.]+):(\d+)\n", line)
        if not found:
            self.log.seek(0)
            raise RuntimeError(f"it did not start: {line!r} {self.log.read()}")
        self.host, self.port = found.group(1), int(found.group(2))

    def ask(self, path, body=None, headers=None, method=None, timeout=60):
        """Status, headers, and the body as JSON where it is some."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            if body is not None and not isinstance(body, (bytes, str)):
                body = json.dumps(body)
            connection.request(method or ("GET" if body is None else "POST"), path, body, headers or {})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.headers.get_content_type() == "application/json" and content:
            content = json.loads(content)
        return answer.status, answer.headers, content

    def raw(self, data, timeout=20, half=False):
        """What comes back for these bytes, until the server closes the connection."""
        with socket.create_connection((self.host, self.port), timeout=timeout) as connection:
            connection.sendall(data)
            if half:
                connection.shutdown(socket.SHUT_WR)
            out = b""
            while True:
                try:
                    part = connection.recv(65536)
                except ConnectionResetError:
                    return out
                if not part:
                    return out
                out += part

    def factory(self):
        return self.ask("/factory")[2]

    def open(self, path, body):
        """A request whose answer is not read: the connection, to be closed."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=20)
        connection.request("POST", path, json.dumps(body))
        return connection

    def metric(self, name):
        """Its value, 0 where it is not told."""
        found = re.search(rf"^tokenworks:{re.escape(name)} (\S+)$", self.ask("/metrics")[2].decode(), re.MULTILINE)
        return float(found.group(1)) if found else 0

    def end(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


@contextmanager
def serving(command, *flags):
    server = Server(command, *flags)
    try:
        yield server
    finally:
        server.end()


def events(content):
    """The documents of a stream; the last is None for [DONE]."""
    parts = content.decode().split("\n\n")
    return [None if part == "data: [DONE]" else json.loads(part.removeprefix("data: ")) for part in parts if part]


def chat(server, **more):
    return server.ask("/v1/chat/completions", {"messages": HELLO, "max_tokens": 8, **more})


def interface(check, server):
    check.expect(server.ask("/health")[2] == {"status": "ok"}, "health")
    name = server.ask("/v1/models")[2]["data"][0]["id"]
    status, _, answer = chat(server, model=name, temperature=0)
    check.expect(status == 200 and answer["object"] == "chat.completion" and
                 answer["usage"]["completion_tokens"] == 8 and answer["choices"][0]["finish_reason"] == "length", "chat")
    whole = answer["choices"][0]["message"]["content"]
    status, headers, content = chat(server, temperature=0, stream=True, stream_options={"include_usage": True})
    parts = events(content)
    check.expect(headers.get_content_type() == "text/event-stream" and parts[-1] is None, "a stream ends with [DONE]")
    check.expect(parts[-2]["choices"] == [] and parts[-2]["usage"]["completion_tokens"] == 8, "usage in the last chunk")
    text = "".join(part["choices"][0]["delta"].get("content", "") for part in parts[:-2])
    check.expect(text == whole, "the stream says what the whole answer says")
    check.expect(parts[0]["choices"][0]["delta"]["role"] == "assistant", "the role comes first")
    answer = chat(server, n=3, seed=5, temperature=1)[2]
    check.expect([choice["index"] for choice in answer["choices"]] == [0, 1, 2], "three choices")
    again = chat(server, n=1, seed=5, temperature=1)[2]
    check.expect(again["choices"][0]["message"] == answer["choices"][0]["message"], "the same seed, the same text")
    answer = chat(server, temperature=0, logprobs=True, top_logprobs=2)[2]["choices"][0]
    entry = answer["logprobs"]["content"][0]
    check.expect(len(entry["top_logprobs"]) == 2 and entry["top_logprobs"][0]["logprob"] == entry["logprob"] < 0 and
                 bytes(entry["bytes"]).decode(errors="replace") == entry["token"], "logprobs")
    for form, good in (({"choices": ["yes", "no"]}, lambda text: text in ("yes", "no")),
                       ({"regex": "[ab]{3}"}, lambda text: re.fullmatch("[ab]{3}", text)),
                       ({"grammar": 'root ::= "x" [0-9]'}, lambda text: re.fullmatch("x[0-9]", text))):
        answer = chat(server, temperature=1, **form)[2]["choices"][0]
        check.expect(good(answer["message"]["content"]) and answer["finish_reason"] == "stop", f"{form}: {answer}")
    tools = [{"type": "function", "function": {"name": name, "parameters": {
        "type": "object", "properties": {"yes": {"$ref": "#/$defs/b"}}, "required": ["yes"], "additionalProperties": False,
        "$defs": {"b": {"type": "boolean"}}}}} for name in ("first", "second")]
    for choice in ("required", {"type": "function", "function": {"name": "second"}}):
        answer = chat(server, max_tokens=120, tools=tools, tool_choice=choice)[2]["choices"][0]
        call = answer["message"]["tool_calls"][0]["function"]
        check.expect(answer["finish_reason"] == "tool_calls" and call["name"] in ("first", "second")[choice != "required":] and
                     isinstance(json.loads(call["arguments"])["yes"], bool), f"a call: {answer}")
    parts = events(chat(server, max_tokens=120, tools=tools, tool_choice="required", stream=True)[2])
    choices = [part["choices"][0] for part in parts[:-1]]
    pieces = [choice["delta"]["tool_calls"] for choice in choices if "tool_calls" in choice["delta"]]
    check.expect(all(len(each) == 1 and each[0]["index"] == 0 for each in pieces) and len(pieces) > 2, f"a call comes in pieces: {parts}")
    first, more = pieces[0][0], [each[0] for each in pieces[1:]]
    check.expect(first["id"] and first["type"] == "function" and first["function"]["name"] in ("first", "second") and
                 first["function"]["arguments"] == "" and all(list(each["function"]) == ["arguments"] for each in more),
                 "the name first, then arguments")
    check.expect(isinstance(json.loads("".join(each["function"]["arguments"] for each in more))["yes"], bool) and
                 not any(choice["delta"].get("content") for choice in choices) and
                 choices[-1]["finish_reason"] == "tool_calls", "arguments in pieces are JSON")

    answer = server.ask("/v1/completions", {"prompt": ["Hello", "World"], "n": 2, "max_tokens": 3, "echo": True,
                                            "logprobs": 1})[2]
    check.expect([choice["index"] for choice in answer["choices"]] == [0, 1, 2, 3] and
                 answer["choices"][2]["text"].startswith("World"), "prompts of a list")
    logprobs = answer["choices"][0]["logprobs"]
    check.expect(logprobs["token_logprobs"][0] is None and logprobs["token_logprobs"][1] < 0 and
                 len(logprobs["tokens"]) == len(logprobs["text_offset"]), "logprobs of a prompt")
    for echo in ({"echo": True, "logprobs": 2}, {"prompt_logprobs": 3}, {"echo": True, "logprobs": 0, "prompt_logprobs": 1}):
        ask = {"prompt": ["Hello wide world", "Yes"], "n": 2, "max_tokens": 4, "temperature": 0, **echo}
        whole = server.ask("/v1/completions", ask)[2]["choices"]
        made = [{"text": "", "tokens": [], "top": [], "offsets": [], "prompt": None} for _ in whole]
        for part in events(server.ask("/v1/completions", {**ask, "stream": True})[2])[:-1]:
            choice = part["choices"][0]
            into = made[choice["index"]]
            into["text"] += choice["text"]
            into["prompt"] = choice.get("prompt_logprobs", into["prompt"])
            into["tokens"] += (choice["logprobs"] or {}).get("tokens", [])
            into["top"] += (choice["logprobs"] or {}).get("top_logprobs", [])
            into["offsets"] += (choice["logprobs"] or {}).get("text_offset", [])
        for one, choice in zip(made, whole):
            logprobs = choice["logprobs"] or {"tokens": [], "top_logprobs": [], "text_offset": []}
            check.expect((one["text"], one["tokens"], one["top"], one["offsets"], one["prompt"]) ==
                         (choice["text"], logprobs["tokens"], logprobs["top_logprobs"], logprobs["text_offset"],
                          choice.get("prompt_logprobs")), f"{echo}: the stream says what the whole answer says: {one} {choice}")
        if "prompt_logprobs" in echo:
            first, *rest = whole[0]["prompt_logprobs"]
            check.expect(first is None and rest and all(1 <= min(one["rank"] for one in each.values()) and
                         echo["prompt_logprobs"] <= len(each) <= echo["prompt_logprobs"] + 1 for each in rest), f"prompt_logprobs: {rest}")
        else:
            top = whole[0]["logprobs"]["top_logprobs"]
            check.expect(top[0] is None and all(1 <= len(each) <= 2 for each in top[1:]), f"the likeliest of a prompt: {top}")
    whole = chat(server, prompt_logprobs=0)[2]["prompt_logprobs"]
    parts = events(chat(server, prompt_logprobs=0, stream=True)[2])
    check.expect(len(whole) > 1 and parts[0]["prompt_logprobs"] == whole and "prompt_logprobs" not in parts[1], "of a chat")
    ids = server.ask("/tokenize", {"content": "Hello world"})[2]["tokens"]
    check.expect(server.ask("/detokenize", {"tokens": ids})[2]["content"] == "Hello world", "to tokens and back")
    answer = server.ask("/v1/completions", {"prompt": ids, "max_tokens": 2})
    check.expect(answer[0] == 200, "a prompt of ids")
    vectors = server.ask("/v1/embeddings", {"input": ["Hello", "World"]})[2]["data"]
    check.expect(len(vectors) == 2 and abs(sum(x * x for x in vectors[0]["embedding"]) - 1) < 1e-4, "embeddings")
    text = server.ask("/metrics")[2].decode()
    for name in ("time_to_first_token_seconds_bucket", "inter_token_latency_seconds_sum", "generation_tokens_total",
                 'request_success_total{finished_reason="length"}', "kv_cache_usage_perc", "num_preemptions_total"):
        check.expect(f"tokenworks:{name}" in text, f"metric {name}")
    status, headers, content = server.ask("/")
    check.expect(status == 200 and b"</html>" in content and "default-src 'self'" in headers["Content-Security-Policy"], "page")


def kinds(check, server):
    known = server.factory()["kinds"]
    for kind, path, body, good in (
            ("image", "/v1/images/generations", {"n": 2}, lambda data: len(data) == 2 and data[0]["b64_json"].startswith("iVBOR")),
            ("mesh", "/v1/meshes", {"format": "obj"}, lambda data: data[0]["text"].startswith("v ") and data[0]["watertight"]),
            ("mesh", "/v1/meshes", {"format": "glb"}, lambda data: data[0]["b64_json"].startswith("Z2xURg")),
            ("video", "/v1/videos", {"frames": 2}, lambda data: data[0]["b64_json"].startswith("R0lGOD"))):
        if kind in known:
            status, _, answer = server.ask(path, {"class": known[kind][0], "seed": 3, **body})
            check.expect(status == 200 and good(answer["data"]), f"{path} {answer}")
            check.expect(answer["usage"]["completion_tokens"] > 0 and answer["usage"]["energy"]["joules"] > 0, f"{path}: its cost")
            status, _, answer = server.ask(path, {"class": "nothing of the kind"})
            check.expect(status == 400 and answer["error"]["param"] == "class", f"{path}: an unknown class")
    answer = server.ask("/v1/forecasts", {"series": [[1, 2, None, 4] * 8, {"name": "b", "values": [5, 6, 7, 8] * 8}],
                                          "horizon": 5, "quantiles": [0.1, 0.9]})[2]
    check.expect([one["name"] for one in answer["data"]] == ["1", "b"] and len(answer["data"][0]["values"]) == 2 and
                 len(answer["data"][0]["values"][0]) == 5, "forecasts")
    answer = server.ask("/v1/proteins", {"family": known["protein"][0], "n": 2, "max_length": 20})[2]
    check.expect(len(answer["data"]) == 2 and all(one["sequence"].isalpha() for one in answer["data"]), "proteins")
    scores = server.ask("/v1/proteins/score", {"sequences": [one["sequence"] for one in answer["data"]]})[2]
    check.expect(all(one["log_likelihood"] < 0 for one in scores["data"]), "scores")
    check.expect(scores["usage"]["prompt_tokens"] == sum(one["length"] for one in scores["data"]), "residues are counted")
    status, _, answer = server.ask("/v1/proteins/score", {"sequences": ["MKV", "M1"]})
    check.expect(status == 400, f"what is no residue: {status} {answer}")
    for kind in ("image", "forecast", "protein_score"):
        source = 'source="modelled"' if scores["usage"]["energy"]["source"] == "modelled" else 'source="measured"'
        check.expect(server.metric(f'kind_joules_total{{kind="{kind}",{source}}}') > 0, f"joules of {kind}")


def kinds_together(check, server):
    """Many clients at once get, out of one batch, what each gets alone; the line is bounded; who leaves frees the place."""
    known = server.factory()["kinds"]
    asked = [(path, {"class": known[kind][i % len(known[kind])], "seed": 5 + i, **more})
             for kind, path, more in (("image", "/v1/images/generations", {"guidance": 2}), ("mesh", "/v1/meshes", {}),
                                      ("video", "/v1/videos", {"frames": 3})) if kind in known for i in range(4)]
    asked += [("/v1/proteins", {"family": known["protein"][i], "seed": i, "max_length": 60}) for i in range(3)]
    asked += [("/v1/forecasts", {"series": [[float(k * (i + 2) % 7) for k in range(60 + i)], [1, 2, 3, 4] * 9],
                                 "horizon": (12, 12, 90)[i % 3]}) for i in range(9)]
    asked += [("/v1/proteins/score", {"sequences": ["MKVLAGE"[:2 + i] * (i + 1), "MVHLTPEEKSAVTALWGKV" * (1 + 3 * i)]}) for i in range(8)]
    alone = [server.ask(path, body)[2] for path, body in asked]
    together = [None] * len(asked)

    def ask(i):
        together[i] = server.ask(*asked[i])[2]

    clients = [threading.Thread(target=ask, args=(i,)) for i in range(len(asked))]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    check.expect(all("data" in one for one in alone) and [one["data"] for one in alone] == [one["data"] for one in together],
                 "other kinds of output, many at once")
    several = server.ask("/v1/meshes", {"class": known["mesh"][0], "seed": 5, "n": 2})[2]["data"]
    check.expect(several[0] == alone[[path for path, _ in asked].index("/v1/meshes")]["data"][0], "the first of two meshes")
    full = {"family": known["protein"][0], "min_length": 300, "n": 16}
    leaving = [server.open("/v1/proteins", full) for _ in range(5)]  # 80 sequences, all that the engine and its line take
    end = time.monotonic() + 10
    while server.metric('kind_samples_waiting{kind="protein"}') < 64 and time.monotonic() < end:
        time.sleep(0.02)
    status, headers, _ = server.ask("/v1/proteins", full)
    check.expect(status == 503 and "Retry-After" in headers, f"a full line of proteins: {status}")
    for each in leaving:
        each.close()
    begin = time.monotonic()
    names = [f'kind_{what}{{kind="protein"}}' for what in ("sequences_running", "samples_waiting")]
    while any(server.metric(name) for name in names) and time.monotonic() < begin + 10:
        time.sleep(0.02)
    check.expect(time.monotonic() - begin < 2, "clients who left hold no places")
    check.expect(server.metric('kind_requests_refused_total{kind="protein"}') >= 1, "the refusal is counted")


def kind_quotas(check, command, *flags):
    """What is no text is paid for as well."""
    with serving(command, *flags, "--api-key", "a=1", "--api-key", "b=2", "--api-key", "c=3", "--tokens-per-minute", "60") as server:
        for key, path, body in (("1", "/v1/forecasts", {"series": [[1, 2, 3, 4] * 10], "horizon": 30}),
                                ("2", "/v1/proteins/score", {"sequences": ["MKVLAGEMKV" * 8]}),
                                ("3", "/v1/proteins", {"min_length": 80, "max_length": 90})):
            found = [server.ask(path, body, {"Authorization": f"Bearer {key}"}) for _ in range(2)]
            check.expect([each[0] for each in found] == [200, 429] and int(found[1][1]["Retry-After"]) > 0,
                         f"a quota of {path}: {[each[0] for each in found]}")


def hostile(check, server):
    post = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
    deep = b'{"messages":' + b"[" * 100000
    alternatives = "|".join("(a|b|ab)*" for _ in range(2000))
    for what, body in (("no JSON", b"{"), ("empty", b""), ("bad UTF-8", b'{"messages":"\xff"}'), ("deep", deep),
                       ("NaN", b'{"n":NaN}'), ("a list", b"[]"), ("a NUL", b'{"a":"\x00"}'),
                       ("twice", b'{"n":1,"n":2}')):
        begin = time.monotonic()
        status, _, answer = server.ask("/v1/chat/completions", body, method="POST")
        check.expect(status == 400 and answer["error"]["type"] == "invalid_request_error" and time.monotonic() - begin < 1,
                     f"{what}: {status} {answer}")
    for field, value in (("temperature", 1e9), ("temperature", "x"), ("n", 10**9), ("max_tokens", -1), ("top_p", 2),
                         ("logit_bias", {"99999999": 1}), ("stop", [""]), ("model", "another"), ("grammar", "root ::= root"),
                         ("grammar", "root ::= " + "(" * 5000), ("regex", "(" * 5000), ("regex", "(?=a)"),
                         ("response_format", {"type": "json_schema", "json_schema": {"name": "x", "schema": {"not": {}}}}),
                         ("regex", "((((a{1,1000}){1,1000}){1,1000}){1,1000}){1,1000}b" + alternatives[:50000]),
                         ("response_format", {"type": "json_schema", "json_schema": {"name": "x", "schema": {
                             "allOf": [{"anyOf": [{"minimum": i}, {"maximum": -i}]} for i in range(1, 40)]}}})):
        begin = time.monotonic()
        status, _, answer = chat(server, **{field: value})
        took = time.monotonic() - begin
        check.expect(400 <= status < 500 and "message" in answer["error"] and took < 1.5,
                     f"{field} = {str(value)[:60]}: {status} in {took:.2f} s")
    status, _, answer = chat(server, messages=[{"role": "user", "content": "word " * 200000}])
    check.expect(status == 400 and answer["error"]["code"] == "context_length_exceeded", f"a prompt that can never fit: {status}")
    for what, data, wanted in (
            ("a giant body", post + b"Content-Length: 99999999999\r\n\r\n", b"413"),
            ("a giant chunk", post + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFF\r\n", b"413"),
            ("two lengths", post + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}", b"400"),
            ("length and chunks", post + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", b"400"),
            ("many headers", post + b"A: b\r\n" * 200 + b"\r\n", b"431"),
            ("a long head", post + b"A: " + b"b" * 40000 + b"\r\n\r\n", b"431"),
            ("a long target", b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"414"),
            ("no HTTP", b"\x16\x03\x01 hello\r\n\r\n", b"400"),
            ("a wrong version", b"GET / HTTP/3.0\r\nHost: x\r\n\r\n", b"505"),
            ("an unknown path", b"GET /etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"404"),
            ("a wrong method", b"DELETE /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"405"),
            ("another site's page", b"GET /factory HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.example\r\n"
             b"Connection: close\r\n\r\n", b"403")):
        answer = server.raw(data)
        check.expect(answer.startswith(b"HTTP/1.1 " + wanted) and b'{"error":' in answer, f"{what}: {answer[:80]}")
    chunked = post + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = server.raw(chunked + b"2\r\n{}\r\n0\r\n\r\n")
    check.expect(b"messages" in answer, "a body in chunks arrives")
    check.expect(server.ask("/health")[0] == 200, "it still stands")


def cancelled(check, server):
    """A client that goes away frees its place within a step."""
    body = json.dumps({"messages": HELLO, "max_tokens": 100000, "ignore_eos": True, "stream": True}).encode()
    for stream in (body, body.replace(b'"stream": true', b'"stream": false')):
        connection = socket.create_connection((server.host, server.port))
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(stream) + stream)
        until = time.monotonic() + 10
        while server.factory()["running"] == 0 and time.monotonic() < until:
            time.sleep(0.001)
        connection.close()
        begin = time.monotonic()
        while server.factory()["running"] != 0 and time.monotonic() < begin + 10:
            time.sleep(0.005)
        check.expect(time.monotonic() - begin < 2, f"a client that is gone: {time.monotonic() - begin:.2f} s")


def overload(check, command, *flags):
    """Far more than fits: what is not taken is refused at once, with a word when to come again."""
    with serving(command, *flags, "--parallel", "1", "--queue", "1") as server:
        outcome = []

        def one():
            begin = time.monotonic()
            try:
                status, headers, _ = chat(server, max_tokens=200, ignore_eos=True, temperature=1)
                outcome.append((status, time.monotonic() - begin, headers.get("Retry-After")))
            except OSError as problem:
                outcome.append((0, time.monotonic() - begin, str(problem)))

        threads = [threading.Thread(target=one) for _ in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        taken = [each for each in outcome if each[0] == 200]
        refused = [each for each in outcome if each[0] == 503]
        check.expect(taken and refused and len(taken) + len(refused) == 40, f"overload: {outcome}")
        check.expect(all(seconds < 2 and wait for _, seconds, wait in refused), f"refused at once: {refused}")
        check.expect(chat(server)[0] == 200, "and then it works again")
    with serving(command, *flags, "--connections", "2") as server:
        held = [socket.create_connection((server.host, server.port)) for _ in range(2)]
        time.sleep(0.3)
        check.expect(server.raw(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 503"), "too many connections")
        for each in held:
            each.close()
        time.sleep(0.5)
        check.expect(server.ask("/health")[0] == 200, "half-open connections hold nothing once they are closed")


def keys(check, command, *flags):
    with serving(command, *flags, "--api-key", "alice=secret", "--api-key", "bob=other", "--requests-per-minute", "2") as server:
        alice = {"Authorization": "Bearer secret"}
        check.expect(chat(server)[0] == 401 and server.ask("/v1/models")[0] == 401, "no key")
        check.expect(server.ask("/v1/models", headers={"Authorization": "Bearer wrong"})[0] == 401, "a wrong key")
        check.expect(server.ask("/health")[0] == 200, "health needs none")
        body = {"messages": HELLO, "max_tokens": 1}
        found = [server.ask("/v1/chat/completions", body, alice) for _ in range(3)]
        check.expect([each[0] for each in found] == [200, 200, 429], f"a quota: {[each[0] for each in found]}")
        check.expect(int(found[2][1]["Retry-After"]) > 0 and found[2][2]["error"]["type"] == "rate_limit_error", "and when")
        bob = {"Authorization": "Bearer other"}
        check.expect(server.ask("/v1/chat/completions", body, bob)[0] == 200, "each key has its own")
        server.end()
        server.log.seek(0)
        log = server.log.read()
        lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        check.expect(any(line["client"] == "alice" and line["route"] == "/v1/chat/completions" and line["status"] == 200 and
                         line["generated_tokens"] == 1 for line in lines), "a line in the log")
        check.expect("secret" not in log and "Hello" not in log, "no keys and no texts in the log")


def ends(check, command, *flags):
    """Told to stop, it finishes what has begun, and cancels what takes too long."""
    for drain, wanted in (("20", "length"), ("0.2", None)):
        server = Server(command, *flags, "--drain", drain)
        outcome = []
        most = 60 if wanted else 200000
        ask = threading.Thread(target=lambda: outcome.append(chat(server, max_tokens=most, ignore_eos=True, temperature=1)))
        ask.start()
        until = time.monotonic() + 10
        while server.factory()["running"] == 0 and ask.is_alive() and time.monotonic() < until:
            time.sleep(0.002)
        begin = time.monotonic()
        code = server.end(signal.SIGTERM if wanted else signal.SIGINT)
        ask.join()
        check.expect(code == 0 and time.monotonic() - begin < 15, f"it stops with 0: {code}")
        if wanted:
            check.expect(outcome[0][2]["choices"][0]["finish_reason"] == wanted, "what had begun was finished")


def killed_saves(check, command, folder):
    """kill -9 at some moment of a save: the next start finds the old prefixes or the new ones, whole, and no heap of leftovers."""
    place = Path(folder) / "prefixes"
    place.mkdir()
    flags = ["--ctx", "8192", "--cache-tokens", "65536", "--prefix-cache", str(place / "cache")]
    ended = 0
    for i in range(12):
        server = Server(command, *flags)
        server.log.seek(0)
        log = server.log.read()
        check.expect("note:" not in log and ("tokens of prompts" in log) == (place / "cache").exists(), f"it starts with whole prefixes: {log}")
        for part in range(4):
            check.expect(chat(server, messages=[{"role": "user", "content": f"{i} {part} " + "word " * 1000}], max_tokens=1)[0] == 200,
                         "it answers")
        server.process.send_signal(signal.SIGTERM)
        if i:
            time.sleep(0.002 * i)
            ended += server.process.poll() is not None
            server.process.kill()
        server.process.wait()
        left = [each.name for each in place.iterdir()]
        check.expect("cache" in left and len(left) <= 2, f"the cache, and what the killed one left: {left}")
    print(f"of 11 servers that were killed, {ended} had saved and ended before")
    with serving(command, *flags) as server:
        check.expect(chat(server)[0] == 200, "and works")
    check.expect([each.name for each in place.iterdir()] == ["cache"], "nothing is left behind")


def client(check, server):
    """The official client of the interface."""
    with openai.OpenAI(base_url=f"http://{server.host}:{server.port}/v1", api_key="none", max_retries=0) as api:
        model = api.models.list().data[0].id
        ask = {"model": model, "messages": HELLO, "max_tokens": 8}
        answer = api.chat.completions.create(**ask, temperature=0, logprobs=True, top_logprobs=2, seed=1)
        check.expect(answer.usage.completion_tokens == 8 and answer.choices[0].logprobs.content[0].logprob < 0, "openai: chat")
        text = "".join(chunk.choices[0].delta.content or "" for chunk in
                       api.chat.completions.create(**ask, temperature=0, stream=True))
        check.expect(text == answer.choices[0].message.content, "openai: streaming")
        stop = next(c for c in text[1:] if c.isascii())
        short = api.chat.completions.create(**ask, temperature=0, stop=[stop]).choices[0]
        check.expect(stop not in short.message.content and short.finish_reason == "stop", "openai: stop")
        schema = {"type": "object", "properties": {"good": {"type": "boolean"}, "kind": {"enum": ["a", "b"]}},
                  "required": ["good", "kind"], "additionalProperties": False}
        answer = api.chat.completions.create(**{**ask, "max_tokens": 100}, response_format={
            "type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}})
        made = json.loads(answer.choices[0].message.content)
        check.expect(isinstance(made["good"], bool) and made["kind"] in ("a", "b"), "openai: json_schema")
        tool = {"type": "function", "function": {"name": "look", "parameters": schema}}
        answer = api.chat.completions.create(**{**ask, "max_tokens": 100}, tools=[tool], tool_choice="required")
        call = answer.choices[0].message.tool_calls[0]
        check.expect(call.function.name == "look" and json.loads(call.function.arguments)["kind"] in ("a", "b"), "openai: tools")
        parts, chunks = {}, 0
        for chunk in api.chat.completions.create(**{**ask, "max_tokens": 100}, tools=[tool], tool_choice="required", stream=True):
            for piece in (chunk.choices[0].delta.tool_calls or []) if chunk.choices else []:
                into = parts.setdefault(piece.index, {"id": piece.id, "name": piece.function.name, "arguments": ""})
                into["arguments"] += piece.function.arguments
                chunks += 1
        check.expect(list(parts) == [0] and parts[0]["id"] and parts[0]["name"] == "look" and chunks > 2 and
                     json.loads(parts[0]["arguments"])["kind"] in ("a", "b"), f"openai: tools in a stream: {parts}")
        with api.chat.completions.stream(**{**ask, "max_tokens": 100}, tools=[tool], tool_choice="required") as stream:
            call_made = stream.get_final_completion().choices[0].message.tool_calls[0]
        check.expect(call_made.function.name == "look" and json.loads(call_made.function.arguments)["kind"] in ("a", "b"),
                     "openai: tools, put together by the client")
        talk = [*HELLO, answer.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "42"}]
        check.expect(api.chat.completions.create(model=model, messages=talk, max_tokens=2).choices, "openai: a tool's answer")
        check.expect(len(api.embeddings.create(model=model, input=["a", "b"]).data[1].embedding) > 8, "openai: embeddings")
        check.expect(api.completions.create(model=model, prompt="Hello", max_tokens=2).choices[0].text, "openai: completions")
        stream = api.chat.completions.create(model=model, messages=HELLO, max_tokens=100000, stream=True,
                                             extra_body={"ignore_eos": True})
        next(iter(stream))
        stream.close()
        begin = time.monotonic()
        while server.factory()["running"] != 0 and time.monotonic() < begin + 10:
            time.sleep(0.005)
        check.expect(time.monotonic() - begin < 2, "openai: cancel")
        try:
            api.chat.completions.create(**ask, temperature=3)
            check.expect(False, "openai: a wrong value is refused")
        except openai.BadRequestError as problem:
            check.expect(problem.param == "temperature", f"openai: {problem}")


def tiny_model(golden, folder):
    path = model_folder.write(golden, "families", "llama", "gpt2", 400, os.path.join(folder, "tiny"))
    config = Path(path) / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "max_position_embeddings": 100000}))
    (Path(path) / "chat_template.jinja").write_text(TEMPLATE)
    (Path(path) / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|endoftext|>"}))
    return path


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--golden", required=True)
    parser.add_argument("--models", required=True)
    parser.add_argument("program", nargs="+")
    options = parser.parse_args()
    check = Checker()
    with tempfile.TemporaryDirectory() as folder:
        command = [*options.program, "serve", "-m", tiny_model(Path(options.golden), folder)]
        context = ["--ctx", "2048"]
        with serving(command, *context) as server:
            interface(check, server)
            kinds(check, server)
            kinds_together(check, server)
            hostile(check, server)
        with serving(command, "--ctx", "100000") as server:
            cancelled(check, server)
            if openai:
                client(check, server)
            else:
                print("the package openai is not here: left out")
        overload(check, command, *context)
        keys(check, command, *context)
        kind_quotas(check, command, *context)
        killed_saves(check, command, folder)
        ends(check, command, "--ctx", "100000")
    real = real_models.folder(options.models) / real_models.FILES["smollm2"]
    if real.is_file():
        command = [*options.program, "serve", "-m", str(real)]
        with serving(command) as server:
            interface(check, server)
            if openai:
                client(check, server)
    else:
        print(f"{real.name} is not here ({real_models.HOW_TO_GET}): left out")
    print(f"{check.count} checks, {check.failures} failed")
    return 1 if check.failures else 0


if __name__ == "__main__":
    sys.exit(main())
