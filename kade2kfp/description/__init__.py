"""What `describe` tells of a pipeline."""
