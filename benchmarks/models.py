"""Everything measured of served models, one script after the other.

    python -m benchmarks.models [fraud] [embed] [index] [recommend]

Each part is a process of its own with its usual options; run `benchmarks.models_<part>` by itself
to give it others. `benchmarks.model_redeploys` is apart: it asks whether anything fails.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

PARTS = ("fraud", "embed", "index", "recommend")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; without: all")
    parts = parser.parse_args().parts or PARTS
    unknown = sorted({*parts} - {*PARTS})
    if unknown:
        parser.error(f"no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    ended = []
    for part in parts:
        print(f"## {part}\n", flush=True)
        module = f"benchmarks.models_{part}"
        ended.append(subprocess.run([sys.executable, "-m", module], check=False).returncode)
    raise SystemExit(max(ended))


if __name__ == "__main__":
    main()
