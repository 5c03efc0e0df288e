"""Lists as CSV and Parquet: the rows of the JSON answer, page by page."""

from __future__ import annotations

import io

import polars as pl
import pytest

from tests.read.conftest import Api
from tests.read.test_answers import OF_ONE, ROUTES

LISTS = {
    path: params
    for path, params in ROUTES.items()
    if path not in ("/v1/topics/t_parcel", "/v1/topics/map", "/v1/digest")
}


@pytest.mark.parametrize(("path", "params"), LISTS.items(), ids=list(LISTS))
@pytest.mark.parametrize("key", ["shop:read", "nobody:read"])
def test_a_list_has_the_same_rows_in_every_format(api: Api, path: str, params: dict, key: str) -> None:
    if key == "nobody:read" and path in OF_ONE:
        return
    body = api.get(path, key=key, **params)
    rows = body.get("data", body.get("edges"))
    for form, read in (("csv", pl.read_csv), ("parquet", pl.read_parquet)):
        answer = api.client.get(path, params={**params, "format": form}, headers={"X-API-Key": key})
        assert answer.headers["Content-Type"].startswith(("text/csv", "application/vnd.apache.parquet"))
        found = read(io.BytesIO(answer.content))
        assert found.height == len(rows)
        if rows:
            assert set(found.columns) == set(rows[0])


def test_the_next_page_of_a_file_is_named_in_a_header(api: Api) -> None:
    params = {"format": "parquet", "limit": 10}
    first = api.client.get("/v1/messages", params=params, headers={"X-API-Key": "shop:read"})
    params["cursor"] = first.headers["Next-Cursor"]
    second = api.client.get("/v1/messages", params=params, headers={"X-API-Key": "shop:read"})
    both = pl.concat([pl.read_parquet(io.BytesIO(each.content)) for each in (first, second)])
    assert both["event_id"].n_unique() == both.height == 15
    assert "Next-Cursor" not in second.headers
    assert both.schema["timestamp"] == pl.Datetime("us", "UTC")
