"""The proof of an action: recipes, the workshop of disposable objects, the probes, what a refresh proves."""
