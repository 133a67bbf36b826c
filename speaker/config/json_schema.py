"""The form of vip.toml for editors: a JSON schema of what a person writes, made of the tables that it is read by."""

from __future__ import annotations

from typing import Any

from speaker.config.schema import Document

_NOT_SHOWN = frozenset({"title", "default", "ge", "le"})
"""What pydantic says of values as the program has them, in seconds and parts, and not as they are written."""


def json_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12).

    It refuses no file that vip.toml may be. What keys mean together only `vip_mgmt check` tells.
    """
    found: dict[str, Any] = _shown(Document.model_json_schema())
    # What a word stands for beside the table; pydantic can't be told of both in every version.
    tables = found["$defs"]
    addresses = tables["VipTable"]["properties"]["addresses"]
    addresses["items"] = {"anyOf": [{"type": "string"}, addresses["items"]]}
    tables["HealthTable"]["properties"]["damping"]["anyOf"].append({"type": "boolean"})
    # $VIP_DC may name the data centre.
    tables["NodeTable"].pop("required", None)
    found["required"] = [name for name in found["required"] if name != "node"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "vip.toml", **found}


def _shown(value: Any) -> Any:
    """Return a schema without what is of no use to who writes; names of keys stay, whatever they are."""
    if isinstance(value, list):
        return [_shown(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: {name: _shown(each) for name, each in inner.items()}
        if key in {"properties", "$defs"}
        else _shown(inner)
        for key, inner in value.items()
        if key not in _NOT_SHOWN
    }
