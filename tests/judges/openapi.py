#!/usr/bin/env python3
"""Checks recordings of an HR system against the file in which its vendor describes the API.

    openapi.py SPEC KEY [--base /rest/v2] [--ignore PATH] …

SPEC is an OpenAPI 3 or Swagger 2 file (JSON or YAML), KEY a manifest and the folder of its recordings. Of every call that
the manifest may make, SPEC must have the method, the path and the names of the query parameters, and no required one may
lack; every recorded answer must satisfy the schema of the answer. Three things are told apart: what contradicts SPEC (exit
1), fields that SPEC does not name, and nulls where SPEC knows no null, which vendors send all the same. `--ignore PATH` passes
over a path that SPEC does not describe, for instance the login.

Needs jsonschema and pyyaml, which `make tools` puts into target/judges/python.
"""
import argparse
import json
import pathlib
import re
import sys
import tomllib
from urllib.parse import urlsplit

import jsonschema
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """YAML without dates: vendors give examples that are none."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if not tag.endswith(":timestamp")]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class Spec:
    """The vendor's description."""

    def __init__(self, file, base, named=()):
        self.named = {path: names.split("|") for path, names in (one.split("=", 1) for one in named)}
        self.root = yaml.load(pathlib.Path(file).read_text(encoding="utf-8"), Loader)
        self.version = str(self.root.get("openapi") or self.root.get("swagger"))
        bases = [base] if base is not None else self.servers()
        self.bases = sorted({part.rstrip("/") for part in bases} | {""}, key=len, reverse=True)

    def servers(self):
        if self.version.startswith("2"):
            return [self.root.get("basePath", "")]
        return [urlsplit(server["url"]).path for server in self.root.get("servers", [])]

    def follow(self, node):
        seen = 0
        while isinstance(node, dict) and "$ref" in node and seen < 50:
            target = self.root
            for step in node["$ref"].removeprefix("#/").split("/"):
                target = target[step.replace("~1", "/").replace("~0", "~")]
            node, seen = target, seen + 1
        return node

    def operations(self, method, path):
        """The operations that a request may be: one, or those that `--named` tells."""
        found = [self.operation(method, name) for name in self.named.get(path, [path])]
        return [one for one in found if one[1] is not None]

    def operation(self, method, path):
        """The operation of a request, exact paths before templates; with the path as SPEC writes it."""
        found = []
        for template, operations in self.root["paths"].items():
            pattern = re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(template.rstrip("/")))
            for base in self.bases:
                if re.fullmatch(re.escape(base) + pattern, path.rstrip("/")) and method.lower() in operations:
                    found.append((template.count("{"), template, operations))
        if not found:
            return None, None, []
        _, template, operations = min(found, key=lambda one: one[0])
        operation = operations[method.lower()]
        shared = operations.get("parameters", []) + operation.get("parameters", [])
        return template, operation, [self.follow(one) for one in shared]

    def answer(self, operation):
        """The schema of a good answer, as JSON Schema."""
        for status, answer in operation.get("responses", {}).items():
            if not str(status).startswith("2"):
                continue
            answer = self.follow(answer)
            if "schema" in answer:
                return self.plain(answer["schema"], 0)
            for kind, content in answer.get("content", {}).items():
                if "json" in kind and "schema" in content:
                    return self.plain(content["schema"], 0)
        return None

    def plain(self, schema, depth):
        """A schema without references and with nulls as JSON Schema writes them."""
        schema = self.follow(schema)
        if depth > 14 or not isinstance(schema, dict):
            return {}
        kept = {}
        for word, value in schema.items():
            if word == "properties" and isinstance(value, dict):
                kept[word] = {name: self.plain(one, depth + 1) for name, one in value.items()}
            elif word in ("items", "additionalProperties") and isinstance(value, dict):
                kept[word] = self.plain(value, depth + 1)
            elif word in ("allOf", "anyOf", "oneOf"):
                kept[word] = [self.plain(one, depth + 1) for one in value]
            elif word in ("type", "enum", "required") and not (word == "required" and isinstance(value, bool)):
                kept[word] = value
        # A name that is required and described nowhere is a slip of the file.
        if "required" in kept and "properties" in kept:
            kept["required"] = [name for name in kept["required"] if name in kept["properties"]]
        elif "required" in kept:
            del kept["required"]
        if kept.get("oneOf"):
            kept["anyOf"] = kept.pop("oneOf")
        if schema.get("nullable") or schema.get("x-nullable"):
            kept = {"anyOf": [kept, {"type": "null"}]}
        return kept


def unnamed(schema, value, at=""):
    """Fields of an answer that its schema does not name."""
    parts = [schema] + [one for word in ("allOf", "anyOf") for one in schema.get(word, [])]
    parts += [deeper for one in parts[1:] for word in ("allOf", "anyOf") for deeper in one.get(word, [])]
    if isinstance(value, list):
        below = [one["items"] for one in parts if "items" in one]
        for item in value:
            for one in below:
                yield from unnamed(one, item, at + "/*")
    if isinstance(value, dict):
        known = {name: one for part in parts for name, one in part.get("properties", {}).items()}
        if not known or any("additionalProperties" in part for part in parts):
            return
        for name, deeper in value.items():
            if name in known:
                yield from unnamed(known[name], deeper, f"{at}/{name}")
            else:
                yield f"{at}/{name}"


