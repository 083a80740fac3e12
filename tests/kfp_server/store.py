"""What KFP's database holds, and how the API tells it (apiserver/model, server/api_converter.go)."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from .specs import Spec

FINAL = ("SUCCEEDED", "FAILED", "SKIPPED", "CANCELED")
_V1 = {"PENDING": "Pending", "RUNNING": "Running", "SUCCEEDED": "Succeeded", "FAILED": "Failed", "SKIPPED": "Skipped"}
_V1 |= {"CANCELING": "Terminating", "CANCELED": "Failed", "PAUSED": "Pending"}


def stamp(seconds: int) -> str:
    """A time as protojson writes it; 0 is 1970, which KFP does not leave out."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def now() -> int:
    return int(time.time())


def fresh() -> str:
    return str(uuid.uuid4())


def filled(**fields: Any) -> dict[str, Any]:
    """protojson leaves out what is empty: "", 0, false, nothing."""
    return {key: value for key, value in fields.items() if value not in ("", 0, False, None, [], {})}


@dataclass
class Pipeline:
    name: str
    display_name: str
    description: str = ""
    namespace: str = ""
    id: str = field(default_factory=fresh)
    created: int = field(default_factory=now)

    def api(self) -> dict[str, Any]:
        return filled(
            pipeline_id=self.id,
            display_name=self.display_name,
            name=self.name,
            description=self.description,
            created_at=stamp(self.created),
            namespace=self.namespace,
        )

    def columns(self) -> dict[str, Any]:
        names = {"Name": self.name, "DisplayName": self.display_name, "Description": self.description}
        return names | {"UUID": self.id, "CreatedAtInSec": self.created, "Namespace": self.namespace}


@dataclass
class Version:
    pipeline: str
    name: str
    display_name: str
    spec: Spec
    description: str = ""
    id: str = field(default_factory=fresh)
    created: int = field(default_factory=now)
    order: int = field(default_factory=time.monotonic_ns)

    def api(self) -> dict[str, Any]:
        return filled(
            pipeline_id=self.pipeline,
            pipeline_version_id=self.id,
            display_name=self.display_name,
            name=self.name,
            description=self.description,
            created_at=stamp(self.created),
            pipeline_spec=self.spec.api(),
        )

    def columns(self) -> dict[str, Any]:
        names = {"Name": self.name, "DisplayName": self.display_name, "Description": self.description}
        return names | {"UUID": self.id, "CreatedAtInSec": self.created, "Status": "READY"}


@dataclass
class Experiment:
    name: str
    description: str = ""
    namespace: str = ""
    storage: str = "AVAILABLE"
    id: str = field(default_factory=fresh)
    created: int = field(default_factory=now)
    last_run: int = 0

    def api(self) -> dict[str, Any]:
        return filled(
            experiment_id=self.id,
            display_name=self.name,
            description=self.description,
            created_at=stamp(self.created),
            namespace=self.namespace,
            storage_state=self.storage,
            last_run_created_at=stamp(self.last_run),
        )

    def columns(self) -> dict[str, Any]:
        return {
            "UUID": self.id,
            "Name": self.name,
            "CreatedAtInSec": self.created,
            "LastRunCreatedAtInSec": self.last_run,
            "Description": self.description,
            "Namespace": self.namespace,
            "StorageState": self.storage,
        }


