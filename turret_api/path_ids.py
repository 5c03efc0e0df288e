r"""Ids in paths: clients choose ids of sessions and names of fields, and any text may be one.

In a route's path, `{session_id:id}` stands for any text: `/`, line breaks and all (Starlette's `path` ends at a line
break). A client percent-encodes the id as a whole, so that `/v1/sessions/a%2Fb%3Fc` is the session `a/b?c`.
"""

from __future__ import annotations

from starlette.convertors import Convertor, register_url_convertor


class _AnyText(Convertor[str]):
    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


def install() -> None:
    """After this call `{name:id}` in the path of a route stands for any text."""
    register_url_convertor("id", _AnyText())
