"""Runs Okta's SCIM 2.0 spec test, an export of Runscope (Okta-SCIM-20-SPEC-Test.json in okta/okta-developer-docs on
GitHub), against a server that has at least one user with names and an address. Prints what failed and the count.

    okta.py Okta-SCIM-20-SPEC-Test.json http://127.0.0.1:8080/scim/v2 TOKEN

Assertions are those of the file; pauses are skipped, and so are its scripts, which only write to a log.
"""
import json
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

path, base, token = sys.argv[1:]
tag = uuid.uuid4().hex[:8]
name = f"Runscope{tag}@nimbus.test"
variables = {
    "SCIMBaseURL": base, "auth": f"Bearer {token}", "InvalidUserEmail": f"nobody{tag}@nimbus.test",
    "UserIdThatDoesNotExist": str(uuid.uuid4()), "randomEmail": name, "randomUsername": name,
    "randomUsernameCaps": name.upper(), "randomGivenName": "Ada", "randomFamilyName": f"Brook{tag}",
}


def filled(text):
    return re.sub(r"\{\{(\w+)\}\}", lambda found: str(variables[found[1]]), text)


def at(value, place):
    for step in re.findall(r"[^.\[\]]+", place):
        value = value[int(step)] if isinstance(value, list) else value[step]
    return value


def send(step):
    url = filled(step["url"])
    head, _, query = url.partition("?")
    url = head + ("?" + urllib.parse.quote(query, safe="=&") if query else "")
    headers = {key: filled(values[0]) for key, values in step["headers"].items()}
    body = filled(step["body"]).encode() if step.get("body") else None
    request = urllib.request.Request(url, body, headers, method=step["method"])
    start = time.monotonic()
    try:
        with urllib.request.urlopen(request) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
    return status, json.loads(text or b"null"), (time.monotonic() - start) * 1000


def holds(assertion, status, body, took):
    source, how = assertion["source"], assertion["comparison"]
    wanted = filled(assertion["value"]) if assertion["value"] is not None else None
    if source == "response_status":
        found = status
    elif source == "response_time":
        found = took
    elif source == "response_json":
        try:
            found = at(body, assertion["property"])
        except (KeyError, IndexError, TypeError):
            return False
    else:
        raise SystemExit(f"unknown source {source}")
    if how == "equal_number":
        return float(found) == float(wanted)
    if how == "equal":
        return (json.dumps(found) if isinstance(found, (bool, int)) else found) == wanted
    if how == "not_empty":
        return found not in (None, "", [], {})
    if how in ("has_value", "contains"):
        return wanted in found
    if how == "is_a_number":
        return isinstance(found, (int, float)) and not isinstance(found, bool)
    if how == "is_less_than":
        return float(found) < float(wanted)
    raise SystemExit(f"unknown comparison {how}")


passed = count = 0
for step in json.load(open(path))["steps"]:
    if step["step_type"] != "request":
        continue
    status, body, took = send(step)
    for assertion in step["assertions"]:
        count += 1
        if holds(assertion, status, body, took):
            passed += 1
        else:
            print("FAILED", step["note"], assertion, status, json.dumps(body)[:500])
    for variable in step["variables"]:
        variables[variable["name"]] = at(body, variable["property"])
print(f"assertions {passed} of {count}")
sys.exit(passed != count)
