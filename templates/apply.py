"""Applies what a service is made of to the cluster that this pod runs in, after the command that makes what it serves.

    apply.py TOLD VALUE... [-- COMMAND...]

TOLD is JSON; kade2kfp/lowering/services.py says what is in it. An object {"=": N} in it is the N-th VALUE, {"=": "version"}
what is known only here. Outputs are files of the folder TOLD names. What is decided here:
- A serving's new version takes over when all of its pods are ready and one of them has answered the example. Otherwise the
  version before answers again, or nothing is left where there was none; exit code 1.
- A serving that another run has changed meanwhile is that run's: nothing is put back then.
- A viewer never fails: what is wrong with it is its output `problem`.
- TERM leaves all as it is: what is rolled out goes on without this step.
The list of versions that got ready is no part of what is applied: whoever rolls back writes it too.
Argo and Kubernetes substitute in this text: no doubled brace, no doubled dollar, no dollar before a bracket.
"""

import sys

# `-c` puts the folder that we start in first, and its files are the user's: one called json.py is not the module.
sys.path.append(sys.path.pop(0))

import http.client
import json
import os
import re
import secrets
import signal
import ssl
import subprocess
import time
from urllib.parse import quote

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount/"
VERSION, VERSIONS = "kade2kfp/version", "kade2kfp/versions"
INSTANCE, MANAGER = "app.kubernetes.io/instance", "kade2kfp"
APPLY, MERGE = "application/apply-patch+yaml", "application/merge-patch+json"
JITTER = secrets.SystemRandom().uniform
TIMEOUT = 15.0
KEPT = 5  # as many as a Deployment keeps
TIME = "%Y-%m-%dT%H:%M:%SZ"
RBAC = "`kade2kfp rbac` prints the role that it needs"
MISSING = {
    "InferenceService": "install KServe, or leave out `flavor`",
    "Tensorboard": "install Kubeflow's tensorboard-controller, or leave out `flavor`",
}


class ApplyError(Exception):
    """What a user is told, in one line; `status` is Kubernetes' answer."""

    def __init__(self, text, status=0):
        super().__init__(line(text))
        self.status = status


class OvertakenError(ApplyError):
    """The serving is another run's by now."""


