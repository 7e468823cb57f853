"""Executing the notebooks: the papermill engine, runs over the eight sections, and JupyterLab on a working copy."""
