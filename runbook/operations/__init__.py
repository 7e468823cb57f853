"""What one does beside the eight sections of the guide, in the same shape: read, plan, apply, verify."""
