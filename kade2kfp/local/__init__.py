"""A plan run on this machine: the same steps and scripts as on Kubeflow, in processes or containers of this machine."""
