"""Lines of logs that quote what was erased are overwritten; others, and those that come meanwhile, are as they were."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from turret_api.erasing.erased import Erased
from turret_api.erasing.logs import erase_from_logs
from turret_api.erasing.words import PIECE, Words, words_of
from turret_api.processes.log_lines import Log

TEXT = "Where is\nmy “order” for the zq-canary-71, " + "please? " * 40


def erased(**more: object) -> Erased:
    return Erased(project_id="p", kind="user", values=frozenset(["ada"]), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "is_quoted"),
    [
        (TEXT, True),
        (json.dumps({"error": TEXT}), True),
        (json.dumps({"error": TEXT}, ensure_ascii=False), True),
        (f"ValueError: {TEXT[:60]}", True),
        (f"… {TEXT[100 : 100 + 2 * PIECE]} …", True),
        ("user ada@example.com came", True),
        ("the order of events", False),
        ("ada", False),  # too short to be told from others
        ("please?", False),
    ],
)
def test_what_quotes_a_text_or_an_id_is_found(line: str, is_quoted: bool) -> None:
    words = words_of(erased(user_ids=frozenset(["ada", "ada@example.com"]), texts=frozenset([TEXT, "ok"])))
    assert words.are_in_json([line, "nothing"]) == [is_quoted, False]
    assert words.are_in_bytes([line.encode()]) == [is_quoted]


def test_a_line_is_overwritten_in_place_while_its_file_is_written(tmp_path: Path) -> None:
    log = Log(tmp_path / "logs" / "api.log", "api")
    for n in range(5_000):
        log.write(f"line {n}")
        if n % 1_000 == 500:
            log.write(f"cannot read zq-canary-71 of line {n}")
    output = tmp_path / "dagster" / "storage" / "a-run" / "compute_logs" / "step.err"
    output.parent.mkdir(parents=True)
    output.write_text("before\nValueError: zq-canary-71\nafter")
    with (tmp_path / "logs" / "api.log").open("a") as other:
        assert erase_from_logs(tmp_path, Words(["zq-canary-71"]))[0].n == 6
        other.write('{"message": "after"}\n')
    lines = [json.loads(line) for line in (tmp_path / "logs" / "api.log").read_text().splitlines()]
    assert len(lines) == 5_006 and lines[-1] == {"message": "after"}
    assert [line["message"] for line in lines if not line["message"].startswith("line")] == ["(erased)"] * 5 + ["after"]
    assert {line.get("process") for line in lines[:-1]} == {"api"} and all("at" in line for line in lines[:-1])
    assert output.read_text().split() == ["before", "(erased)", "after"]
    assert erase_from_logs(tmp_path, Words(["zq-canary-71"]))[0].n == 0