def differences(schema, value):
    """What contradicts the schema, and the nulls it does not know; paths with `*` for the places in lists."""
    wrong, nulls = set(), set()
    for error in jsonschema.Draft202012Validator(schema).iter_errors(value):
        for leaf in leaves(error):
            at = "/" + "/".join("*" if isinstance(step, int) else str(step) for step in leaf.absolute_path)
            if leaf.instance is None:
                nulls.add(at)
            else:
                wrong.add(f"{at}: {leaf.message[:160]}")
    return wrong, nulls


def leaves(error):
    """What is really wrong: below a choice of schemas, what keeps the nearest one from fitting."""
    if error.validator != "anyOf" or not error.context:
        return [error]
    ways = {}
    for one in error.context:
        if not (one.validator == "type" and one.validator_value == "null"):
            ways.setdefault(one.relative_schema_path[0], []).extend(leaves(one))
    return min(ways.values(), key=len, default=[error])


def exchanges(key):
    """Method, path, status and JSON body of the answer of each recorded exchange."""
    folder = ROOT / "tests/fixtures/hr" / key
    for one in tomllib.loads((folder / "contract.toml").read_text(encoding="utf-8")).get("exchange", []):
        method = "post" if "post" in one else "get"
        text = one["inline"] if "inline" in one else (folder / one["answer"]).read_text(encoding="utf-8")
        if one.get("status", 200) < 300 and not str(one.get("answer", "")).endswith((".xml", ".csv")):
            yield method, one[method], json.loads(text)


def requests(key):
    """Method, path and names of the query parameters of each call that the manifest may make."""
    manifest = tomllib.loads((ROOT / "src/connector/manifests" / f"{key}.toml").read_text(encoding="utf-8"))
    employees = manifest.get("employees", {})
    calls = [employees, employees.get("one", {})]
    if "changes" in employees:
        changes = employees["changes"]
        calls.append({**employees, **changes, "query": employees.get("query", {}) | changes.get("query", {})})
    calls += [one for kind in ("lists", "join") for one in manifest.get(kind, {}).values()]
    choices = {name: one["choices"] for name, one in manifest.get("settings", {}).items() if "choices" in one}
    for call in calls:
        method = "post" if "post" in call else "get"
        if method not in call:
            continue
        address = re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: next(iter(choices.get(found[1], {"": "x"}).values())), call[method])
        path = urlsplit(re.sub(r"\{\{.*?\}\}", "x", address)).path
        sent = set(call.get("query", {}))
        page = call.get("page", {})
        if page.get("send") and page.get("in", "query") == "query":
            sent.add(page["send"])
        yield method, path, sent


def judged(spec, method, template, operation, answer):
    """An answer by one operation: contradictions, nulls, unnamed fields."""
    here = f"{method.upper()} {template}"
    schema = spec.answer(operation)
    if schema is None:
        return set(), set(), {f"{here} has no schema for its answer"}
    bad, empty = differences(schema, answer)
    return {f"{here} {one}" for one in bad}, {f"{here} {one}" for one in empty}, {f"{here} {one}" for one in unnamed(schema, answer)}


def main():
    ask = argparse.ArgumentParser()
    ask.add_argument("spec")
    ask.add_argument("key")
    ask.add_argument("--base", help="what precedes the paths of SPEC in the addresses; read from SPEC when not said")
    ask.add_argument("--ignore", action="append", default=[], help="a path that SPEC does not describe")
    ask.add_argument("--named", action="append", default=[], metavar="PATH=NAME|NAME", help="what SPEC calls a path")
    given = ask.parse_args()
    spec = Spec(given.spec, given.base, given.named)
    wrong, nulls, more, seen = set(), set(), set(), 0
    for method, path, sent in requests(given.key):
        if path in given.ignore:
            continue
        found = spec.operations(method, path)
        if not found:
            wrong.add(f"{method.upper()} {path} is not described")
            continue
        template, _, parameters = found[0]
        here = f"{method.upper()} {template}"
        known = {one["name"] for one in parameters if one.get("in") == "query"}
        must = {one["name"] for one in parameters if one.get("in") == "query" and one.get("required")}
        # `name[]` is a list, `name[in]` an operator on `name`.
        wrong |= {f"{here} has no parameter {name}" for name in sent - known if name.split("[")[0] not in known}
        wrong |= {f"{here} wants the parameter {name}" for name in must - sent - {name.split("[")[0] for name in sent}}
    for method, path, answer in exchanges(given.key):
        if path in given.ignore:
            continue
        seen += 1
        found = spec.operations(method, path)
        if not found:
            wrong.add(f"{method.upper()} {path} is not described")
            continue
        tried = [judged(spec, method, template, operation, answer) for template, operation, _ in found]
        best = min(tried, key=lambda one: len(one[0]))
        wrong, nulls, more = wrong | best[0], nulls | best[1], more | best[2]
    for title, lines in (("contradicts the description", wrong), ("is not named by the description", more), ("is null, which the description does not know", nulls)):
        for line in sorted(lines):
            print(f"{title}: {line}")
    info = spec.root.get("info", {})
    print(f"{given.key}: {seen} exchanges against {info.get('title')} {info.get('version')}: {len(wrong)} contradictions, {len(more)} unnamed, {len(nulls)} nulls")
    return 1 if wrong or not seen else 0


if __name__ == "__main__":
    sys.exit(main())
