"""What the sections see of a tenant: a context of clients, our application and its marks, secrets, permissions."""
