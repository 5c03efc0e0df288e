"""Masking: what is personal or secret in an event is replaced before the event is stored anywhere.

Pure: texts and values in, texts and values out; no HTTP, no disk. `kinds` says what is looked for and what stands in
its place, `rule` what a project chose, `gate` and `sieve` tell soon that an event has nothing to look at, and the
recognisers (`emails`, `phones`, `payments`, `national_ids`, `addresses`, `credentials`, `names`) find the exact places
in what is left. `finding` joins them, `mask` replaces, and `masks` has the mask of each project.

A value is found as it is written: one that is spelled out ("ann at example dot com"), drawn, or split over fields is
not. Recognisers look at the shape and at checksums, so near misses stay; `docs/masking.md` has their figures.
"""
