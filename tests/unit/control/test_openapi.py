"""The OpenAPI description says what the API does: each path, each answer, and the form of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from speaker.control.api_server import CONNECTIONS, Desk
from speaker.control.connections import Connections
from speaker.control.openapi import openapi
from tests.unit.control.test_api_server import APP, LOOK, UP, once, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.fakes.site import Site

DRAIN = {"state": "drain", "ttl": "1m", "reason": "deploy", "weight": 0.7}


def check(form: object, value: object) -> None:
    """Check a value by a schema of the description."""
    schema = {"components": openapi()["components"], "allOf": [form]}
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(value)


def references(found: object) -> Iterator[str]:
    """Yield what a part of the description refers to."""
    if isinstance(found, dict):
        for key, value in found.items():
            yield from [value] if key == "$ref" else references(value)
    elif isinstance(found, list):
        for each in found:
            yield from references(each)


def test_references() -> None:
    """Whatever it refers to is there, and is a schema."""
    schemas = openapi()["components"]["schemas"]
    assert {*references(openapi())} <= {f"#/components/schemas/{name}" for name in schemas}
    for each in schemas.values():
        Draft202012Validator.check_schema(each)


def test_paths(tmp_path: Path) -> None:
    """It has every path that is served, with its methods, but for itself; and no other."""

    def play(site: Site, _: int) -> None:
        application = Desk(site.reconciler).application(Connections(CONNECTIONS))
        routes = {
            (route.resource.canonical, route.method)
            for route in application.router.routes()
            if route.resource is not None and route.method != "HEAD"
        }
        described = {
            (path, method.upper())
            for path, operations in openapi()["paths"].items()
            for method in operations.keys() - {"parameters"}
        }
        assert routes == {*described, ("/v1/openapi.json", "GET")}

    served(tmp_path, play)


@pytest.mark.parametrize(
    ("method", "name", "body", "token", "status"),
    [
        ("PUT", "/shop", UP, APP, 200),
        ("PUT", "/shop", DRAIN, APP, 200),
        ("PUT", "/shop", {**UP, "ttl": "2h"}, APP, 400),
        ("PUT", "/shop", UP, "", 401),
        ("PUT", "/shop", UP, LOOK, 403),
        ("PUT", "/shop", {**UP, "reason": "x" * 5000}, APP, 413),
        ("GET", "/shop", None, LOOK, 200),
        ("GET", "/x", None, LOOK, 404),
        ("GET", "", None, LOOK, 200),
        ("GET", "", None, APP, 403),
        ("GET", "status", None, LOOK, 200),
        ("GET", "status", None, APP, 403),
    ],
)
def test_answers(
    tmp_path: Path, method: str, name: str, body: Any, token: str, status: int
) -> None:
    """Each answer is one that is described, and has the form that it should."""

    def play(_: Site, port: int) -> None:
        target = "/v1/status" if name == "status" else f"/v1/reports{name}"
        found, told, _headers = once(port, method, target, body, token)
        described = target if target in openapi()["paths"] else "/v1/reports/{name}"
        operation = openapi()["paths"][described][method.lower()]
        assert found == status
        check(operation["responses"][str(found)]["content"]["application/json"]["schema"], told)
        if body is not None and found == 200:
            check(operation["requestBody"]["content"]["application/json"]["schema"], body)

    served(tmp_path, play)


@pytest.mark.parametrize(
    "body",
    [
        {"state": "up"},
        {**UP, "state": "UP"},
        {**UP, "ttl": 30},
        {**UP, "ttl": "soon"},
        {**UP, "weight": 1.5},
        {**UP, "reason": "x" * 201},
        {**UP, "more": 1},
    ],
    ids=str,
)
def test_what_is_no_report(body: object) -> None:
    """What is refused for its form is none of the form that is described."""
    schema = {"components": openapi()["components"], "$ref": "#/components/schemas/ReportRequest"}
    assert not Draft202012Validator(schema).is_valid(body)
