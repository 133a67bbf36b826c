"""The OpenAPI description of reports, made of the forms that requests are read by."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from speaker.api import Status
from speaker.reported import ReportRequest, ReportStatus

_NAME = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "The report's: vip.toml has it as [report.NAME].",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,64}$"},
}
_ERRORS = {
    "400": "It is of another form, its time is longer than max_ttl, or it drains where that is not taken.",
    "401": "It is not known who asks: no token, certificate or group that vip.toml names.",
    "403": "Who asks may not do that.",
    "404": "There is no such report.",
    "413": "It is too large.",
    "429": "There were too many; report less often.",
    "500": "It could not be recorded; nothing was changed.",
    "503": "Too much is asked at once; try again.",
}


def openapi() -> dict[str, Any]:
    """Return the description (OpenAPI 3.1)."""
    return deepcopy(_description())


@cache
def _description() -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Reports to vip_watchdog",
            "version": "1",
            "description": "Applications say how they are; rules of VIPs ask for it.",
        },
        "security": [{"token": []}, {"certificate": []}],
        "paths": _paths(),
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "certificate": {"type": "mutualTLS"},
            },
            "schemas": {
                **_schemas(ReportRequest),
                **_schemas(ReportStatus),
                **_schemas(Status),
                "Error": {
                    "type": "object",
                    "properties": {"error": {"type": "string"}},
                    "required": ["error"],
                },
            },
        },
    }


def _paths() -> dict[str, Any]:
    return {
        "/v1/status": {
            "get": _operation(
                "What is announced here and why, as vip_mgmt status --json has it.",
                _of("Status"),
                "401", "403", "429", "500", "503",
            )
        },
        "/v1/reports": {
            "get": _operation(
                "The last report of each name.",
                {"type": "array", "items": _of("ReportStatus")},
                "401", "403", "429", "500",
            )
        },
        "/v1/reports/{name}": {
            "parameters": [_NAME],
            "get": _operation(
                "The last report.", _of("ReportStatus"), "401", "403", "404", "429", "500"
            ),
            "put": {
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": _of("ReportRequest")}},
                },
                **_operation(
                    "Report. It is on the disk when this is answered.",
                    _of("ReportStatus"),
                    *_ERRORS,
                ),
            },
        },
    }  # fmt: skip


def _of(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _operation(summary: str, answer: object, *errors: str) -> dict[str, Any]:
    return {
        "summary": summary,
        "responses": {
            "200": {"description": "Done.", "content": {"application/json": {"schema": answer}}},
            **{
                status: {
                    "description": _ERRORS[status],
                    "content": {"application/json": {"schema": _of("Error")}},
                }
                for status in errors
            },
        },
    }


def _schemas(form: type[Any]) -> dict[str, Any]:
    """Return the schemas of a form, and of what it is made of."""
    found = TypeAdapter(form).json_schema(ref_template="#/components/schemas/{model}")
    for each in found["properties"].values():
        for bound in ("gt", "le"):  # of seconds, where a text is written
            each.pop(bound, None)
    return {**found.pop("$defs", {}), form.__name__: found}
