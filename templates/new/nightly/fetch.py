"""Fetches the rows of a day: `fetch.py DAY FILE`. Here they are made up; ask your database or service in its place."""

import datetime
import sys
from pathlib import Path

day = datetime.date.today().isoformat() if sys.argv[1] == "today" else sys.argv[1]
Path(sys.argv[2]).write_text("".join(f"{day} {hour:02}:00 {hour * 7 % 24}\n" for hour in range(24)))
print(f"fetched 24 rows of {day}")
