"""The service under BentoML: which model, what the parent does, what a worker is, what stands before it."""
