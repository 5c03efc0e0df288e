"""The end of a project in the lake: nothing of it is left but the note that it was deleted.

Its rows leave each table in one commit, and then its folder goes, with the versions of before. No other project's files
lie there. A reader that still holds an older version finds files missing; its keys are refused by then.
"""

from __future__ import annotations

import contextlib

from turret_pipeline import failpoint
from turret_pipeline.lake import heads, store, sums
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.parts import deleted_projects
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import TABLES


def remove_project(lake: Lake, project_id: str) -> None:
    """After this call no row and no file of a project is left, but for the note of `parts.delete_project`.

    Call it with the project's lock. Done again, it does what is left to do.
    """
    for table in TABLES.values():
        if store.open_table(lake, table) is None:
            continue
        opened = ProjectTable(lake, table, project_id)
        if opened.sizes().height:
            opened.replace(table.empty())
        opened.block(dict.fromkeys(opened.blocked(), False))
        remove_folder(lake, f"{lake.table(table.name)}/project_id={project_id}")
        failpoint.reached("deletion.after_table")
    for folder in (
        *(f"{lake.table(name)}/project_id={project_id}" for name in TABLES),
        lake.project_folder(project_id),
    ):
        remove_folder(lake, lake.aside(folder))
    remove_folder(lake, lake.erasing_folder(project_id))
    remove_folder(lake, lake.project_folder(project_id))
    heads.moved(lake, "deleted")


def remove_late_events(lake: Lake) -> int:
    """After this call no raw event of a deleted project is left; return of how many projects there were some.

    A collector on another host, cut off while the project was deleted, may bring events later.
    """
    return sum(remove_folder(lake, lake.project_folder(project_id)) for project_id in deleted_projects(lake))


def remove_folder(lake: Lake, folder: str) -> bool:
    """After this call the folder of the lake is not there, nor its files' checksums; return whether it was."""
    filesystem, root = lake.filesystem()
    sums.unseal_folder(lake, folder)
    with contextlib.suppress(FileNotFoundError):
        filesystem.delete_dir(f"{root}{folder.removeprefix(lake.root)}")
        return True
    return False
