"""A document's graph, as SVG, DOT or Mermaid."""

from kade2kfp.graph.build import graph_of
from kade2kfp.graph.dot import as_dot
from kade2kfp.graph.mermaid import as_mermaid
from kade2kfp.graph.model import Direction, Graph
from kade2kfp.graph.svg import as_svg

__all__ = ["Direction", "Graph", "as_dot", "as_mermaid", "as_svg", "graph_of"]
