"""Write the pages and examples that follow the code, or check that they are current.

python scripts/docs.py --write
python scripts/docs.py --check
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from reference.files import stale, write

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 1 if a file isn't current."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--root", type=Path, default=ROOT, help="the folder of the files")
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--write", action="store_true", help="write the files")
    choice.add_argument("--check", action="store_true", help="fail if one isn't current")
    chosen = parser.parse_args(arguments)
    if chosen.write:
        write(chosen.root)
        return 0
    old = stale(chosen.root)
    for name in old:
        sys.stderr.write(f"{name} is not current: python scripts/docs.py --write\n")
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main())
