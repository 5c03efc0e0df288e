"""A field may be called anything: its name goes through every table and breaks none."""

from __future__ import annotations

import json

import pytest

from tests.small_lake import DAYS, PROJECT, bring, planted_rows, put, tables
from turret_pipeline.lake.paths import Lake
from turret_pipeline.semantics.values import field_values
from turret_pipeline.stages import CHECKS

TEXTS = ['say "what"\\', "^text$\n?#/%00"]
ENUMS = [
    'pl"an',
    "back\\slash",
    "tab\t",
    "line\n",
    "^plan$",
    "*",
    "project_id",
    "field",
    "text",
    "a.b",
    "__proto__",
    " ",
]


@pytest.mark.slow
def test_fields_with_odd_names_go_through_the_whole_pipeline(lake: Lake) -> None:
    rows = planted_rows()
    for row in rows:
        sent = json.loads(row["metadata"])
        metadata = dict.fromkeys(TEXTS, sent["prompt"]) | dict.fromkeys(ENUMS, sent["plan"])
        row["metadata"] = json.dumps(metadata, ensure_ascii=False)
    put(lake, DAYS[2], "a", rows)
    bring(lake, until="")
    found = tables(lake)

    assert dict(found["field_types"].select("field", "type").iter_rows()) == dict.fromkeys(
        TEXTS, "text"
    ) | dict.fromkeys(ENUMS, "enum")
    counts = dict(found["messages"]["field"].value_counts().iter_rows())
    assert counts == dict.fromkeys(TEXTS, len(rows))
    assert set(found["topics"]["field"]) == set(found["journey_edges"]["field"]) == set(TEXTS)
    assert set(found["step_values"].select("field", "segment").iter_rows()) == {(t, e) for t in TEXTS for e in ENUMS}
    for name, checks in CHECKS.items():
        for label, check in checks.items():
            assert not check.find(lake, PROJECT, None).n_wrong, (name, label)


def test_values_are_found_under_any_name_in_any_company() -> None:
    names = [*TEXTS, *ENUMS, "é", "absent"]
    metadata = [json.dumps({name: f"{name}!", "other": 1}, ensure_ascii=False) for name in names[:-1]]

    found = field_values(metadata, names)

    assert list(found) == names
    for place, name in enumerate(names):
        assert found[name] == [f"{name}!" if name == names[i] else None for i in range(len(metadata))], place
    assert field_values(metadata, []) == {}
