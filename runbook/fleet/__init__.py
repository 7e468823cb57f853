"""Many tenants: the table that names them, the task of a worker, the cluster that carries tasks, and their books."""
