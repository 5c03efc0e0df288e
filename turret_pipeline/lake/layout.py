"""The layout of a lake: one number that says by which version's rules its tables are laid out, and how it grows.

`layout.json` bears the number. A lake with tables and without the file is of a version before there were numbers: 0.
With each change of a declared table, or of what is stored beside the tables, `LAYOUT` grows by one. `plan` says what an
older lake lacks, and `upgrade` does it, table by table:

- columns that may be null are added where they are missing: rows, marks and versions stay;
- a table that differs in any other way is removed, and the next build makes it anew from what is upstream, and by its
  new marks also what follows from it;
- a table whose rows no build makes again (`Table.is_kept`) is never removed: if added columns do not do, nothing at all
  is done, and a person is told.

    older ── upgrade writes down what it will remove ──▶ under way ── done ──▶ of this layout
                                                             └── killed: the next upgrade goes on

No reader or writer may use the lake meanwhile. Raw events are the same in every layout.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import deltalake
import msgspec
import polars as pl
import pyarrow as pa
from deltalake.exceptions import DeltaError

from turret_pipeline import failpoint
from turret_pipeline.lake import files, handles, heads, store, sums
from turret_pipeline.lake.damage import DamageError
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import TABLES, Table

LAYOUT = 7
"""The layout that this version reads and writes."""


class _Mark(msgspec.Struct, omit_defaults=True):
    """What `layout.json` says: the layout, the tables that an upgrade under way removes, and whose version wrote it."""

    layout: int = 0
    removing: tuple[str, ...] = ()
    turret: str = ""


class LayoutError(Exception):
    """The lake cannot be used by this version of Turret; the message says why and what to do."""


@dataclass(frozen=True)
class Plan:
    """What it takes to bring a lake to `LAYOUT`.

    Args:
        is_current: whether the lake has that layout, and nothing is to be done.
        added: columns to add, by table.
        removed: tables to remove, which the next build makes anew.
        obstacles: why the lake cannot be brought there, a sentence each; nothing may be done while there is one.
    """

    is_current: bool = False
    added: tuple[tuple[Table, tuple[str, ...]], ...] = ()
    removed: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()


def plan(lake: Lake) -> Plan:
    """Return what it takes to bring the lake to `LAYOUT`; changes nothing. Of a current lake only one file is read.

    Raise `OSError` where the lake is away.
    """
    mark = _read(lake)
    if mark.layout > LAYOUT:
        return Plan(obstacles=(_too_new(lake, mark),))
    if mark.layout == LAYOUT:
        return Plan(is_current=True)
    added: list[tuple[Table, tuple[str, ...]]] = []
    removed, obstacles = set(mark.removing), list[str]()
    there: list[Table] = []
    is_of_before_0_1_0 = False
    for table in TABLES.values():
        try:
            opened = store.open_table(lake, table)
        except (DamageError, DeltaError, ValueError) as error:
            reason = f"cannot be read ({str(error).splitlines()[0][:200]})"
        else:
            if opened is None:
                continue
            there.append(table)
            missing, reason = _difference(opened, table)
            if not reason:
                added += [(table, missing)] if missing else []
                continue
            is_of_before_0_1_0 |= mark.layout == 0
        if table.is_kept:
            obstacles.append(
                f"the table {table.name} {reason}, and no build makes its rows again: restore it from a backup"
            )
        else:
            removed.add(table.name)
    if is_of_before_0_1_0:
        # The same columns might hold something else then, which no number of those versions tells.
        removed |= {table.name for table in there if not table.is_kept}
    kept = tuple((table, columns) for table, columns in added if table.name not in removed)
    return Plan(False, kept, tuple(name for name in TABLES if name in removed), tuple(obstacles))


def upgrade(lake: Lake, todo: Plan, say: Callable[[str], None]) -> None:
    """After this call the lake has the layout `LAYOUT`; `say` is told each step. Raise `LayoutError` at an obstacle.

    todo: what `plan` returned just now. Call it while nothing else uses the lake. Killed and called again with a new
    plan, it does what is left to do.
    """
    if todo.obstacles:
        raise LayoutError("; ".join(todo.obstacles))
    if todo.is_current:
        return
    if todo.removed:
        _write(lake, _Mark(_read(lake).layout, todo.removed))
    steps = len(todo.added) + len(todo.removed)
    for n, (table, columns) in enumerate(todo.added, 1):
        say(f"upgrading the lake, {n} of {steps}: {table.name} gets {', '.join(columns)}")
        fields = {field.name: field for field in _declared(table).fields}
        opened = deltalake.DeltaTable(lake.table(table.name))
        before = opened.version()
        opened.alter.add_columns([fields[name] for name in columns])
        sums.seal_commits(lake, table, before, opened.version())
        failpoint.reached("layout.after_step")
    for n, name in enumerate(todo.removed, 1 + len(todo.added)):
        say(f"upgrading the lake, {n} of {steps}: {name} will be made anew by the next build")
        _remove(lake, name)
        failpoint.reached("layout.after_step")
    _write(lake, _Mark(LAYOUT))


def layout_of(lake: Lake) -> int:
    """Return the lake's layout; 0 where none is written down."""
    return _read(lake).layout