@dataclass
class Run:
    """A run. `spec` is what runs; `version` and `pipeline` are empty where the IR came with the run."""

    name: str
    experiment: str
    spec: Spec
    k8s_name: str
    namespace: str = ""
    pipeline: str = ""
    version: str = ""
    description: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    service_account: str = "pipeline-runner"
    storage: str = "AVAILABLE"
    recurring: str = ""
    id: str = field(default_factory=fresh)
    created: int = field(default_factory=now)
    scheduled: int = 0
    finished: int = 0
    state: str = "PENDING"
    history: list[dict[str, Any]] = field(default_factory=list)
    terminating: bool = False
    tries: int = 1

    def __post_init__(self) -> None:
        self.scheduled = self.scheduled or self.created
        if not self.history:
            self.moved(self.state)

    def moved(self, state: str) -> None:
        """A state that the persistence agent reports (runStore.UpdateRun): kept in the history where it is new."""
        self.state = state
        if not self.history or self.history[-1]["state"] != state:
            self.history.append({"update_time": stamp(now()), "state": state})

    def api(self, details: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        reference = filled(pipeline_id=self.pipeline, pipeline_version_id=self.version)
        config = {key: value for key, value in self.config.items() if value}
        return filled(
            experiment_id=self.experiment,
            run_id=self.id,
            display_name=self.name,
            storage_state=self.storage,
            description=self.description,
            pipeline_version_reference=reference if self.version else None,
            pipeline_spec=None if self.version else self.spec.api(),
            runtime_config=config,
            service_account=self.service_account,
            created_at=stamp(self.created),
            scheduled_at=stamp(self.scheduled),
            finished_at=stamp(self.finished),
            state=self.state,
            run_details={"task_details": details} if details else None,
            recurring_run_id=self.recurring,
            state_history=[dict(one) for one in self.history],
        )

    def api_v1(self, manifest: str) -> dict[str, Any]:
        """RunDetail of v1beta1; `manifest` is the Argo Workflow as JSON."""
        references = [("EXPERIMENT", self.experiment, "OWNER"), ("NAMESPACE", self.namespace, "OWNER")]
        references += [("JOB", self.recurring, "CREATOR")] if self.recurring else []
        references += [("PIPELINE_VERSION", self.version, "CREATOR")] if self.version and not self.recurring else []
        run = filled(
            id=self.id,
            name=self.name,
            storage_state="STORAGESTATE_ARCHIVED" if self.storage == "ARCHIVED" else "",
            description=self.description,
            pipeline_spec=filled(
                pipeline_id=self.pipeline,
                pipeline_name=f"pipelines/{self.version}" if self.version else "",
                pipeline_manifest=self.spec.yaml(),
                runtime_config={key: value for key, value in self.config.items() if value},
            ),
            resource_references=[
                {"key": {"type": kind, "id": id_}, "relationship": relation}
                for kind, id_, relation in references
                if id_
            ],
            service_account=self.service_account,
            created_at=stamp(self.created),
            scheduled_at=stamp(self.scheduled),
            finished_at=stamp(self.finished),
            status=self.condition,
        )
        return {"run": run, "pipeline_runtime": filled(workflow_manifest=manifest)}

    @property
    def condition(self) -> str:
        return _V1.get(self.state, "Unknown")

    def columns(self) -> dict[str, Any]:
        return {
            "UUID": self.id,
            "DisplayName": self.name,
            "CreatedAtInSec": self.created,
            "FinishedAtInSec": self.finished,
            "Description": self.description,
            "ScheduledAtInSec": self.scheduled,
            "StorageState": self.storage,
            "Conditions": self.condition,
            "Namespace": self.namespace,
            "ExperimentUUID": self.experiment,
            "State": self.state,
            "JobUUID": self.recurring,
        }


@dataclass
class Recurring:
    name: str
    experiment: str
    spec: Spec | None
    trigger: dict[str, Any]
    enabled: bool
    max_concurrency: int
    no_catchup: bool = False
    namespace: str = "kubeflow"
    pipeline: str = ""
    version: str = ""
    description: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    service_account: str = "pipeline-runner"
    id: str = field(default_factory=fresh)
    created: int = field(default_factory=now)
    updated: int = field(default_factory=now)
    fired: int = 0

    def api(self) -> dict[str, Any]:
        reference = filled(pipeline_id=self.pipeline, pipeline_version_id=self.version)
        return filled(
            recurring_run_id=self.id,
            display_name=self.name,
            description=self.description,
            pipeline_version_reference=reference,
            pipeline_spec=self.spec.api() if self.spec and not reference else None,
            runtime_config={key: value for key, value in self.config.items() if value},
            service_account=self.service_account,
            max_concurrency=str(self.max_concurrency),
            trigger=self.trigger,
            mode="ENABLE" if self.enabled else "DISABLE",
            created_at=stamp(self.created),
            updated_at=stamp(self.updated),
            status="ENABLED" if self.enabled else "DISABLED",
            no_catchup=self.no_catchup,
            namespace=self.namespace,
            experiment_id=self.experiment,
        )

    def columns(self) -> dict[str, Any]:
        return {
            "UUID": self.id,
            "DisplayName": self.name,
            "CreatedAtInSec": self.created,
            "UpdatedAtInSec": self.updated,
            "Description": self.description,
            "ExperimentUUID": self.experiment,
        }
