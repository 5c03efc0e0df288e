"""An event without what its project masks: between its check and the spool, whichever way it came.

Nothing that is masked is written anywhere: neither to the spool, nor to the journal of turns, nor to a log. What the
report of an import says of a refused row is masked too, where it repeats what was sent.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from turret_api.accounts.suppression import Suppressed
from turret_api.collector.event import Checked, new_id
from turret_api.collector.large import LIGHT, decode_large, encode_large
from turret_api.collector.suppression import ids_of, refusal
from turret_api.errors import ApiError, UnavailableError
from turret_api.masking.mask import Mask
from turret_api.masking.masks import Masks
from turret_api.masking.names import RecogniserError
from turret_api.masking.rule import RuleError

log = logging.getLogger(__name__)

MASKED_HERE = 16 * 1024
"""Bytes of events that are masked on the event loop at a time: longer texts may take hundreds of milliseconds."""
_AGAIN_S = 30
_LOOKED_AT_ONCE = 64 * 1024
_LOOKED_AT_TOGETHER = 50
_SMALL = 4 * 1024
_MADE = len(new_id("evt"))
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Masker:
    """What masks the events of one project.

    Args:
        mask: what is masked.
        suppressed: whose events are not taken, some perhaps by an id as it was before ids were masked.
    """

    mask: Mask
    suppressed: Suppressed | None = None

    @property
    def is_slow(self) -> bool:
        """Whether an event takes milliseconds, and so a thread beside the event loop."""
        return self.mask.is_slow

    def takes_long(self, size_bytes: int) -> bool:
        """Tell whether so many bytes of events may take so long that a thread beside the event loop masks them."""
        return self.is_slow or size_bytes > MASKED_HERE

    def event(self, event: Checked) -> Checked:
        """Return `event` itself, changed so that nothing that is masked is in it.

        Raise `UnavailableError` if that cannot be done, and `ApiError` if it is not taken by an id that it had before.
        """
        names = _names_of(event)
        # One look at both is half of two, and finds nothing in most events.
        if len(event.metadata) <= _LOOKED_AT_ONCE and not self.mask.may_hold(_joined(event.metadata, names)):
            return event
        return self._masked(event, names)

    def events(self, events: Sequence[Checked | ApiError]) -> list[Checked | ApiError]:
        """Return the events as `event` does, each with its own error; errors among them stay.

        A look lets go of the interpreter's lock, which other threads want: there is one at all of them, and one more
        for each that may have something in it, as few have.
        """
        made = list(events)
        for number, event, names in self._held(events):
            try:
                made[number] = self._masked(event, names)
            except UnavailableError:
                raise  # the server's fault, and so of all events
            except ApiError as error:
                made[number] = error
        return made

    def _held(self, events: Sequence[Checked | ApiError]) -> Iterator[tuple[int, Checked, str]]:
        """Yield the events in which there may be something to mask: their index, they themselves, and their names."""
        some = [(number, each, _names_of(each)) for number, each in enumerate(events) if type(each) is Checked]
        for first in range(0, len(some), _LOOKED_AT_TOGETHER):
            together = some[first : first + _LOOKED_AT_TOGETHER]
            for each in self.mask.holding([_joined(event.metadata, names) for _, event, names in together]):
                yield together[each]

    def _masked(self, event: Checked, names: str) -> Checked:
        try:
            if self.mask.may_name(names):
                self._mask_ids(event)
            self._mask_metadata(event)
        except RecogniserError as error:
            raise names_failed(error) from None
        return event

    def _mask_ids(self, event: Checked) -> None:
        mask, given = self.mask, ids_of(event)
        event.user_id, event.session_id, event.event_id = (mask.identifier(each) for each in given)
        if ids_of(event) != given and (error := refusal(self.suppressed, given)) is not None:
            raise error
        event.name = mask.name(event.name)

    def _mask_metadata(self, event: Checked) -> None:
        # The texts of a small one are looked at one by one anyway.
        is_small = len(event.metadata) <= _SMALL
        among = self.mask.rule.all_kinds if is_small else self.mask.kinds_in(event.metadata)
        if not among:
            return
        is_large = len(event.metadata) > LIGHT
        document = decode_large(event.metadata) if is_large else _decode(event.metadata)
        made = self.mask.value(document, event.session_id, among)
        if made is not document:
            event.metadata = encode_large(made) if is_large else _encode(made)


def masker_for(
    masks: Masks, project_id: str, suppressed: Callable[[str], Suppressed | None] = lambda project_id: None
) -> Masker | None:
    """Return what masks a project's events; None: nothing does. Raise `UnavailableError` if its rule says too much.

    suppressed: returns whose events a project does not take.
    """
    try:
        mask = masks.of(project_id)
    except RuleError as error:
        log.error("a rule of masking cannot be followed", extra={"project_id": project_id, "reason": str(error)[:300]})
        message = "What the project masks cannot be masked here, so nothing is stored. Try again later."
        raise UnavailableError(message, retry_after_s=_AGAIN_S) from None
    return None if mask is None else Masker(mask, suppressed(project_id))


def names_failed(error: RecogniserError) -> UnavailableError:
    """Return the answer to a request whose names cannot be masked."""
    log.error("names cannot be masked", extra={"reason": str(error)})
    message = "Names in the event cannot be masked, so nothing is stored. Try again later."
    return UnavailableError(message, retry_after_s=_AGAIN_S)


def in_words(error: ApiError, masker: Masker | None) -> ApiError:
    """Return the error without what is masked in what it says: whoever is told may log it."""
    if masker is None:
        return error
    try:
        error.message = masker.mask.text(error.message, "")
        error.field = None if error.field is None else masker.mask.name(error.field)
    except RecogniserError:
        error.message, error.field = "It cannot be stored, and why cannot be said without what is masked.", None
    return error


def _names_of(event: Checked) -> str:
    """Return the event's name, and its ids but for those that were made here, a line each."""
    event_id, session_id, user_id = event.event_id, event.session_id, event.user_id
    names = event.name
    # What is made here is nobody's, and most of it would look like a number at first.
    if event.is_named and (event_id[:4] != "evt_" or not _is_made(event_id)):
        names += f"\n{event_id}"
    if session_id[:4] != "ses_" or not _is_made(session_id):
        names += f"\n{session_id}"
    if user_id[:4] != "usr_" or not _is_made(user_id):
        names += f"\n{user_id}"
    return names


def _joined(metadata: bytes, names: str) -> bytes:
    return b"%b\n%b" % (metadata, names.encode("utf-8", "replace"))


def _is_made(identifier: str) -> bool:
    """Tell whether an id is as `new_id` makes it; one of a client that looks so is one word, and no key of a maker."""
    return len(identifier) == _MADE and identifier[4:].isalnum()
