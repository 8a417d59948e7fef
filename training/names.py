"""What a training and its store are called where nobody says otherwise.

Command lines read it before they import what takes seconds: ``--help`` and a mistake are answered at once.
"""

STORE = "sqlite:///var/mlflow.db"
STORE_VARIABLE = "MLFLOW_TRACKING_URI"  # the store, where no other is asked for
CHAMPION, CHALLENGER = "champion", "challenger"  # the aliases of runs
EXPERIMENT = "credit-scoring"
FIRST_FOLDS, FIRST_ROUNDS = 3, 80  # of a provisional model: half a minute, and 0.005 of AUC less on the demo
