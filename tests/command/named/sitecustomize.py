"""Imported by every Python process that has this folder on its PYTHONPATH: its host is called `$HOST_OF_TEST`."""

import os
import runpy
import socket
from pathlib import Path

socket.gethostname = lambda: os.environ["HOST_OF_TEST"]
runpy.run_path(str(Path(__file__).parents[1] / "dying" / "sitecustomize.py"))
