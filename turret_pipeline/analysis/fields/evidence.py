"""Evidence: what a field's values were like on one day, in counts that add up over days.

Distinct values are kept with exact counts while they are few. Past `EXACT_VALUES` of them (or `EXACT_CHARS`
characters) only those whose hash lies lowest are kept, still with exact counts: a fair sample of the distinct values,
from which their number and the share that occurs once are estimated. (Bar-Yossef et al., "Counting distinct elements
in a data stream", RANDOM 2002; as a sample with counts: Gibbons, "Distinct sampling", VLDB 2001.) Samples of two days
merge into the sample of both, so evidence of any days, in any order, is evidence of their union.

Quantiles of numbers come from buckets 2 % wide (DDSketch; Masson et al., PVLDB 12, 2019): within 1 % of the truth.
"""

from __future__ import annotations

import bisect
import hashlib
import heapq
import math
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import orjson
import polars as pl

from turret_pipeline.analysis.fields import shapes as shape
from turret_pipeline.semantics.gone import NO_VALUE, is_gone
from turret_pipeline.semantics.values import canonical, number_column

EXACT_VALUES = 2_000
EXACT_CHARS = 100_000
SAMPLED_VALUES = 512
KEPT_CHARS = 500
"""Longer values are kept (as an enum's options, as examples) up to this many characters."""
EXAMPLES = 8
HASH_SPACE = 1 << 48
_GAMMA = math.log(1.02)


GONE_TEXT, GONE = "gone text", "gone"
"""What `unread` counts messages by that are gone, and other values that are (`semantics.gone`)."""

Readings = Mapping[str, tuple[str, float | None]]
"""What texts read as, by text: the shape, and the number that the text says, if any."""


@dataclass
class Value:
    """One distinct value: how often it occurred, its shape, and its text where that is still kept."""

    count: int
    shape: str
    text: str | None


