from __future__ import annotations

import http.server
import logging
import threading
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from kade2kfp.cluster.services import ClusterServices
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.services.model import ServiceView

from .api import Api, Fault
from .conftest import RUN
from .deployed import V1, V2, custom, live, serving, viewer

OTHER = "ffffffff-6a3b-4c7d-9e8f-123456789abc"
PAST, FUTURE = "2020-01-01T00:00:00Z", "2120-01-01T00:00:00Z"


def test_what_runs_is_listed(services: ClusterServices, api: Api) -> None:
    viewer(api, expires=FUTURE)
    viewer(api, "paused", replicas=0)
    serving(api, V1)
    serving(api, V2)
    first, second = services.all("viewer")
    assert first == ServiceView(
        kind="viewer",
        run=RUN,
        pipeline="iris",
        task="board",
        step="board",
        name="iris-board-0d1f7e52",
        state="running",
        port=6006,
        url="http://iris-board-0d1f7e52.kubeflow.svc:6006/",
        since=1772359140.0,
        until=4733510400.0,
        handle="deployments/iris-board-0d1f7e52",
    )
    assert (second.state, second.url, second.until) == ("paused", "", None)
    (one,) = services.all("serving", RUN)
    assert (one.state, one.version, one.versions, one.problem) == ("running", V2, (V1,), "")
    assert one.url == "http://iris-endpoint.kubeflow.svc:3000/"
    assert services.all("serving", OTHER) == []
    assert services.all("serving", "a,b=c") == ()


def test_what_does_not_get_ready_says_why(services: ClusterServices, api: Api) -> None:
    api.objects.unready = True
    viewer(api)
    (one,) = services.all("viewer")
    assert (one.state, one.problem) == ("failing", "it ended with code 1, 4 times")
    pod = api.objects.list("pods")[0]
    for waiting, state, problem in (
        ({"reason": "ImagePullBackOff", "message": "no such image"}, "failing", "ImagePullBackOff: no such image"),
        ({"reason": "ContainerCreating"}, "starting", ""),
    ):
        pod["status"]["containerStatuses"] = [{"name": "server", "state": {"waiting": waiting}}]
        (one,) = services.all("viewer")
        assert (one.state, one.problem) == (state, problem)
    pod["status"] = {"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes\nhave a GPU"}]}
    assert services.all("viewer")[0].problem == "0/3 nodes have a GPU"
    live(api, one.name)["status"]["conditions"] = [{"type": "ReplicaFailure", "status": "True", "message": "quota"}]
    (one,) = services.all("viewer")
    assert (one.state, one.problem) == ("failing", "quota")
    api.forbidden = {"list pods"}
    assert services.all("viewer")[0].problem == "quota"


def test_a_version_that_fails_beside_one_that_answers(services: ClusterServices, api: Api) -> None:
    serving(api, V1)
    api.objects.broken = {V2}
    serving(api, V2, good=False)
    (one,) = services.all("serving")
    assert (one.state, one.version, one.versions) == ("running", V1, (V1,))
    assert one.problem == "another version does not get ready: it ended with code 1, 4 times"


@pytest.mark.parametrize("status", [None, "x", {"conditions": ["x"], "readyReplicas": "many"}, {"conditions": {}}])
def test_what_others_have_written_does_no_harm(services: ClusterServices, api: Api, status: Any) -> None:
    found = viewer(api)
    found["status"] = status
    found["metadata"]["annotations"] = {"kade2kfp/port": "-1", "kade2kfp/expires": "soon", "kade2kfp/task": 7}
    found["spec"]["replicas"] = None
    (one,) = services.all("viewer")
    assert (one.port, one.until, one.task) == (0, None, "board")
    with pytest.raises(CannotDoError, match="does not say which port"), services.reach(one):
        pass


