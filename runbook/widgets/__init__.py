"""What notebooks show: each thing with HTML, text and a plain table of the same facts."""
