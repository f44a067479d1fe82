"""The OpenAPI 3.1 document, made from the table of routes: what is not in the table does not exist."""

from functools import cache
from typing import Any

import msgspec

from node.api.calls import Route
from node.api.parameters import Parameter
from node.api.refusals import SCHEMA

ABOUT = (
    "Registry, market and verifier of renewable-energy certificates. Reads are final: they answer from "
    "committed blocks alone. An integer whose bound exceeds 2^53 is a string, always; bytes are lower-case hexadecimal."
)


@cache
def openapi_document(version: str) -> bytes:
    """The document as JSON. Imported late, because the table itself names the handler that serves this."""
    from node.api.routes import ROUTES

    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = operation(route)
    document = {
        "openapi": "3.1.0",
        "info": {"title": "wattest node", "version": version, "description": ABOUT},
        "paths": paths,
        "components": {"schemas": {"Refusal": REFUSAL}},
    }
    return msgspec.json.encode(document)


REFUSAL = {
    "type": "object",
    "required": ["schema", "code", "message", "params", "action_index"],
    "properties": {
        "schema": {"const": SCHEMA},
        "code": {"type": "string", "description": "stable; docs/CODES.md lists them"},
        "message": {"type": "string"},
        "params": {"type": "object", "additionalProperties": {"type": "string"}},
        "action_index": {"type": ["integer", "null"], "description": "which action of a transaction was refused"},
    },
}


def operation(route: Route) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "operationId": f"{route.handler.__module__.removeprefix('node.api.')}_{route.handler.__name__}",
        "summary": route.summary,
        "parameters": [
            *(_parameter(parameter, "path") for parameter in route.where),
            *(_parameter(parameter, "query") for parameter in route.query),
        ],
        "responses": {
            str(route.status): {"description": route.summary, **_content(route)},
            "4XX": {
                "description": "refused",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}},
            },
        },
    }
    if route.body is not None:
        shown["requestBody"] = {
            "required": True,
            "description": f"{route.body.shape}; at most {route.body.limit} bytes",
            "content": {media: {} for media in route.body.media},
        }
    return shown


def _parameter(parameter: Parameter, where: str) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": where,
        "required": where == "path" or parameter.required,
        "description": parameter.description,
        "schema": parameter.kind.schema,
    }


def _content(route: Route) -> dict[str, Any]:
    if route.status in (101, 303):
        return {}
    if not route.answer:
        return {"content": {route.produces: {}}}
    names = ["schema", *route.fields]
    schema = {
        "type": "object",
        "required": names,
        "properties": {"schema": {"const": route.answer}, **{name: {} for name in route.fields}},
    }
    return {"content": {route.produces: {"schema": schema}}}