def test_flavors_of_a_cluster_that_has_them(services: ClusterServices, api: Api) -> None:
    api.groups = {"serving.kserve.io", "tensorboard.kubeflow.org"}
    ready = {"conditions": [{"type": "Ready", "status": "True"}], "url": "http://iris.example"}
    found = custom(api, "inferenceservices", "serving", "iris-x", status=ready)
    found["metadata"]["labels"]["kade2kfp/version"] = V1
    custom(api, "tensorboards", "viewer", "iris-x-0d1f7e52", status={"readyReplicas": 1})
    (one,) = services.all("serving")
    (other,) = services.all("viewer")
    assert (one.state, one.url, one.port) == ("running", "http://iris.example", 8080)
    assert (other.state, other.url, other.port) == ("running", "http://iris-x-0d1f7e52.kubeflow.svc/", 6006)
    found["status"] = {"conditions": [{"type": "PredictorReady", "status": "False", "message": "no model"}]}
    assert services.all("serving")[0].problem == "no model"
    for ask, says in (
        (lambda: services.rollback(one, None, 1), "InferenceService, of which Kubernetes keeps no former version"),
        (lambda: services.pause(one), "InferenceService, which cannot be paused"),
        (lambda: services.pause(other), "Kubeflow's Tensorboard, which cannot be paused"),
    ):
        with pytest.raises(CannotDoError, match=says):
            ask()
    services.delete(one)
    services.delete(other)
    assert not api.objects.list("inferenceservices") + api.objects.list("tensorboards")
    assert not {one for one in api.asked if one.startswith("DELETE services")}


