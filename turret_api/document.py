"""The OpenAPI document, made to tell what is true: bad input is answered 400 in the contract's shape, never 422."""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from turret_api import errors
from turret_api.collector.document import SCHEMAS

_ERROR_CONTENT = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
_READ_ERRORS = {
    "404": "Not there, or not in this project",
    "503": "Takes too long, or too much is asked at once; see the header Retry-After",
}
_ERROR = {
    "type": "object",
    "required": ["success", "error", "code"],
    "properties": {
        "success": {"const": False},
        "error": {"type": "string", "description": "what is wrong and what to do, one sentence"},
        "code": {
            "enum": [
                errors.INVALID_API_KEY,
                errors.MISSING_REQUIRED_FIELD,
                errors.INVALID_REQUEST,
                errors.TEXT_TOO_LONG,
                errors.RATE_LIMIT_EXCEEDED,
                errors.SERVICE_UNAVAILABLE,
                errors.INTERNAL_ERROR,
            ]
        },
        "field": {"type": "string", "description": "the key at fault"},
        "retry_at": {
            "type": ["string", "null"],
            "format": "date-time",
            "description": "when the plan has room again; null: no time brings room, only another plan",
        },
        "ended_at": {"type": "string", "format": "date-time", "description": "when the trial ended"},
        "limit": {"type": "integer"},
        "used": {"type": "integer"},
    },
}


class DocumentedAPI(FastAPI):
    """An application whose document names its errors as they are."""

    def openapi(self) -> dict[str, Any]:
        """Return the document, made at the first call."""
        if self.openapi_schema is None:
            made = get_openapi(title=self.title, version=self.version, description=self.description, routes=self.routes)
            for path, item in made.get("paths", {}).items():
                for method, operation in item.items():
                    _name_errors(path, method, operation)
            _name_operations(made)
            schemas = made.setdefault("components", {}).setdefault("schemas", {})
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            schemas |= {"Error": _ERROR, **SCHEMAS}
            self.openapi_schema = made
        return self.openapi_schema


def _name_operations(document: dict[str, Any]) -> None:
    """Call operations like their functions, where that is one: functions of generated clients have these names."""
    by_name: dict[str, list[dict[str, Any]]] = {}
    for path, item in document.get("paths", {}).items():
        for method, operation in item.items():
            name = operation["operationId"].removesuffix(re.sub(r"\W", "_", path) + f"_{method}")
            by_name.setdefault(name, []).append(operation)
    for name, operations in by_name.items():
        if len(operations) == 1:
            operations[0]["operationId"] = name


def _name_errors(path: str, method: str, operation: dict[str, Any]) -> None:
    responses = operation.get("responses", {})
    if responses.pop("422", None) is not None:
        responses.setdefault("400", {"description": "Bad request", "content": _ERROR_CONTENT})
    if operation.get("security"):
        responses.setdefault("401", {"description": "No valid key", "content": _ERROR_CONTENT})
    if path.startswith("/v1/"):
        for status, words in _READ_ERRORS.items():
            responses.setdefault(status, {"description": words, "content": _ERROR_CONTENT})
        if method == "get":
            responses.setdefault("304", {"description": "As it was; see the header If-None-Match"})