@dataclass
class Evidence:
    """What `n` values of a field were like.

    `kinds` counts JSON types (null, boolean, number, text, list, object); `shapes` counts texts by shape. `numbers`
    counts numbers, in whatever spelling, with their sum, least, greatest, how many are whole, how many of those read as
    dates (20260301), by number of digits before the point, and by bucket. `values` are the distinct scalar values, by
    hash, below `limit` of `HASH_SPACE`. `unread` counts by JSON type the values of which nothing else is known.
    """

    n: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    shapes: Counter[str] = field(default_factory=Counter)
    chars: int = 0
    n_numbers: int = 0
    n_whole: int = 0
    n_dates: int = 0
    total: float = 0.0
    least: float | None = None
    greatest: float | None = None
    digits: Counter[str] = field(default_factory=Counter)
    buckets: Counter[str] = field(default_factory=Counter)
    limit: int = HASH_SPACE
    values: dict[str, Value] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)
    unread: Counter[str] = field(default_factory=Counter)

    def add(self, other: Evidence) -> None:
        """After this call the evidence is that of both (`other` is left as it is)."""
        self.n += other.n
        self.unread += other.unread
        self.kinds += other.kinds
        self.shapes += other.shapes
        self.chars += other.chars
        self.n_numbers += other.n_numbers
        self.n_whole += other.n_whole
        self.n_dates += other.n_dates
        self.total = _finite(self.total + other.total)
        self.least = min((x for x in (self.least, other.least) if x is not None), default=None)
        self.greatest = max((x for x in (self.greatest, other.greatest) if x is not None), default=None)
        self.digits += other.digits
        self.buckets += other.buckets
        self.limit = min(self.limit, other.limit)
        for key, value in other.values.items():
            mine = self.values.get(key)
            form = min(value.shape, mine.shape) if mine else value.shape
            self.values[key] = Value(value.count + (mine.count if mine else 0), form, value.text)
        self._bound()
        self.examples = sorted({*self.examples, *other.examples}, key=_hash)[:EXAMPLES]

    def _bound(self) -> None:
        if self.is_exact:
            n_chars = sum(len(value.text or "") for value in self.values.values())
            if len(self.values) <= SAMPLED_VALUES or (len(self.values) <= EXACT_VALUES and n_chars <= EXACT_CHARS):
                return
        keys = sorted(key for key in self.values if int(key, 16) < self.limit)
        if len(keys) > SAMPLED_VALUES:
            self.limit = int(keys[SAMPLED_VALUES], 16)
        kept = {key: self.values[key] for key in keys[:SAMPLED_VALUES]}
        self.values = {key: Value(value.count, value.shape, None) for key, value in kept.items()}

    @property
    def is_exact(self) -> bool:
        """Whether `values` are all distinct values, and not a sample of them."""
        return self.limit == HASH_SPACE

    @property
    def n_distinct(self) -> int:
        """Distinct scalar values: exact, or an estimate within about 5 % (one standard error)."""
        return len(self.values) if self.is_exact else round(len(self.values) * HASH_SPACE / self.limit)

    def n_of(self, *shapes: str, count: int | None = None) -> float:
        """Distinct values (of these shapes, if any are named; that occurred `count` times): exact, or an estimate."""
        found = sum((not shapes or v.shape in shapes) and count in (None, v.count) for v in self.values.values())
        return found if self.is_exact else found * HASH_SPACE / self.limit

    def quantiles(self, shares: Sequence[float]) -> list[float] | None:
        """Return the quantiles of the numbers, within 1 %; None if there are none."""
        if self.least is None or self.greatest is None:
            return None
        found = sorted((_bucket_value(key), count) for key, count in self.buckets.items())
        middles = np.array([value for value, _ in found])
        ranks = np.cumsum([count for _, count in found])
        at = np.searchsorted(ranks, np.array(shares) * (self.n_numbers - 1) + 1, side="left")
        result = np.clip(middles[np.minimum(at, len(middles) - 1)], self.least, self.greatest)
        return [float(round(x)) if self.n_whole == self.n_numbers and abs(x) < 100 else float(x) for x in result]

    def bins(self, shares: Sequence[float]) -> list[tuple[float | None, float | None, int]]:
        """Return (from, to, count) of bins of the numbers, cut at their quantiles, rounded to three digits.

        The first is open below, the last above; counts are exact but for numbers within 1 % of a cut, and add up to
        all. Cuts that fall together are one; nothing without numbers.
        """
        found = self.quantiles(shares)
        if found is None or self.least is None:
            return []
        cuts = sorted({float(f"{cut:.3g}") for cut in found} - {self.least})
        cuts = [cut for cut in cuts if self.least < cut <= (self.greatest or 0.0) and abs(cut) < 1e15]
        places = Counter[int]()
        for key, count in self.buckets.items():
            value = min(max(_bucket_value(key), self.least), self.greatest or 0.0)
            value = round(value) if self.n_whole == self.n_numbers and abs(value) < 100 else value
            places[bisect.bisect_right(cuts, value)] += count
        ends: list[float | None] = [None, *cuts, None]
        return [(ends[i], ends[i + 1], places[i]) for i in range(len(cuts) + 1)]

    def to_json(self) -> str:
        """Return the evidence as a JSON object that `from_json` reads, the same for the same evidence."""
        keys = sorted(self.values)
        return orjson.dumps(
            {
                "n": self.n,
                "kinds": dict(sorted(self.kinds.items())),
                "shapes": dict(sorted(self.shapes.items())),
                "chars": self.chars,
                "n_numbers": self.n_numbers,
                "n_whole": self.n_whole,
                "n_dates": self.n_dates,
                "total": self.total,
                "least": self.least,
                "greatest": self.greatest,
                "digits": dict(sorted(self.digits.items())),
                "buckets": dict(sorted(self.buckets.items())),
                "limit": self.limit,
                "hashes": keys,
                "counts": [self.values[key].count for key in keys],
                "value_shapes": "".join(self.values[key].shape for key in keys),
                "texts": [self.values[key].text for key in keys] if self.is_exact else None,
                "examples": self.examples,
            }
            | ({"unread": dict(sorted(self.unread.items()))} if self.unread else {})
        ).decode()

    @classmethod
    def from_json(cls, text: str) -> Evidence:
        """Return the evidence that `to_json` wrote."""
        found = orjson.loads(text)
        keys, counts = found.pop("hashes"), found.pop("counts")
        texts = found.pop("texts") or [None] * len(keys)
        kept = zip(keys, counts, found.pop("value_shapes"), texts, strict=True)
        for name in ("kinds", "shapes", "digits", "buckets", "unread"):
            found[name] = Counter(found.get(name, {}))
        found["total"] = found["total"] or 0.0  # null where an earlier version added up beyond what a float holds
        return cls(**found, values={key: Value(count, form, text) for key, count, form, text in kept})


