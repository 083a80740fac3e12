"""The task types, one module each. A new type is one module and one name in this tuple."""

from kade2kfp.document.shared import Task
from kade2kfp.tasks.condition import Condition
from kade2kfp.tasks.container import Container
from kade2kfp.tasks.job import Job
from kade2kfp.tasks.load_data import LoadData
from kade2kfp.tasks.notebook import Notebook
from kade2kfp.tasks.select import Select
from kade2kfp.tasks.serving import Serving
from kade2kfp.tasks.viewer import Viewer

TASK_TYPES: tuple[type[Task], ...] = (LoadData, Container, Notebook, Job, Viewer, Serving, Condition, Select)