def line(text: object):
    """A text as one line, without control characters."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(str(text).split()))[:600]


def say(text: object):
    """Print one line."""
    sys.stderr.buffer.write(f"kade2kfp: {line(text)}\n".encode("utf-8", "backslashreplace"))
    sys.stderr.flush()


# --- Kubernetes' API


class Cluster:
    """The API server, asked with this pod's service account."""

    def __init__(self, told):
        self.patience, self.every = told["patience"], told["every"]
        self.host = os.environ.get("KUBERNETES_SERVICE_HOST", "")
        self.port = int(
            os.environ.get("KUBERNETES_SERVICE_PORT_HTTPS") or os.environ.get("KUBERNETES_SERVICE_PORT") or 443
        )
        self.where = f"{self.host}:{self.port}"
        if not self.host:
            raise ApplyError("this is no pod of a cluster: KUBERNETES_SERVICE_HOST is not set")
        self.namespace = account("namespace")

    def path(self, thing, name=""):
        """The path of an object, or with a kind and no name of all of its kind."""
        version, kind = thing["apiVersion"], thing["kind"]
        name = name or thing.get("metadata", {}).get("name", "")
        root = "apis" if "/" in version else "api"
        return f"/{root}/{version}/namespaces/{self.namespace}/{kind.lower()}s" + (f"/{name}" if name else "")

    def once(self, verb, path, body, media):
        """One request: status, headers and body of the answer."""
        context, token = ssl.create_default_context(cadata=account("ca.crt")), account("token")
        # Python 3.13 asks for more than many clusters' own authorities write (an authority key identifier, RFC 5280).
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if not (token.isascii() and token.isprintable()):  # http.client would show it
            raise ApplyError("the token of this pod's service account is damaged")
        connection = http.client.HTTPSConnection(self.host, self.port, timeout=TIMEOUT, context=context)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": media, "User-Agent": MANAGER}
        try:
            connection.request(verb, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode("utf-8", "replace")
        finally:
            connection.close()

    def ask(self, verb, path, body=None, media="application/json", final=()):
        """What is answered, a text for a log; tried again while that may help, but for the statuses `final`."""
        end, wait = time.monotonic() + self.patience, self.every / 4
        while True:
            after = 0.0
            try:
                status, headers, text = self.once(verb, path, body, media)
            except ssl.SSLCertVerificationError as error:
                raise ApplyError(
                    f"the certificate of {self.where} is not the cluster's own: {error.verify_message}"
                ) from None
            except (OSError, http.client.HTTPException) as error:
                reason = str(error) or type(error).__name__
                problem = ApplyError(
                    f"cannot reach Kubernetes at {self.where}: {reason}; does a NetworkPolicy forbid it?"
                )
            else:
                if status < 300:
                    return self.read(text, path)
                problem = self.refusal(status, text)
                if status in final or not (status in (409, 429) or status >= 500):
                    raise problem
                given = headers.get("Retry-After", "")
                after = float(given) if given.isdigit() else 0.0
            pause = max(after, wait * JITTER(0.5, 1.5))
            if time.monotonic() + pause > end:
                raise problem
            time.sleep(pause)
            wait = min(wait * 2, 10.0)

    def read(self, text, path):
        """The answer's JSON, or its text for a log."""
        if "/log?" in path:
            return text
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ApplyError(f"what answers at {self.where} is no Kubernetes API; is there a proxy in between?")
        return found

    def refusal(self, status, text):
        """What an answer that is none means."""
        try:
            said = json.loads(text)["message"]
        except (ValueError, KeyError, TypeError):
            said = ""
        denied = re.search(r'User "(?:system:serviceaccount:[^":]+:)?([^"]+)" cannot (\w+) resource "([^"]+)"', said)
        if status == 401:
            said = "Kubernetes does not take the token of this step's service account: is that still there?"
        elif status == 403 and denied:
            who, verb, what = denied.groups()
            said = f"the service account {who} may not {verb} {what} in the namespace {self.namespace}: {RBAC}"
        elif status == 429 or status >= 500:
            said = f"Kubernetes at {self.where} answers {status} again and again: {said}".rstrip(": ")
        return ApplyError(said or f"Kubernetes at {self.where} answered {status}", status)

    def get(self, thing):
        """The object as it is; None where there is none."""
        try:
            return self.ask("GET", self.path(thing))
        except ApplyError as error:
            if error.status != 404:
                raise
            return None

    def all(self, version, kind, selector):
        """All objects of a kind with these labels, page by page."""
        path, more = self.path({"apiVersion": version, "kind": kind}), ""
        while True:
            query = f"?limit=100&labelSelector={quote(selector)}" + (f"&continue={quote(more)}" if more else "")
            page = self.ask("GET", path + query)
            yield from page["items"]
            more = page["metadata"].get("continue", "")
            if not more:
                return

    def apply(self, thing, media=APPLY, final=()):
        """Apply an object, or merge it into the one that is there; what it is then."""
        query = f"?fieldManager={MANAGER}" + ("&force=true" if media == APPLY else "")
        try:
            return self.ask("PATCH", self.path(thing) + query, thing, media, final)
        except ApplyError as error:
            if error.status == 404 and thing["kind"] in MISSING:
                text = f"this cluster has no {thing['kind']} ({thing['apiVersion']}): {MISSING[thing['kind']]}"
                raise ApplyError(text, 404) from None
            raise

    def swap(self, thing, version, media):
        """Apply or merge an object as long as what is there is of this version, whoever else writes to it."""
        for _ in range(100):
            live = self.get(thing)
            overtaken(live, version)
            metadata = dict(thing["metadata"], resourceVersion=live["metadata"]["resourceVersion"])
            try:
                return self.apply(dict(thing, metadata=metadata), media, (409,))
            except ApplyError as error:
                if error.status != 409:
                    raise
            time.sleep(self.every * JITTER(0.1, 0.5))
        raise ApplyError(f"somebody else changes {thing['metadata']['name']} all the time")

    def delete(self, thing):
        """Delete an object of ours, if it is there."""
        live = self.get(thing)
        if live and ours(live):
            body = {"propagationPolicy": "Background", "preconditions": {"uid": live["metadata"]["uid"]}}
            try:
                self.ask("DELETE", self.path(thing), body, final=(409,))
            except ApplyError as error:
                if error.status not in (404, 409):
                    raise


def account(name):
    """A file of the service account; the token changes from time to time."""
    try:
        with open(ACCOUNT + name, encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        raise ApplyError("this pod has no service account token: automountServiceAccountToken is off") from None


def ours(live):
    """Whether kade2kfp has made an object."""
    labels = live["metadata"].get("labels") or {}
    return labels.get("app.kubernetes.io/managed-by") == MANAGER


def annotation(live, name):
    """An annotation of an object that may not be there."""
    return ((live or {}).get("metadata", {}).get("annotations") or {}).get(name, "")


# --- what is applied


def filled(part, values, known):
    """TOLD with its values."""
    if isinstance(part, list):
        return [filled(one, values, known) for one in part]
    if not isinstance(part, dict):
        return part
    if set(part) == {"="}:
        return values[part["="]] if isinstance(part["="], int) else known[part["="]]
    return {key: filled(one, values, known) for key, one in part.items()}


def pod_of(thing):
    """The pod spec in an object."""
    spec = thing["spec"]
    return spec["template"]["spec"] if "template" in spec else spec.get("predictor", {})


def protect(thing):
    """Kubernetes expands and folds dollars in a container's command, args and env: double them."""
    pod = pod_of(thing)
    for container in pod.get("initContainers", []) + pod.get("containers", []):
        for part in ("command", "args"):
            container[part] = [word.replace("$", "$" * 2) for word in container.get(part, [])]
        container["env"] = [
            dict(one, value=one["value"].replace("$", "$" * 2)) if "value" in one else one for one in container["env"]
        ]
    return thing


# --- servings


class Serving:
    """A serving on its way to a new version."""

    def __init__(self, told, cluster):
        self.told, self.cluster, self.said = told, cluster, ""
        self.version = time.strftime("%Y%m%d-%H%M%S-", time.gmtime()) + secrets.token_hex(2)
        first = told["objects"][0]
        self.main = {"apiVersion": first["apiVersion"], "kind": first["kind"], "metadata": {"name": told["name"]}}

    def present(self):
        """What is there, which must be ours, and the versions that have been ready, the best one first."""
        metadata = self.main["metadata"]
        # Applying a Service by force would make a stranger's lead to our pods.
        found = [(one["kind"], self.cluster.get(dict(one, metadata=metadata))) for one in self.told["objects"]]
        for kind, live in found:
            if live and not ours(live):
                text = f"there is a {kind} {self.told['name']} that kade2kfp has not made"
                raise ApplyError(f"{text}: delete it, or give this task another id")
        live = found[0][1]
        if not live:
            return None, []
        versions, now = annotation(live, VERSIONS).split(), version_of(live)
        done, problem = self.state(live)
        # A step that was stopped has noted nothing, and its version may be ready all the same.
        if now and done and not problem and (live["spec"].get("replicas", 1) or now in versions):
            versions = [now, *(one for one in versions if one != now)]
        return live, versions

    def deploy(self, values):
        """Roll the new version out; its URL."""
        before, versions = self.present()
        fewest, most = self.told["scale"]
        now = (before and before["spec"].get("replicas")) or fewest
        replicas = max(fewest, min(now, most))
        known = {"name": self.told["name"], "version": self.version, "replicas": replicas}
        things = [protect(filled(one, values, known)) for one in self.told["objects"]]
        self.main, done = things[0], 0
        main, user = pod_of(self.main)["containers"][0], os.getuid()
        if user:  # what this step has packed is its user's; KFP may be told to let none be root (driver/k8s.go)
            same = {"runAsUser": user, "runAsGroup": os.getgid(), "runAsNonRoot": True}
            main["securityContext"] = {**same, **main["securityContext"]}
        former = self.former(before, versions[0]) if versions else None
        try:
            for thing in things:
                self.cluster.apply(thing)
                done += 1
            problem = self.wait() or self.example()
            if not problem:
                return self.finish(versions)
        except OvertakenError:
            raise
        except ApplyError as error:
            if not done:
                raise
            problem = error
        end = self.put_back(former, versions[0]) if versions else self.remove(things)
        raise ApplyError(f"version {self.version} did not get ready: {problem}; {end}")

    def wait(self):
        """Wait until every pod of the new version is ready; else why not."""
        end = time.monotonic() + self.told["timeout"]
        while True:
            live = self.cluster.get(self.main)
            overtaken(live, self.version)
            done, problem = self.state(live)
            if done and not problem:
                return ""
            why = ": ".join(filter(None, (problem, self.trouble())))
            if done:
                return why
            if time.monotonic() > end:
                return f"not within {self.told['timeout']} s" + (why and f": {why}")
            time.sleep(self.cluster.every)

    def state(self, live):
        """Whether there is nothing more to wait for, and what is wrong."""
        status, spec = live.get("status", {}), live["spec"]
        found = {one["type"]: one for one in status.get("conditions", [])}
        if "template" not in spec:
            # Until KServe has looked, Ready is that of the version before; Knative starts a new one once, then it may sleep.
            ready, now = found.get("Ready", {}), version_of(live)
            asleep = not spec["predictor"].get("minReplicas", 1) and now in annotation(live, VERSIONS).split()
            done = ready.get("status") == "True" and (asleep or any(map(is_ready, self.pods(now))))
            return done, "" if done else ready.get("message", "")
        if status.get("observedGeneration", 0) < live["metadata"]["generation"]:
            return False, ""
        # The controller gives up when progressDeadlineSeconds are over.
        if found.get("Progressing", {}).get("status") == "False":
            return True, found["Progressing"].get("message", "it makes no progress")
        wanted, updated = spec.get("replicas", 1), status.get("updatedReplicas", 0)
        only = updated >= wanted and status.get("replicas", 0) == updated
        failure = found.get("ReplicaFailure", {})
        return only and status.get("readyReplicas", 0) >= wanted, failure.get("message", "")

    def pods(self, version):
        """A version's pods."""
        return list(self.cluster.all("v1", "Pod", f"{INSTANCE}={self.told['name']},{VERSION}={version}"))

    def trouble(self):
        """Why pods are not ready, told at each change."""
        try:
            what, why, log = next(filter(None, map(self.of_pod, self.pods(self.version))), ("", "", []))
        except ApplyError as error:
            what, why, log = str(error), "", []
        if what and what != self.said:
            self.said = what
            say(what)
            for one in log:
                say(f"| {one}")
        return what + (f": {log[-1]}" if log else why)

    def of_pod(self, pod):
        """What is wrong with a pod: a line, what more there is to say at the end, and the log's last lines."""
        name, status = pod["metadata"]["name"], pod.get("status", {})
        for one in status.get("initContainerStatuses", []) + status.get("containerStatuses", []):
            state, last = one.get("state", {}), one.get("lastState", {}).get("terminated")
            waiting, ended = state.get("waiting", {}), state.get("terminated") or last or {}
            if waiting.get("reason") == "CrashLoopBackOff" or (state.get("terminated") and ended.get("exitCode")):
                said = f"pod {name}: {one['name']} ends with code {ended.get('exitCode')}, {ended.get('reason')}"
                return said, "", self.log(name, one["name"], bool(waiting))
            if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
                return f"pod {name}: {waiting['reason']}: {waiting.get('message', '')}".rstrip(": "), "", []
            if (
                "running" in state
                and not one.get("ready")
                and one["name"] == pod_of(self.main)["containers"][0]["name"]
            ):
                asked = self.told["ready"]
                return f"pod {name} runs, and is not ready yet", asked and f": it does not answer {asked}", []
        for one in status.get("conditions", []):
            if one["type"] == "PodScheduled" and one["status"] == "False":
                return f"pod {name}: {one.get('reason')}: {one.get('message', '')}", "", []
        if status.get("phase") == "Pending":  # only events say why, and they may not be read
            why = ": is a claim ReadWriteOnce and in use on another node, or a Secret missing?"
            return f"pod {name} is not started yet", why, []
        return None

    def log(self, pod, container, previous):
        """The last lines of a container, where they may be read."""
        path = self.cluster.path({"apiVersion": "v1", "kind": "Pod"}, pod) + f"/log?tailLines=10&container={container}"
        try:
            text = self.cluster.ask("GET", path + ("&previous=true" if previous else ""))
        except ApplyError:
            return []
        return [one for one in text.splitlines() if one.strip()]

    def example(self):
        """Post the example to a pod of the new version; what is wrong with the answer."""
        asked = self.told["example"]
        if not asked or not self.main["spec"].get("replicas", 1):
            return ""
        end = time.monotonic() + min(30.0, self.cluster.patience)
        service = f"{self.told['name']}.{self.cluster.namespace}.svc"
        headers = {"Content-Type": "application/json", "Host": f"{service}:{self.told['port']}"}
        while True:
            try:
                host = next((pod["status"]["podIP"] for pod in self.pods(self.version) if is_ready(pod)), service)
                connection = http.client.HTTPConnection(host, self.told["port"], timeout=60)
                connection.request("POST", asked["path"], asked["body"].encode(), headers)
                answer = connection.getresponse()
                text = answer.read(300).decode("utf-8", "replace")
                if answer.status // 100 == 2:
                    return ""
                said = f"the example was answered with {answer.status}: {line(text)}".rstrip(": ")
                if answer.status != 503:
                    return said
            except (OSError, http.client.HTTPException) as error:
                said = f"the example got no answer: {str(error) or type(error).__name__}"
            if time.monotonic() > end:
                return said
            time.sleep(self.cluster.every)

    def finish(self, versions):
        """Note that the version is good, and remove what is no longer wanted; its URL."""
        name = self.told["name"]
        good = " ".join([self.version, *versions][:KEPT])
        noted = dict(self.main, metadata={"name": name, "annotations": {VERSIONS: good}})
        del noted["spec"]
        live = self.cluster.swap(noted, self.version, MERGE)
        for kind in self.told["unwanted"]:
            try:
                self.cluster.delete(dict(kind, metadata={"name": name}))
            except ApplyError as error:  # no reason to take away a version that answers
                say(f"an earlier {kind['kind']} may remain: {error}")
        status = live.get("status", {})
        url = status.get("address", {}).get("url") or status.get("url")
        return url or f"http://{name}.{self.cluster.namespace}.svc:{self.told['port']}"

    def former(self, before, good):
        """What makes the version answer that did before; None where the cluster has kept nothing of it."""
        spec = before["spec"]
        if version_of(before) == good:
            return spec.get("template", spec)
        if "template" in spec:
            wanted = f"{INSTANCE}={self.told['name']},{VERSION}={good}"
            # Several, where somebody has restarted it by hand: the last one counts.
            found = list(self.cluster.all("apps/v1", "ReplicaSet", wanted))
            found.sort(key=lambda one: int(annotation(one, "deployment.kubernetes.io/revision") or 0))
            return found[-1]["spec"]["template"] if found else None
        return None

    def put_back(self, former, good):
        """Let the version before answer again; how that went."""
        if not former:
            return f"{good} cannot be put back, for the cluster has kept nothing of it: run its pipeline again"
        spec, metadata = self.main["spec"], dict(self.main["metadata"])
        if "template" in spec:
            labels = {key: value for key, value in former["metadata"]["labels"].items() if key != "pod-template-hash"}
            about = {"labels": labels, "annotations": former["metadata"].get("annotations") or {}}
            spec = dict(spec, template={"metadata": about, "spec": former["spec"]})
        else:
            spec, metadata["labels"] = former, dict(metadata["labels"], **{VERSION: good})
        try:
            self.cluster.swap(dict(self.main, metadata=metadata, spec=spec), self.version, APPLY)
        except OvertakenError:
            raise
        except ApplyError as error:
            return f"{good} could not be put back: {error}"
        return f"{good} answers as before"

    def remove(self, things):
        """Take away what was made; how that went."""
        try:
            overtaken(self.cluster.get(self.main), self.version)
            for thing in things:
                self.cluster.delete(thing)
        except OvertakenError:
            raise
        except ApplyError as error:
            return f"what was made could not be removed: {error}"
        return "no version has answered before, so all of it is removed"


def is_ready(pod):
    """Whether a pod answers."""
    found = pod.get("status", {}).get("conditions", [])
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in found)
    return ready and "deletionTimestamp" not in pod["metadata"]


def overtaken(live, version):
    """Raise where the serving is not this run's any more."""
    if live is None:
        raise OvertakenError("somebody has deleted the serving meanwhile")
    if version_of(live) != version:
        raise OvertakenError(f"another run has deployed {version_of(live)} meanwhile")


def version_of(live):
    """The version that an object is to bring."""
    of = live["spec"].get("template", live)
    return (of["metadata"].get("labels") or {}).get(VERSION, "")


def run(command, env):
    """Run the command that comes first; its exit code."""
    child, stopped = None, []

    def stop(number, _):
        stopped.append(number)
        if child:
            child.send_signal(number)

    signal.signal(signal.SIGTERM, stop)
    try:
        child = subprocess.Popen(command, env=dict(os.environ, **env))
    except OSError as error:
        raise ApplyError(f"cannot start {command[0]}: {error.strerror}") from None
    if stopped:
        child.terminate()
    code = child.wait()
    signal.signal(signal.SIGTERM, leave)
    if stopped:
        leave()
    return code if code >= 0 else 128 - code


def serving(told, values, command):
    """The step of a serving."""
    wanted = Serving(told, Cluster(told))
    before, versions = wanted.present()
    if command:
        kept = [*versions, *([version_of(before)] if before else [])]
        code = run(command, {"KADE2KFP_VERSION": wanted.version, "KADE2KFP_KEEP": " ".join(filter(None, kept))})
        if code:
            sys.exit(code)
    url = wanted.deploy(values)
    say(f"version {wanted.version} answers at {url}")
    write(told, "url", url)
    write(told, "version", wanted.version)


# --- viewers

# KFP's own where an artifact does not say (backend/src/v2/config/env.go, getDefaultMinioSessionInfo).
MINIO = {
    "endpoint": "seaweedfs.kubeflow:9000",
    "region": "minio",
    "disableSSL": "true",
    "secretName": "mlpipeline-minio-artifact",
    "accessKeyKey": "accesskey",
    "secretKeyKey": "secretkey",
}


def viewer(told, values, _):
    """The step of a viewer."""
    url = problem = ""
    try:
        url, problem = view(told, values, Cluster(told))
    except ApplyError as error:
        problem = str(error)
    except Exception as error:  # whatever it is: nothing waits for a viewer
        problem = f"our own bug: {type(error).__name__}: {line(error)}"
    if problem:
        say(f"the viewer: {problem}")
    write(told, "url", url)
    write(told, "problem", problem)


def view(told, values, cluster):
    """Start a viewer; its URL and what is wrong with it."""
    name = f"{told['name']}-{told['run'][:8]}"
    until = time.strftime(TIME, time.gmtime(time.time() + told["lasts"]))
    known = {"name": name, "expires": until, "replicas": told["scale"][0]}
    stores = [store(uri, told["input"]) for uri in told["arriving"]]
    things, others = (
        [reaching(filled(one, values, known), stores) for one in told.get(some, [])] for some in ("objects", "fallback")
    )
    note, host = told["note"], f"http://{name}.{cluster.namespace}.svc"
    try:
        for thing in things:
            cluster.apply(thing)
        url = host + (f":{told['port']}/" if pod_of(things[0]) else "/")
    except ApplyError as error:
        if error.status != 404 or not others:
            raise
        note, url = f"{error}; it is a Deployment instead", f"{host}:{told['port']}/"
        for thing in others:
            cluster.apply(thing)
    sweep(cluster, things + others)
    return url, note


def reaching(thing, stores):
    """The object whose containers know how to reach the object stores."""
    pod = pod_of(thing)
    for number, container in enumerate(pod.get("initContainers", [])):
        found, from_env = stores[number]
        container["env"] = found + (pod["containers"][0]["env"] if from_env else [])
    return protect(thing)


def store(uri, told):
    """The variables by which fetch.py reaches an artifact, and whether it needs the document's own too."""
    scheme = uri.partition("://")[0]
    if scheme not in ("s3", "minio"):
        raise ApplyError(f"an artifact at {uri or 'no place'} cannot be shown: let a volume carry the arrow")
    params = None
    try:
        # KFP notes it with each artifact (backend/src/v2/metadata/client.go, RecordArtifact).
        lists = json.loads(told)["inputs"]["artifacts"].values()
        found = [one for some in lists for one in some["artifacts"] if one["uri"] == uri]
        params = json.loads(found[0]["metadata"]["store_session_info"])["Params"]
    except (ValueError, LookupError, TypeError):
        pass
    if not params or (scheme == "minio" and not params.get("endpoint")):
        params = MINIO if scheme == "minio" else {"fromEnv": "true"}
    about = {name: params.get(name, "") for name in ("endpoint", "region", "disableSSL", "forcePathStyle")}
    env = [{"name": "KADE2KFP_S3", "value": json.dumps(about)}]
    if params.get("fromEnv", "").lower() == "true":
        return env, True
    for name, key in (("AWS_ACCESS_KEY_ID", "accessKeyKey"), ("AWS_SECRET_ACCESS_KEY", "secretKeyKey")):
        reference = {"name": params["secretName"], "key": params[key]}
        env.append({"name": name, "valueFrom": {"secretKeyRef": reference}})
    return env, False


def sweep(cluster, things):
    """Remove viewers whose time is over, where that is allowed."""
    now = time.strftime(TIME, time.gmtime())
    for first in (one for one in things if one["kind"] != "Service"):
        try:
            for live in cluster.all(first["apiVersion"], first["kind"], "kade2kfp/service=viewer"):
                name = live["metadata"]["name"]
                if "" < annotation(live, "kade2kfp/expires") < now:
                    for thing in things:
                        cluster.delete(dict(thing, metadata={"name": name}))
                    say(f"the viewer {name} has expired, and is removed")
        except ApplyError as error:
            if error.status != 404:
                say(f"expired viewers are not removed: {error}")


# --- the step


def write(told, name, text):
    """An output; what would be replaced on its way is taken apart."""
    with open(os.path.join(told["out"], name), "w", encoding="utf-8", errors="replace") as file:
        file.write(re.sub(r"(?<=[{$])(?=[({$])", " ", text))


def leave(*_):
    """TERM: what is rolled out goes on by itself."""
    os._exit(143)


def main(words):
    """Run the step."""
    signal.signal(signal.SIGTERM, leave)
    told = json.loads(words[0])
    values, rest = words[1 : 1 + told["values"]], words[1 + told["values"] :]
    # What is about the objects is known later.
    told = {key: one if key in ("objects", "fallback") else filled(one, values, {}) for key, one in told.items()}
    try:
        (viewer if told["kind"] == "viewer" else serving)(told, values, rest[1:])
    except ApplyError as error:
        say(error)
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
