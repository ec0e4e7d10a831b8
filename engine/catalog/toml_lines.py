"""Where each key of a TOML text stands, so that a refusal can name the line.

The parser of the standard library forgets lines. This reads only headers and `key =` lines; what is written
inline has the line of the key that holds it. It never refuses: a key it cannot place simply has no line.
"""

import re
from collections.abc import Mapping

Path = tuple[str | int, ...]

_HEADER = re.compile(r"^\s*(\[\[?)\s*([A-Za-z0-9_.\s\"-]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"^\s*([A-Za-z0-9_-]+)\s*=")


def key_lines(text: str) -> Mapping[Path, int]:
    """Line numbers, from 1, by path: ("sales", 0, "opens_at") is the key of the first [[sales]] table."""
    lines: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            *above, last = (part.strip().strip('"') for part in header[2].split("."))
            table = ()
            for part in above:
                table = (*table, part)
                if table in counts:
                    table = (*table, counts[table])
            table = (*table, last)
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            lines[table] = number
        elif key := _KEY.match(line):
            lines.setdefault((*table, key[1]), number)
    return lines


def nearest_line(lines: Mapping[Path, int], path: Path) -> int | None:
    """The line of this key, else of the closest table around it."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None
