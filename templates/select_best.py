"""Hands on the best of several candidates: python3 -c THIS MODE METRIC KEEP HOW TO CANDIDATE...

MODE is max or min. A candidate is five arguments: what it is called, its METRIC, where its data is, the name that a file
of it gets below TO (empty: it becomes TO itself), and the file with all its metrics. The winner's data is left at TO: as
links (HOW is link), as copies where TO outlives the pod that sees the candidates (copy), or not at all (none). Into the
folder KEEP go `winner`, `score` and `metrics.json`.

No argument is taken for an option, whatever it begins with. Exit codes: 0, or 1 with one line that says why.
"""

import math
import os
import shutil
import sys


class NoWinnerError(Exception):
    """Why nothing can be handed on."""


def number(text):
    """The finite number that a text is, else None."""
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def shown(value):
    """A number as a person would write it: 3, not 3.0."""
    text = repr(value)
    return text[:-2] if text.endswith(".0") else text


def best(mode, metric, candidates):
    """The winner and its number; the first of equal ones.

    Raises NoWinnerError where no candidate has a finite number.
    """
    winner, score = None, None
    for one in candidates:
        value = number(one[1])
        if value is None:
            say(f"{one[0]} is no candidate: its {metric} is not a finite number: {one[1]}")
            continue
        say(f"{one[0]}: {shown(value)}")
        if score is None or (value > score if mode == "max" else value < score):
            winner, score = one, value
    if winner is None:
        raise NoWinnerError(f"no candidate has a finite {metric}")
    return winner, score


def hand_on(source, target, put):
    """Lay a file, or all that is in a folder, at a target, over what is there; the number of files."""
    # What arrives may itself be a link; inside of it links to folders stay links, for they may go in circles.
    waiting, done = [(os.path.realpath(source), target)], 0
    while waiting:
        here, there = waiting.pop()
        if os.path.isdir(here) and not os.path.islink(here):
            os.makedirs(there, exist_ok=True)
            waiting += [(os.path.join(here, name), os.path.join(there, name)) for name in os.listdir(here)]
            continue
        os.makedirs(os.path.dirname(there) or "/", exist_ok=True)
        if os.path.lexists(there):
            os.remove(there)
        put(here, there)
        done += 1
    return done


def copied(source, target):
    """Copy a file, or what a link to a file leads to; any other link stays what it is."""
    if os.path.islink(source) and not os.path.isfile(source):
        os.symlink(os.readlink(source), target)
    else:
        shutil.copy(source, target)


def say(text):
    """A line of the log; a metric may be called anything."""
    print("".join(one if one.isprintable() else "?" for one in text), flush=True)


def main(arguments):
    """Choose, hand on, and say who has won; the exit code."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")
    mode, metric, keep, how, to = arguments[:5]
    rest = arguments[5:]
    candidates = [rest[at : at + 5] for at in range(0, len(rest), 5)]
    try:
        winner, score = best(mode, metric, candidates)
        name, _, data, file, metrics = winner
        most = "greatest" if mode == "max" else "least"
        say(f"the winner is {name}: the {most} {metric} of {len(candidates)}")
        if how != "none":
            target = os.path.join(to, file) if file else to
            # KFP carries no empty folders: what was only such does not arrive at all.
            if not os.path.exists(data) or not hand_on(data, target, os.symlink if how == "link" else copied):
                raise NoWinnerError(f"the winner {name} has left no file")
        os.makedirs(keep, exist_ok=True)
        shutil.copyfile(metrics, os.path.join(keep, "metrics.json"))
        for output, value in (("winner", name), ("score", shown(score))):
            with open(os.path.join(keep, output), "w", encoding="utf-8") as out:
                out.write(value)
    except (NoWinnerError, OSError) as error:
        say(f"select: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
