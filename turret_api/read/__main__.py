"""`python -m turret_api.read SOCKET LAKE`: the calculator process, which works out questions without HTTP."""

from __future__ import annotations

import turret_api.read.questions.catalogue  # noqa: F401  all questions are loaded before the first one comes
from turret_api.read.engine.process import main

if __name__ == "__main__":
    main()
