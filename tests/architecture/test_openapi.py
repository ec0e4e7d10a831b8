"""The OpenAPI document against the code: the same addresses, the same codes, the same states."""

import ast
import json
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from engine.line.front.states import LineState
from engine.orders.states import State
from engine.web.problems import PROBLEMS, Code

ENGINE = Path(__file__).resolve().parents[2] / "engine"
DOCUMENT: dict[str, Any] = json.loads((ENGINE / "web" / "openapi.json").read_bytes())
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
BEYOND_OPERATIONS = {"UNKNOWN_ROUTE", "METHOD_NOT_ALLOWED"}  # answers of addresses and methods that are not there


def routes_in_code() -> set[tuple[str, str]]:
    """Every `Route("METHOD", "/pattern", ...)` that any room makes; the simulator is somebody else's server."""
    found = set()
    for file in set(ENGINE.rglob("*.py")) - set((ENGINE / "simulator").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Route":
                method, pattern = (argument for argument in node.args[:2])
                assert isinstance(method, ast.Constant), f"{file}: a route's method is written out"
                assert isinstance(pattern, ast.Constant), f"{file}: a route's pattern is written out"
                found.add((str(method.value), str(pattern.value)))
    return found


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method in METHODS & item.keys():
            yield method.upper(), path, item[method]


def problems_of(operation: dict[str, Any]) -> Iterator[tuple[int, str]]:
    """(status, code) of every problem an operation documents."""
    for status, response in operation["responses"].items():
        whole = resolved(response)
        schema = whole.get("content", {}).get("application/problem+json", {}).get("schema")
        if schema is not None:
            narrowed = schema["allOf"][1]["properties"]
            assert narrowed["status"]["const"] == int(status)
            for code in narrowed["code"]["enum"]:
                yield int(status), code


def resolved(node: dict[str, Any]) -> Any:
    if "$ref" not in node:
        return node
    found: Any = DOCUMENT
    for part in node["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_routes_in_code_are_the_paths_of_the_document() -> None:
    assert {(method, path) for method, path, _ in operations()} == routes_in_code()


def test_codes_in_code_are_the_codes_of_the_document() -> None:
    assert DOCUMENT["components"]["schemas"]["Code"]["enum"] == [code.value for code in Code]


def test_states_in_code_are_the_states_of_the_document() -> None:
    assert DOCUMENT["components"]["schemas"]["OrderState"]["enum"] == [state.value for state in State]


def test_states_of_the_line_in_code_are_those_of_the_document() -> None:
    assert DOCUMENT["components"]["schemas"]["LineState"]["enum"] == [state.value for state in LineState]


def test_every_code_is_documented_under_its_own_status() -> None:
    documented = {code: status for _, _, operation in operations() for status, code in problems_of(operation)}
    statuses = {code.value: problem.status for code, problem in PROBLEMS.items()}
    assert documented == {code: status for code, status in statuses.items() if code not in BEYOND_OPERATIONS}


def test_every_operation_can_be_unavailable_and_says_how_long_to_wait() -> None:
    for method, path, operation in operations():
        headers = resolved(operation["responses"]["503"])["headers"]
        assert headers["Retry-After"]["$ref"] == "#/components/headers/RetryAfter", (method, path)


def test_every_operation_is_named_once_and_explained() -> None:
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(ids) == len(set(ids))
    tags = {tag["name"] for tag in DOCUMENT["tags"]}
    for method, path, operation in operations():
        assert operation["summary"], (method, path)
        assert operation["description"], (method, path)
        assert set(operation["tags"]) <= tags, (method, path)
        assert "security" in operation, (method, path)


def test_examples_of_problems_are_what_the_code_answers() -> None:
    for name, response in DOCUMENT["components"]["responses"].items():
        for code, example in response["content"]["application/problem+json"]["examples"].items():
            problem = PROBLEMS[Code(code)]
            assert example["value"]["title"] == problem.english, name
            assert example["value"]["status"] == problem.status, name
            assert example["value"].get("retry_after_ms") == problem.retry_after_ms, name


def test_statuses_are_those_of_http() -> None:
    for _, _, operation in operations():
        assert {HTTPStatus(int(status)) for status in operation["responses"]}


@pytest.mark.parametrize("kind", ["schemas", "parameters", "headers", "responses"])
def test_every_part_is_used_and_every_reference_leads_somewhere(kind: str) -> None:
    used = {name.rsplit("/", 1)[1] for name in references(DOCUMENT) if name.split("/")[2] == kind}
    beyond = {"UnknownRoute", "MethodNotAllowed"} if kind == "responses" else set()
    assert used | beyond == set(DOCUMENT["components"][kind])