def test_what_may_not_be_listed_is_told(services: ClusterServices, api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """Kubernetes answers 403 for a resource that it does not even have."""
    serving(api, V1)
    api.forbidden = {"list inferenceservices"}
    with caplog.at_level(logging.WARNING):
        assert len(services.all("serving")) == 1
        assert not caplog.messages
        api.groups = {"serving.kserve.io"}
        assert len(services.all("serving")) == 1
    (said,) = caplog.messages
    assert (
        "you may not list inferenceservices in namespace `kubeflow` (403); those are not among what is listed" in said
    )
    assert "list on inferenceservices.serving.kserve.io in namespace `kubeflow`" in said
    api.forbidden = {"list deployments"}
    with pytest.raises(CannotDoError, match="you may not list deployments") as caught:
        services.all("serving")
    assert "list on deployments.apps in namespace" in caught.value.help


def test_pages_and_faults(services: ClusterServices, api: Api) -> None:
    api.page = 2
    for number in range(5):
        viewer(api, f"b{number}")
    api.faults = [Fault("GET deployments", 503, times=2)]
    assert [one.task for one in services.all("viewer")] == ["b0", "b1", "b2", "b3", "b4"]


def test_viewers_whose_time_is_over_go(services: ClusterServices, api: Api) -> None:
    viewer(api, "old", expires=PAST)
    viewer(api, "young", expires=FUTURE)
    api.forbidden = {"delete deployments"}
    assert len(services.all("viewer")) == 2
    api.forbidden = set()
    assert [one.task for one in services.all("viewer")] == ["young"]
    assert [one["metadata"]["name"] for one in api.objects.list("services")] == ["iris-young-0d1f7e52"]
    serving(api, V1)["metadata"]["annotations"]["kade2kfp/expires"] = PAST
    assert len(services.all("serving")) == 1


@pytest.mark.parametrize("task", ["endpoint", "iris-endpoint"])
@pytest.mark.parametrize("run", [RUN, "iris", "iris-endpoint"])
def test_a_serving_is_found_by_run_pipeline_and_name(services: ClusterServices, api: Api, run: str, task: str) -> None:
    serving(api, V1)
    assert services.find("serving", run, task).name == "iris-endpoint"


@pytest.mark.parametrize(
    ("kind", "run", "task", "says", "help_"),
    [
        ("viewer", RUN, "bord", "has no viewer `bord` in namespace `kubeflow`", "did you mean `board`?"),
        (
            "viewer",
            OTHER,
            "board",
            f"run {OTHER} has no viewers in namespace `kubeflow`: they go when",
            RUN,
        ),
        ("viewer", "iris", "board", "run iris has no viewers", "runs with a viewer"),
        ("serving", "irs", "endpoint", "neither a run nor a pipeline irs has a serving in", "did you mean `iris`?"),
        ("serving", "iris", "x", "iris has no serving `x`", "known servings: `endpoint`"),
        ("viewer", RUN, "sweep", "`sweep` has 2 viewers: `s1`, `s2`", "name one of them"),
    ],
)
def test_what_is_not_there(
    services: ClusterServices, api: Api, kind: Any, run: str, task: str, says: str, help_: str
) -> None:
    viewer(api)
    for step in ("s1", "s2"):
        viewer(api, step)["metadata"]["annotations"]["kade2kfp/task"] = "sweep"
    serving(api, V1)
    with pytest.raises(CannotDoError, match=says) as caught:
        services.find(kind, run, task)
    assert help_ in caught.value.help


def test_pausing_and_resuming(services: ClusterServices, api: Api) -> None:
    viewer(api)
    one = services.find("viewer", RUN, "board")
    assert services.resume(one) == "`board` is not paused: it is running"
    api.asked.clear()
    assert services.pause(one) == "`board` is paused: nothing of it runs, and it can be resumed"
    assert api.asked == ["PATCH deployments/iris-board-0d1f7e52/scale"]
    assert not api.objects.list("pods")
    one = services.find("viewer", RUN, "board")
    assert services.pause(one) == "`board` is paused already"
    with pytest.raises(CannotDoError, match="`board` is paused") as caught, services.reach(one):
        pass
    assert caught.value.help == "`kade2kfp viewer resume` starts it"
    with pytest.raises(CannotDoError, match="has no pod, and so no log"):
        services.log(one, 10)
    assert services.resume(one) == "`board` is resumed: it answers as soon as its pod is ready"
    assert services.find("viewer", RUN, "board").state == "running"


@pytest.mark.parametrize("may", [True, False])
def test_a_serving_comes_back_with_its_replicas(services: ClusterServices, api: Api, may: bool) -> None:
    serving(api, V1, replicas=3)
    api.forbidden = set() if may else {"patch deployments"}
    services.pause(services.find("serving", "iris", "endpoint"))
    one = services.find("serving", "iris", "endpoint")
    assert (one.state, one.version) == ("paused", V1)
    services.resume(one)
    assert live(api, "iris-endpoint")["spec"]["replicas"] == (3 if may else 1)


def test_deletion_takes_all_of_it_and_may_be_repeated(services: ClusterServices, api: Api) -> None:
    serving(api, V1)
    api.objects.add("horizontalpodautoscalers", {"metadata": {"name": "iris-endpoint"}})
    one = services.find("serving", "iris", "endpoint")
    api.forbidden = {"delete deployments"}
    with pytest.raises(CannotDoError, match="you may not delete deployments iris-endpoint"):
        services.delete(one)
    assert {name for _, name in api.objects.found} >= {"iris-endpoint", "iris-endpoint-1"}
    api.forbidden = set()
    api.faults = [Fault("DELETE deployments", "late", times=1)]
    assert services.delete(one) == "`endpoint` is deleted; its versions stay on the volume"
    assert not [name for kind, name in api.objects.found if kind != "pods"]
    assert services.delete(one) == "`endpoint` is deleted; its versions stay on the volume"


@pytest.fixture
def web() -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"hi")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_ready_pod_is_reached(services: ClusterServices, api: Api, web: int) -> None:
    serving(api, V1)
    api.objects.broken = {V2}
    serving(api, V2, good=False)
    live(api, "iris-endpoint")["metadata"]["annotations"]["kade2kfp/port"] = str(web)
    with services.reach(services.find("serving", "iris", "endpoint")) as port:
        assert urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10).read() == b"hi"
    names = {one.split("/")[1] for one in api.asked if one.endswith("/portforward")}
    assert {name.startswith("iris-endpoint-1-") for name in names} == {True}  # of the version that is ready


def test_nothing_ready_is_no_port(services: ClusterServices, api: Api) -> None:
    api.objects.unready = True
    viewer(api)
    with (
        pytest.raises(CannotDoError, match="`board` has no pod that is ready: it ended with code 1, 4 times"),
        services.reach(services.find("viewer", RUN, "board")),
    ):
        pass


def test_the_log_is_as_it_was_printed(services: ClusterServices, api: Api) -> None:
    viewer(api)
    pod = api.objects.list("pods")[0]
    pod["spec"]["containers"].insert(0, {"name": "istio-proxy"})
    api.logs[pod["metadata"]["name"]] = b'first\n{"a": 1}\n\xff\n7\n'
    one = services.find("viewer", RUN, "board")
    assert services.log(one, 3) == ['{"a": 1}', "\ufffd", "7"]
    api.forbidden = {"get pods/log"}
    with pytest.raises(CannotDoError, match="you may not read the log of pod") as caught:
        services.log(one, 3)
    assert "get on pods/log in namespace" in caught.value.help