def merge(evidence: Iterable[Evidence]) -> Evidence:
    """Return the evidence of all values that `evidence` speaks of."""
    whole = Evidence()
    for each in evidence:
        whole.add(each)
    return whole


def read_texts(texts: Collection[str]) -> Readings:
    """Return what each of `texts` reads as: its shape, and the number that it says, if it is of a shape that says one.

    Hundreds of texts take hardly longer than one: the texts of many small fields are best read together.
    """
    values = pl.Series("value", list(texts), dtype=pl.String)
    forms = shape.shapes(values)
    says = forms.is_in(shape.NUMERIC).arg_true()
    numbers = pl.Series([None], dtype=pl.Float64).new_from_index(0, len(values))
    numbers = numbers.scatter(says, number_column(values.gather(says))) if len(says) else numbers
    return dict(zip(values, zip(forms, numbers, strict=True), strict=True))


def observe(values: Sequence[object], known: Readings | None = None) -> Evidence:
    """Return the evidence of a field's `values` (as JSON decodes them, nulls included). A million take some seconds.

    known: of texts that were read already, what they read as. Of values that are gone it is known that they were there.
    """
    if any(map(is_gone, values)):
        there = observe([value for value in values if not is_gone(value)], known)
        there.add(_count_gone(values))
        return there
    types = Counter(map(type, values))
    found = Evidence(n=len(values), kinds=_kinds(types))
    if types[str]:
        _observe_texts(found, Counter(v for v in values if type(v) is str), known or {})
    plain = [v for v in values if type(v) is int or type(v) is float]
    if plain:
        _observe_numbers(found, np.array(plain, dtype=np.float64), np.ones(len(plain), dtype=np.int64))
        for value, count in Counter(map(canonical, plain)).items():
            _keep(found, str(value), count, shape.NUMBER)
    for boolean in (True, False):
        count = sum(v is boolean for v in values) if types[bool] else 0
        if count:
            _keep(found, str(canonical(boolean)), count, shape.BOOLEAN)
    found._bound()
    return found


def count_only(values: Sequence[object]) -> Evidence:
    """Return the evidence of `values` that cannot be looked into: how many are null, blank, or unread of which type."""
    if any(map(is_gone, values)):
        there = count_only([value for value in values if not is_gone(value)])
        there.add(_count_gone(values))
        return there
    found = Evidence(n=len(values), unread=_kinds(Counter(map(type, values))))
    found.kinds["null"] = found.unread.pop("null", 0)
    texts = pl.Series([value for value in values if type(value) is str], dtype=pl.String)
    n_blank = int((texts.str.strip_chars() == "").sum())
    found.kinds["text"] = found.shapes[shape.BLANK] = n_blank
    found.unread["text"] -= n_blank
    return found


def _count_gone(values: Sequence[object]) -> Evidence:
    n_gone, n_others = sum(map(is_gone, values)), sum(value == NO_VALUE for value in values)
    return Evidence(n=n_gone, unread=+Counter({GONE_TEXT: n_gone - n_others, GONE: n_others}))


