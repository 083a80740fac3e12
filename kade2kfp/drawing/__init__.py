"""Where the boxes and arrows of a graph are drawn. Knows nothing of documents and runs."""
