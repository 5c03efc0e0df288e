"""`python -m turret_api.read SOCKET LAKE BYTES FOLDER`: the calculator process, which works out questions without HTTP.

It may hold so many bytes of memory; what does not fit may lie on the disk of the folder.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

import scipy.special  # noqa: F401 - the first question about trends would wait for it

from turret_api.read import questions
from turret_api.read.engine.process import main
from turret_api.read.questions.text_vectors import keep_at_most
from turret_api.read.questions.topics.topics import TopicsOfField

for _module in pkgutil.walk_packages(questions.__path__, f"{questions.__name__}."):
    importlib.import_module(_module.name)  # all questions are loaded before the first one comes

if __name__ == "__main__":
    keep_at_most(int(sys.argv[3]), Path(sys.argv[4]))
    main(usual=TopicsOfField())