def _kinds(types: Counter[type]) -> Counter[str]:
    kinds = {type(None): "null", bool: "boolean", int: "number", float: "number", str: "text", list: "list"}
    found = Counter[str]()
    for kind, count in types.items():
        found[kinds.get(kind, "object")] += count
    return found


def _observe_texts(found: Evidence, texts: Counter[str], known: Readings) -> None:
    """texts: how often each occurs."""
    if unknown := texts.keys() - known.keys():
        known = {**known, **read_texts(unknown)}
    numbers, counts = [], []
    for text in sorted(texts):
        (form, number), count = known[text], texts[text]
        found.shapes[form] += count
        found.chars += len(text) * count
        if number is not None:
            numbers.append(number)
            counts.append(count)
        if form != shape.BLANK:
            _keep(found, text, count, form)
    _observe_numbers(found, np.array(numbers, dtype=np.float64), np.array(counts, dtype=np.int64))
    # A text that was cut is hashed again: its key is the hash of the whole.
    kept = {(key if len(v.text) < KEPT_CHARS else _hash(v.text), v.text) for key, v in found.values.items() if v.text}
    found.examples = [text for _, text in heapq.nsmallest(EXAMPLES, kept)]


def _keep(found: Evidence, text: str, count: int, form: str) -> None:
    key = _hash(text)
    mine = found.values.get(key)
    found.values[key] = Value(
        count + (mine.count if mine else 0), min(form, mine.shape if mine else form), text[:KEPT_CHARS]
    )


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def _observe_numbers(found: Evidence, numbers: np.ndarray, counts: np.ndarray) -> None:
    """numbers: float64 of shape (n_distinct,), finite. counts: int64, how often each occurred."""
    if not len(numbers):
        return
    found.n_numbers += int(counts.sum())
    whole = numbers == np.floor(numbers)
    found.n_whole += int(counts[whole].sum())
    month, day = numbers // 100 % 100, numbers % 100
    dates = whole & (numbers >= 1900_01_01) & (numbers < 2101_01_01) & (month >= 1) & (month <= 12) & (day >= 1)
    found.n_dates += int(counts[dates & (day <= 31)].sum())
    with np.errstate(over="ignore", invalid="ignore"):
        found.total = _finite(found.total + float((numbers * counts).sum()))
    found.least = float(min(numbers.min(), math.inf if found.least is None else found.least))
    found.greatest = float(max(numbers.max(), -math.inf if found.greatest is None else found.greatest))
    size = np.abs(numbers)
    digits = np.where(size < 1, 1, np.floor(np.log10(np.maximum(size, 1) + 0.5)) + 1).astype(int)
    bucket = np.ceil(np.log(np.clip(size, 1e-9, 1e15)) / _GAMMA).astype(int)
    sign = np.sign(numbers).astype(int)
    for number, count in _summed(digits, counts):
        found.digits[str(number)] += count
    for side in (-1, 0, 1):
        for number, count in _summed(bucket[sign == side], counts[sign == side]):
            found.buckets["0" if side == 0 else f"{'-' if side < 0 else '+'}{number}"] += count


def _summed(keys: np.ndarray, counts: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield each of `keys` (int64) with the sum of its `counts` (int64), both of shape (n,)."""
    distinct, place = np.unique(keys, return_inverse=True)
    sums = np.zeros(len(distinct), dtype=np.int64)
    np.add.at(sums, place, counts)
    yield from zip(distinct.tolist(), sums.tolist(), strict=True)


def _finite(total: float) -> float:
    """Return a sum that ran over as the nearest number that JSON can hold."""
    return 0.0 if math.isnan(total) else max(-sys.float_info.max, min(sys.float_info.max, total))


def _bucket_value(key: str) -> float:
    """Return the middle of a bucket: the value within 1 % of all in it."""
    if key == "0":
        return 0.0
    middle = 2 * math.exp(int(key[1:]) * _GAMMA) / (1 + math.exp(_GAMMA))
    return -middle if key[0] == "-" else middle
