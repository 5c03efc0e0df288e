"""`python -m turret_api.alive`: whether the `turret up` of TURRET_HOME serves; 0 if it does, else 1 and a line why.

For the health checks of containers, which ask every half minute: only the standard library is imported, so that asking
costs next to nothing. `turret status` says more.
"""

from __future__ import annotations

import json
import os
import ssl
import sys
import urllib.request
from pathlib import Path

TIMEOUT_S = 8
_UNNAMED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""The certificate is of the name that users know, and this is a process of our own host."""
_UNNAMED.check_hostname = False
_UNNAMED.verify_mode = ssl.CERT_NONE


def why_not(home: Path) -> str:
    """Return why the `turret up` of a home does not serve; "" if it does."""
    try:
        found = json.loads((home / "up.lock").read_text())
        asked = [f"{found['url']}/healthz"] if "url" in found else []
        # A host that has the pipeline only: its daemon may stand by, its web server does not.
        asked = asked or [f"{found['dagster_url']}/server_info"]
        os.kill(found["pid"], 0)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"no `turret up` runs for {home} ({error})"
    for url in asked:
        try:
            urllib.request.urlopen(url, timeout=TIMEOUT_S, context=_UNNAMED).close()
        except OSError as error:
            return f"{url} does not answer ({error})"
    return ""


def main() -> None:
    """Look at the home that TURRET_HOME names, `.turret` in this folder without it."""
    reason = why_not(Path(os.environ.get("TURRET_HOME") or ".turret"))
    if reason:
        sys.exit(reason)


if __name__ == "__main__":
    main()
