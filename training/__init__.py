"""What training starts from and what it keeps: material, runs in MLflow, champions, lineage, comparisons."""
