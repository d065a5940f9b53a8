"""The engine that runs trainings: on processes of this machine, or on the workers of a Dask cluster."""
