"""Moves of journeys that few users make, led over the node `few`: from where they come, and on to where they go.

So every node is entered as often as it is left, and its visits are those that it has; but for `few` itself, whose
number is of the visits to topics that few users have and of the moves that are led over it.

What is shown are sums: the moves from a node to `few`, and those from `few` to a node, each over all nodes at the other
end. Three things must hold of them, and more moves are led over `few` until they do:

- each sum is of `least` users or more;
- so are the moves in it that few users make, with those that were led over `few` to hide them;
- no number of a move that few users make follows from the sums, and from which moves are shown (Gusfield, "A Graph
  Theoretic Approach to Statistical Data Security", 1988): there is another table with the same sums, in which the
  number is another, if there is a way round through cells that may grow and cells that may shrink.

Where nothing is left to lead over `few` and they do not hold yet, as happens with few users or two topics, no topic is
told apart: each session is one visit to `few`. So sessions are counted whatever the moves are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from turret_api.read.views.topics import FEW
from turret_pipeline.semantics.visits import END, START

Cell = tuple[str, str]
ENDS = ["from_topic", "to_topic"]


@dataclass(frozen=True)
class Folding:
    """Which moves are led over `few`; None: each session is one visit to `few`, for nothing less hides what few did."""

    cells: frozenset[Cell] | None

    def apply(self, moves: pl.DataFrame) -> pl.DataFrame:
        """Return `moves` (one row each: `from_topic`, `to_topic` and others), led over `few` where that is so."""
        few = pl.lit(FEW)
        if self.cells is None:
            starts, ends = moves.filter(pl.col("from_topic") == START), moves.filter(pl.col("to_topic") == END)
            return pl.concat([starts.with_columns(to_topic=few), ends.with_columns(from_topic=few)])
        if not self.cells:
            return moves
        led = pl.DataFrame(list(self.cells), schema=dict.fromkeys(ENDS, pl.String), orient="row")
        over = moves.join(led, on=ENDS, how="semi")
        return pl.concat(
            [moves.join(led, on=ENDS, how="anti"), over.with_columns(to_topic=few), over.with_columns(from_topic=few)]
        )


def folding(moves: pl.DataFrame, least: int) -> Folding:
    """Return which moves are led over `few`.

    moves: one row each, `from_topic`, `to_topic`, `user`; of `least` users or more, or none.
    """
    pairs = moves.select(*ENDS, "user").unique()
    listed = pairs.group_by(*ENDS).agg("user").sort(*ENDS)
    users = {(a, b): frozenset(of) for a, b, of in listed.iter_rows()}
    table = _Table(users, least)
    return Folding(frozenset(table.folded) if table.fold() else None)


class _Table:
    """The moves by where they lead from and to, those that are folded among them. users: of each move."""

    def __init__(self, users: dict[Cell, frozenset[int]], least: int) -> None:
        self._users = users
        self._least = least
        self._real = {cell for cell in users if FEW in cell}
        self.folded = {cell for cell, of in users.items() if len(of) < least} - self._real

    def fold(self) -> bool:
        """After this call nothing follows of what few users did, if it returns True; False: that cannot be had."""
        while True:
            while (line := self._small_line()) is not None:
                if not self._fold_smallest([line]):
                    return False
            exposed = self._exposed()
            if not exposed:
                return True
            for a, b in exposed:
                if not self._fold_smallest([(0, a), (1, b)]) and not self._fold_smallest(None):
                    return False

    def _small_line(self) -> tuple[int, str] | None:
        """Return a line (0: all from a node, 1: all to one) whose sum is of too few users; None: there is none."""
        sums: dict[tuple[int, str], set[int]] = {}
        for cell in self.folded:
            for side in (0, 1):
                sums.setdefault((side, cell[side]), set()).update(self._users[cell])
        lines = sorted(line for line, users in sums.items() if len(users) < self._least)
        if lines:
            return lines[0]
        for cell in sorted(self._real):
            side = 0 if cell[1] == FEW else 1
            if len(self._users[cell]) < self._least and (side, cell[side]) not in sums:
                return side, cell[side]
        return None

    def _fold_smallest(self, lines: list[tuple[int, str]] | None) -> bool:
        """Fold the shown move that fewest users make, of these lines or (None) of all; return whether there was one."""
        shown = [cell for cell in self._users if cell not in self.folded and cell not in self._real]
        if lines is not None:
            shown = [cell for cell in shown if any(cell[side] == node for side, node in lines)]
        if not shown:
            return False
        self.folded.add(min(shown, key=lambda cell: (len(self._users[cell]), cell)))
        return True

    def _exposed(self) -> list[Cell]:
        """Return the folded moves of few users whose number follows from the sums."""
        froms, tos = (sorted({cell[side] for cell in self.folded}) for side in (0, 1))
        place_a, place_b = ({node: i for i, node in enumerate(nodes)} for nodes in (froms, tos))
        positive = np.zeros((len(froms), len(tos)), dtype=bool)
        unknown = np.ones_like(positive)
        for a, b in self._users.keys() - self.folded:
            if a in place_a and b in place_b:
                unknown[place_a[a], place_b[b]] = False
        for node in place_a.keys() & place_b.keys():  # a visit is a run, so no move leads from a topic to itself
            unknown[place_a[node], place_b[node]] = False
        if START in place_a and END in place_b:
            unknown[place_a[START], place_b[END]] = False
        for a, b in self.folded:
            positive[place_a[a], place_b[b]] = True
        small = sorted(cell for cell in self.folded if len(self._users[cell]) < self._least)
        return [cell for cell in small if not _may_differ(unknown, positive, place_a[cell[0]], place_b[cell[1]])]


def _may_differ(unknown: np.ndarray, positive: np.ndarray, row: int, column: int) -> bool:
    """Return whether the cell may have another value in a table with the same sums of rows and columns.

    unknown: bool of shape (n_rows, n_columns), whether a cell may grow. positive: whether it may shrink.
    """
    # Grow here: the column has to shrink in another row, which grows in another column, until this row shrinks.
    # Or shrink here: the same way backwards, so cells that grow and those that shrink change places.
    return _way_round(unknown, positive, row, column) or _way_round(positive, unknown, row, column)


def _way_round(along: np.ndarray, down: np.ndarray, row: int, column: int) -> bool:
    """Return whether a way leads from `column` back to `row`: by `down` to a row, by `along` to a column, and so on."""
    rows = down[:, column].copy()
    rows[row] = False
    seen = rows.copy()
    while rows.any():
        columns = along[rows].any(axis=0)
        columns[column] = False
        if down[row, columns].any():
            return True
        rows = down[:, columns].any(axis=1) & ~seen
        rows[row] = False
        seen |= rows
    return False
