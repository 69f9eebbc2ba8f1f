"""Configurations of the components of diffusion pipelines -> `Network`, one module a family."""
