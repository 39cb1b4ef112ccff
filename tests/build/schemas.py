"""Texts written under JSON Schemas are valid under the package jsonschema.

The schemas are those of the JSON Schema test suite (draft 2020-12), as the source distribution of jsonschema carries it: its
folder json/tests/draft2020-12, which TOKENWORKS_SCHEMA_SUITE names. Without that a few of our own are checked; without
jsonschema the test is skipped.
"""

import decimal
import json
import os
import re
import subprocess
import sys
from pathlib import Path

SKIP = 77

OWN = [
    {},
    {"type": "object", "properties": {"a": {"type": "string", "maxLength": 5}, "b": {"enum": [1, "x", None]}}, "required": ["a"]},
    {"type": "array", "prefixItems": [{"const": 1}, {"type": "string", "format": "date"}], "items": False, "minItems": 1},
    {"type": "object", "patternProperties": {"^x": {"type": "integer"}}, "additionalProperties": False, "maxProperties": 2},
    {"$ref": "#/$defs/n", "$defs": {"n": {"type": "object", "required": ["v", "n"], "properties": {
        "v": {"type": "number", "exclusiveMinimum": 0.5, "maximum": 2}, "n": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/n"}]}}}}},
    {"type": "string", "pattern": "^[a-c]+\\W", "minLength": 2, "maxLength": 9},
    {"type": "integer", "multipleOf": 7, "minimum": -100},
    {"oneOf": [{"type": "boolean"}, {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1}]},
]


def is_multiple(problem):
    """jsonschema divides in binary floating point: 0.3 is no multiple of 0.1 there."""
    if problem.validator != "multipleOf":
        return False
    return decimal.Decimal(repr(problem.instance)) % decimal.Decimal(repr(problem.validator_value)) == 0


def main():
    try:
        from jsonschema import Draft202012Validator as Validator
    except ImportError:
        print("skipped: no jsonschema")
        return SKIP
    schemas = list(OWN)
    suite = os.environ.get("TOKENWORKS_SCHEMA_SUITE")
    if suite:
        for path in sorted(Path(suite).rglob("*.json")):
            schemas += [group["schema"] for group in json.loads(path.read_text(encoding="utf-8"))]
    else:
        print("TOKENWORKS_SCHEMA_SUITE is not set: own schemas alone")
    lines = "".join(json.dumps(schema, ensure_ascii=False) + "\n" for schema in schemas)
    done = subprocess.run(sys.argv[1:], input=lines.encode(), stdout=subprocess.PIPE, check=True, timeout=500)
    blocks = done.stdout.decode().split("\n.\n")
    texts = refused = failed = unjudged = 0
    for schema, block in zip(schemas, blocks):
        made = [line for line in block.split("\n") if line and line != "."]
        if made and made[0].startswith("!") and len(made) == 1:
            refused += 1
            continue
        validator = Validator(schema, format_checker=Validator.FORMAT_CHECKER)
        for text in made:
            texts += 1
            try:
                problems = [p for p in validator.iter_errors(json.loads(text)) if not is_multiple(p)]
            except re.error:  # a pattern that Python does not read
                unjudged += 1
                continue
            if problems:
                failed += 1
                print(f"FAILED: {json.dumps(schema)}: {text}: {problems[0].message}")
    print(f"{len(schemas)} schemas, {refused} refused, {texts} texts, {unjudged} unjudged, {failed} not valid")
    return 1 if failed or texts == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
