"""Answers under JSON Schemas, each judged by the package jsonschema: so many schemas, so many answers each, of a real model.

    bench/schema_trial.py --url http://127.0.0.1:8080 --suite jsonschema-4.26.0/json/tests/draft2020-12
    bench/schema_trial.py --program build/bin/tokenworks -m MODEL.gguf --suite …       without a server, a process an answer

The schemas: those of OWN below, and others out of the JSON Schema test suite (draft 2020-12) that the source distribution of
jsonschema carries; which of them, and the seed of every answer, follow from --seed. A schema that is refused, since it cannot be
enforced, is replaced by another one and counted. An answer that --most tokens cut is no JSON yet; it is counted, and asked for
again with another seed. All others must be valid: exit code 1 where one is not.
Needs jsonschema (with its format checkers where they are there); the standard library apart from that.
"""

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jsonschema import Draft202012Validator as Validator

TEXT = {"type": "string", "maxLength": 30}


def form(required=None, more=False, **properties):
    return {"type": "object", "properties": properties, "required": list(properties) if required is None else required,
            "additionalProperties": more}


OWN = [
    form(name=TEXT, age={"type": "integer", "minimum": 0, "maximum": 130}),
    form(city=TEXT, country=TEXT, people={"type": "integer", "minimum": 0}),
    form(title=TEXT, year={"type": "integer", "minimum": 1888, "maximum": 2030}, genres={"type": "array", "maxItems": 3, "items": {
        "enum": ["drama", "comedy", "horror", "western"]}}),
    form(date={"type": "string", "format": "date"}, time={"type": "string", "format": "time"}),
    form(mail={"type": "string", "format": "email", "maxLength": 40}, id={"type": "string", "format": "uuid"}),
    form(host={"type": "string", "format": "ipv4"}, port={"type": "integer", "minimum": 1, "maximum": 65535}),
    form(answer={"type": "boolean"}, why={"type": "string", "minLength": 1, "maxLength": 60}),
    form(required=["x"], x={"type": "number"}, y={"type": "number"}, label=TEXT),
    {"enum": ["red", "green", "blue", None, 7, {"mixed": [1, 2]}]},
    {"const": {"status": "ok", "codes": [200, 204]}},
    {"type": "array", "items": {"type": "integer", "minimum": -5, "maximum": 5}, "minItems": 2, "maxItems": 8},
    {"type": "array", "prefixItems": [TEXT, {"type": "integer"}, {"type": "boolean"}], "items": False, "minItems": 3},
    {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{4}$"},
    {"type": "string", "pattern": "^(mon|tues|wednes|thurs|fri|satur|sun)day$"},
    {"type": "string", "minLength": 3, "maxLength": 12},
    {"type": "integer", "multipleOf": 25, "minimum": 0, "maximum": 1000},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    {"anyOf": [form(cat=TEXT), form(dog=TEXT), {"type": "null"}]},
    {"oneOf": [form(kind={"const": "circle"}, radius={"type": "number", "minimum": 0}),
               form(kind={"const": "square"}, side={"type": "number", "minimum": 0})]},
    {"$defs": {"person": form(required=["name"], name=TEXT, boss={"anyOf": [{"type": "null"}, {"$ref": "#/$defs/person"}]})},
     "$ref": "#/$defs/person"},
    {"$defs": {"point": {"type": "array", "prefixItems": [{"type": "number"}, {"type": "number"}], "items": False, "minItems": 2}},
     "type": "array", "items": {"$ref": "#/$defs/point"}, "minItems": 1, "maxItems": 4},
    {"type": "object", "patternProperties": {"^k[0-9]$": {"type": "integer"}}, "additionalProperties": False, "minProperties": 1,
     "maxProperties": 3},
    {"type": "object", "additionalProperties": {"type": "boolean"}, "maxProperties": 4},
    {"allOf": [{"type": "integer", "minimum": 10}, {"maximum": 20}]},
    form(order=form(item=TEXT, count={"type": "integer", "minimum": 1, "maximum": 99}), paid={"type": ["boolean", "null"]}),
]


def suite_schemas(folder):
    """Every schema of the suite that is an object: some of its files hold schemas of other documents, which are refused later."""
    found = []
    for path in sorted(Path(folder).rglob("*.json")):
        for group in json.loads(path.read_text(encoding="utf-8")):
            if isinstance(group["schema"], dict):
                found.append(group["schema"])
    return found


class Refused(Exception):
    pass


class Server:
    """Asks a server with OpenAI's interface."""

    def __init__(self, url, options):
        self.url, self.options = url.rstrip("/") + "/v1/chat/completions", options
        with urllib.request.urlopen(url.rstrip("/") + "/v1/models", timeout=60) as told:
            self.model = json.loads(told.read())["data"][0]["id"]

    def answer(self, schema, prompt, seed):
        body = {"model": self.model, "messages": [{"role": "user", "content": prompt}], "seed": seed, "max_tokens": self.options.most,
                "temperature": self.options.temperature,
                "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}}
        ask = urllib.request.Request(self.url, json.dumps(body).encode(), {"Content-Type": "application/json"})
        for _ in range(100):
            try:
                with urllib.request.urlopen(ask, timeout=300) as told:
                    choice = json.loads(told.read())["choices"][0]
                return choice["message"]["content"], choice["finish_reason"]
            except urllib.error.HTTPError as problem:
                if problem.code != 503:
                    raise Refused(problem.read().decode("utf-8", "replace")[:300]) from None
                time.sleep(0.2)
        raise RuntimeError("the server is always full")


class Program:
    """Runs the program once for each answer."""

    def __init__(self, program, options):
        self.command = [program, "generate", "-m", options.m, "--chat", "--json", "--temp", str(options.temperature),
                        "-n", str(options.most), "-t", "1"]

    def answer(self, schema, prompt, seed):
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
            json.dump(schema, file)
            file.flush()
            done = subprocess.run([*self.command, "-p", prompt, "--seed", str(seed), "--json-schema", file.name], capture_output=True, check=False)
        if done.returncode != 0:
            raise Refused(done.stderr.decode("utf-8", "replace")[:300])
        told = json.loads(done.stdout)
        return told["text"], told["finish_reason"]


def is_multiple(problem):
    """jsonschema divides in binary floating point: 0.3 is no multiple of 0.1 there."""
    return problem.validator == "multipleOf" and float(repr(problem.instance)) % problem.validator_value < 1e-9


class Trial:
    def __init__(self, asked, options):
        self.asked, self.options = asked, options
        self.refused, self.valid, self.cut, self.tokens = [], 0, 0, 0
        self.wrong = []

    def judge(self, schema, text):
        """What is wrong with a text, or nothing."""
        try:
            value = json.loads(text)
        except ValueError as problem:
            return f"no JSON: {problem}"
        try:
            problems = list(Validator(schema, format_checker=Validator.FORMAT_CHECKER).iter_errors(value))
        except re.error:
            return None  # a pattern that Python does not read: not judged, as tests/build/schemas.py does it
        problems = [each for each in problems if not is_multiple(each)]
        return problems[0].message if problems else None

    def one(self, schema, seed):
        prompt = f"Write JSON that is valid under this JSON Schema, and nothing else: {json.dumps(schema)}"[:800]
        for attempt in range(self.options.attempts):
            text, reason = self.asked.answer(schema, prompt, seed + 1_000_003 * attempt)
            if reason == "stop":
                return text, attempt, self.judge(schema, text)
        return None, self.options.attempts, None

    def schema(self, schema, each, seed):
        """All answers of one schema. False where it was refused."""
        try:
            self.asked.answer(schema, "x", 0)
        except Refused as problem:
            self.refused.append((schema, str(problem)))
            return False
        with ThreadPoolExecutor(self.options.parallel) as pool:
            for text, cut, problem in pool.map(lambda i: self.one(schema, seed + i), range(each)):
                self.cut += cut
                if problem:
                    self.wrong.append((schema, text, problem))
                elif text is not None:
                    self.valid += 1
        return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--url")
    parser.add_argument("--program")
    parser.add_argument("-m", metavar="MODEL")
    parser.add_argument("--suite", help="the folder tests/draft2020-12 of the suite; without it, own schemas alone")
    parser.add_argument("--schemas", type=int, default=50)
    parser.add_argument("--answers", type=int, default=20, help="of each schema")
    parser.add_argument("--most", type=int, default=160, help="tokens of an answer")
    parser.add_argument("--attempts", type=int, default=8, help="at an answer that is not cut")
    parser.add_argument("--parallel", type=int, default=8)
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if bool(options.url) == bool(options.program) or (options.program and not options.m):
        parser.error("either --url, or --program with -m")
    trial = Trial(Server(options.url, options) if options.url else Program(options.program, options), options)
    draw = random.Random(options.seed)
    others = suite_schemas(options.suite) if options.suite else []
    draw.shuffle(others)
    begin, used, own = time.monotonic(), 0, 0
    for i, schema in enumerate(OWN + others):
        if used == options.schemas:
            break
        if trial.schema(schema, options.answers, draw.randrange(1 << 30)):
            used += 1
            own += i < len(OWN)
            print(f"{used} schemas, {trial.valid} valid, {len(trial.wrong)} not, {trial.cut} cut", file=sys.stderr)
        elif i < len(OWN):
            trial.wrong.append((schema, "", "refused: " + trial.refused[-1][1]))
    for schema, text, problem in trial.wrong:
        print(f"NOT VALID: {json.dumps(schema)}: {text}: {problem}")
    print(f"{used} schemas ({own} own, {used - own} of the suite; {len(trial.refused)} others refused), {trial.valid} answers valid, "
          f"{len(trial.wrong)} not, {trial.cut} cut at {options.most} tokens and asked for again, "
          f"{used * options.answers - trial.valid - len(trial.wrong)} never whole; {time.monotonic() - begin:.0f} s")
    return 1 if trial.wrong or not trial.valid else 0


if __name__ == "__main__":
    sys.exit(main())
