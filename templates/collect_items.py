"""Brings together what a loop's iterations have left. Arguments: the executor input as KFP's launcher writes it, then pairs.

NAME value: the array of that name becomes the output of that name. NAME folder, or NAME file:HEX: the artifacts of that
name become folders 0, 1, ... of the output of that name; HEX is what a single file is called there, as UTF-8 in hexadecimal
digits. index.json says which item has which folder.
"""

import json
import os
import shutil
import sys

FOLDERS = (("gs://", "/gcs/"), ("minio://", "/minio/"), ("s3://", "/s3/"))


def place(artifact):
    """Where the launcher keeps an artifact (KFP: component/launcher_v2.go, retrieveArtifactPath, LocalPathForURI)."""
    if artifact.get("customPath"):
        return artifact["customPath"]
    uri = artifact["uri"]
    for scheme, folder in FOLDERS:
        if uri.startswith(scheme):
            return folder + uri[len(scheme) :]
    raise ValueError(f"an artifact is at {uri}, which no launcher brings")


def label(item):
    """An item for people."""
    pairs = item.items() if isinstance(item, dict) else ()
    text = ", ".join(f"{key}={word(value)}" for key, value in pairs) or word(item)
    return text if len(text) <= 80 else text[:77] + "..."


def word(value):
    """A value as a text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def gather(found, items, target, file):
    """Put the artifacts below the folder `target`; what was never written, or is empty, is left out, as on its way."""
    os.makedirs(target, exist_ok=True)
    rows = []
    for number, item in enumerate(items):
        source, own = place(found[number]), os.path.join(target, str(number))
        if os.path.exists(source):
            if file:
                os.makedirs(own, exist_ok=True)
            shutil.move(source, os.path.join(own, file) if file else own)
        rows.append({"item": item, "path": str(number), "name": label(item)})
    with open(os.path.join(target, "index.json"), "w", encoding="utf-8") as index:
        index.write(json.dumps(rows, ensure_ascii=False) + "\n")


def main(told, *words):
    """Write each output."""
    told = json.loads(told)
    inputs, outputs = told.get("inputs", {}), told["outputs"]
    values, artifacts = inputs.get("parameterValues", {}), inputs.get("artifacts", {})
    for name, what in [words[at : at + 2] for at in range(0, len(words), 2)]:
        if what == "value":
            with open(outputs["parameters"][name]["outputFile"], "w", encoding="utf-8") as file:
                file.write(json.dumps(values.get(name, []), ensure_ascii=False, separators=(",", ":")))
        else:
            found = artifacts.get(name, {}).get("artifacts", [])
            target = place(outputs["artifacts"][name]["artifacts"][0])
            gather(found, values.get("items", []), target, bytes.fromhex(what.partition(":")[2]).decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
