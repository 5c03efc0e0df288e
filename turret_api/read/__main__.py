"""`python -m turret_api.read SOCKET LAKE`: the calculator process, which works out questions without HTTP."""

from __future__ import annotations

import importlib
import pkgutil

from turret_api.read import questions
from turret_api.read.engine.process import main

for _module in pkgutil.walk_packages(questions.__path__, f"{questions.__name__}."):
    importlib.import_module(_module.name)  # all questions are loaded before the first one comes

if __name__ == "__main__":
    main()
