"""Every bench, or those named:  python -m bench [NAME...]"""

import importlib
import sys
from pathlib import Path

HERE = Path(__file__).parent
HELPERS = {"__main__", "harness", "peer", "places", "project", "stand_ins"}


def main() -> int:
    """Run the benches; the exit status is 1 if one missed a target. Some have none to miss."""
    names = sys.argv[1:] or sorted(
        path.stem for path in HERE.glob("*.py") if path.stem not in HELPERS
    )
    kept = []
    for name in names:
        print(f"\n{name}", flush=True)
        kept.append(importlib.import_module(f"bench.{name}").main() is not False)
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
