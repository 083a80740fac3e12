"""loadData knows where its data is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.document.read import Document
from kade2kfp.document.types import kind_of_path
from kade2kfp.plan.analysis import Analysis
from kade2kfp.steps.sources import Param, literal
from kade2kfp.tasks.load_data import LoadData

_NO_SCHEME = re.compile(r"[^A-Za-z0-9+.:-]")
_SCHEMES = "http://, https://, s3://, gs://, minio://, and in local runs file://"


def load_data(analysis: Analysis) -> Iterator[Diagnostic]:
    """K224: no scheme that is known. K225: an object store's URL that KFP cannot import. K226 (note): not cached. K218: a password."""
    for task in analysis.document.tasks:
        if not isinstance(task, LoadData) or task.place("url") in analysis.document.assumed:
            continue
        yield from _scheme(analysis, task)
        yield from _store(analysis, task)
        if task.headers_from is not None and task.scheme in ("store", "file"):
            help_ = "leave it out: an object store has credentials of its own, see docs/arrows.md"
            yield Diagnostic(
                "K227",
                "`headersFrom` has no effect: the data does not come by HTTP",
                task.place("headers_from"),
                help_,
            )
        unverified = task.sha256 is None and not analysis.document.is_torn(task.place("sha256"))
        may_cache = task.cache is not False and not analysis.document.is_torn(task.place("cache"))
        if unverified and may_cache and task.scheme and not _given_cache(analysis.document):
            help_ = "say its `sha256` and the download is taken from the cache when it was done before; or say `cache` false"
            yield Diagnostic("K226", f"`{task.id}` downloads anew in every run", task.place("url"), help_)
        url = literal(analysis.resolution.text(task.place("url"), task.url)) or ""
        if ":" in netloc(url).rpartition("@")[0]:
            yield Diagnostic(
                "K218",
                "the URL seems to hold a password in clear",
                task.place("url"),
                "send it as a header: `headersFrom` takes it from a secret",
            )
        archives = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst")
        if (
            task.decompress not in (None, "auto", "none")
            and kind_of_path(task.path) == "file"
            and task.path.endswith(archives)
        ):
            yield Diagnostic(
                "K227",
                f"`path` is the archive {task.path} itself, and `decompress` says to unpack it",
                task.place("decompress"),
                'name a folder as path, or say "decompress": "none"',
            )


def _given_cache(document: Document) -> bool:
    return document.defaults.cache is False


def netloc(url: str) -> str:
    """Host, port and credentials of a URL; empty where it has none."""
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""


def _key(url: str) -> str:
    """What a store's URL names within its bucket."""
    return url.partition("://")[2].partition("?")[0].partition("/")[2].strip("/")


def _scheme(analysis: Analysis, task: LoadData) -> Iterator[Diagnostic]:
    text = analysis.resolution.text(task.place("url"), task.url)
    first = text[0] if text and isinstance(text[0], str) else ""
    scheme = first.partition("://")[0].lower() if "://" in first else ""
    known = {"http": "http", "https": "http", "s3": "store", "gs": "store", "minio": "store", "file": "file"}
    if scheme:
        if scheme not in known:
            yield Diagnostic(
                "K224", f"`{scheme[:40]}://` is not known", task.place("url"), f"loadData reads {_SCHEMES}"
            )
        elif task.source and known[scheme] != task.source:
            yield Diagnostic(
                "K224",
                f"the URL begins with {scheme}://, and `source` says {task.source}",
                task.place("source"),
                "leave `source` out: the URL tells",
            )
        elif scheme != "file" and not first.partition("://")[2] and len(text) == 1 and "{{" not in task.url:
            yield Diagnostic(
                "K224", "the URL names no host", task.place("url"), f"such as {scheme}://example.org/data.zip"
            )
        elif (
            known[scheme] == "store" and len(text) == 1 and not _key(first) and not re.search(r"\{\{|\$[($]", task.url)
        ):
            help_ = "name the object, or the folder, behind the bucket: KFP imports no whole bucket"
            yield Diagnostic("K224", "the URL names a bucket and nothing in it", task.place("url"), help_)
    elif literal(text) or _NO_SCHEME.search(first):
        yield Diagnostic("K224", "this is not a URL", task.place("url"), f"it begins with one of {_SCHEMES}")
    elif text and task.source is None and not analysis.document.is_torn(task.place("source")):
        at = task.place("url")
        if at in analysis.resolution.run_texts and not any(
            one.place.pointer == at for one in analysis.resolution.references
        ):
            return
        help_ = 'add "source": "http", or "store" for s3, gs and minio'
        yield Diagnostic("K224", "the URL's scheme is known only at run time", task.place("url"), help_)


def _store(analysis: Analysis, task: LoadData) -> Iterator[Diagnostic]:
    if task.scheme != "store":
        return
    text = analysis.resolution.text(task.place("url"), task.url)
    whole = len(text) == 1 and isinstance(text[0], Param)
    url = literal(text)
    settled = "{{" not in task.url or task.place("url") in analysis.resolution.settled
    for bad, who in (("$(", "Kubernetes"), ("$$", "Kubernetes"), ("{{", "Argo")):
        if url is not None and bad in url and settled:
            message = f"the URL holds `{bad}`, which {who} would replace"
            yield Diagnostic("K225", message, task.place("url"), "rename the object")
            break
    if url is None and not whole:
        help_ = "write the whole URL out, or let it be one parameter: KFP's importer cannot put it together"
        yield Diagnostic("K225", "the URL of an object store mixes text and references", task.place("url"), help_)
