"""Ends the nodes of a Ray cluster once the process that started this one has died, however it died.

Lines of the standard input are the sessions (`setsid`) of the nodes; its end is that of who wrote them. Ray's own
processes see only after minutes, some of them never, that they are alone.
"""

import contextlib
import os
import sys

import psutil

sessions = {int(line) for line in sys.stdin}
found: set[psutil.Process] = set()
for each in psutil.process_iter():
    with contextlib.suppress(psutil.Error, OSError):
        if os.getsid(each.pid) in sessions:
            found |= {each, *each.children(recursive=True)}
for each in found:
    with contextlib.suppress(psutil.Error):
        each.kill()