def refuse_newer(lake: Lake) -> None:
    """Raise `LayoutError` if a later version of Turret has upgraded the lake."""
    mark = heads.remembered(lake, "layout", "mark", lambda: _read(lake))
    if mark.layout > LAYOUT:
        raise LayoutError(_too_new(lake, mark))


def _too_new(lake: Lake, mark: _Mark) -> str:
    return (
        f"the lake {lake.root} has layout {mark.layout}, of Turret {mark.turret or 'of a later version'}, and "
        f"this is Turret {version('turret')}, which knows layouts up to {LAYOUT}: install that version or a later one"
    )


def _difference(opened: deltalake.DeltaTable, table: Table) -> tuple[tuple[str, ...], str]:
    """Return the columns that can be added, and why that is not enough; no word: it is."""
    empty = pa.schema(opened.schema().to_arrow()).empty_table()
    found = pl.DataFrame(pl.from_arrow(empty)).schema
    if list(opened.metadata().partition_columns) != list(table.partition_by):
        return (), "is partitioned in another way"
    if strange := [name for name in found if name not in table.schema]:
        return (), f"has columns that this version does not know ({', '.join(strange)})"
    if other := [name for name in found if found[name] != table.schema[name]]:
        return (), f"has other types in {', '.join(other)}"
    missing = [column for column in table.columns if column.name not in found]
    if needed := [column.name for column in missing if not column.nullable]:
        return (), f"lacks {', '.join(needed)}"
    return tuple(column.name for column in missing), ""


def _declared(table: Table) -> deltalake.Schema:
    return deltalake.Schema.from_arrow(table.empty().to_arrow(compat_level=pl.CompatLevel.oldest()).schema)


def _remove(lake: Lake, name: str) -> None:
    filesystem, root = lake.filesystem()
    sums.unseal_folder(lake, lake.table(name))
    handles.forget(lake.table(name))
    with contextlib.suppress(FileNotFoundError):
        filesystem.delete_dir(f"{root}{lake.table(name).removeprefix(lake.root)}")
    heads.moved(lake, f"tables/{name}")


def _read(lake: Lake) -> _Mark:
    try:
        return msgspec.json.decode(files.read(lake, lake.layout_file), type=_Mark)
    except FileNotFoundError:
        return _Mark()
    except msgspec.DecodeError as error:
        raise LayoutError(f"{lake.layout_file} cannot be read ({error}): restore it from a backup") from error


def _write(lake: Lake, mark: _Mark) -> None:
    mark.turret = version("turret")
    files.write(lake, lake.layout_file, msgspec.json.encode(mark) + b"\n")
    heads.moved(lake, "layout")
