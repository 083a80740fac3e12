"""The passes from a document to a Plan."""
