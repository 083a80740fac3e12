"""KFP's launcher, as it runs in a step's container: /kfp-launcher/launch (component/launcher_v2.go, 2.17.0).

Standard library alone, and `texts` beside it. The object store is the folder /kfp-launcher/bucket. What KFP would record
in its metadata goes to /kfp-launcher/report.json. Thousands of steps begin with it, so it imports what loads fast: half
of what a step costs would be the imports of shutil, subprocess and typing.
"""

from __future__ import annotations

import json
import os
import sys

from texts import from_text, local_path, to_json, to_text, workspace_path

_BUCKET = "/kfp-launcher/bucket"


class LaunchError(Exception):
    """The launcher fails, and the step with it."""


def upload(path: str, target: str) -> None:
    """UploadBlob (objectstore/object_store.go): an entry that is no real folder is opened as a file, so a link to a
    folder is an error; modes and empty folders are lost, links become what they point at."""
    if not os.path.isdir(path):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(path, "rb") as file, open(target, "wb") as stored:
            _copy(file, stored)
        return
    for entry in sorted(os.scandir(path), key=lambda entry: os.fsencode(entry.name)):
        if entry.is_dir(follow_symlinks=False):
            upload(entry.path, f"{target}/{entry.name}")
        elif os.path.isdir(entry.path):
            raise LaunchError(f"unable to complete copying {entry.path!r} to remote storage: is a directory")
        else:
            upload(entry.path, f"{target}/{entry.name}")


def download(source: str, path: str) -> None:
    """DownloadBlob: what is not in the store is not missed."""
    for above, _, files in os.walk(source):
        for name in files:
            _fetch(f"{above}/{name}", os.path.normpath(f"{path}/{os.path.relpath(above, source)}/{name}"))
    if os.path.isfile(source):
        _fetch(source, path)


def _fetch(source: str, path: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True, mode=0o755)
    with open(source, "rb") as stored, open(path, "wb") as file:
        _copy(stored, file)


def _copy(source, target) -> None:
    while block := source.read(1 << 20):
        target.write(block)


def stored_at(uri: str) -> str:
    return f"{_BUCKET}/{uri.partition('://')[2]}"


def local(artifact: dict) -> str:
    return str(artifact["customPath"]) if artifact.get("customPath") else local_path(artifact["uri"])


def placeholders(given: dict) -> dict[str, str]:
    """getPlaceholders: of several artifacts, the first."""
    made = {}
    for key, found in given["inputs"]["artifacts"].items():
        for artifact in found["artifacts"][:1]:
            made[f"{{{{$.inputs.artifacts['{key}'].uri}}}}"] = artifact["uri"]
            in_workspace = artifact.get("metadata", {}).get("_kfp_workspace") is True
            path = workspace_path(artifact["uri"]) if in_workspace else local(artifact)
            made[f"{{{{$.inputs.artifacts['{key}'].path}}}}"] = path
    for key, found in given["outputs"]["artifacts"].items():
        artifact = found["artifacts"][0]
        made[f"{{{{$.outputs.artifacts['{key}'].uri}}}}"] = artifact["uri"]
        made[f"{{{{$.outputs.artifacts['{key}'].path}}}}"] = local(artifact)
    for key, value in given["inputs"]["parameterValues"].items():
        if value is None:
            raise LaunchError(f"unknown PipelineSpec Value type of {key!r}")
        made[f"{{{{$.inputs.parameters['{key}']}}}}"] = to_text(value)
    for key, output in given["outputs"]["parameters"].items():
        made[f"{{{{$.outputs.parameters['{key}'].output_file}}}}"] = output["outputFile"]
    return made


def _without_empty(given: dict) -> dict:
    """protojson writes no empty map."""
    return {side: {key: one for key, one in found.items() if one} for side, found in given.items()}


def words(given: dict, component: dict, command: list[str]) -> list[str]:
    """addDefaultParams and compileCmdAndArgs, whose first word takes the executor input alone."""
    values = dict(given["inputs"]["parameterValues"])
    for key, definition in component.get("inputDefinitions", {}).get("parameters", {}).items():
        if definition.get("defaultValue") is not None:
            values.setdefault(key, definition["defaultValue"])
    whole = {**given, "inputs": {**given["inputs"], "parameterValues": values}}
    replace, text = placeholders(whole), to_json(_without_empty(whole), html=False)
    made = [word.replace("{{$}}", text) for word in command]
    for placeholder, value in replace.items():
        made[1:] = [word.replace(placeholder, value) for word in made[1:]]
    return made


