"""Text to JSON values, each with its span; everything that can be wrong with a file before it is a pipeline."""

from kade2kfp.source.model import MISSING, Object, Source
from kade2kfp.source.read import read_file, read_source

__all__ = ["MISSING", "Object", "Source", "read_file", "read_source"]
