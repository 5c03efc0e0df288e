"""A small gzip body that unpacks to a GiB, made without packing a GiB: each worker of a test run would."""

from __future__ import annotations

import zlib

_BLOCK = b" " * 2**20
_packer = zlib.compressobj(6, wbits=31)
_head = _packer.compress(_BLOCK) + _packer.flush(zlib.Z_FULL_FLUSH)
# After a full flush nothing refers to what came before, so the same bytes unpack to the same block again and again.
_again = _packer.compress(_BLOCK) + _packer.flush(zlib.Z_FULL_FLUSH)

BOMB = _head + _again * 1023 + _packer.flush()
"""One gzip file of a GiB of blanks. Its checksum, at the very end, is wrong: nobody may get so far."""
