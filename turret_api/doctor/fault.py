"""What is wrong with one thing of a home, and the command that mends it."""

from __future__ import annotations

from dataclasses import dataclass

from turret_pipeline.lake.damage import MEND, Damage

SPOOL, PART, TABLE, MODEL, DATABASE, LAKE = "spool", "part", "table", "model", "database", "lake"


@dataclass(frozen=True)
class Fault:
    """One thing that is not as it should be.

    Args:
        what: kind of thing, one of the constants of this module.
        where: its file or folder, or the database's address.
        reason: what is wrong with it, in words.
        command: what mends it.
        table: name of the table, where it is one's.
        project_id: whose it is; None: it concerns all.
        damage: what the lake knows of it, where it lies there.
    """

    what: str
    where: str
    reason: str
    command: str = MEND
    table: str | None = None
    project_id: str | None = None
    damage: Damage | None = None


def of_lake(root: str, damage: Damage) -> Fault:
    """Return the fault that a damaged file of the lake at `root` is."""
    what = TABLE if damage.table else PART if damage.is_part else MODEL
    where = f"{root}/{damage.file}"
    return Fault(what, where, damage.reason, table=damage.table, project_id=damage.project_id, damage=damage)
