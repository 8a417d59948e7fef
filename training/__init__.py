"""What training keeps: runs in MLflow, the registry of champions, where a model comes from, comparisons."""
