"""What notebooks show: one thing a file, each with HTML, text and a plain table of the same facts."""
