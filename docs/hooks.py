"""What MkDocs runs to take the pages at the top of the repository into the site too.

They lie at the top because people and code hosts look for them there. In the site they are pages beside the others, so
links between the two places are led to where the pages are then.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
TOP = ("ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
_LINK = re.compile(rf"\]\((?:\.\./)?({'|'.join(map(re.escape, TOP))})([)#])")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Return the site's files, with the pages of `TOP` among them, by names in lower case."""
    for name in TOP:
        files.append(File.generated(config, name.lower(), abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Return a page whose links lead to where the site has the pages."""
    return _LINK.sub(lambda link: f"]({link[1].lower()}{link[2]}", markdown).replace("](docs/", "](")