def run(command: list[str], log: str) -> int:
    """Run the user's command; its output goes on, and to the log artifact. As Go's exec does, wait until nobody holds
    the output open any more."""
    read, write = os.pipe()
    streams = [(os.POSIX_SPAWN_DUP2, write, 1), (os.POSIX_SPAWN_DUP2, write, 2)]
    with open(log, "wb") as file:
        try:
            # What Python has set for itself is undone: SIGPIPE and SIGXFSZ are not ignored.
            process = os.posix_spawnp(command[0], command, os.environ, file_actions=streams, setsigdef=[13, 25])
        except OSError as error:
            raise LaunchError(f"{command[0]!r}: {error.strerror}") from error
        os.close(write)
        while block := os.read(read, 1 << 16):
            sys.stdout.buffer.write(block)
            sys.stdout.buffer.flush()
            file.write(block)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    return code if code >= 0 else 128 - code


def outputs(given: dict, component: dict, report: dict) -> None:
    """getExecutorOutputFile, collectOutputParameters, uploadOutputArtifacts."""
    told: dict = {}
    if os.path.exists(given["outputs"]["outputFile"]):
        with open(given["outputs"]["outputFile"], encoding="utf-8") as file:
            try:
                told = json.load(file)
            except ValueError as error:
                raise LaunchError(f"failed to unmarshall ExecutorOutput: {error}") from error
        if not isinstance(told, dict) or not set(told) <= {"parameterValues", "artifacts", "taskOutputs"}:
            raise LaunchError(f"failed to unmarshall ExecutorOutput: {told!r}")
    values = report["parameters"]
    values.update(told.get("parameterValues", {}))
    for key, output in given["outputs"]["parameters"].items():
        if key in values:
            continue
        kind = component["outputDefinitions"]["parameters"][key]["parameterType"]
        try:
            with open(output["outputFile"], encoding="utf-8", newline="") as file:
                values[key] = from_text(file.read(), kind)
        except (OSError, ValueError) as error:
            raise LaunchError(f"failed to read output parameter name={key!r} type={kind!r}: {error}") from error
    for key, found in given["outputs"]["artifacts"].items():
        artifact = found["artifacts"][0]
        for more in told.get("artifacts", {}).get(key, {}).get("artifacts", [])[:1] if key != "executor-logs" else []:
            artifact["uri"] = more.get("uri") or artifact["uri"]
            artifact["metadata"] = {**artifact.get("metadata", {}), **more.get("metadata", {})}
            artifact.update({"customPath": more["customPath"]} if more.get("customPath") else {})
        path = local(artifact)
        if os.path.exists(path):  # "We allow components to not produce output files"
            try:
                upload(path, stored_at(artifact["uri"]))
            except FileNotFoundError:
                pass  # a link that points nowhere ends this artifact's upload, and no more
            except OSError as error:
                raise LaunchError(f"failed to upload output artifact {key!r}: {error}") from error
        report["artifacts"][key] = artifact


def main(argv: list[str]) -> int:
    os.umask(0)  # Argo's emissary, which starts the launcher
    middle = argv.index("--")
    flags = dict(zip(argv[:middle:2], argv[1:middle:2], strict=False))
    given, component = json.loads(flags["--executor_input"]), json.loads(flags["--component_spec"])
    logs = given["outputs"]["artifacts"]["executor-logs"]["artifacts"][0]
    logs["uri"] += f"-{os.environ.get('KFP_RETRY_INDEX', '0')}"  # qualifyExecutorLogsForRetry
    report: dict = {"code": None, "parameters": {}, "artifacts": {}, "error": None}
    try:
        command = words(given, component, argv[middle + 1 :])
        for found in given["inputs"]["artifacts"].values():
            for artifact in found["artifacts"]:
                if artifact.get("metadata", {}).get("_kfp_workspace") is not True:
                    download(stored_at(artifact["uri"]), local(artifact))
        for output in given["outputs"]["parameters"].values():
            os.makedirs(os.path.dirname(output["outputFile"]), exist_ok=True, mode=0o755)
        for found in given["outputs"]["artifacts"].values():
            os.makedirs(os.path.dirname(local(found["artifacts"][0])), exist_ok=True, mode=0o755)
        report["code"] = run(command, local(logs))
        if report["code"]:
            upload(local(logs), stored_at(logs["uri"]))
            report["artifacts"]["executor-logs"] = logs
        else:
            outputs(given, component, report)
    except (LaunchError, OSError) as error:
        report["error"] = str(error)
        print(f"launcher: {error}", flush=True)
    with open("/kfp-launcher/report.json", "w", encoding="utf-8") as file:
        json.dump(report, file)
    return 1 if report["code"] or report["error"] else 0  # whatever the user's code was


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
