"""Gates: steps that wait for a person. What the commands need of them, whether they wait here or on a cluster."""
