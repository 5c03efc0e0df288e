"""Events of an array are masked as each is by itself, whatever stands beside it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from turret_api.collector.event import Checked, check
from turret_api.collector.masked import Masker
from turret_api.errors import ApiError, invalid
from turret_api.masking.kinds import ALWAYS
from turret_api.masking.mask import Mask
from turret_api.masking.rule import Rule

MASKER = Masker(Mask(Rule(frozenset(ALWAYS), secret="ab" * 32), "shop"))
PIECES = (
    "a word ", "ann@example.com ", "4012 8888 8888 1881 ", "40128888", "88881881 ", "GB29 NWBK 6016 1331 ",
    "9268 19 ", "203.0.113", ".77 ", "password=", "hunter2-x ", "+44 20 7946 0958", "\n", "\uff11\uff12", "BE", "68",
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=4).map("".join)
EVENTS = st.lists(st.none() | st.tuples(TEXTS, TEXTS), max_size=25)


def checked(said: tuple[str, str] | None) -> Checked | ApiError:
    if said is None:
        return invalid("it is malformed")
    ids = {"session_id": said[1][:200].strip() or "s", "user_id": "u", "event_id": "e"}
    document = {"name": "sent", "metadata": {"prompt": said[0], "n": 1}, **ids}
    return check(document, 1000, may_have_nul=False, is_large=False)


def told(event: Checked | ApiError) -> tuple[object, ...]:
    if isinstance(event, ApiError):
        return (event.message,)
    return event.name, event.event_id, event.session_id, event.user_id, event.metadata


@given(EVENTS)
@settings(deadline=None, max_examples=150)
def test_events_together_are_masked_as_each_alone(said: list[tuple[str, str] | None]) -> None:
    alone = [event if isinstance(event := checked(each), ApiError) else MASKER.event(event) for each in said]
    assert list(map(told, MASKER.events(list(map(checked, said))))) == list(map(told, alone))
