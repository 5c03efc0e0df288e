"""Ends the nodes of a Ray cluster once the process that started this one has died, however it died.

Lines of the standard input are the sessions (`setsid`) of the nodes, each with the time at which its first process was
created; its end is that of who wrote them. Ray's own processes see only after minutes, some of them never, that they
are alone. Once all of a session have ended, another may bear its number: that one is left alone.
"""

import contextlib
import os
import sys

import psutil

sessions = {int(number): float(created) for number, created in map(str.split, sys.stdin)}


def is_of_a_node(session: int) -> bool:
    """Return whether a session that a living process is of is that of a node."""
    if session not in sessions:
        return False
    try:
        return abs(psutil.Process(session).create_time() - sessions[session]) < 2
    except psutil.NoSuchProcess:
        return True  # its first process has ended; while others of it live, no process gets its number


found: set[psutil.Process] = set()
for each in psutil.process_iter():
    with contextlib.suppress(psutil.Error, OSError):
        if is_of_a_node(os.getsid(each.pid)):
            found |= {each, *each.children(recursive=True)}
for each in found:
    with contextlib.suppress(psutil.Error):
        each.kill()
