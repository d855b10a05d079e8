"""Print a command of the README: the first fenced block below the comment `<!-- command: NAME -->`."""

import re
import sys
from pathlib import Path

name = sys.argv[1]
text = (Path(__file__).resolve().parents[1] / "README.md").read_text()
found = re.search(rf"<!-- command: {name} -->\s*```sh\n(.*?)```", text, re.DOTALL)
if found is None:
    raise SystemExit(
        f"README.md must hold a command named {name}, there is none: mark it with <!-- command: {name} -->."
    )
print(found[1].strip())
