"""The leaf that the document's side and the backends share: what a pipeline becomes, as data."""
