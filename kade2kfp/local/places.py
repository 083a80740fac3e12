"""Where things lie in a box, and what values are: what `steps.command` asks a backend for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kade2kfp.local.text import item_text, value_text
from kade2kfp.steps.model import Step
from kade2kfp.steps.parts import ArtifactOutput
from kade2kfp.steps.sources import Constant, Item, Json, Output, Param, RunInfo, Source

# No mount of a document can be at or under /kade (checks/mounts.py, RESERVED).
IN = "/kade/in"
OUT = "/kade/out"


@dataclass(frozen=True, slots=True)
class Known:
    """The values of a run so far: parameters by name, outputs by step and name, and what is known of the run."""

    run_id: str
    run_name: str
    parameters: Mapping[str, Json]
    outputs: Mapping[str, Mapping[str, Json]]
    run_status: str = ""
    """How the run has ended, for its exit task: succeeded, failed or cancelled."""
    item: Json = None
    """The item of the loop, for a step in one."""

    def value(self, source: Source) -> Json:
        """What a source stands for. Raises KeyError where no step has written it: a step that needs it is not run."""
        match source:
            case Param(name):
                return self.parameters[name]
            case Output(step, name):
                return self.outputs[step][name]
            case Constant(_, value):
                return value
            case RunInfo("id"):
                return self.run_id
            case RunInfo("name"):
                return self.run_name
            case RunInfo("status"):
                return self.run_status
            case Item(key):
                return item_text(self.item, key)
        raise KeyError(f"not carried out here yet: {source}")


@dataclass(frozen=True, slots=True)
class LocalPlaces:
    """The places of one step. Outputs are numbered, since a metric may be called anything."""

    step: Step
    known: Known
    ports: Mapping[int, int] = field(default_factory=dict)

    def value(self, source: Source) -> str:
        """The text of a source."""
        return value_text(self.known.value(source))

    def input_path(self, name: str) -> str:
        """Where the artifact input has arrived."""
        return f"{IN}/{name}"

    def input_uri(self, name: str) -> str:
        """Nothing: no object store has it."""
        return ""

    def output_path(self, name: str) -> str:
        """Where the artifact output must be left."""
        return f"{OUT}/{self.output_number(name)}/data"

    def output_uri(self, name: str) -> str:
        """What stands for the artifact's URI."""
        return f"file://{self.output_path(name)}"

    def parameter_file(self, name: str) -> str:
        """The file for an output parameter's value."""
        return f"{OUT}/values/{parameter_names(self.step).index(name)}"

    def port(self, number: int) -> int:
        """The port here: the network is the machine's, where another step or program may have that one."""
        return self.ports.get(number, number)

    def output_number(self, name: str) -> int:
        """The place of an artifact output among all of the step."""
        return output_names(self.step).index(name)


def output_names(step: Step) -> list[str]:
    """The names of a step's artifact outputs; of the metrics first, where it has some."""
    names = ["metrics"] if step.metrics else []
    return names + [one.name for one in step.outputs if isinstance(one, ArtifactOutput)]


def parameter_names(step: Step) -> list[str]:
    """The names of the values that a step writes."""
    keys = step.metrics.keys if step.metrics else ()
    return [one.name for one in step.parameters] + [f"metric-{key}" for key in keys]
