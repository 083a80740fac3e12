"""Brings values of several steps together as JSON arrays. Arguments: COUNT, then for each array FILE KIND and COUNT values.

KIND is text for values that are texts, json for values that are JSON.
"""

import json
import sys


def main(count, *words):
    """Write each array into its file."""
    size = int(count) + 2
    for start in range(0, len(words), size):
        path, kind, *values = words[start : start + size]
        array = [value if kind == "text" else json.loads(value) for value in values]
        with open(path, "w", encoding="utf-8") as file:
            file.write(json.dumps(array, ensure_ascii=False, separators=(",", ":")))


if __name__ == "__main__":
    main(*sys.argv[1:])
