"""The typed document: what the editor or a person wrote, before anything is resolved."""
