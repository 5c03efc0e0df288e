"""Of many events some are judged in a turn of the event loop: few enough, and not too long where they are masked."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.collector.test_masking import CANARIES, masked_project, sent
from turret_api.accounts import NewProject
from turret_api.collector.track import turns

from .conftest import Server

DOCUMENTS = st.lists(st.integers(1, 40).map(lambda n: b"x" * n), max_size=200)


@given(DOCUMENTS, st.none() | st.integers(1, 60))
def test_every_document_has_its_turn_and_no_turn_is_too_long(documents: list[bytes], most: int | None) -> None:
    made = list(turns(documents, most))
    assert [each for some in made for each in some] == documents
    assert all(1 <= len(some) <= 50 for some in made)
    if most is None:
        assert len(made) == -(-len(documents) // 50)
    else:
        assert all(len(some) == 1 or sum(map(len, some)) <= most for some in made)


@pytest.mark.slow
def test_long_texts_among_short_ones_are_masked_in_their_order(
    make_server: Callable[..., Server], new_project: Callable[..., NewProject]
) -> None:
    server = make_server(environment={"TURRET_ROLL_SECONDS": "3600"}).start()
    project = masked_project(server, new_project())
    texts = [f"{n} {CANARIES['email']} {'a1 ' * (8_000 if n % 7 == 0 else 5)}" for n in range(60)]
    answer = server.track(project.write_key, [{"name": "a", "metadata": {"text": text}} for text in texts])
    assert (answer.status, answer.json["accepted"]) == (200, 60)
    assert server.stop() == 0
    wanted = [text.replace(CANARIES["email"], "<EMAIL>") for text in texts]
    assert [each["metadata"]["text"] for each in sent(server, project)] == wanted
